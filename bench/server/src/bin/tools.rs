//! The code tools of the core on a project in memory, asked line by line: a request as JSON on
//! standard input, what it took and what it said as JSON on standard output. Times begin and end
//! around the tool itself.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, Write as _};
use std::sync::Arc;
use std::time::Instant;

use polaris_core::code::extract;
use polaris_core::code::index::Indexer;
use polaris_core::code::inspect::inspect;
use polaris_core::code::server::LanguageServer;
use polaris_core::config::Env;
use polaris_core::tool::ToolError;
use polaris_core::tool::command::ExecuteCommand;
use polaris_core::tool::registry::Registry;
use polaris_core::workspace::memory::MemoryFiles;
use polaris_core::workspace::snapshot::Snapshot;
use polaris_core::workspace::{ChangeLine, ProjectFiles as _};
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;

struct Project {
    files: Arc<MemoryFiles>,
    snapshot: Arc<Snapshot>,
    tools: Registry,
    server: Arc<LanguageServer>,
}

fn load(path: &str) -> Result<Project, Failure> {
    let files: BTreeMap<String, String> = serde_json::from_slice(&std::fs::read(path)?)?;
    let files = Arc::new(MemoryFiles::new(files));
    let snapshot = Arc::new(Snapshot::new(Arc::clone(&files) as _));
    let env = Env::from_process();
    let command = ExecuteCommand::new(Arc::clone(&snapshot), env.clone(), 30_000);
    let server = Arc::new(LanguageServer::new(&env));
    let tools = Registry::for_code(&snapshot, 1 << 20, command, &server);
    Ok(Project { files, snapshot, tools, server })
}

async fn answer(project: &Project, request: &Value) -> Result<Value, Failure> {
    let begin = Instant::now();
    let ms = |begin: Instant| begin.elapsed().as_secs_f64() * 1_000.0;
    let text = |name: &str| request[name].as_str().unwrap_or_default();
    Ok(match text("op") {
        "call" => {
            let tool = project.tools.get(text("tool")).ok_or("no such tool")?;
            let text = match tool.call(&request["args"], 0.0).await {
                Ok(text) | Err(ToolError::Text(text)) => text,
                Err(ToolError::Fatal(error)) => return Err(error.to_string().into()),
            };
            json!({ "ms": ms(begin), "text": text })
        }
        "write" => {
            project
                .snapshot
                .write(text("path"), text("content"), &ChangeLine::default())
                .await
                .map_err(|e| format!("{e:?}"))?;
            json!({ "ms": ms(begin) })
        }
        // The whole index, from nothing.
        "index" => {
            let snapshot = Arc::new(Snapshot::new(Arc::clone(&project.files) as _));
            snapshot.current().await.map_err(|e| format!("{e:?}"))?;
            let begin = Instant::now();
            let index = Indexer::new(snapshot).current().await.map_err(|e| format!("{e:?}"))?;
            json!({ "ms": ms(begin), "files": index.code().count() })
        }
        // What a generation pays after each step.
        "inspect" => {
            let snapshot = Arc::new(Snapshot::new(Arc::clone(&project.files) as _));
            let index = Indexer::new(snapshot).current().await.map_err(|e| format!("{e:?}"))?;
            json!({ "problems": inspect(&index).len(), "ms": ms(begin) })
        }
        // One file of it.
        "extract" => {
            let read = extract::extract(text("path"), &Arc::from(text("content")), 0);
            json!({ "ms": ms(begin), "ok": read.is_ok() })
        }
        "memory" => {
            let kib = |pid: &str| -> Option<u64> {
                let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
                let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
                line.split_whitespace().next()?.parse().ok()
            };
            let server = project.server.pid().and_then(|pid| kib(&pid.to_string()));
            json!({ "own": kib("self"), "server": server })
        }
        other => return Err(format!("no operation {other:?}").into()),
    })
}

#[tokio::main(worker_threads = 1)]
async fn main() -> Result<(), Failure> {
    let path = std::env::args().nth(1).ok_or("the project's file is missing")?;
    let project = load(&path)?;
    for line in io::stdin().lock().lines() {
        let answer = answer(&project, &serde_json::from_str(&line?)?).await?;
        writeln!(io::stdout(), "{answer}")?;
        io::stdout().flush()?;
    }
    Ok(())
}
