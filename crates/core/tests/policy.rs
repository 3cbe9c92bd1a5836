//! Retries, the fallback, and answers that the token limit cut, seen from both models.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use polaris_core::agent::CONTINUE;
use polaris_core::error::ErrorCode;
use polaris_core::event::Event;
use polaris_core::job::Run;
use serde_json::{Value, json};
use support::http::Reply;
use support::model::{Model, call, event, finish as finish_event, signed_call, stream, text};
use support::store::{MESSAGE, Store};
use support::{finish, spec, text_of};

fn start(primary: &Model, fallback: Option<&Model>, store: &Store, options: Value) -> Run {
    let mut vars = vec![
        ("POLARIS_PRIMARY_BASE_URL", format!("{}/v1", primary.server.url)),
        ("POLARIS_PRIMARY_MODEL", "first".to_owned()),
        ("CONVEX_URL", store.server.url.clone()),
        ("POLARIS_CONVEX_INTERNAL_KEY", support::store::INTERNAL_KEY.to_owned()),
    ];
    if let Some(fallback) = fallback {
        vars.push(("POLARIS_FALLBACK_BASE_URL", format!("{}/v1", fallback.server.url)));
        vars.push(("POLARIS_FALLBACK_MODEL", "second".to_owned()));
    }
    let spec = spec("process-message", json!({ "messageId": MESSAGE }), options);
    Run::start(spec, vars.into_iter().collect())
}

fn busy() -> Reply {
    Reply::Full { status: 503, headers: "retry-after: 0\r\n".into(), body: b"{}".to_vec() }
}

fn write(path: &str) -> String {
    call(0, "c", "writeFile", &format!(r#"{{"path":"{path}","content":"x"}}"#)) + &finish_event("tool_calls")
}

#[tokio::test]
async fn the_fallback_takes_over_when_the_primary_stays_down() {
    let primary = Model::start(vec![busy()]).await;
    let fallback = Model::start(vec![stream(text("From the second.") + &finish_event("stop"))]).await;
    let store = Store::start("Hi").await;
    let options = json!({ "limits": { "modelRetries": 1 } });
    let (events, result) = finish(&start(&primary, Some(&fallback), &store, options)).await;
    let result = result.unwrap();
    assert!(result.used_fallback);
    assert_eq!((primary.server.requests(), fallback.server.requests()), (2, 1));
    assert_eq!(fallback.request(0)["model"], "second");
    store.with(|s| assert_eq!(s.content, "From the second."));
    let taken = events
        .iter()
        .any(|e| matches!(e, Event::Fallback { step: 1, code: ErrorCode::ModelUnavailable, .. }));
    assert!(taken);
}

#[tokio::test]
async fn a_refused_key_goes_to_the_fallback_at_once() {
    for status in [401, 402, 403, 404] {
        let primary = Model::start(vec![Reply::json(status, "{}")]).await;
        let fallback = Model::start(vec![stream(text("ok") + &finish_event("stop"))]).await;
        let store = Store::start("Hi").await;
        finish(&start(&primary, Some(&fallback), &store, json!({}))).await.1.unwrap();
        assert_eq!(primary.server.requests(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_conversation_that_is_too_long_ends_the_run() {
    let body = json!({ "error": { "message": "maximum context length is 10 tokens" } });
    let primary = Model::start(vec![Reply::json(400, body)]).await;
    let fallback = Model::start(vec![stream(text("ok") + &finish_event("stop"))]).await;
    let store = Store::start("Hi").await;
    let error = start(&primary, Some(&fallback), &store, json!({})).result().await.unwrap_err();
    assert_eq!(error.code, ErrorCode::ModelContextLength);
    assert_eq!(fallback.server.requests(), 0);
}

#[tokio::test]
async fn a_tool_that_has_run_is_never_run_again_and_half_a_turn_never_shows() {
    let half = text("Half of it") + &call(0, "d", "writeFile", r#"{"path":"b","content":"y"}"#);
    let primary = Model::start(vec![stream(text("First. ") + &write("a")), stream(half), busy()]).await;
    let fallback = Model::start(vec![stream(text("Second.") + &finish_event("stop"))]).await;
    let store = Store::start("Hi").await;
    let (events, result) =
        finish(&start(&primary, Some(&fallback), &store, json!({ "limits": { "modelRetries": 0 } }))).await;
    result.unwrap();
    assert_eq!(
        store.with(|s| s.made.clone()),
        ["wrote a"],
        "the call of the half turn did not run, the finished one not again"
    );
    let messages = fallback.request(0)["messages"].clone();
    assert_eq!(
        messages[3]["content"], "Successfully wrote to a",
        "the fallback goes on from the finished call"
    );
    assert_eq!(text_of(&events), "First. Second.");
    store.with(|s| assert_eq!(s.content, "First. Second."));
}

#[tokio::test]
async fn what_the_primary_put_beside_its_calls_is_not_shown_to_the_fallback() {
    let extra = json!({ "google": { "thought_signature": "c2ln" } });
    let signed = signed_call(0, "c", "listFiles", "{}", &extra) + &finish_event("tool_calls");
    let primary = Model::start(vec![stream(signed), Reply::json(401, "{}")]).await;
    let fallback = Model::start(vec![stream(text("ok") + &finish_event("stop"))]).await;
    let store = Store::start("Hi").await;
    finish(&start(&primary, Some(&fallback), &store, json!({}))).await.1.unwrap();
    let call = |model: &Model, n| model.request(n)["messages"][2]["tool_calls"][0].clone();
    assert_eq!(call(&primary, 1)["extra_content"], extra);
    assert_eq!(call(&fallback, 0)["id"], "c");
    assert_eq!(call(&fallback, 0).get("extra_content"), None);
}

#[tokio::test]
async fn the_fallback_stays_for_the_rest_of_the_run() {
    let primary = Model::start(vec![Reply::json(402, "{}")]).await;
    let fallback =
        Model::start(vec![stream(write("a")), stream(text("Done.") + &finish_event("stop"))]).await;
    let store = Store::start("Hi").await;
    finish(&start(&primary, Some(&fallback), &store, json!({}))).await.1.unwrap();
    assert_eq!((primary.server.requests(), fallback.server.requests()), (1, 2));
}

#[tokio::test]
async fn an_empty_answer_after_reasoning_is_asked_once_more_with_more_room() {
    let thought = event(&json!({ "choices": [{ "index": 0, "delta": { "reasoning": "Hmm" } }] }))
        + &finish_event("length");
    let model =
        Model::start(vec![stream(thought.clone()), stream(text("Answer.") + &finish_event("stop"))]).await;
    let store = Store::start("Hi").await;
    let result = finish(&start(&model, None, &store, json!({}))).await.1.unwrap();
    assert_eq!(
        (&model.request(0)["max_tokens"], &model.request(1)["max_tokens"]),
        (&json!(2000), &json!(8000))
    );
    assert_eq!(result.usage.input, 20, "what was spent is counted");
    store.with(|s| assert_eq!(s.content, "Answer."));

    let model = Model::start(vec![stream(thought)]).await;
    let store = Store::start("Hi").await;
    let last = json!({ "attempt": { "number": 1, "max": 1 } });
    let error = start(&model, None, &store, last).result().await.unwrap_err();
    assert_eq!((error.code, model.server.requests()), (ErrorCode::OutputLimit, 2));
}

#[tokio::test]
async fn cut_arguments_are_asked_once_more_and_then_told() {
    let cut = text("Writing. ")
        + &call(0, "c", "writeFile", r#"{"path":"a","content":"hal"#)
        + &finish_event("length");
    let model =
        Model::start(vec![stream(cut.clone()), stream(cut), stream(text("Sorry.") + &finish_event("stop"))])
            .await;
    let store = Store::start("Hi").await;
    finish(&start(&model, None, &store, json!({}))).await.1.unwrap();
    assert_eq!(model.request(1)["max_tokens"], 8000);
    assert_eq!(model.request(2)["max_tokens"], 2000);
    assert!(model.request(2)["messages"][3]["content"].as_str().unwrap().contains("cut off"));
    store.with(|s| assert_eq!((s.content.as_str(), s.files.len()), ("Writing. Sorry.", 0)));
}

#[tokio::test]
async fn a_cut_answer_is_continued_twice_and_then_fails_with_its_text() {
    let part = |t: &str| stream(text(t) + &finish_event("length"));
    let model =
        Model::start(vec![part("One, "), part("two, "), stream(text("three.") + &finish_event("stop"))])
            .await;
    let store = Store::start("Hi").await;
    finish(&start(&model, None, &store, json!({}))).await.1.unwrap();
    store.with(|s| assert_eq!(s.content, "One, two, three."));
    let messages = model.request(1)["messages"].clone();
    assert_eq!(messages[2], json!({ "role": "assistant", "content": "One, " }));
    assert_eq!(messages[3], json!({ "role": "user", "content": CONTINUE }));

    let model = Model::start(vec![part("a")]).await;
    let store = Store::start("Hi").await;
    let error = start(&model, None, &store, json!({})).result().await.unwrap_err();
    assert_eq!((error.code, model.server.requests()), (ErrorCode::OutputLimit, 3));
    store.with(|s| assert_eq!((s.status.as_str(), s.content.as_str()), ("failed", "aaa")));
}

#[tokio::test]
async fn a_model_that_goes_in_circles_is_told_and_then_stopped() {
    let model =
        Model::start(vec![stream(call(0, "c", "readFile", r#"{"path":"a"}"#) + &finish_event("tool_calls"))])
            .await;
    let store = Store::start("Hi").await;
    let error = start(&model, None, &store, json!({})).result().await.unwrap_err();
    assert_eq!((error.code, model.server.requests()), (ErrorCode::ToolLoop, 4));
    let told = model.request(3)["messages"].as_array().unwrap().last().unwrap()["content"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(told.starts_with("File not found: a\n") && told.contains("three times"), "{told}");
}

#[tokio::test]
async fn raw_tool_markers_are_a_failed_turn_and_never_text() {
    let markers = text("Sure. <|tool_ca")
        + &text("lls_section_begin|><|tool_call_begin|>functions.x:0")
        + &finish_event("stop");
    let model = Model::start(vec![stream(markers), stream(text("a < b <|x") + &finish_event("stop"))]).await;
    let store = Store::start("Hi").await;
    let (events, result) = finish(&start(&model, None, &store, json!({}))).await;
    result.unwrap();
    assert_eq!(text_of(&events), "a < b <|x");
    assert!(!format!("{events:?}").contains("tool_ca"), "{events:?}");
}

#[tokio::test]
async fn reasoning_goes_back_under_the_name_by_which_it_came_and_is_never_text() {
    let delta = |fields: Value| event(&json!({ "choices": [{ "index": 0, "delta": fields }] }));
    let cases = [
        (
            delta(json!({ "reasoning_content": "R1" })) + &delta(json!({ "reasoning_content": "R2" })),
            "reasoning_content",
            json!("R1R2"),
        ),
        (delta(json!({ "reasoning": "R1" })), "reasoning", json!("R1")),
        (
            delta(
                json!({ "reasoning": "R1", "reasoning_details": [{ "type": "reasoning.text", "text": "R1", "index": 0 }] }),
            ) + &delta(
                json!({ "reasoning": "R2", "reasoning_details": [{ "type": "reasoning.text", "text": "R2", "index": 0, "signature": "s" }] }),
            ),
            "reasoning_details",
            json!([{ "type": "reasoning.text", "text": "R1R2", "index": 0, "signature": "s" }]),
        ),
    ];
    for (reasoning, name, expected) in cases {
        let model = Model::start(vec![
            stream(reasoning + &write("a")),
            stream(text("Done.") + &finish_event("stop")),
        ])
        .await;
        let store = Store::start("Hi").await;
        finish(&start(&model, None, &store, json!({}))).await.1.unwrap();
        assert_eq!(model.request(1)["messages"][2][name], expected);
        store.with(|s| assert_eq!(s.content, "Done."));
    }
}

#[tokio::test]
async fn earlier_answers_bring_their_tool_calls_along() {
    let model = Model::start(vec![stream(text("ok") + &finish_event("stop"))]).await;
    let store = Store::start("And now?").await;
    store.with(|s| {
        let call = json!({ "id": "c1", "name": "readFile", "args": { "path": "a" }, "result": "A" });
        s.history.insert(0, json!({ "role": "assistant", "content": "It says A.", "toolCalls": [call] }));
        s.history.insert(0, json!({ "role": "user", "content": "What is in a?" }));
    });
    finish(&start(&model, None, &store, json!({}))).await.1.unwrap();
    let messages = model.request(0)["messages"].clone();
    assert_eq!(messages[2]["tool_calls"][0]["function"]["arguments"], r#"{"path":"a"}"#);
    assert_eq!(messages[3]["content"], "A");
    assert_eq!(messages[4]["content"], "It says A.");
}

#[tokio::test]
async fn the_whole_run_has_a_limit_of_its_own() {
    let model = Model::start(vec![support::model::parts(vec![support::http::Part::Hang])]).await;
    let store = Store::start("Hi").await;
    let error =
        start(&model, None, &store, json!({ "limits": { "runMs": 200 } })).result().await.unwrap_err();
    assert_eq!(error.code, ErrorCode::RunTimeout);
    assert_eq!(store.with(|s| s.status.clone()), "failed");
}

#[tokio::test]
async fn anthropic_messages_run_the_same_loop() {
    let block = |n: u32, start: Value, deltas: &[Value]| {
        let mut out = event(&json!({ "type": "content_block_start", "index": n, "content_block": start }));
        for delta in deltas {
            out += &event(&json!({ "type": "content_block_delta", "index": n, "delta": delta }));
        }
        out + &event(&json!({ "type": "content_block_stop", "index": n }))
    };
    let begin = event(
        &json!({ "type": "message_start", "message": { "model": "m", "usage": { "input_tokens": 7 } } }),
    );
    let end = |reason: &str| {
        event(
            &json!({ "type": "message_delta", "delta": { "stop_reason": reason }, "usage": { "output_tokens": 3 } }),
        ) + &event(&json!({ "type": "message_stop" }))
    };
    let first = begin.clone()
        + &block(
            0,
            json!({ "type": "thinking", "thinking": "" }),
            &[
                json!({ "type": "thinking_delta", "thinking": "T" }),
                json!({ "type": "signature_delta", "signature": "S" }),
            ],
        )
        + &block(
            1,
            json!({ "type": "tool_use", "id": "tu_1", "name": "writeFile", "input": {} }),
            &[
                json!({ "type": "input_json_delta", "partial_json": "{\"path\":\"a\"," }),
                json!({ "type": "input_json_delta", "partial_json": "\"content\":\"A\"}" }),
            ],
        )
        + &end("tool_use");
    let second = begin
        + &block(
            0,
            json!({ "type": "text", "text": "" }),
            &[json!({ "type": "text_delta", "text": "Done." })],
        )
        + &end("end_turn")
        + "event: data\ndata: [DONE]\n\n";
    let model = Model::start_at("/v1/messages", vec![stream(first), stream(second)]).await;
    let store = Store::start("Hi").await;
    let vars = [
        ("POLARIS_PRIMARY_BASE_URL", format!("{}/v1", model.server.url)),
        ("POLARIS_PRIMARY_MODEL", "m".to_owned()),
        ("POLARIS_PRIMARY_PROTOCOL", "anthropic".to_owned()),
        ("POLARIS_PRIMARY_API_KEY", "sk-1".to_owned()),
        ("CONVEX_URL", store.server.url.clone()),
        ("POLARIS_CONVEX_INTERNAL_KEY", support::store::INTERNAL_KEY.to_owned()),
    ];
    let run = Run::start(
        spec("process-message", json!({ "messageId": MESSAGE }), json!({})),
        vars.into_iter().collect(),
    );
    let result = finish(&run).await.1.unwrap();
    assert_eq!((result.usage.input, result.usage.output), (14, 6));
    store.with(|s| assert_eq!((s.content.as_str(), s.files["a"].as_str()), ("Done.", "A")));
    let head = model.heads.lock().unwrap()[0].clone();
    assert!(head.contains("x-api-key: sk-1") && head.contains("anthropic-version: 2023-06-01"), "{head}");
    assert_eq!(
        model.request(1)["messages"][1]["content"][0],
        json!({ "type": "thinking", "thinking": "T", "signature": "S" })
    );
}
