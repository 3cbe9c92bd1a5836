//! The jobs of a project generation, seen from the model and from the project.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use polaris_core::cancel::CancelReason;
use polaris_core::error::ErrorCode;
use polaris_core::job::Run;
use polaris_core::job::generate_project::{PlanName, PlanPrompts, STEPS};
use serde_json::{Value, json};
use support::http::Part;
use support::model::{Model, call, finish as finish_event, parts, stream, text};
use support::store::Store;
use support::{env, finish, spec};

fn start(model: &Model, store: &Store, job: &str, payload: Value, options: Value) -> Run {
    Run::start(spec(job, payload, options), env(&model.server.url, &store.server.url))
}

fn step(id: &str) -> Value {
    json!({ "projectId": "p1", "description": "A shop", "step": id })
}

/// The lines of the log, files left out.
fn log(store: &Store) -> Vec<String> {
    let events = store.calls("appendGenerationEvent");
    let lines = events.iter().filter(|c| c.args["type"] != "file");
    lines
        .map(|c| format!("{} {}", c.args["type"].as_str().unwrap(), c.args["message"].as_str().unwrap()))
        .collect()
}

fn writes(n: u32) -> String {
    (0..n)
        .map(|n| call(n, &format!("c{n}"), "writeFile", &format!(r#"{{"path":"f{n}","content":"x"}}"#)))
        .collect()
}

#[tokio::test]
async fn a_step_asks_with_the_files_prompts_forces_its_tool_and_logs_what_it_does() {
    let model = Model::start(vec![
        stream(writes(2) + &finish_event("tool_calls")),
        stream(text("Done.") + &finish_event("stop")),
    ])
    .await;
    let store = Store::start("-").await;
    let result =
        finish(&start(&model, &store, "generation-step", step("generate-types"), json!({}))).await.1.unwrap();
    assert_eq!(result.written.unwrap(), ["f0", "f1"]);
    let prompts = PlanPrompts::parse(PlanName::Default.shipped()).unwrap();
    let request = model.request(0);
    assert_eq!(request["messages"][0]["content"], prompts.system);
    let shipped = include_str!("../../../prompts/generate-project.default.md");
    assert!(shipped.starts_with(&prompts.system), "the bytes of the file");
    assert_eq!(request["messages"][1]["content"], prompts.request(&STEPS[5], "A shop"));
    assert_eq!(request["tool_choice"], json!({ "type": "function", "function": { "name": "writeFile" } }));
    assert_eq!(model.request(1).get("tool_choice"), None);
    assert_eq!(
        log(&store),
        [
            "step Starting generate-types",
            "info generate-types emitted 2 tool call(s)",
            "step Completed generate-types"
        ]
    );
    let times: Vec<u64> = store
        .calls("appendGenerationEvent")
        .iter()
        .filter(|c| c.args["type"] != "file")
        .map(|c| c.args["createdAt"].as_u64().unwrap())
        .collect();
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "the order is in the times: {times:?}");
}

#[tokio::test]
async fn a_plan_of_ones_own_is_read_from_its_file_at_each_step() {
    let own: String = STEPS.iter().map(|s| format!("## {}\n\nOwn words for {}.\n\n", s.id, s.id)).collect();
    let path = std::env::temp_dir().join(format!("polaris-plan-{}.md", std::process::id()));
    std::fs::write(&path, format!("Own system.\n\n{own}")).unwrap();
    let model = Model::start(vec![
        stream(writes(1) + &finish_event("tool_calls")),
        stream(text("ok") + &finish_event("stop")),
    ])
    .await;
    let store = Store::start("-").await;
    let options = json!({ "prompts": { "plan": { "file": path } } });
    finish(&start(&model, &store, "generation-step", step("generate-hooks"), options.clone()))
        .await
        .1
        .unwrap();
    assert_eq!(model.request(0)["messages"][0]["content"], "Own system.");
    assert_eq!(
        model.request(0)["messages"][1]["content"],
        "Project description:\nA shop\n\nOwn words for generate-hooks."
    );
    std::fs::write(&path, "Own system.\n").unwrap();
    let error = finish(&start(&model, &store, "generation-step", step("generate-hooks"), options))
        .await
        .1
        .unwrap_err();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(error.code, ErrorCode::ConfigInvalid);
}

#[tokio::test]
async fn the_turns_of_a_step_may_be_used_up() {
    let turns = (0..4).map(|n| {
        stream(
            call(0, "c", "writeFile", &format!(r#"{{"path":"f{n}","content":"x"}}"#))
                + &finish_event("tool_calls"),
        )
    });
    let model = Model::start(turns.collect()).await;
    let store = Store::start("-").await;
    let result = finish(&start(&model, &store, "generation-step", step("finalize-readme"), json!({})))
        .await
        .1
        .unwrap();
    assert_eq!((result.steps, result.usage.input, model.server.requests()), (4, 40, 4));
}

#[tokio::test]
async fn the_last_step_writes_nothing_even_if_the_model_tries() {
    let model = Model::start(vec![
        stream(
            call(0, "l", "listFiles", "{}")
                + &call(1, "w", "writeFile", r#"{"path":"x","content":""}"#)
                + &finish_event("tool_calls"),
        ),
        stream(text("Complete.") + &finish_event("stop")),
    ])
    .await;
    let store = Store::start("-").await;
    finish(&start(&model, &store, "generation-step", step("verify-project"), json!({}))).await.1.unwrap();
    assert!(store.calls("writeFileByPath").is_empty());
    assert!(model.request(1)["messages"][4]["content"].as_str().unwrap().contains("nothing may be changed"));
}

#[tokio::test]
async fn a_model_that_never_calls_the_forced_tool_is_an_error_with_a_name() {
    let model = Model::start(vec![stream(text("I would write a file.") + &finish_event("stop"))]).await;
    let store = Store::start("-").await;
    let options = json!({ "attempt": { "number": 3, "max": 3 }, "limits": { "modelRetries": 1 } });
    let error = finish(&start(&model, &store, "generation-step", step("generate-types"), options))
        .await
        .1
        .unwrap_err();
    assert_eq!((error.code, model.server.requests()), (ErrorCode::ToolNotCalled, 2));
    assert_eq!(log(&store).len(), 2);
    assert!(
        log(&store)[1].starts_with("error generate-types failed: 127.0.0.1 did not call writeFile"),
        "{:?}",
        log(&store)
    );
}

#[tokio::test]
async fn a_step_that_the_runner_will_repeat_does_not_log_a_failure() {
    let model = Model::start(vec![stream(text("cut"))]).await;
    let store = Store::start("-").await;
    let options = json!({ "attempt": { "number": 1, "max": 3 }, "limits": { "modelRetries": 0 } });
    finish(&start(&model, &store, "generation-step", step("generate-types"), options)).await.1.unwrap_err();
    assert_eq!(log(&store), ["step Starting generate-types"]);
}

#[tokio::test]
async fn a_cancelled_step_closes_the_model_and_is_no_failure() {
    let model = Model::start(vec![parts(vec![Part::Hang])]).await;
    let store = Store::start("-").await;
    let run = start(&model, &store, "generation-step", step("generate-types"), json!({}));
    model.server.requested(1).await;
    run.cancel(CancelReason::Cancelled);
    assert_eq!(run.result().await.unwrap_err().code, ErrorCode::Cancelled);
    model.server.client_closed().await;
    assert_eq!(log(&store), ["step Starting generate-types"]);
}

#[tokio::test]
async fn cut_arguments_never_reach_the_project_at_any_byte() {
    let whole = r#"{"path":"a.ts","content":"const a = 1;\n"}"#;
    for cut in 1..whole.len() {
        let first = call(0, "c", "writeFile", &whole[..cut]) + &finish_event("length");
        let model = Model::start(vec![stream(first), stream(text("Sorry.") + &finish_event("stop"))]).await;
        let store = Store::start("-").await;
        let options = json!({ "limits": { "maxRaisedOutputTokens": 1 } });
        finish(&start(&model, &store, "generation-step", step("generate-types"), options)).await.1.unwrap();
        assert!(store.with(|s| s.files.is_empty()), "cut at byte {cut}");
    }
}

#[tokio::test]
async fn the_input_is_checked_and_the_end_is_noted() {
    let model = Model::start(vec![stream(finish_event("stop"))]).await;
    let check = |description: &str| json!({ "projectId": "p1", "description": description });
    let store = Store::start("-").await;
    finish(&start(&model, &store, "generation-validate", check("A shop"), json!({}))).await.1.unwrap();
    assert_eq!(log(&store), ["step Starting validate-input", "step Completed validate-input"]);

    let store = Store::start("-").await;
    let error =
        finish(&start(&model, &store, "generation-validate", check("  "), json!({}))).await.1.unwrap_err();
    assert_eq!((error.message.as_str(), error.retryable()), ("Description is required", false));
    assert_eq!(
        log(&store),
        ["step Starting validate-input", "error Validation failed: description is required"]
    );

    let store = Store::start("-").await;
    let end = json!({ "projectId": "p1", "outcome": "cancelled" });
    finish(&start(&model, &store, "generation-end", end, json!({}))).await.1.unwrap();
    assert_eq!(log(&store), ["info Generation cancelled"]);
    assert_eq!(model.server.requests(), 0);
}

#[tokio::test]
async fn an_unknown_step_or_plan_is_refused_by_name() {
    let model = Model::start(vec![stream(finish_event("stop"))]).await;
    let store = Store::start("-").await;
    for (payload, expected) in [
        (step("generate-nothing"), "there is no step \"generate-nothing\""),
        (
            json!({ "projectId": "p1", "description": "x", "step": "generate-types", "plan": "other" }),
            "payload.plan",
        ),
    ] {
        let error =
            finish(&start(&model, &store, "generation-step", payload, json!({}))).await.1.unwrap_err();
        assert_eq!(error.code, ErrorCode::PayloadInvalid);
        assert!(error.message.contains(expected), "{error}");
    }
}
