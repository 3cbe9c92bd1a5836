//! Whatever a provider sends, a run ends with a code and in bounded memory.
#![allow(clippy::unwrap_used)]

mod support;

use polaris_core::error::{CoreError, ErrorCode};
use polaris_core::job::{Run, RunResult};
use serde_json::json;
use support::http::{Part, Reply};
use support::model::{Model, call, finish as finish_event, parts, stream, text};
use support::{env, finish, spec};

/// The most that a run of these tests takes as an answer, in bytes.
const MAX_ANSWER: usize = 1 << 20;

async fn ask(replies: Vec<Reply>) -> (Model, Result<RunResult, CoreError>) {
    let model = Model::start(replies).await;
    let payload = json!({ "messages": [{ "role": "user", "content": "Hi" }], "files": {} });
    let limits = json!({ "modelRetries": 0, "maxAnswerBytes": MAX_ANSWER, "stallMs": 1_000 });
    let run = Run::start(spec("agent", payload, json!({ "limits": limits })), env(&model.server.url, ""));
    let (_, result) = finish(&run).await;
    (model, result)
}

async fn code_of(reply: Reply) -> ErrorCode {
    ask(vec![reply]).await.1.unwrap_err().code
}

#[tokio::test]
async fn a_body_without_end_is_closed_at_the_answers_limit() {
    let event = text(&"x".repeat(4_000));
    for (what, body) in [
        ("text", event.as_str()),
        ("one line", "data: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
        ("zeros, as a bomb unpacks to", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
    ] {
        let chunk = body.repeat(64 * 1_024 / body.len());
        let reply = if what == "one line" {
            parts(vec![
                Part::Bytes(b"data: ".to_vec()),
                Part::Endless(chunk.replace("data: ", "").into_bytes()),
            ])
        } else {
            parts(vec![Part::Endless(chunk.into_bytes())])
        };
        let (model, result) = ask(vec![reply]).await;
        assert_eq!(result.unwrap_err().code, ErrorCode::AnswerTooLarge, "{what}");
        model.server.client_closed().await;
    }
}

#[tokio::test]
async fn comments_without_end_are_a_stall() {
    let reply =
        parts(vec![Part::Bytes(text("Once").into_bytes()), Part::Endless(b": still here\n\n".repeat(100))]);
    let (model, result) = ask(vec![reply]).await;
    assert_eq!(result.unwrap_err().code, ErrorCode::ModelStalled);
    model.server.client_closed().await;
}

#[tokio::test]
async fn what_was_not_asked_for_is_no_answer() {
    // Packed: the core asks for no compression, so that a bomb stays as small as it is sent.
    let packed = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xed, 0xc1, 1, 1, 0, 0].repeat(64);
    assert_eq!(code_of(parts(vec![Part::Bytes(packed)])).await, ErrorCode::ModelStreamCut);
    let error = ask(vec![stream("<html>busy</html>")]).await.1.unwrap_err();
    assert_eq!(error.code, ErrorCode::ModelProtocol);
    assert!(error.message.contains("a web page instead of a stream"), "{error}");
    // An error as JSON, though the content type says that it is a stream.
    let error =
        ask(vec![stream("{\"error\":{\"code\":429,\"message\":\"slow down\"}}")]).await.1.unwrap_err();
    assert_eq!(error.code, ErrorCode::ModelRateLimited, "{error}");
}

#[tokio::test]
async fn json_nested_ten_thousand_deep_is_an_error_of_the_provider() {
    let nested = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(code_of(stream(format!("data: {nested}\n\n"))).await, ErrorCode::ModelProtocol);
    let (in_error, in_delta) =
        (format!("{{\"error\":{nested}}}"), format!("{{\"choices\":[{{\"delta\":{nested}}}]}}"));
    assert_eq!(code_of(stream(format!("data: {in_delta}\n\n"))).await, ErrorCode::ModelProtocol);
    assert_eq!(code_of(Reply::json(400, &in_error)).await, ErrorCode::ModelBadRequest);
}

#[tokio::test]
async fn arguments_nested_ten_thousand_deep_run_no_tool_and_the_model_is_told() {
    let nested = format!("{{\"path\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let (model, result) = ask(vec![
        stream(call(0, "c1", "writeFile", &nested) + &finish_event("tool_calls")),
        stream(text("I see.") + &finish_event("stop")),
    ])
    .await;
    assert_eq!(result.unwrap().text.unwrap(), "I see.");
    let told = model.request(1)["messages"].as_array().unwrap().last().unwrap()["content"].clone();
    assert!(told.as_str().unwrap().contains("not run"), "{told}");
}

#[tokio::test]
async fn bytes_that_are_no_utf_8_become_replacement_characters() {
    let mut body = text("a?b").into_bytes();
    let at = body.iter().position(|&byte| byte == b'?').unwrap();
    body[at] = 0xff;
    body.extend(finish_event("stop").into_bytes());
    let result = ask(vec![parts(vec![Part::Bytes(body)])]).await.1.unwrap();
    assert_eq!(result.text.unwrap(), "a\u{fffd}b");
}
