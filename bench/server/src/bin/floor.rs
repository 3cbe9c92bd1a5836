//! The floor: what it costs to take the same bytes from the same socket with the same HTTP client and
//! to do nothing with them. `polaris-bench-floor <base URL> <plan as JSON>`; the plan and the answer
//! are those of `bench/child.mjs`.

use std::error::Error;
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use polaris_bench::scenario::Scenario;
use polaris_bench::usage;
use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// As in the addon.
const WORKER_THREADS: usize = 1;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let (Some(base), Some(plan)) = (args.next(), args.next()) else {
        return Err("usage: polaris-bench-floor <base URL> <plan>".into());
    };
    let plan: Value = serde_json::from_str(&plan)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(WORKER_THREADS).enable_all().build()?;
    let report = runtime.block_on(measure(base, plan))?;
    writeln!(io::stdout(), "{report}")?;
    Ok(())
}

async fn measure(base: String, plan: Value) -> Result<Value> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().no_proxy().tcp_nodelay(true).build()?;
    let number = |name: &str| plan[name].as_u64().unwrap_or(0) as usize;
    let name = plan["scenario"].as_str().unwrap_or_default();
    let mut first = None;
    for _ in 0..number("warmups") {
        let warm = plan["warmup"].as_str().unwrap_or(name);
        let run = run(&client, &base, warm).await?;
        first.get_or_insert(run.first);
    }
    let (cpu, begin) = (usage::cpu(), Instant::now());
    let (mut deltas, mut firsts) = (0, Vec::new());
    for _ in 0..number("repeat").max(1) {
        let streams: Vec<_> = (0..number("streams").max(1))
            .map(|_| {
                let (client, base, name) = (client.clone(), base.clone(), name.to_owned());
                tokio::spawn(async move { run(&client, &base, &name).await })
            })
            .collect();
        for stream in streams {
            let run = stream.await??;
            deltas += run.deltas;
            firsts.push(run.first);
        }
    }
    let (wall, cpu) = (begin.elapsed(), usage::cpu() - cpu);
    firsts.sort_unstable();
    let warm = firsts[firsts.len() / 2];
    Ok(json!({
        "client": "floor", "cpuMs": ms(cpu), "wallMs": ms(wall), "deltas": deltas, "exact": true,
        "peakRssBytes": usage::peak_rss(), "lagMs": null,
        "firstMs": ms(first.unwrap_or(warm)), "warmMs": ms(warm),
    }))
}

struct Run {
    deltas: usize,
    /// From the request to the first bytes of the body.
    first: Duration,
}

async fn run(client: &Client, base: &str, name: &str) -> Result<Run> {
    let scenario = Scenario::parse(name).ok_or("no such scenario")?;
    let begin = Instant::now();
    let mut first = None;
    let mut deltas = 0;
    for results in scenario.requests() {
        let turn = scenario.turn(results);
        deltas += turn.text + turn.calls.iter().map(|call| call.fragments.len()).sum::<usize>();
        let mut messages = vec![json!({ "role": "user", "content": "go" })];
        messages.extend((0..results).map(|_| json!({ "role": "tool", "content": "ok" })));
        let body = json!({ "model": "bench", "stream": true, "messages": messages }).to_string();
        let mut response = client
            .post(format!("{base}/s/{name}/v1/chat/completions"))
            .header(CONTENT_TYPE, "application/json")
            .body(body)
            .send()
            .await?
            .error_for_status()?;
        let expected: usize =
            response.headers().get("x-bench-bytes").ok_or("no x-bench-bytes")?.to_str()?.parse()?;
        let mut bytes = 0;
        while let Some(chunk) = response.chunk().await? {
            first.get_or_insert_with(|| begin.elapsed());
            bytes += chunk.len();
        }
        if bytes != expected {
            return Err(format!("{name}: {bytes} bytes came, {expected} were sent").into());
        }
    }
    Ok(Run { deltas, first: first.ok_or("nothing came")? })
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
