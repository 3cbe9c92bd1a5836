//! The core alone, without Node, for profilers: job `agent` against the bench server, again and again.
//! `perf record target/release/examples/core <base URL> <scenario> <repeat> [<streams at once>]`; prints
//! CPU time per repetition.

use std::error::Error;
use std::io::{self, Write as _};
use std::time::Instant;

use polaris_bench::usage;
use polaris_core::config::Env;
use polaris_core::job::{Run, RunSpec};
use serde_json::json;

/// As in the addon.
const WORKER_THREADS: usize = 1;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (base, scenario, repeat, streams) = match args.as_slice() {
        [base, scenario, repeat] => (base, scenario, repeat, 1),
        [base, scenario, repeat, streams] => (base, scenario, repeat, streams.parse()?),
        _ => return Err("usage: core <base URL> <scenario> <repeat> [<streams at once>]".into()),
    };
    let repeat: u32 = repeat.parse()?;
    let env = |name: &str, value: String| (name.to_owned(), value);
    let env: Env = [
        env("POLARIS_PRIMARY_BASE_URL", format!("{base}/s/{scenario}/v1")),
        env("POLARIS_PRIMARY_MODEL", "bench".to_owned()),
    ]
    .into_iter()
    .collect();
    let files =
        if scenario.starts_with("loop") || scenario.starts_with("args") { json!({}) } else { json!(null) };
    let spec = json!({ "job": "agent", "payload": {
        "messages": [{ "role": "user", "content": "go" }], "files": files,
    } });
    let spec = RunSpec::from_json(&spec.to_string())?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(WORKER_THREADS).enable_all().build()?;
    let (cpu, begin) = (usage::cpu(), Instant::now());
    for _ in 0..repeat {
        runtime.block_on(async {
            let runs = (0..streams).map(|_| {
                let run = Run::start(spec.clone(), env.clone());
                tokio::spawn(async move {
                    while run.next_batch().await.is_some() {}
                    run.result().await
                })
            });
            // Collected first: all of them run at once.
            let runs: Vec<_> = runs.collect();
            for run in runs {
                run.await??;
            }
            Ok::<(), Box<dyn Error>>(())
        })?;
    }
    let (cpu, wall) = (usage::cpu() - cpu, begin.elapsed());
    writeln!(io::stdout(), "cpu {:?} wall {:?} per repetition", cpu / repeat, wall / repeat)?;
    Ok(())
}
