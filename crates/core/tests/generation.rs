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
    let calls = store.with(|s| s.log.clone());
    let line = |c: &support::store::Call| match c.name.as_str() {
        "beginGeneration" => Some("step Starting validate-input".to_owned()),
        "appendGenerationEvent" if c.args["type"] != "file" => {
            Some(format!("{} {}", c.args["type"].as_str().unwrap(), c.args["message"].as_str().unwrap()))
        }
        _ => None,
    };
    calls.iter().filter_map(line).collect()
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

/// The files that a step leaves when the arguments of its `nth` call are cut at a byte.
async fn files_after_a_cut(calls: &[&str], nth: usize, cut: usize, end: &str) -> Vec<(String, String)> {
    let mut turn = String::new();
    for (n, arguments) in calls.iter().enumerate() {
        let arguments = if n == nth { &arguments[..cut] } else { arguments };
        turn += &call(u32::try_from(n).unwrap(), &format!("c{n}"), "writeFile", arguments);
        if n == nth {
            break;
        }
    }
    let first = if end.is_empty() { stream(turn) } else { stream(turn + &finish_event(end)) };
    let model = Model::start(vec![first, stream(text("Sorry.") + &finish_event("stop"))]).await;
    let store = Store::start("-").await;
    let options = json!({ "limits": { "maxRaisedOutputTokens": 1, "modelRetries": 0 } });
    // What follows differs: a cut stream fails the attempt, a cut call is told to the model.
    let _ = finish(&start(&model, &store, "generation-step", step("generate-types"), options)).await;
    store.with(|s| s.files.clone().into_iter().collect())
}

#[tokio::test]
async fn cut_arguments_never_reach_the_project_at_any_byte_of_any_call() {
    let calls = [
        r#"{"path":"a.ts","content":"const a = 1;\n"}"#,
        r#"{"content":"{\"b\": [1, 2]}","path":"b.json"}"#,
        r#"{"path":"c.ts","content":"c"}"#,
    ];
    let whole = [("a.ts", "const a = 1;\n"), ("b.json", "{\"b\": [1, 2]}"), ("c.ts", "c")]
        .map(|(path, content)| (path.to_owned(), content.to_owned()));
    // By the token limit, by a provider that says all is well, and by a stream that breaks.
    for end in ["length", "tool_calls", "stop", ""] {
        for nth in 0..calls.len() {
            for cut in 1..calls[nth].len() {
                let files = files_after_a_cut(&calls, nth, cut, end).await;
                let good = files.iter().all(|file| whole[..nth].contains(file));
                assert!(good, "{end:?}, call {nth}, cut at byte {cut}: {files:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_step_whose_call_was_cut_goes_on_and_says_so() {
    let cut = call(0, "c", "writeFile", r#"{"path":"a.ts","content":"half"#) + &finish_event("length");
    let whole =
        call(0, "d", "writeFile", r#"{"path":"a.ts","content":"whole"}"#) + &finish_event("tool_calls");
    let model =
        Model::start(vec![stream(cut), stream(whole), stream(text("Done.") + &finish_event("stop"))]).await;
    let store = Store::start("-").await;
    let options = json!({ "limits": { "maxRaisedOutputTokens": 1 } });
    finish(&start(&model, &store, "generation-step", step("generate-types"), options)).await.1.unwrap();
    assert_eq!(store.with(|s| s.files.clone()), [("a.ts".to_owned(), "whole".to_owned())].into());
    assert_eq!(model.request(1)["messages"].as_array().unwrap().len(), 4, "the same conversation");
    assert_eq!(
        log(&store)[1..3],
        [
            "info generate-types emitted 1 tool call(s)",
            "info generate-types goes on: 1 tool call(s) were cut off and not run"
        ]
    );
}

fn atomic() -> Value {
    json!({ "commit": "atomic" })
}

#[tokio::test]
async fn an_atomic_step_shows_its_files_together_at_its_end() {
    let write = |id: &str, args: &str| call(0, id, "writeFile", args) + &finish_event("tool_calls");
    let model = Model::start(vec![
        stream(write("1", r#"{"path":"src/a.ts","content":"A"}"#)),
        stream(call(0, "2", "readFile", r#"{"path":"src/a.ts"}"#) + &finish_event("tool_calls")),
        stream(call(0, "3", "listFiles", r#"{"path":"src"}"#) + &finish_event("tool_calls")),
        stream(call(0, "4", "deleteFile", r#"{"path":"old.ts"}"#) + &finish_event("tool_calls")),
        stream(write("5", r#"{"path":"src/a.ts/b.ts","content":""}"#)),
        stream(write("6", r#"{"path":"src","content":""}"#)),
        stream(call(0, "7", "getProjectStructure", "{}") + &finish_event("tool_calls")),
        stream(text("Done.") + &finish_event("stop")),
    ])
    .await;
    let store = Store::start("-").await;
    store.with(|s| s.files.insert("old.ts".into(), "old".into()));
    let result =
        finish(&start(&model, &store, "generation-step", step("generate-pages"), atomic())).await.1.unwrap();
    assert_eq!(result.written.unwrap(), ["src/a.ts"]);
    let last = model.request(7);
    let results: Vec<&str> = last["messages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|message| message["role"] == "tool")
        .map(|message| message["content"].as_str().unwrap())
        .collect();
    assert_eq!(
        results,
        [
            "Successfully wrote to src/a.ts",
            "A",
            "[file] a.ts",
            "Successfully deleted old.ts",
            "Error writing file: src/a.ts is a file, so nothing can be written below it",
            "Error writing file: src is a folder",
            "src/a.ts",
        ]
    );
    assert_eq!(store.with(|s| s.files.clone()), [("src/a.ts".to_owned(), "A".to_owned())].into());
    let changes = store.with(|s| s.log.clone());
    let changes: Vec<&str> = changes
        .iter()
        .map(|call| call.name.as_str())
        .filter(|name| matches!(*name, "writeFileByPath" | "deleteFileByPath" | "commitFiles"))
        .collect();
    assert_eq!(changes, ["commitFiles"]);
    let commit = &store.calls("commitFiles")[0].args["changes"];
    assert_eq!(
        (&commit[0]["message"], &commit[0]["preview"], &commit[1]["message"]),
        (&json!("Wrote src/a.ts"), &json!("A"), &json!("Deleted old.ts"))
    );
    assert!(commit[0]["createdAt"].as_f64().unwrap() > 1e12);
}

#[tokio::test]
async fn an_atomic_step_that_fails_or_is_cancelled_shows_nothing() {
    for ending in [stream(text("cut")), parts(vec![Part::Hang])] {
        let model = Model::start(vec![stream(writes(2) + &finish_event("tool_calls")), ending]).await;
        let store = Store::start("-").await;
        let options = json!({ "commit": "atomic", "limits": { "modelRetries": 0 } });
        let run = start(&model, &store, "generation-step", step("generate-types"), options);
        model.server.requested(2).await;
        run.cancel(CancelReason::Cancelled);
        run.result().await.unwrap_err();
        assert!(store.with(|s| s.files.is_empty()));
        assert!(store.calls("commitFiles").is_empty());
    }
}

#[tokio::test]
async fn an_atomic_step_that_dies_at_its_commit_is_whole_after_the_next_attempt() {
    let turns =
        || vec![stream(writes(3) + &finish_event("tool_calls")), stream(text("ok") + &finish_event("stop"))];
    let again = || turns().into_iter().chain(turns()).collect::<Vec<_>>();
    // Starting, the project's paths, the calls' line, and the commit.
    for (takes_effect, visible) in [(false, 0), (true, 3)] {
        let model = Model::start(again()).await;
        let store = Store::start("-").await;
        let run = start(&model, &store, "generation-step", step("generate-types"), atomic());
        let killed = store.with(|s| {
            s.kill_call = Some(("commitFiles".to_owned(), takes_effect));
            std::sync::Arc::clone(&s.killed)
        });
        killed.notified().await;
        run.cancel(CancelReason::Dropped);
        drop(run);
        assert_eq!(store.with(|s| s.files.len()), visible, "all or nothing");
        finish(&start(&model, &store, "generation-step", step("generate-types"), atomic())).await.1.unwrap();
        let files = ["f0", "f1", "f2"].map(|path| (path.to_owned(), "x".to_owned()));
        assert_eq!(store.with(|s| s.files.clone()), files.into());
        assert_eq!(model.server.requests(), 4, "the whole step is asked again");
    }
}

/// A model that does what the last step is for.
async fn looking() -> Model {
    Model::start_with(|request| {
        let asked_before = request["messages"].as_array().unwrap().len() > 2;
        let done = text("All there.") + &finish_event("stop");
        stream(if asked_before {
            done
        } else {
            call(0, "l", "listFiles", "{}") + &finish_event("tool_calls")
        })
    })
    .await
}

#[tokio::test]
async fn the_end_of_a_generation_says_what_is_wrong_with_the_project_and_changes_nothing() {
    let model = looking().await;
    let store = Store::start("-").await;
    let files = [
        ("package.json", "{ \"name\": \"x\" }"),
        ("a.ts", "import \"./b\";\nimport React from \"react\";\n"),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
    store.with(|s| s.files = files.clone().into());
    let run = |id: &str, options| start(&model, &store, "generation-step", step(id), options);
    let inspection = finish(&run("verify-project", json!({}))).await.1.unwrap().inspection.unwrap();
    assert_eq!((inspection.count, inspection.problems[0].line), (2, 1));
    let lines = [
        "info Inspection: 2 problems found",
        "info Inspection: a.ts:1: \"./b\" leads to no file",
        "info Inspection: a.ts:2: the package \"react\" is not in package.json",
    ];
    assert_eq!(log(&store)[3..], lines);
    assert_eq!(store.with(|s| s.files.clone()), files.into());

    store.with(|s| s.log.clear());
    let off = finish(&run("verify-project", json!({ "inspect": false }))).await.1.unwrap();
    assert_eq!((off.inspection, log(&store).len()), (None, 3));
}

#[tokio::test]
async fn steps_before_the_last_say_it_in_their_result_only() {
    let model = Model::start(vec![
        stream(
            call(0, "w", "writeFile", r#"{"path":"a.ts","content":"export const = 1;"}"#)
                + &finish_event("tool_calls"),
        ),
        stream(text("Done.") + &finish_event("stop")),
    ])
    .await;
    let store = Store::start("-").await;
    // Also where the files became visible only now.
    let run = start(&model, &store, "generation-step", step("generate-types"), atomic());
    let inspection = finish(&run).await.1.unwrap().inspection.unwrap();
    assert_eq!((inspection.count, inspection.problems[0].path.as_str()), (1, "a.ts"));
    assert!(log(&store).iter().all(|line| !line.contains("Inspection")));
}

#[tokio::test]
async fn a_project_that_cannot_be_inspected_fails_no_step() {
    let model = looking().await;
    let store = Store::start("-").await;
    let refuse = support::http::Reply::json(404, json!({ "code": "NotFound", "message": "no" }));
    store.with(|s| s.faults = vec![("listProjectFilesPage".to_owned(), refuse)]);
    let result =
        finish(&start(&model, &store, "generation-step", step("verify-project"), json!({}))).await.1.unwrap();
    assert_eq!(result.inspection, None);
    assert_eq!(log(&store).last().unwrap(), "step Completed verify-project");
}

#[tokio::test]
async fn a_project_that_is_gone_ends_a_generation_with_its_name_and_without_the_model() {
    let model = Model::start(vec![stream(writes(1) + &finish_event("tool_calls"))]).await;
    let store = Store::start("-").await;
    store.with(|s| s.gone = true);
    let check = json!({ "projectId": "p1", "description": "A shop" });
    for (job, payload) in [("generation-validate", check), ("generation-step", step("generate-types"))] {
        let error = finish(&start(&model, &store, job, payload, json!({}))).await.1.unwrap_err();
        assert_eq!((error.code, error.retryable()), (ErrorCode::ProjectNotFound, false), "{job}: {error}");
        assert!(error.message.ends_with("Project not found"), "{error}");
    }
    assert_eq!(model.server.requests(), 0);
}

#[tokio::test]
async fn a_project_that_is_deleted_while_a_step_runs_ends_it_without_a_retry() {
    for commit in ["streaming", "atomic"] {
        let store = std::sync::Arc::new(Store::start("-").await);
        let model = Model::start_with({
            let store = std::sync::Arc::clone(&store);
            move |_| {
                store.with(|s| s.gone = true);
                stream(writes(1) + &finish_event("tool_calls"))
            }
        })
        .await;
        let options = json!({ "commit": commit });
        let error = finish(&start(&model, &store, "generation-step", step("generate-types"), options))
            .await
            .1
            .unwrap_err();
        assert_eq!((error.code, error.retryable()), (ErrorCode::ProjectNotFound, false), "{error}");
        assert_eq!((model.server.requests(), store.with(|s| s.files.len())), (1, 0), "{commit}");
    }
}

#[tokio::test]
async fn a_model_that_writes_outside_the_project_is_told_and_writes_nothing() {
    for commit in ["streaming", "atomic"] {
        let paths = ["../outside.ts", "src/../../etc/passwd", "/..", "a\\b"];
        let calls: String = (0..4)
            .map(|n| {
                let arguments = json!({ "path": paths[n as usize], "content": "x" }).to_string();
                call(n, &format!("c{n}"), "writeFile", &arguments)
            })
            .collect();
        let model = Model::start(vec![
            stream(calls + &finish_event("tool_calls")),
            stream(text("I see.") + &finish_event("stop")),
        ])
        .await;
        let store = Store::start("-").await;
        let options = json!({ "commit": commit });
        finish(&start(&model, &store, "generation-step", step("generate-types"), options)).await.1.unwrap();
        for n in 3..7 {
            let told = model.request(1)["messages"][n]["content"].clone();
            assert!(told.as_str().unwrap().starts_with("Error writing file: the path "), "{told}");
        }
        assert!(store.with(|s| s.files.is_empty()));
    }
}

#[tokio::test]
async fn a_description_of_a_megabyte_is_refused_before_anything_is_asked() {
    let model = Model::start(vec![stream(finish_event("stop"))]).await;
    let store = Store::start("-").await;
    let long = "x".repeat(1 << 20);
    for (job, payload) in [
        ("generation-validate", json!({ "projectId": "p1", "description": long })),
        ("generation-step", json!({ "projectId": "p1", "description": long, "step": "generate-types" })),
    ] {
        let error = finish(&start(&model, &store, job, payload, json!({}))).await.1.unwrap_err();
        assert_eq!((error.code, error.retryable()), (ErrorCode::PayloadInvalid, false));
        assert!(error.message.ends_with("is 1048576 bytes long, at most 65536 are taken"), "{error}");
    }
    assert_eq!(model.server.requests(), 0);
    assert_eq!(
        log(&store),
        [
            "step Starting validate-input",
            "error Validation failed: description is 1048576 bytes long, at most 65536 are taken"
        ]
    );
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
