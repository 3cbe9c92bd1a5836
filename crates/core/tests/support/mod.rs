//! Loopback servers for the tests of the core: a scripted model, and a store in memory. They count
//! what arrives, so that a test does not have to believe the code that it tests.
// Each test binary uses a part of it; a test may unwrap.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, clippy::panic)]

pub mod contract;
pub mod http;
pub mod model;
pub mod store;
pub mod tls;

use polaris_core::config::Env;
use polaris_core::error::CoreError;
use polaris_core::event::Event;
use polaris_core::job::{Run, RunResult, RunSpec};
use serde_json::{Value, json};

/// The environment of a run against these servers.
pub fn env(model: &str, store: &str) -> Env {
    [
        ("POLARIS_PRIMARY_BASE_URL", format!("{model}/v1")),
        ("POLARIS_PRIMARY_MODEL", "scripted".to_owned()),
        ("CONVEX_URL", store.to_owned()),
        ("POLARIS_CONVEX_INTERNAL_KEY", store::INTERNAL_KEY.to_owned()),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .collect()
}

/// A spec from JSON, as the addon gets it.
pub fn spec(job: &str, payload: Value, options: Value) -> RunSpec {
    RunSpec::from_json(&json!({ "job": job, "payload": payload, "options": options }).to_string()).unwrap()
}

/// Pulls a run to its end.
pub async fn finish(run: &Run) -> (Vec<Event>, Result<RunResult, CoreError>) {
    let mut events = Vec::new();
    while let Some(batch) = run.next_batch().await {
        events.extend(batch);
    }
    (events, run.result().await)
}

/// The visible text of the events, resets applied.
pub fn text_of(events: &[Event]) -> String {
    let mut text = String::new();
    for event in events {
        match event {
            Event::Text { text: delta } => text.push_str(delta),
            Event::Reset { bytes } => text.truncate(*bytes),
            _ => {}
        }
    }
    text
}
