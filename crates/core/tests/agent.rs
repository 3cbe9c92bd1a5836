//! The agent without a store, and what a host may tell it.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use polaris_core::error::ErrorCode;
use polaris_core::event::{Event, MessageStatus};
use polaris_core::job::{Run, RunSpec};
use serde_json::{Value, json};
use support::http::{Part, Reply};
use support::model::{Model, call, finish as finish_event, parts, stream, text};
use support::{env, finish, spec};

fn start(model: &Model, payload: Value, options: Value) -> Run {
    Run::start(spec("agent", payload, options), env(&model.server.url, ""))
}

fn hi() -> Value {
    json!({ "messages": [{ "role": "user", "content": "Hi" }] })
}

#[tokio::test]
async fn a_project_in_the_payload_is_changed_in_the_result() {
    let model = Model::start(vec![
        stream(
            call(0, "c", "writeFile", r#"{"path":"src/b.ts","content":"b"}"#) + &finish_event("tool_calls"),
        ),
        stream(text("Done.") + &finish_event("stop")),
    ])
    .await;
    let payload = json!({ "messages": [{ "role": "user", "content": "Hi" }], "files": { "a.ts": "a" } });
    let result = start(&model, payload, json!({})).result().await.unwrap();
    assert_eq!(result.status, MessageStatus::Completed);
    assert_eq!(json!(result.files), json!({ "a.ts": "a", "src/b.ts": "b" }));
}

#[tokio::test]
async fn without_files_no_tool_is_offered() {
    let model = Model::start(vec![stream(text("ok") + &finish_event("stop"))]).await;
    start(&model, hi(), json!({})).result().await.unwrap();
    assert_eq!(model.request(0).get("tools"), None);
}

#[tokio::test]
async fn only_the_named_tools_are_offered() {
    let model = Model::start(vec![stream(text("ok") + &finish_event("stop"))]).await;
    let payload = json!({ "messages": [{ "role": "user", "content": "Hi" }], "files": {} });
    start(&model, payload.clone(), json!({ "tools": ["readFile"] })).result().await.unwrap();
    assert_eq!(model.request(0)["tools"].as_array().unwrap().len(), 1);
    let error = start(&model, payload, json!({ "tools": ["readFil"] })).result().await.unwrap_err();
    assert_eq!(error.code, ErrorCode::ConfigInvalid);
    assert!(
        error.message.contains("\"readFil\"")
            && error.message.contains("readFile, readFile+lines, writeFile"),
        "{error}"
    );
}

/// A tool of the host's own, as `defineTool` hands it over.
fn own(name: &str, more: Value) -> Value {
    let mut spec = json!({ "name": name, "description": "Own.", "parameters": { "type": "object" } });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    spec
}

#[tokio::test]
async fn tools_are_added_dropped_and_replaced_in_the_order_of_the_list() {
    let offered = |tools: Value| async move {
        let model = Model::start(vec![stream(text("ok") + &finish_event("stop"))]).await;
        let payload = json!({ "messages": [{ "role": "user", "content": "Hi" }], "files": {} });
        start(&model, payload, json!({ "tools": tools })).result().await?;
        let tools = model.request(0).get("tools").cloned().unwrap_or(json!([]));
        let names: Vec<String> = tools
            .as_array()
            .unwrap()
            .iter()
            .map(|tool| format!("{}: {}", tool["function"]["name"], tool["function"]["description"]))
            .map(|line| line.replace('"', "").chars().take(20).collect())
            .collect();
        Ok::<_, polaris_core::error::CoreError>(names)
    };
    let all = offered(json!(["*"])).await.unwrap();
    assert_eq!(all.len(), 14);
    let dropped = offered(json!(["*", "!writeFile", own("mine", json!({}))])).await.unwrap();
    assert_eq!(dropped.len(), 14);
    assert!(dropped[1].starts_with("deleteFile"), "{dropped:?}");
    assert_eq!(dropped.last().unwrap(), "mine: Own.");
    let replaced = offered(json!(["listFiles", own("readFile", json!({ "replaces": true }))])).await.unwrap();
    assert_eq!(replaced[0], "readFile: Own.");
    assert!(replaced.len() == 2 && replaced[1].starts_with("listFiles"), "{replaced:?}");
    for (tools, says) in [
        (json!(["*", own("readFile", json!({}))]), "set `replaces: true`"),
        (json!([own("readFil", json!({ "replaces": true }))]), "\"readFil\" replaces no tool of this job"),
        (json!([own("a", json!({})), own("a", json!({}))]), "two tools of one's own are called \"a\""),
        (json!(["*", "!nothing"]), "there is no tool \"nothing\""),
        (json!([own("a b", json!({}))]), "a name is 1 to 64"),
    ] {
        let error = offered(tools).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::ConfigInvalid);
        assert!(error.message.starts_with("options.tools: ") && error.message.contains(says), "{error}");
    }
}

#[tokio::test]
async fn what_goes_beyond_the_usual_tools_is_there_when_it_is_named() {
    let model = Model::start(vec![
        stream(
            call(0, "a", "editFile", r#"{"path":"a.ts","oldText":"let","newText":"const"}"#)
                + &finish_event("tool_calls"),
        ),
        stream(call(0, "b", "readFile", r#"{"path":"a.ts"}"#) + &finish_event("tool_calls")),
        stream(text("Done.") + &finish_event("stop")),
    ])
    .await;
    let payload =
        json!({ "messages": [{ "role": "user", "content": "Hi" }], "files": { "a.ts": "let a: = 1;" } });
    let tools = json!(["*", "readFile+lines", "editFile+diagnostics", "!writeFile"]);
    let run = start(&model, payload, json!({ "tools": tools }));
    let (events, result) = finish(&run).await;
    assert_eq!(json!(result.unwrap().files), json!({ "a.ts": "const a: = 1;" }));
    let offered = model.request(0)["tools"].as_array().unwrap().clone();
    let names: Vec<&str> = offered.iter().map(|tool| tool["function"]["name"].as_str().unwrap()).collect();
    let first = ["readFile", "deleteFile", "listFiles", "getProjectStructure", "editFile"];
    assert_eq!(names[..5], first, "{names:?}");
    assert_eq!(names.iter().filter(|name| **name == "readFile").count(), 1);
    let results: Vec<&str> = events
        .iter()
        .filter_map(|e| if let Event::ToolResult { result, .. } = e { Some(result.as_str()) } else { None })
        .collect();
    let (edited, errors) = results[0].split_once("\n\n").unwrap();
    assert_eq!(edited, "Successfully edited a.ts (1 replacement, line 1)");
    assert!(errors.contains("[error] a.ts:1:"), "{errors}");
    assert_eq!(results[1], "     1\tconst a: = 1;");
}

#[tokio::test]
async fn a_tool_of_ones_own_that_hangs_is_stopped_and_never_holds_the_model_up() {
    use polaris_core::tool::own::{OwnToolAnswer, OwnToolMessage};
    let model = Model::start(vec![
        stream(call(0, "c", "mine", "{}") + &finish_event("tool_calls")),
        stream(call(0, "d", "mine", "{}") + &finish_event("tool_calls")),
        stream(text("Done.") + &finish_event("stop")),
    ])
    .await;
    let tools = json!([own("mine", json!({ "timeoutMs": 50 }))]);
    let run = start(&model, hi(), json!({ "tools": tools }));
    let host = async {
        let first = run.next_own_calls().await.unwrap();
        let [OwnToolMessage::Call { id: 1, run_id: None, .. }] = &first[..] else {
            unreachable!("{first:?}")
        };
        // Nobody answers the first one.
        let mut rest = Vec::new();
        while let Some(messages) = run.next_own_calls().await {
            for message in &messages {
                if let OwnToolMessage::Call { id, .. } = message {
                    let late = OwnToolAnswer::Failed("late".into());
                    assert!(!run.answer_own_call(1, late), "the first call's time is up");
                    run.answer_own_call(*id, OwnToolAnswer::Text { text: "second".into(), bytes: 6 });
                }
            }
            rest.extend(messages);
        }
        rest
    };
    let (rest, (events, result)) = tokio::join!(host, finish(&run));
    result.unwrap();
    assert_eq!(rest[0], OwnToolMessage::Abort { id: 1 });
    let results: Vec<&str> = events
        .iter()
        .filter_map(|e| if let Event::ToolResult { result, .. } = e { Some(result.as_str()) } else { None })
        .collect();
    assert_eq!(results, ["Error: mine timed out: it took longer than 50 ms and was stopped.", "second"]);
}

#[test]
fn a_wrong_spec_names_the_field() {
    let cases = [
        (
            json!({ "job": "agent", "payload": {}, "options": { "limits": { "maxSteps": -1 } } }),
            "options.limits.maxSteps",
        ),
        (json!({ "job": "agent", "payload": {}, "options": { "limit": {} } }), "unknown field `limit`"),
        (json!({ "job": "nope", "payload": {} }), "process-message"),
        (json!({ "payload": {} }), "missing field `job`"),
    ];
    for (spec, expected) in cases {
        let error = RunSpec::from_json(&spec.to_string()).unwrap_err();
        assert_eq!(error.code, ErrorCode::ConfigInvalid);
        assert!(error.message.contains(expected), "{error}");
    }
    let error = RunSpec::from_json(r#"{ "job": "agent", "payload": {} } x"#).unwrap_err();
    assert_eq!(error.message, "the run's spec: trailing characters");
}

#[tokio::test]
async fn a_wrong_payload_names_the_field_and_costs_no_model_call() {
    let model = Model::start(vec![stream(finish_event("stop"))]).await;
    let cases = [
        (json!({}), "missing field `messages`"),
        (json!({ "messages": [] }), "payload.messages is empty"),
        (json!({ "messages": [{ "role": "robot", "content": "" }] }), "payload.messages[0]"),
        (
            json!({ "messages": [{ "role": "user", "content": "" }], "files": { "../x": "" } }),
            "leaves the project",
        ),
    ];
    for (payload, expected) in cases {
        let error = start(&model, payload, json!({})).result().await.unwrap_err();
        assert_eq!(error.code, ErrorCode::PayloadInvalid);
        assert!(error.message.contains(expected), "{error}");
    }
    assert_eq!(model.server.requests(), 0);
}

#[tokio::test]
async fn every_clock_has_a_code_of_its_own() {
    let hang = parts(vec![Part::Hang]);
    let comments =
        (0..20).flat_map(|_| [Part::Bytes(b": ping\n\n".to_vec()), Part::Pause(Duration::from_millis(20))]);
    let stalled = parts(std::iter::once(Part::Bytes(text("a").into_bytes())).chain(comments).collect());
    let slow =
        (0..100).flat_map(|_| [Part::Bytes(text("a").into_bytes()), Part::Pause(Duration::from_millis(10))]);
    let cases = [
        (hang, json!({ "firstByteMs": 100 }), ErrorCode::ModelFirstByteTimeout),
        (
            Reply::After(Duration::from_secs(5), Box::new(stream(""))),
            json!({ "firstByteMs": 100 }),
            ErrorCode::ModelFirstByteTimeout,
        ),
        (stalled, json!({ "stallMs": 150 }), ErrorCode::ModelStalled),
        (parts(slow.collect()), json!({ "turnMs": 200 }), ErrorCode::ModelTurnTimeout),
    ];
    for (reply, mut limits, code) in cases {
        let model = Model::start(vec![reply]).await;
        limits["modelRetries"] = json!(0);
        let error = start(&model, hi(), json!({ "limits": limits })).result().await.unwrap_err();
        assert_eq!(error.code, code, "{error}");
    }
    let nobody = json!({ "limits": { "modelRetries": 0 } });
    let run = Run::start(spec("agent", hi(), nobody), env("http://127.0.0.1:9", ""));
    assert_eq!(run.result().await.unwrap_err().code, ErrorCode::ModelConnect);
}

#[tokio::test]
async fn what_is_no_stream_is_told_apart() {
    let cases = [
        (Reply::json(200, r#"{"error":{"code":429,"message":"busy"}}"#), ErrorCode::ModelRateLimited),
        (Reply::json(200, r#"{"hello":"world"}"#), ErrorCode::ModelProtocol),
        (Reply::json(404, r#"{"detail":"no such model"}"#), ErrorCode::ModelBadRequest),
        (Reply::json(500, "<html>"), ErrorCode::ModelUnavailable),
        (
            Reply::Full { status: 302, headers: "location: http://elsewhere/\r\n".into(), body: vec![] },
            ErrorCode::ModelBadRequest,
        ),
        (Reply::Drop, ErrorCode::ModelConnect),
    ];
    for (reply, code) in cases {
        let model = Model::start(vec![reply.clone()]).await;
        let error =
            start(&model, hi(), json!({ "limits": { "modelRetries": 0 } })).result().await.unwrap_err();
        assert_eq!(error.code, code, "{reply:?}: {error}");
    }
}

#[tokio::test]
async fn an_answer_beyond_its_bound_ends_with_a_code_not_with_memory() {
    let endless: Vec<Part> = (0..200).map(|_| Part::Bytes(text(&"x".repeat(1_000)).into_bytes())).collect();
    let one_line = Part::Bytes(format!("data: \"{}", "x".repeat(200_000)).into_bytes());
    for reply in [parts(endless), parts(vec![one_line])] {
        let model = Model::start(vec![reply]).await;
        let options = json!({ "limits": { "maxAnswerBytes": 50_000, "modelRetries": 0 } });
        assert_eq!(start(&model, hi(), options).result().await.unwrap_err().code, ErrorCode::AnswerTooLarge);
    }
}

#[tokio::test]
async fn a_tool_that_takes_too_long_is_stopped_and_the_model_is_told() {
    // The store never answers, and a tool's limit is shorter than the store's own.
    let store = support::store::Store::start("Hi").await;
    let model = Model::start(vec![
        stream(call(0, "c", "readFile", r#"{"path":"a"}"#) + &finish_event("tool_calls")),
        stream(text("Sorry.") + &finish_event("stop")),
    ])
    .await;
    store.with(|s| {
        s.faults.push(("readFileByPath".into(), Reply::After(Duration::from_secs(60), Box::new(Reply::Drop))))
    });
    let options = json!({ "limits": { "toolMs": 100 } });
    let spec = spec("process-message", json!({ "messageId": support::store::MESSAGE }), options);
    let run = Run::start(spec, env(&model.server.url, &store.server.url));
    let (events, result) = finish(&run).await;
    result.unwrap();
    let told = events.iter().find_map(|e| {
        if let Event::ToolResult { result, is_error, .. } = e { Some((result, *is_error)) } else { None }
    });
    let (text, is_error) = told.unwrap();
    assert!(is_error && text.contains("timed out") && text.contains("100 ms"), "{text}");
}
