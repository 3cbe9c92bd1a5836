//! What real providers send, case by case: one test an item, named after it. The numbers are those
//! of `docs/model-streams.md`.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::time::Duration;

use polaris_core::config::{Env, ModelConfig, ModelOptions, Protocol};
use polaris_core::error::{CoreError, ErrorCode};
use polaris_core::event::{Event, FinishReason};
use polaris_core::job::{Run, RunResult};
use polaris_core::model::policy::{Remedy, remedy};
use polaris_core::model::{Turn, code_for_status, replay};
use serde_json::{Value, json};
use support::http::{Part, Reply};
use support::model::{Model, call, event, finish as finish_event, parts, signed_call, stream, text};
use support::{env, finish, spec, text_of};

fn chat(body: &str) -> Turn {
    let whole = replay(Protocol::OpenaiChat, &[body.as_bytes()]).unwrap();
    let bytes: Vec<&[u8]> = body.as_bytes().chunks(1).collect();
    assert_eq!(replay(Protocol::OpenaiChat, &bytes).unwrap(), whole, "at every split");
    whole
}

fn anthropic(body: &str) -> Turn {
    replay(Protocol::Anthropic, &[body.as_bytes()]).unwrap()
}

fn delta(fields: &Value) -> String {
    event(&json!({ "choices": [{ "index": 0, "delta": fields }] }))
}

fn tool(fields: &Value) -> String {
    delta(&json!({ "tool_calls": [fields] }))
}

/// Runs the agent once against `replies`, without retries, with the file tools on an empty project.
async fn run(replies: Vec<Reply>) -> (Model, Vec<Event>, Result<RunResult, CoreError>) {
    run_with(replies, json!({ "limits": { "modelRetries": 0, "maxRaisedOutputTokens": 1, "stallMs": 300 } }))
        .await
}

async fn run_with(replies: Vec<Reply>, options: Value) -> (Model, Vec<Event>, Result<RunResult, CoreError>) {
    let model = Model::start(replies).await;
    let payload = json!({ "messages": [{ "role": "user", "content": "Hi" }], "files": {} });
    let run = Run::start(spec("agent", payload, options), env(&model.server.url, ""));
    let (events, result) = finish(&run).await;
    (model, events, result)
}

#[test]
fn item_01_crlf_lone_cr_bom_multi_line_data_and_other_fields() {
    let body = text("a") + &text("b") + &finish_event("stop");
    for variant in [
        body.replace('\n', "\r\n"),
        body.replace('\n', "\r"),
        format!("\u{feff}{body}"),
        body.replace("data: ", "data:"),
        body.replace("data: {", "id: 1\nevent: message\nretry: 5\ndata: {"),
        body.replace("\"choices\":", "\ndata: \"choices\":"),
    ] {
        assert_eq!(chat(&variant).text, "ab", "{variant:?}");
    }
}

#[tokio::test]
async fn item_02_comments_are_no_data_and_do_not_reset_the_stall_timer() {
    assert_eq!(
        chat(&(": OPENROUTER PROCESSING\n\n".to_owned() + &text("a") + &finish_event("stop"))).text,
        "a"
    );
    let mut hanging = vec![Part::Bytes(text("a").into_bytes())];
    for _ in 0..40 {
        hanging.extend([
            Part::Bytes(b": OPENROUTER PROCESSING\n\n".to_vec()),
            Part::Pause(Duration::from_millis(20)),
        ]);
    }
    let (_, _, result) = run(vec![parts(hanging)]).await;
    assert_eq!(result.unwrap_err().code, ErrorCode::ModelStalled);
    let mut slow = Vec::new();
    for _ in 0..5 {
        slow.extend([Part::Bytes(b": wait\n\n".to_vec()), Part::Pause(Duration::from_millis(20))]);
    }
    slow.push(Part::Bytes((text("late") + &finish_event("stop")).into_bytes()));
    assert_eq!(
        run(vec![parts(slow)]).await.2.unwrap().text.as_deref(),
        Some("late"),
        "comments before the first byte"
    );
}

#[test]
fn item_03_a_line_or_a_character_split_across_chunks() {
    assert_eq!(chat(&(text("Grüße 😀") + &finish_event("stop"))).text, "Grüße 😀");
}

#[test]
fn item_04_the_last_event_without_a_blank_line() {
    let body = text("a") + &finish_event("stop").replace("data: [DONE]\n\n", "");
    assert_eq!(chat(body.trim_end()).finish, Some(FinishReason::Stop));
}

#[test]
fn item_05_done_with_extra_spaces() {
    let turn = chat(&(text("a") + &finish_event("stop").replace("data: [DONE]", "data:  [DONE] ")));
    assert!(turn.done && turn.error.is_none());
}

#[tokio::test]
async fn item_06_no_done_but_a_finish_reason_is_success() {
    let body = text("a") + &finish_event("stop").replace("data: [DONE]\n\n", "");
    assert_eq!(run(vec![stream(body)]).await.2.unwrap().text.as_deref(), Some("a"));
}

#[test]
fn item_07_openrouters_done_after_message_stop_is_ignored() {
    let turn = anthropic(
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\n\
         event: message_stop\ndata: {\"type\":\"message_stop\"}\n\nevent: data\ndata: [DONE]\n\n",
    );
    assert!(turn.error.is_none() && turn.done);
}

#[tokio::test]
async fn item_08_a_corrupt_event_is_an_error_and_later_text_is_kept() {
    let body = text("a") + "data: {\"choices\": [nope\n\n" + &text("b") + &finish_event("stop");
    let turn = chat(&body);
    assert_eq!((turn.text.as_str(), turn.error.unwrap().code.as_deref()), ("ab", Some("invalid_event")));
    assert_eq!(run(vec![stream(body)]).await.2.unwrap_err().code, ErrorCode::ModelProtocol);
}

#[tokio::test]
async fn item_09_the_end_without_a_finish_reason_is_an_error() {
    let (_, _, result) = run(vec![stream(text("half"))]).await;
    assert_eq!(result.unwrap_err().code, ErrorCode::ModelStreamCut);
    let half = "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"h\"}}\n\n";
    assert_eq!(anthropic(half).effective_finish(), None);
}

#[tokio::test]
async fn item_10_done_without_a_finish_reason_but_with_tool_calls_runs_them() {
    let first = call(0, "functions.listFiles:0", "listFiles", "{}") + "data: [DONE]\n\n";
    let (_, _, result) = run(vec![stream(first), stream(text("ok") + &finish_event("stop"))]).await;
    assert_eq!(result.unwrap().tool_calls, 1);
}

#[test]
fn item_11_a_second_finish_reason_and_usage_wherever_it_comes() {
    let finish = |usage: Value| {
        event(&json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }], "usage": usage }))
    };
    let usage = json!({ "prompt_tokens": 3, "completion_tokens": 4 });
    let own_chunk = event(&json!({ "choices": [], "usage": usage }));
    let groq = event(&json!({ "choices": [], "x_groq": { "usage": usage } }));
    for body in [
        text("a") + &finish(Value::Null) + &text("b") + &finish(usage.clone()) + "data: [DONE]\n\n",
        text("a") + &text("b") + &finish(Value::Null) + &own_chunk + "data: [DONE]\n\n",
        text("a") + &text("b") + &finish(Value::Null) + &groq,
    ] {
        let turn = chat(&body);
        let usage = turn.usage.unwrap();
        assert_eq!((turn.text.as_str(), usage.input, usage.output), ("ab", 3, 4), "{body}");
    }
}

#[tokio::test]
async fn item_12_stop_or_nothing_with_tool_calls_runs_them() {
    for reason in ["stop", "something_new"] {
        let first = call(0, "a", "listFiles", "{}") + &finish_event(reason);
        let (_, _, result) = run(vec![stream(first), stream(text("ok") + &finish_event("stop"))]).await;
        assert_eq!(result.unwrap().tool_calls, 1, "{reason}");
    }
    let empty = call(0, "a", "listFiles", "{}")
        + &event(&json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "" }] }))
        + "data: [DONE]\n\n";
    assert_eq!(chat(&empty).effective_finish(), Some(FinishReason::ToolCalls));
}

#[tokio::test]
async fn item_13_half_a_tool_call_is_never_run_and_never_repaired() {
    let cut = call(0, "a", "writeFile", r#"{"path":"x","content":"ha"#) + &finish_event("length");
    let (model, _, result) = run(vec![stream(cut), stream(text("ok") + &finish_event("stop"))]).await;
    assert!(result.unwrap().files.unwrap().is_empty());
    assert!(model.request(1)["messages"][2]["content"].as_str().unwrap().contains("cut off"));
}

#[tokio::test]
async fn item_14_tool_calls_without_a_call_stops() {
    let (model, _, result) = run(vec![stream(text("Done.") + &finish_event("tool_calls"))]).await;
    assert_eq!(result.unwrap().text.as_deref(), Some("Done."));
    assert_eq!(model.server.requests(), 1);
}

#[tokio::test]
async fn item_15_an_error_inside_the_stream_fails_with_its_code() {
    let error = |error: Value| {
        event(
            &json!({ "error": error, "choices": [{ "index": 0, "delta": { "content": "" }, "finish_reason": "error" }] }),
        )
    };
    for (value, code) in [
        (
            json!({ "code": 502, "message": "up", "metadata": { "error_type": "provider_error" } }),
            ErrorCode::ModelUnavailable,
        ),
        (json!({ "code": 429, "message": "busy" }), ErrorCode::ModelRateLimited),
        (json!({ "code": "server_error", "message": "x" }), ErrorCode::ModelUnavailable),
        (json!("text only"), ErrorCode::ModelError),
    ] {
        let (_, _, result) = run(vec![stream(text("half") + &error(value))]).await;
        assert_eq!(result.unwrap_err().code, code);
    }
    let masked = event(&json!({ "error": { "code": 500, "message": "x" }, "choices": [] }));
    assert!(chat(&(text("a") + &masked)).error.is_some());
    for none in [Value::Null, json!("")] {
        let body = event(&json!({ "error": none, "choices": [{ "index": 0, "delta": { "content": "a" } }] }))
            + &finish_event("stop");
        assert!(chat(&body).error.is_none(), "{none} is no error");
    }
}

#[tokio::test]
async fn item_16_an_error_event_and_no_tool_of_a_block_that_has_not_ended() {
    let groq = call(0, "a", "writeFile", r#"{"path":"x","content":"y"}"#)
        + "event: error\ndata: {\"error\":{\"message\":\"m\",\"type\":\"invalid_request_error\",\"code\":\"tool_use_failed\"}}\n\n";
    let (model, _, result) = run(vec![stream(groq)]).await;
    assert_eq!(result.unwrap_err().code, ErrorCode::ModelError);
    assert_eq!(model.server.requests(), 1, "no tool ran, so nothing was asked after it");
    let overloaded = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    assert_eq!(anthropic(overloaded).error.unwrap().code.as_deref(), Some("overloaded_error"));
}

#[tokio::test]
async fn item_17_errors_before_the_stream_in_all_their_shapes() {
    let cases = [
        (
            400,
            json!({ "error": { "code": 400, "message": "bad", "metadata": { "provider_name": "p", "raw": "r" } } }),
            "bad",
        ),
        (400, json!({ "object": "error", "message": "Invalid model", "code": "1500" }), "Invalid model"),
        (422, json!({ "detail": "nope" }), "nope"),
        (404, json!({ "error": "no such model" }), "no such model"),
        (400, json!({ "code": 400, "message": "Validation", "type": "Bad Request" }), "Validation"),
        (402, json!({ "error": { "message": "credit" } }), "credit"),
    ];
    for (status, body, expected) in cases {
        let error = run(vec![Reply::json(status, body)]).await.2.unwrap_err();
        assert!(error.message.contains(expected), "{error}");
        assert_eq!(error.status, Some(status));
    }
    let (_, _, result) =
        run(vec![Reply::json(200, json!({ "error": { "code": 401, "message": "m" } }))]).await;
    assert_eq!(result.unwrap_err().code, ErrorCode::ModelAuth, "status 200 with an error body");
    let late = Reply::Full { status: 429, headers: "retry-after: 7\r\n".into(), body: vec![] };
    assert_eq!(run(vec![late]).await.2.unwrap_err().retry_after_ms, Some(7_000));
}

#[test]
fn item_18_which_status_is_retried_and_which_goes_elsewhere() {
    for (status, expected) in [
        (400, Remedy::Elsewhere),
        (401, Remedy::Elsewhere),
        (402, Remedy::Elsewhere),
        (403, Remedy::Elsewhere),
        (408, Remedy::Again),
        (429, Remedy::Again),
        (500, Remedy::Again),
        (503, Remedy::Again),
        (529, Remedy::Again),
    ] {
        assert_eq!(remedy(code_for_status(status, "")), expected, "{status}");
    }
    assert_eq!(remedy(code_for_status(400, "context_length_exceeded")), Remedy::None);
}

#[test]
fn item_19_content_null_missing_empty_or_in_parts() {
    let parts = json!({ "content": [
        { "type": "thinking", "thinking": [{ "type": "text", "text": "T" }] }, { "type": "text", "text": "b" },
    ] });
    let body = delta(&json!({ "content": null }))
        + &delta(&json!({}))
        + &delta(&json!({ "content": "" }))
        + &text("a")
        + &delta(&parts)
        + &finish_event("stop");
    let turn = chat(&body);
    assert_eq!((turn.text.as_str(), turn.reasoning.unwrap().text.as_str()), ("ab", "T"));
}

#[test]
fn item_20_reasoning_under_several_names_counts_once() {
    for fields in [
        json!({ "reasoning_content": "R" }),
        json!({ "reasoning": "R" }),
        json!({ "reasoning_content": "R", "reasoning": "R" }),
        json!({ "reasoning": "R", "reasoning_details": [{ "type": "reasoning.text", "text": "R" }] }),
        json!({ "reasoning_details": [{ "type": "reasoning.summary", "summary": "R" }] }),
    ] {
        let turn = chat(&(delta(&fields) + &text("a") + &finish_event("stop")));
        assert_eq!((turn.reasoning.unwrap().text.as_str(), turn.text.as_str()), ("R", "a"), "{fields}");
    }
}

#[tokio::test]
async fn item_21_a_refusal_is_visible_text() {
    let (_, events, result) =
        run(vec![stream(delta(&json!({ "refusal": "I can't." })) + &finish_event("stop"))]).await;
    assert_eq!(text_of(&events), "I can't.");
    assert_eq!(result.unwrap().text.as_deref(), Some("I can't."));
}

#[test]
fn item_22_unknown_event_types_and_pings_are_ignored() {
    let turn = anthropic(
        "event: ping\ndata: {\"type\":\"ping\"}\n\ndata: {\"type\":\"from_the_future\",\"x\":[1]}\n\n\
         data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"new_block\"}}\n\n\
         data: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n\
         data: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\n\
         data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\n",
    );
    assert_eq!((turn.text.as_str(), turn.error), ("a", None));
}

#[test]
fn item_23_fragments_find_their_call_by_index_by_id_or_as_the_last() {
    let function = |name: &str, arguments: &str| json!({ "name": name, "arguments": arguments });
    let by_id = tool(&json!({ "id": "a", "function": function("x", "{\"n\":") }))
        + &tool(&json!({ "id": "b", "function": function("y", "{}") }))
        + &tool(&json!({ "id": "a", "function": { "arguments": "1}" } }))
        + &finish_event("tool_calls");
    let turn = chat(&by_id);
    assert_eq!((turn.tool_calls.len(), turn.tool_calls[0].args.clone()), (2, Some(json!({ "n": 1 }))));
    let last = tool(&json!({ "id": "a", "function": function("x", "{\"n\":") }))
        + &tool(&json!({ "function": { "arguments": "1}" } }))
        + &finish_event("tool_calls");
    assert_eq!(chat(&last).tool_calls[0].args, Some(json!({ "n": 1 })));
}

#[test]
fn item_24_ids_missing_empty_repeated_and_new_at_an_old_index() {
    let function = |arguments: &str| json!({ "name": "x", "arguments": arguments });
    let turn = chat(
        &(tool(&json!({ "index": 0, "id": null, "function": function("{}") })) + &finish_event("tool_calls")),
    );
    assert!(!turn.tool_calls[0].id.is_empty(), "one is made");
    let repeated = tool(&json!({ "index": 0, "id": "a", "function": function("{\"n\"") }))
        + &tool(&json!({ "index": 0, "id": "a", "function": function(":1") }))
        + &tool(&json!({ "index": 0, "id": "", "function": { "arguments": "}" } }))
        + &finish_event("tool_calls");
    let turn = chat(&repeated);
    assert_eq!((turn.tool_calls[0].id.as_str(), turn.tool_calls[0].name.as_str()), ("a", "x"));
    assert_eq!(turn.tool_calls[0].args, Some(json!({ "n": 1 })));
    let renewed = tool(&json!({ "index": 0, "id": "a", "function": function("{}") }))
        + &tool(&json!({ "index": 0, "id": "b", "function": function("{}") }))
        + &finish_event("tool_calls");
    assert_eq!(chat(&renewed).tool_calls.len(), 2);
}

#[test]
fn item_25_arguments_absent_empty_null_or_an_object() {
    for arguments in [
        json!({ "name": "x" }),
        json!({ "name": "x", "arguments": "" }),
        json!({ "name": "x", "arguments": "null" }),
        json!({ "name": "x", "arguments": null }),
    ] {
        let turn = chat(
            &(tool(&json!({ "index": 0, "id": "a", "function": arguments })) + &finish_event("tool_calls")),
        );
        assert_eq!(turn.tool_calls[0].object(), Some(json!({})), "{arguments}");
    }
    let object = json!({ "name": "x", "arguments": { "n": 1 } });
    let turn =
        chat(&(tool(&json!({ "index": 0, "id": "a", "function": object })) + &finish_event("tool_calls")));
    assert_eq!(turn.tool_calls[0].object(), Some(json!({ "n": 1 })));
}

#[test]
fn item_26_arguments_are_not_final_because_they_happen_to_parse() {
    let body = call(0, "a", "x", "{\"n\":1") + &call(0, "", "", "2}") + &finish_event("tool_calls");
    assert_eq!(chat(&body).tool_calls[0].args, Some(json!({ "n": 12 })));
    let body = call(0, "a", "x", "1") + &call(0, "", "", "2") + &finish_event("tool_calls");
    assert_eq!(chat(&body).tool_calls[0].raw_args, "12");
}

#[test]
fn item_27_text_and_a_call_in_one_chunk() {
    let both = delta(
        &json!({ "content": "a", "tool_calls": [{ "index": 0, "id": "i", "function": { "name": "x", "arguments": "{}" } }] }),
    );
    let turn = chat(&(both + &finish_event("tool_calls")));
    assert_eq!((turn.text.as_str(), turn.tool_calls.len()), ("a", 1));
}

#[tokio::test]
async fn item_28_kimi_ids_go_back_verbatim_and_may_repeat_across_turns() {
    let turn = |path: &str| {
        stream(
            call(0, "functions.listFiles:0", "listFiles", &format!(r#"{{"path":"{path}"}}"#))
                + &finish_event("tool_calls"),
        )
    };
    let (model, events, result) =
        run(vec![turn("a"), turn("b"), stream(text("ok") + &finish_event("stop"))]).await;
    result.unwrap();
    for at in [2, 4] {
        assert_eq!(model.request(2)["messages"][at]["tool_call_id"], "functions.listFiles:0");
    }
    let mut stored: Vec<&str> = events
        .iter()
        .filter_map(|e| if let Event::ToolCall { id, .. } = e { Some(id.as_str()) } else { None })
        .collect();
    stored.dedup();
    assert_eq!(stored.len(), 2, "a later call does not overwrite an earlier one: {stored:?}");
}

#[test]
fn item_29_raw_tool_markers_are_a_failed_turn() {
    let turn = chat(&(text("Ok <|tool_calls_sec") + &text("tion_begin|>x") + &finish_event("stop")));
    assert_eq!((turn.text.as_str(), turn.error.unwrap().code.as_deref()), ("Ok ", Some("raw_tool_markers")));
    assert_eq!(
        chat(&(text("a <|to") + &finish_event("stop"))).text,
        "a <|to",
        "what only looks like one is text"
    );
}

#[tokio::test]
async fn item_30_reasoning_is_sent_back_with_tool_turns() {
    for (name, value) in [("reasoning_content", json!("R")), ("reasoning", json!("R"))] {
        let first =
            delta(&json!({ name: value })) + &call(0, "a", "listFiles", "{}") + &finish_event("tool_calls");
        let (model, _, _) = run(vec![stream(first), stream(text("ok") + &finish_event("stop"))]).await;
        assert_eq!(model.request(1)["messages"][1][name], value);
    }
    let silent = call(0, "a", "listFiles", "{}") + &finish_event("tool_calls");
    let (model, _, _) = run(vec![stream(silent), stream(text("ok") + &finish_event("stop"))]).await;
    assert_eq!(model.request(1)["messages"][1].get("reasoning_content"), None, "nothing empty is sent");
    let signature = json!({ "google": { "thought_signature": "c2ln" } });
    let signed = signed_call(0, "a", "listFiles", "{}", &signature) + &finish_event("tool_calls");
    let (model, _, _) = run(vec![stream(signed), stream(text("ok") + &finish_event("stop"))]).await;
    assert_eq!(model.request(1)["messages"][1]["tool_calls"][0]["extra_content"], signature);
}

#[tokio::test]
async fn item_31_calls_without_text_have_content_null() {
    let first = call(0, "a", "listFiles", "{}") + &finish_event("tool_calls");
    let (model, _, _) = run(vec![stream(first), stream(text("ok") + &finish_event("stop"))]).await;
    assert_eq!(model.request(1)["messages"][1].get("content"), Some(&Value::Null));
}

fn primary(vars: &[(&str, &str)], options: Value) -> ModelConfig {
    let env: Env = vars.iter().copied().collect();
    ModelConfig::primary(&env, &serde_json::from_value::<ModelOptions>(options).unwrap()).unwrap()
}

#[tokio::test]
async fn item_32_openrouters_headers_fallback_list_and_the_model_that_answered() {
    let config = primary(
        &[("OPENROUTER_API_KEY", "k"), ("NEXT_PUBLIC_APP_URL", "https://x.test")],
        json!({ "body": { "models": ["b"] } }),
    );
    assert!(config.headers.contains(&("HTTP-Referer".into(), "https://x.test".into())));
    assert!(config.headers.iter().any(|(name, _)| name == "X-Title"));
    assert_eq!(config.body["models"], json!(["b"]));
    let served =
        event(&json!({ "model": "served/by", "choices": [{ "index": 0, "delta": { "content": "a" } }] }))
            + &finish_event("stop");
    let (_, _, result) = run(vec![stream(served)]).await;
    assert_eq!(result.unwrap().model, "served/by");
}

#[tokio::test]
async fn item_33_glm_is_asked_not_to_reason_and_an_eaten_limit_is_raised() {
    let env: Env = [("CEREBRAS_API_KEY", "k")].into_iter().collect();
    let config = ModelConfig::fallback(&env, &ModelOptions::default()).unwrap().unwrap();
    assert_eq!(config.body["reasoning_effort"], "none");
    let eaten = delta(&json!({ "reasoning": "R" }))
        + &event(
            &json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "length" }], "usage": { "completion_tokens": 2000 }, "time_info": {} }),
        );
    let (model, _, result) =
        run_with(vec![stream(eaten), stream(text("ok") + &finish_event("stop"))], json!({})).await;
    assert_eq!(result.unwrap().text.as_deref(), Some("ok"));
    assert_eq!(model.request(1)["max_tokens"], 8000);
}

#[test]
fn item_34_kimi_is_asked_not_to_reason_unless_told_otherwise() {
    assert_eq!(
        primary(&[("OPENROUTER_API_KEY", "k")], json!({})).body["reasoning"],
        json!({ "enabled": false })
    );
    assert_eq!(
        primary(&[("OPENROUTER_API_KEY", "k")], json!({ "reasoning": "default" })).body.get("reasoning"),
        None
    );
}

#[tokio::test]
async fn item_35_refusals_of_tool_choice_and_failed_generations_are_errors() {
    let deepseek = Reply::json(
        400,
        json!({ "error": { "message": "deepseek-reasoner does not support this tool_choice" } }),
    );
    assert_eq!(run(vec![deepseek]).await.2.unwrap_err().code, ErrorCode::ModelBadRequest);
    let groq = Reply::json(
        400,
        json!({ "error": { "message": "Failed to call a function", "code": "tool_use_failed", "failed_generation": "<x>" } }),
    );
    let error = run(vec![groq]).await.2.unwrap_err();
    assert!(error.message.contains("Failed to call a function") && !error.message.contains("<x>"), "{error}");
}
