//! The writer of a message on its own: what goes into one write.
#![allow(clippy::unwrap_used)]

mod support;

use polaris_core::config::{Deltas, StoreConfig};
use polaris_core::event::Events;
use polaris_core::store::convex::Convex;
use polaris_core::store::functions::{FinishedTurn, MessageStore, StoredCall};
use polaris_core::store::writer::StreamWriter;
use serde_json::json;
use support::env;
use support::store::{MESSAGE, Store};

#[tokio::test]
async fn the_text_and_the_calls_of_a_turn_that_comes_at_once_are_one_write() {
    let store = Store::start("Hi").await;
    let config = StoreConfig::from_env(&env("http://127.0.0.1:9", &store.server.url)).unwrap();
    let message = MessageStore::new(Convex::new(config).unwrap(), MESSAGE);
    message.begin(None, 1).await.unwrap();
    let writer = StreamWriter::spawn(message, Events::new(Deltas::default()), String::new(), Vec::new(), &[]);
    tokio::task::yield_now().await;
    writer.push("One. ");
    // The writer has seen the text, and waits for what comes with it.
    tokio::task::yield_now().await;
    let call = StoredCall { id: "c".into(), name: "readFile".into(), args: json!({}), result: None };
    writer.calls([call], FinishedTurn { step: 1, data: json!({}) });
    writer.recorded().await;
    let names = store.with(|s| s.log.iter().map(|call| call.name.clone()).collect::<Vec<_>>());
    assert_eq!(names, ["beginMessage", "saveToolCalls"]);
    store.with(|s| assert_eq!(s.content, "One. "));
}
