//! The servers of a benchmark run, on one free loopback port, and on another the same behind TLS.
//! Prints `{"url":…,"tlsUrl":…,"certificate":…}` and ends with its standard input.
//!
//! - `/s/<scenario>/v1/chat/completions` and `/s/<scenario>/v1/messages`: the model;
//! - `/c/<ms per mutation>/<account>/api/{query,mutation}`: the store;
//! - `/account/<account>`: what was sent to it; `/model`: when the last model request came.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use polaris_bench::http::{self, Request};
use polaris_bench::model::Answers;
use polaris_bench::scenario::Scenario;
use polaris_bench::store::Store;
use polaris_bench::tls::Tls;
use polaris_bench::wheel::Wheel;
use polaris_bench::wire::Wire;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[derive(Default)]
struct Servers {
    answers: Answers,
    store: Store,
    wheel: Wheel,
    /// Microseconds since 1970.
    last_model_request: AtomicU64,
    model_requests: AtomicU64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let plain = listener.local_addr()?;
    let tls = Tls::start(plain).await?;
    let about = json!({
        "url": format!("http://{plain}"), "tlsUrl": format!("https://localhost:{}", tls.port), "certificate": tls.certificate,
    });
    let mut stdout = io::stdout();
    writeln!(stdout, "{about}")?;
    stdout.flush()?;
    let servers = Arc::new(Servers::default());
    let mut stdin = tokio::io::stdin();
    let mut ignored = [0; 64];
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let servers = Arc::clone(&servers);
                let (stream, _) = accepted?;
                tokio::spawn(async move {
                    // A client that goes away is its own business.
                    let _ = connection(&servers, stream).await;
                });
            }
            read = stdin.read(&mut ignored) => {
                if matches!(read, Ok(0) | Err(_)) {
                    // Not a return: the thread that waits for standard input would be waited for.
                    std::process::exit(0);
                }
            }
        }
    }
}

async fn connection(servers: &Servers, mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(64 << 10);
    while let Some(request) = http::read(&mut stream, &mut buffer).await? {
        let parts: Vec<&str> = request.path.splitn(4, '/').collect();
        match parts.as_slice() {
            ["s", scenario, ..] => match answer_of(scenario, &request) {
                Some((scenario, wire)) => match model(servers, stream, scenario, wire, &request).await? {
                    Some(back) => stream = back,
                    None => return Ok(()),
                },
                None => stream.write_all(&http::json(404, r#"{"error":"no such scenario"}"#)).await?,
            },
            ["c", ms, account, endpoint @ ("api/query" | "api/mutation")] => {
                let endpoint = endpoint.trim_start_matches("api/");
                let answer = servers.store.call(account, endpoint, &request.body);
                if let (Ok(ms @ 1..), "mutation") = (ms.parse(), endpoint) {
                    tokio::time::sleep(Duration::from_millis(ms)).await;
                }
                stream.write_all(&http::json(200, &answer)).await?;
            }
            ["account", account] => {
                stream.write_all(&http::json(200, &servers.store.take(account))).await?;
            }
            ["model"] => {
                let at = servers.last_model_request.load(Ordering::Relaxed);
                let requests = servers.model_requests.load(Ordering::Relaxed);
                let body = format!("{{\"lastRequestUs\":{at},\"requests\":{requests}}}");
                stream.write_all(&http::json(200, &body)).await?;
            }
            _ => stream.write_all(&http::json(404, r#"{"error":"not found"}"#)).await?,
        }
    }
    Ok(())
}

fn answer_of(scenario: &str, request: &Request) -> Option<(Scenario, Wire)> {
    let rest = request.path.splitn(3, '/').nth(2)?;
    Some((Scenario::parse(scenario)?, Wire::at(rest)?))
}

/// Answers as the model; `None`: the client has gone.
async fn model(
    servers: &Servers,
    mut stream: TcpStream,
    scenario: Scenario,
    wire: Wire,
    request: &Request,
) -> io::Result<Option<TcpStream>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
    servers.last_model_request.store(now, Ordering::Relaxed);
    servers.model_requests.fetch_add(1, Ordering::Relaxed);
    let writes = servers.answers.get(scenario, wire, &request.body);
    if !scenario.delay().is_zero() {
        tokio::time::sleep(scenario.delay()).await;
    }
    if let Scenario::Paced { rate, .. } = scenario {
        let socket = servers.wheel.play(stream.into_std()?, writes, rate).await;
        return socket.map(TcpStream::from_std).transpose();
    }
    for write in writes.iter() {
        stream.write_all(write).await?;
    }
    Ok(Some(stream))
}
