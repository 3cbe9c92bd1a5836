//! What happens to a message, seen from the model and from the store.

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::time::{Duration, Instant};

use polaris_core::cancel::CancelReason;
use polaris_core::error::{CoreError, ErrorCode};
use polaris_core::event::{Event, MessageStatus, WriteKind};
use polaris_core::job::Run;
use polaris_core::job::process_message::{FAILURE_TEXT, SYSTEM_PROMPT};
use serde_json::{Value, json};
use support::http::{Part, Reply};
use support::model::{self, Model, call, finish as finish_event, paced, parts, stream, text};
use support::store::{MESSAGE, Store};
use support::{env, finish, spec, text_of};

fn start(model: &Model, store: &Store, options: Value) -> Run {
    let spec = spec("process-message", json!({ "messageId": MESSAGE }), options);
    Run::start(spec, env(&model.server.url, &store.server.url))
}

/// Options of an attempt that the runner will not repeat, and that is not patient.
fn last() -> Value {
    json!({ "attempt": { "number": 3, "max": 3 }, "limits": { "modelRetries": 0 } })
}

#[tokio::test]
async fn a_message_is_answered_and_stored_exactly() {
    let model = Model::start(vec![stream(text("Hello") + &text(", wörld 😀") + &finish_event("stop"))]).await;
    let store = Store::start("Hi").await;
    let run = start(&model, &store, json!({ "runId": "run_1" }));
    let (events, result) = finish(&run).await;
    let result = result.unwrap();
    assert_eq!(result.status, MessageStatus::Completed);
    assert_eq!((result.usage.input, result.usage.output, result.usage.cost), (10, 5, 0.5));
    assert_eq!(text_of(&events), "Hello, wörld 😀");
    store.with(|s| {
        assert_eq!((s.status.as_str(), s.content.as_str()), ("completed", "Hello, wörld 😀"));
        assert_eq!(s.run_id, "run_1");
    });
    assert_eq!(events.last(), Some(&Event::Status { status: MessageStatus::Completed }));
    let chat = events.iter().find_map(|event| match event {
        Event::Span { name, attributes, .. } if name.starts_with("chat ") => Some(attributes.clone()),
        _ => None,
    });
    let chat = chat.unwrap();
    for (name, value) in [
        ("gen_ai.operation.name", json!("chat")),
        ("gen_ai.provider.name", json!("127.0.0.1")),
        ("gen_ai.usage.input_tokens", json!(10)),
        ("gen_ai.usage.output_tokens", json!(5)),
        ("gen_ai.usage.cache_read.input_tokens", json!(0)),
        ("gen_ai.usage.reasoning.output_tokens", json!(0)),
    ] {
        assert_eq!(chat[name], value, "{name}");
    }
}

#[tokio::test]
async fn the_bytes_of_the_system_prompt_are_those_of_the_file() {
    let model = Model::start(vec![stream(text("ok") + &finish_event("stop"))]).await;
    let store = Store::start("Hi").await;
    finish(&start(&model, &store, json!({}))).await.1.unwrap();
    let shipped =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../prompts/process-message.md"))
            .unwrap();
    assert_eq!(model.request(0)["messages"][0], json!({ "role": "system", "content": shipped }));
    assert_eq!(shipped, SYSTEM_PROMPT);

    let path = std::env::temp_dir().join(format!("polaris-prompt-{}.md", std::process::id()));
    std::fs::write(&path, "Own prompt\r\n  with its bytes.\n").unwrap();
    let store = Store::start("Hi").await;
    finish(&start(&model, &store, json!({ "prompts": { "system": { "file": path } } }))).await.1.unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(model.request(1)["messages"][0]["content"], "Own prompt\r\n  with its bytes.\n");
}

#[tokio::test]
async fn the_request_carries_the_limits_the_tools_and_the_history() {
    let model = Model::start(vec![stream(text("ok") + &finish_event("stop"))]).await;
    let store = Store::start("Hi").await;
    store.with(|s| s.history.insert(0, json!({ "role": "assistant", "content": "Before" })));
    finish(&start(&model, &store, json!({}))).await.1.unwrap();
    let request = model.request(0);
    assert_eq!(request["model"], "scripted");
    assert_eq!(request["stream"], true);
    assert_eq!((&request["temperature"], &request["max_tokens"]), (&json!(0.7), &json!(2000)));
    assert_eq!(request["messages"][1], json!({ "role": "assistant", "content": "Before" }));
    assert_eq!(request["messages"][2], json!({ "role": "user", "content": "Hi" }));
    let names: Vec<&str> = request["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t["function"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "readFile",
            "writeFile",
            "deleteFile",
            "listFiles",
            "getProjectStructure",
            "findSymbol",
            "getReferences",
            "getDiagnostics",
            "goToDefinition",
            "searchFiles",
            "searchCodebase",
            "findFilesByPattern",
            "executeCommand",
            "getRelevantFiles",
        ]
    );
    assert!(!model.heads.lock().unwrap()[0].contains("authorization"), "a loopback server gets no key");
}

#[tokio::test]
async fn tools_run_and_what_they_got_and_returned_is_stored() {
    let model = Model::start(vec![
        stream(
            text("Let me see. ")
                + &call(0, "functions.readFile:0", "readFile", "{\"path\":")
                + &call(0, "", "", "\"a.txt\"}")
                + &call(1, "call_b", "writeFile", r#"{"path":"b.txt","content":"B"}"#)
                + &finish_event("tool_calls"),
        ),
        stream(call(0, "functions.readFile:0", "readFile", r#"{"path":"b.txt"}"#) + &finish_event("stop")),
        stream(text("Done.") + &finish_event("stop")),
    ])
    .await;
    let store = Store::start("Hi").await;
    store.with(|s| drop(s.files.insert("a.txt".into(), "A".into())));
    let (events, result) = finish(&start(&model, &store, json!({}))).await;
    let result = result.unwrap();
    assert_eq!((result.steps, result.tool_calls, result.usage.input), (3, 3, 30));
    store.with(|s| {
        assert_eq!((s.status.as_str(), s.content.as_str()), ("completed", "Let me see. Done."));
        assert_eq!(s.files["b.txt"], "B");
        assert_eq!(
            s.tool_calls,
            [
                json!({ "id": "functions.readFile:0", "name": "readFile", "args": { "path": "a.txt" }, "result": "A" }),
                json!({ "id": "call_b", "name": "writeFile", "args": { "path": "b.txt", "content": "B" }, "result": "Successfully wrote to b.txt" }),
                json!({ "id": "functions.readFile:0#2", "name": "readFile", "args": { "path": "b.txt" }, "result": "B" }),
            ]
        );
    });
    // The provider's ids go back to it verbatim, also where one comes twice.
    let messages = model.request(2)["messages"].clone();
    assert_eq!(messages[2]["tool_calls"][0]["id"], "functions.readFile:0");
    assert_eq!(
        messages[3],
        json!({ "role": "tool", "tool_call_id": "functions.readFile:0", "content": "A" })
    );
    assert_eq!(messages[5]["content"], Value::Null, "calls without text");
    assert_eq!(
        messages[6],
        json!({ "role": "tool", "tool_call_id": "functions.readFile:0", "content": "B" })
    );
    assert_eq!(text_of(&events), "Let me see. Done.");
    let spans: Vec<(&str, &Value)> = events
        .iter()
        .filter_map(|e| match e {
            Event::Span { name, attributes, .. } => Some((name.as_str(), attributes)),
            _ => None,
        })
        .collect();
    assert_eq!(spans.len(), 6, "{spans:?}");
    // The names of the OpenTelemetry conventions.
    let (name, chat) = spans[0];
    assert_eq!(name, "chat scripted");
    assert_eq!(chat["gen_ai.provider.name"], "127.0.0.1");
    assert_eq!(chat["gen_ai.request.model"], "scripted");
    assert_eq!(chat["gen_ai.response.finish_reasons"], json!(["tool_calls"]));
    let (name, tool) = spans[1];
    assert_eq!(name, "execute_tool readFile");
    assert_eq!(tool["gen_ai.operation.name"], "execute_tool");
    assert_eq!(tool["gen_ai.tool.call.id"], "functions.readFile:0");
}

#[tokio::test]
async fn a_tool_call_is_stored_with_the_text_before_it_at_once() {
    // The model hangs after its second request: what is stored by then came from the boundary.
    let model = Model::start(vec![
        stream(text("First. ") + &call(0, "c1", "listFiles", "{}") + &finish_event("tool_calls")),
        parts(vec![Part::Hang]),
    ])
    .await;
    let store = Store::start("Hi").await;
    let run = start(&model, &store, json!({}));
    loop {
        let batch = run.next_batch().await.unwrap();
        let stored = store.with(|s| s.tool_calls.first().is_some_and(|c| c.get("result").is_some()));
        if stored && batch.iter().any(|e| matches!(e, Event::Write { kind: WriteKind::Boundary, .. })) {
            break;
        }
    }
    store.with(|s| assert_eq!(s.content, "First. "));
}

#[tokio::test]
async fn calls_that_cannot_run_are_told_to_the_model_and_not_run() {
    let model = Model::start(vec![
        stream(
            call(0, "a", "writeFile", "{\"path\":\"x\",\"content\":\"half")
                + &call(1, "b", "noSuchTool", "{}")
                + &call(2, "c", "readFile", "{\"file\":\"x\"}")
                + &call(3, "d", "writeFile", r#"{"path":"folder","content":""}"#)
                + &finish_event("length"),
        ),
        stream(text("Sorry.") + &finish_event("stop")),
    ])
    .await;
    let store = Store::start("Hi").await;
    finish(&start(&model, &store, json!({ "limits": { "maxRaisedOutputTokens": 1 } }))).await.1.unwrap();
    let told: Vec<String> =
        (3..=6).map(|n| model.request(1)["messages"][n]["content"].as_str().unwrap().to_owned()).collect();
    assert!(told[0].contains("cut off") && told[0].contains("not run"), "{}", told[0]);
    assert!(
        told[1].contains("no tool \"noSuchTool\"") && told[1].contains("readFile, writeFile"),
        "{}",
        told[1]
    );
    assert!(told[2].contains("unknown field `file`"), "{}", told[2]);
    assert_eq!(told[3], "Error writing file: folder is a folder");
    assert!(store.with(|s| s.files.is_empty()));
    // What goes back to the provider must be valid, or every later request would be refused.
    assert_eq!(model.request(1)["messages"][2]["tool_calls"][0]["function"]["arguments"], "{}");
}

#[tokio::test]
async fn a_final_or_missing_message_costs_no_model_call() {
    let model = Model::start(vec![stream(finish_event("stop"))]).await;
    for status in ["completed", "cancelled", "failed"] {
        let store = Store::start("Hi").await;
        store.with(|s| s.status = status.to_owned());
        let result = finish(&start(&model, &store, json!({}))).await.1.unwrap();
        assert_eq!(serde_json::to_value(result.status).unwrap(), status);
        assert_eq!(store.with(|s| s.log.len()), 1, "one look, no write");
    }
    let store = Store::start("Hi").await;
    let run = Run::start(
        spec("process-message", json!({ "messageId": "nope" }), json!({})),
        env(&model.server.url, &store.server.url),
    );
    let error = run.result().await.unwrap_err();
    assert_eq!((error.code, error.retryable()), (ErrorCode::MessageNotFound, false));
    store.with(|s| s.faults.push(("beginMessage".into(), Reply::json(200, json!({
        "status": "error", "errorMessage": "x", "errorData": { "code": "NOT_AN_ASSISTANT_MESSAGE", "message": "m" } })))));
    let error = start(&model, &store, json!({})).result().await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotAnAssistantMessage);
    assert_eq!(model.server.requests(), 0);
}

#[tokio::test]
async fn a_refusal_of_the_provider_fails_at_once_and_keeps_no_key() {
    for (status, code) in
        [(401, ErrorCode::ModelAuth), (402, ErrorCode::ModelPayment), (403, ErrorCode::ModelAuth)]
    {
        let body = json!({ "error": { "message": "bad key sk-canary-1", "code": status } });
        let model = Model::start(vec![Reply::json(status, body)]).await;
        let store = Store::start("Hi").await;
        let spec = spec(
            "process-message",
            json!({ "messageId": MESSAGE }),
            json!({ "attempt": { "number": 1, "max": 3 } }),
        );
        let vars = [
            ("POLARIS_PRIMARY_BASE_URL", format!("{}/v1", model.server.url)),
            ("POLARIS_PRIMARY_MODEL", "scripted".to_owned()),
            ("POLARIS_PRIMARY_API_KEY", "sk-canary-1".to_owned()),
            ("CONVEX_URL", store.server.url.clone()),
            ("POLARIS_CONVEX_INTERNAL_KEY", support::store::INTERNAL_KEY.to_owned()),
        ];
        let run = Run::start(spec, vars.into_iter().collect());
        let (events, result) = finish(&run).await;
        let error = result.unwrap_err();
        assert_eq!((error.code, error.status, error.retryable()), (code, Some(status), false));
        assert!(
            !format!("{error:?}{events:?}{:?}", run.telemetry().breadcrumbs()).contains("sk-canary-1"),
            "{error:?}"
        );
        assert!(model.heads.lock().unwrap()[0].contains("authorization: Bearer sk-canary-1"));
        assert_eq!(model.server.requests(), 1);
        // No runner repeats this: the message is failed although more attempts were left.
        store.with(|s| assert_eq!((s.status.as_str(), s.content.as_str()), ("failed", FAILURE_TEXT)));
    }
}

#[tokio::test]
async fn passing_failures_are_tried_again_and_no_text_comes_twice() {
    let cut = text("Half an ans");
    let model = Model::start(vec![
        Reply::Full { status: 429, headers: "retry-after: 0\r\n".into(), body: b"slow down".to_vec() },
        stream(cut.clone()),
        stream(text("Whole.") + &finish_event("stop")),
    ])
    .await;
    let store = Store::start("Hi").await;
    let (events, result) = finish(&start(&model, &store, json!({}))).await;
    result.unwrap();
    assert_eq!(text_of(&events), "Whole.");
    store.with(|s| assert_eq!(s.content, "Whole."));
    let codes: Vec<ErrorCode> = events
        .iter()
        .filter_map(|e| if let Event::Retry { code, .. } = e { Some(*code) } else { None })
        .collect();
    assert_eq!(codes, [ErrorCode::ModelRateLimited, ErrorCode::ModelStreamCut]);
}

#[tokio::test]
async fn a_stream_that_does_not_end_well_is_never_completed() {
    let mut options = last();
    options["limits"]["maxContinuations"] = json!(0);
    let error_event = model::event(
        &json!({ "error": { "code": 502, "message": "upstream" }, "choices": [{ "index": 0, "delta": {}, "finish_reason": "error" }] }),
    );
    let cases = [
        ("cut", stream(text("Half")), ErrorCode::ModelStreamCut),
        ("reset", parts(vec![Part::Bytes(text("Half").into_bytes()), Part::Cut]), ErrorCode::ModelStreamCut),
        ("done without a reason", stream(text("Half") + "data: [DONE]\n\n"), ErrorCode::ModelStreamCut),
        ("in-band error", stream(text("Half") + &error_event), ErrorCode::ModelUnavailable),
        (
            "garbage",
            stream(text("Half") + "data: {nope\n\n" + &finish_event("stop")),
            ErrorCode::ModelProtocol,
        ),
        ("length", stream(text("Half") + &finish_event("length")), ErrorCode::OutputLimit),
        ("filter", stream(text("Half") + &finish_event("content_filter")), ErrorCode::ContentFilter),
    ];
    for (name, reply, code) in cases {
        let model = Model::start(vec![reply]).await;
        let store = Store::start("Hi").await;
        let error = start(&model, &store, options.clone()).result().await.unwrap_err();
        assert_eq!(error.code, code, "{name}");
        store.with(|s| {
            assert_eq!(
                (s.status.as_str(), s.content.as_str()),
                ("failed", "Half"),
                "{name}: the text is kept"
            )
        });
    }
}

#[tokio::test]
async fn an_empty_answer_is_a_failure_and_after_tools_a_closing_word() {
    let model = Model::start(vec![stream(finish_event("stop"))]).await;
    let store = Store::start("Hi").await;
    assert_eq!(start(&model, &store, last()).result().await.unwrap_err().code, ErrorCode::EmptyAnswer);

    let model = Model::start(vec![
        stream(call(0, "c", "listFiles", "{}") + &finish_event("tool_calls")),
        stream(finish_event("stop")),
    ])
    .await;
    let store = Store::start("Hi").await;
    finish(&start(&model, &store, json!({}))).await.1.unwrap();
    store.with(|s| assert_eq!(s.content, "I've completed the task."));
}

#[tokio::test]
async fn the_step_limit_is_an_outcome_of_its_own() {
    let turns = (0..10).map(|n| {
        stream(call(0, "c", "readFile", &format!(r#"{{"path":"{n}"}}"#)) + &finish_event("tool_calls"))
    });
    let model = Model::start(turns.collect()).await;
    let store = Store::start("Hi").await;
    let error = start(&model, &store, json!({})).result().await.unwrap_err();
    assert_eq!(error.code, ErrorCode::StepLimit);
    assert_eq!(model.server.requests(), 10);
    store.with(|s| {
        assert_eq!(s.status, "failed");
        assert_eq!(s.tool_calls.len(), 10);
    });
}

#[tokio::test]
async fn a_failed_attempt_that_will_be_repeated_is_gone_on_with() {
    let model = Model::start(vec![
        stream(text("First. ") + &call(0, "c", "listFiles", "{}") + &finish_event("tool_calls")),
        stream(text("lost")),
        stream(text("Whole.") + &finish_event("stop")),
    ])
    .await;
    let store = Store::start("Hi").await;
    let options = |n| json!({ "attempt": { "number": n, "max": 3 }, "limits": { "modelRetries": 0 } });
    let error = start(&model, &store, options(1)).result().await.unwrap_err();
    assert!(error.retryable());
    store.with(|s| assert_eq!(s.status, "processing", "not failed before the last attempt"));
    let result = finish(&start(&model, &store, options(2))).await.1.unwrap();
    assert_eq!((result.steps, result.tool_calls), (2, 1));
    store.with(|s| {
        assert_eq!((s.status.as_str(), s.content.as_str()), ("completed", "First. Whole."));
        assert_eq!(s.tool_calls.len(), 1, "no call twice");
    });
    assert_eq!(store.calls("listFilesByPath").len(), 1, "what is finished is not done again");
    assert_eq!(model.request(2)["messages"][3]["content"], "Project has no files yet.");
}

#[tokio::test]
async fn a_missing_model_key_fails_the_message_without_a_retry() {
    let store = Store::start("Hi").await;
    let spec = spec(
        "process-message",
        json!({ "messageId": MESSAGE }),
        json!({ "attempt": { "number": 1, "max": 3 } }),
    );
    let vars = [
        ("CONVEX_URL", store.server.url.as_str()),
        ("POLARIS_CONVEX_INTERNAL_KEY", support::store::INTERNAL_KEY),
    ];
    let error = Run::start(spec, vars.into_iter().collect()).result().await.unwrap_err();
    assert_eq!((error.code, error.retryable()), (ErrorCode::ConfigMissing, false));
    assert!(error.message.contains("OPENROUTER_API_KEY") && !error.message.contains('\n'), "{error}");
    store.with(|s| assert_eq!(s.status, "failed"));
}

#[tokio::test]
async fn cancel_closes_the_model_and_keeps_the_text() {
    let model =
        Model::start(vec![parts(vec![Part::Bytes(text("Half an answer").into_bytes()), Part::Hang])]).await;
    let store = Store::start("Hi").await;
    let run = start(&model, &store, json!({}));
    while !store.with(|s| s.content == "Half an answer") {
        run.next_batch().await.unwrap();
    }
    let begin = Instant::now();
    run.cancel(CancelReason::Cancelled);
    model.server.client_closed().await;
    assert!(begin.elapsed() < Duration::from_secs(1), "at once, with room for a busy machine");
    let error = run.result().await.unwrap_err();
    assert_eq!((error.code, error.retryable()), (ErrorCode::Cancelled, false));
    store.with(|s| assert_eq!((s.status.as_str(), s.content.as_str()), ("cancelled", "Half an answer")));
}

#[tokio::test]
async fn a_message_that_was_cancelled_first_gets_no_write_after_that() {
    let model = Model::start(vec![paced(1_000, 4, Duration::from_millis(2))]).await;
    let store = Store::start("Hi").await;
    let run = start(&model, &store, json!({}));
    while store.timer_writes().len() < 2 {
        run.next_batch().await.unwrap();
    }
    // The order of the product's own cancel: the status first, then the run.
    store.with(|s| s.status = "cancelled".to_owned());
    run.cancel(CancelReason::Cancelled);
    run.result().await.unwrap_err();
    let applied_late = store.with(|s| {
        s.log
            .iter()
            .filter(|c| {
                c.status_before == "cancelled"
                    && c.name != "getMessageById"
                    && c.name != "appendMessageContent"
            })
            .count()
    });
    assert_eq!(applied_late, 0, "one write may have been on its way, no other follows");
}

#[tokio::test]
async fn a_cancel_that_only_the_store_knows_is_seen_at_the_next_write() {
    let model = Model::start(vec![paced(10_000, 4, Duration::from_millis(2))]).await;
    let store = Store::start("Hi").await;
    let run = start(&model, &store, json!({}));
    while store.timer_writes().is_empty() {
        run.next_batch().await.unwrap();
    }
    store.with(|s| s.status = "cancelled".to_owned());
    model.server.client_closed().await;
    // A run without a cancel of its own ends by itself, a little later.
    let result = run.result().await.unwrap();
    assert_eq!(result.status, MessageStatus::Cancelled);
    assert_eq!(store.with(|s| s.status.clone()), "cancelled");
}

#[tokio::test]
async fn a_run_whose_message_was_cancelled_ends_as_cancelled_when_its_own_cancel_follows() {
    let model = Model::start(vec![paced(10_000, 4, Duration::from_millis(2))]).await;
    let store = Store::start("Hi").await;
    let run = start(&model, &store, json!({}));
    while store.timer_writes().is_empty() {
        run.next_batch().await.unwrap();
    }
    store.with(|s| s.status = "cancelled".to_owned());
    model.server.client_closed().await;
    run.cancel(CancelReason::Cancelled);
    assert_eq!(run.result().await.unwrap_err().code, ErrorCode::Cancelled);
}

#[tokio::test]
async fn the_runners_time_limit_fails_the_message_and_keeps_the_text() {
    let model = Model::start(vec![parts(vec![Part::Bytes(text("Half").into_bytes()), Part::Hang])]).await;
    let store = Store::start("Hi").await;
    let run = start(&model, &store, json!({}));
    while !store.with(|s| s.content == "Half") {
        run.next_batch().await.unwrap();
    }
    run.cancel(CancelReason::Timeout);
    assert_eq!(run.result().await.unwrap_err().code, ErrorCode::RunTimeout);
    store.with(|s| assert_eq!((s.status.as_str(), s.content.as_str()), ("failed", "Half")));
}

#[tokio::test]
async fn dropping_the_handle_stops_the_run() {
    let model = Model::start(vec![parts(vec![Part::Bytes(text("Half").into_bytes()), Part::Hang])]).await;
    let store = Store::start("Hi").await;
    let run = start(&model, &store, json!({}));
    model.server.requested(1).await;
    drop(run);
    model.server.client_closed().await;
}

#[tokio::test]
async fn a_slow_store_does_not_slow_the_reader_and_has_one_write_in_flight() {
    let model = Model::start(vec![paced(400, 4, Duration::from_millis(2))]).await;
    let fast = Store::start("Hi").await;
    let begin = Instant::now();
    finish(&start(&model, &fast, json!({}))).await.1.unwrap();
    let nominal = begin.elapsed();

    let slow = Store::start("Hi").await;
    slow.with(|s| s.latency = Duration::from_millis(200));
    let begin = Instant::now();
    let (events, result) = finish(&start(&model, &slow, json!({}))).await;
    result.unwrap();
    let took = begin.elapsed();
    assert_eq!(slow.with(|s| s.content.clone()), text_of(&events));
    // A reader that waited for its writes would take 400 × 200 ms.
    assert!(took < nominal * 2 + Duration::from_secs(1), "{took:?} against {nominal:?}");
    let writes = slow.timer_writes();
    for pair in writes.windows(2) {
        assert!(
            pair[1].at - pair[0].at >= Duration::from_millis(199),
            "a second write while one was in flight"
        );
    }
}

#[tokio::test]
async fn timer_writes_are_at_least_100_ms_apart() {
    let model = Model::start(vec![paced(300, 4, Duration::from_millis(2))]).await;
    let store = Store::start("Hi").await;
    finish(&start(&model, &store, json!({}))).await.1.unwrap();
    let writes = store.timer_writes();
    assert!(writes.len() >= 4, "{}", writes.len());
    for pair in writes.windows(2) {
        // Arrival differs from departure by the loopback's jitter.
        assert!(pair[1].at - pair[0].at >= Duration::from_millis(90), "{:?}", pair[1].at - pair[0].at);
    }
}

#[tokio::test]
async fn text_is_stored_by_the_timer_even_when_no_token_comes() {
    let mut first = vec![Part::Bytes(text("a").into_bytes())];
    first.push(Part::Pause(Duration::from_millis(20)));
    first.push(Part::Bytes(text("b").into_bytes()));
    first.push(Part::Hang);
    let model = Model::start(vec![parts(first)]).await;
    let store = Store::start("Hi").await;
    let run = start(&model, &store, json!({}));
    while !store.with(|s| s.content == "ab") {
        run.next_batch().await.unwrap();
    }
}

#[tokio::test]
async fn lost_answers_and_busy_replies_of_the_store_lose_nothing() {
    let model = Model::start(vec![
        stream(
            text("One. ")
                + &call(0, "c", "writeFile", r#"{"path":"a","content":"A"}"#)
                + &finish_event("tool_calls"),
        ),
        stream(text("Two.") + &finish_event("stop")),
    ])
    .await;
    let store = Store::start("Hi").await;
    store.with(|s| {
        for (function, reply) in [
            ("beginMessage", Reply::json(503, r#"{"code":"Overloaded","message":"m"}"#)),
            ("getMessageContext", Reply::Drop),
            ("streamMessageContent", Reply::json(429, r#"{"code":"TooManyWrites","message":"m"}"#)),
            ("saveToolCalls", Reply::Drop),
            ("writeFileByPath", Reply::Drop),
            ("updateMessageContent", Reply::Drop),
            ("updateMessageContent", Reply::json(503, r#"{"code":"Overloaded","message":"m"}"#)),
        ] {
            s.faults.push((function.to_owned(), reply));
        }
    });
    finish(&start(&model, &store, json!({}))).await.1.unwrap();
    store.with(|s| {
        assert_eq!((s.status.as_str(), s.content.as_str()), ("completed", "One. Two."));
        assert_eq!(s.files["a"], "A");
        assert_eq!(s.tool_calls.len(), 1);
        assert_eq!(s.tool_calls[0]["result"], "Successfully wrote to a");
    });
}

#[tokio::test]
async fn a_wrong_key_or_url_says_what_to_do() {
    let model = Model::start(vec![stream(finish_event("stop"))]).await;
    let store = Store::start("Hi").await;
    let start = |url: &str, key: &str| {
        let vars = [
            ("CONVEX_URL", url),
            ("POLARIS_CONVEX_INTERNAL_KEY", key),
            ("POLARIS_PRIMARY_BASE_URL", "http://127.0.0.1:9/v1"),
        ];
        Run::start(
            spec("process-message", json!({ "messageId": MESSAGE }), json!({})),
            vars.into_iter().collect(),
        )
    };
    let error = start(&store.server.url, "wrong").result().await.unwrap_err();
    assert_eq!(error.code, ErrorCode::StoreKeyRefused);
    assert!(error.code.hint().contains("POLARIS_CONVEX_INTERNAL_KEY"));
    assert_one_line(&error);
    for (status, body) in
        [(404, "<html>"), (200, "<html>"), (200, ""), (200, r#"{"ok":true}"#), (301, ""), (401, "{}")]
    {
        let not_convex = support::http::Server::start(move |_| Reply::Full {
            status,
            headers: String::new(),
            body: body.as_bytes().to_vec(),
        })
        .await;
        let error = start(&not_convex.url, "k").result().await.unwrap_err();
        assert_eq!(error.code, ErrorCode::StoreNotConvex, "{status} {body}: {error}");
        assert!(error.message.contains("127.0.0.1") && error.code.hint().contains("CONVEX_URL"), "{error}");
        assert_one_line(&error);
    }
    store.with(|s| assert_eq!((s.status.as_str(), s.content.as_str()), ("processing", "")));
    assert_eq!(model.server.requests(), 0);
}

fn assert_one_line(error: &CoreError) {
    assert!(!error.message.contains('\n') && error.message.len() < 300, "{error}");
}

fn not_deployed(function: &str) -> Reply {
    let why = format!(
        "Could not find public function for 'system:{function}'. Did you forget to run `npx convex dev`?\n\nAvailable functions:\n* other:one"
    );
    Reply::json(200, json!({ "status": "error", "errorMessage": why }))
}

#[tokio::test]
async fn a_function_that_is_not_deployed_is_named_before_the_model_is_asked() {
    let refused = json!({ "status": "error", "errorMessage": "ArgumentValidationError: Object is missing the field `x`.\nObject: {}" });
    for (function, reply) in [
        ("beginMessage", not_deployed("beginMessage")),
        ("beginMessage", Reply::json(200, refused)),
        ("getMessageContext", not_deployed("getMessageContext")),
    ] {
        let model = Model::start(vec![]).await;
        let store = Store::start("Hi").await;
        store.with(|s| s.faults.push((function.to_owned(), reply)));
        let error = start(&model, &store, json!({})).result().await.unwrap_err();
        assert_eq!((error.code, error.retryable()), (ErrorCode::StoreFunctionMissing, false));
        assert!(error.message.contains(function), "{error}");
        assert!(error.code.hint().contains("npx convex deploy"));
        assert_one_line(&error);
        assert_eq!(model.server.requests(), 0);
        store.with(|s| assert!(s.files.is_empty() && s.tool_calls.is_empty()));
    }
}

#[tokio::test]
async fn a_function_that_is_missing_on_the_way_ends_the_message_and_leaves_no_effect_of_its_turn() {
    let write = call(0, "w", "writeFile", r#"{"path":"a","content":"A"}"#);
    let model = Model::start(vec![stream(text("One. ") + &write + &finish_event("tool_calls"))]).await;
    let store = Store::start("Hi").await;
    // Once with the change, once without.
    store.with(|s| {
        s.faults.extend((0..2).map(|_| ("saveToolCalls".to_owned(), not_deployed("saveToolCalls"))))
    });
    let error = finish(&start(&model, &store, json!({}))).await.1.unwrap_err();
    assert_eq!(error.code, ErrorCode::StoreFunctionMissing);
    assert!(error.message.contains("saveToolCalls"), "{error}");
    assert_one_line(&error);
    store.with(|s| {
        assert_eq!((s.status.as_str(), s.content.as_str()), ("failed", "One. "));
        assert!(s.files.is_empty() && s.made.is_empty());
    });
}

#[tokio::test]
async fn arguments_that_convex_would_refuse_and_results_that_would_not_fit_lose_nothing() {
    let read = |n: u32| call(n, &format!("r{n}"), "readFile", &format!(r#"{{"path":"big{n}"}}"#));
    let reads = |n: u32| (0..n).map(read).collect::<String>();
    let model = Model::start(vec![
        stream(call(0, "odd", "readFile", r#"{"$ref":"x","ключ":{"a":1}}"#) + &finish_event("tool_calls")),
        stream(reads(14) + &finish_event("tool_calls")),
        stream(text("Done.") + &finish_event("stop")),
    ])
    .await;
    let store = Store::start("Hi").await;
    store.with(|s| s.files.extend((0..14).map(|n| (format!("big{n}"), "x".repeat(60_000)))));
    finish(&start(&model, &store, json!({}))).await.1.unwrap();
    store.with(|s| {
        assert_eq!(s.status, "completed");
        assert_eq!(s.tool_calls[0]["args"], json!({ "%24ref": "x", "%D0%BA%D0%BB%D1%8E%D1%87": { "a": 1 } }));
        let stored: usize = s.tool_calls.iter().map(|c| c.to_string().len()).sum();
        assert!(stored < 700 << 10, "{stored} bytes of a document that holds 1 MiB");
        assert!(s.tool_calls.last().unwrap()["result"].as_str().unwrap().contains("not stored"));
    });
    let last =
        model.request(2)["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap().len();
    assert_eq!(last, 60_000, "the model gets all of it");
}
