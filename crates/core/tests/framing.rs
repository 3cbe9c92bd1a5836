//! However a provider cuts its bytes, the same text arrives.
#![allow(clippy::unwrap_used)]

mod support;

use polaris_core::job::Run;
use serde_json::json;
use support::http::{Part, Reply};
use support::model::{Model, finish as finish_event, parts, stream, text};
use support::{env, finish, spec, text_of};

const TEXT: &str = "Grüße, 世界! 😀 \"quoted\" \\ and\ta line\nend";

fn body() -> String {
    TEXT.chars().map(|c| text(&c.to_string())).collect::<String>() + &finish_event("stop")
}

async fn read(reply: Reply) -> String {
    let model = Model::start(vec![reply]).await;
    let payload = json!({ "messages": [{ "role": "user", "content": "Hi" }] });
    let run = Run::start(
        spec("agent", payload, json!({ "limits": { "modelRetries": 0 } })),
        env(&model.server.url, ""),
    );
    let (events, result) = finish(&run).await;
    let result = result.unwrap();
    assert_eq!(result.text.as_deref(), Some(text_of(&events).as_str()));
    text_of(&events)
}

fn in_pieces(bytes: &[u8], size: usize) -> Reply {
    parts(bytes.chunks(size).map(|piece| Part::Bytes(piece.to_vec())).collect())
}

#[tokio::test]
async fn the_text_is_the_same_in_one_byte_reads() {
    assert_eq!(read(in_pieces(body().as_bytes(), 1)).await, TEXT);
}

#[tokio::test]
async fn the_text_is_the_same_when_a_character_is_split() {
    for size in [2, 3, 5, 7, 64] {
        assert_eq!(read(in_pieces(body().as_bytes(), size)).await, TEXT, "pieces of {size}");
    }
}

#[tokio::test]
async fn line_ends_comments_and_a_byte_order_mark_change_nothing() {
    let variants = [
        body().replace('\n', "\r\n"),
        body().replace('\n', "\r"),
        format!("\u{feff}{}", body()),
        body().replace("data: {", ": OPENROUTER PROCESSING\n\ndata: {"),
        body().replace("data: ", "data:"),
        body().replace("data: ", "event: message\nid: 1\ndata: "),
        body().replace("data: [DONE]", "data:  [DONE] "),
    ];
    for variant in variants {
        assert_eq!(read(stream(variant.clone())).await, TEXT, "{:?}", &variant[..60]);
        assert_eq!(read(in_pieces(variant.as_bytes(), 1)).await, TEXT, "{:?}", &variant[..60]);
    }
}

#[tokio::test]
async fn a_missing_done_is_no_failure_once_the_reason_is_there() {
    let without_done = body().replace("data: [DONE]\n\n", "");
    assert_eq!(read(stream(without_done.clone())).await, TEXT);
    assert_eq!(read(stream(without_done.trim_end())).await, TEXT, "nor a missing blank line at the end");
    // A server that says it is done and keeps the connection open does not keep the run.
    assert_eq!(read(parts(vec![Part::Bytes(body().into_bytes()), Part::Hang])).await, TEXT);
}
