//! The extra step of a generation, seen from the model and from the project: what is repaired without
//! asking, what the model is asked for and may change, and when it ends.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use polaris_core::error::{CoreError, ErrorCode};
use polaris_core::job::generate_project::{PlanName, PlanPrompts, REPAIR_STEP};
use polaris_core::job::{Repair, Run, RunResult};
use serde_json::{Value, json};
use support::http::Reply;
use support::model::{Model, call, finish as finish_event, stream, text};
use support::store::Store;
use support::{env, finish, spec};

const PACKAGE: &str = "{\n  \"dependencies\": { \"react\": \"^18.3.1\" }\n}\n";

async fn store<const N: usize>(files: [(&str, &str); N]) -> Arc<Store> {
    let store = Store::start("-").await;
    store.with(|s| s.files = files.map(|(path, text)| (path.to_owned(), text.to_owned())).into());
    Arc::new(store)
}

async fn repair(model: &Model, store: &Store, options: Value) -> Result<RunResult, CoreError> {
    let payload = json!({ "projectId": "p1", "description": "A shop", "step": REPAIR_STEP });
    let run =
        Run::start(spec("generation-step", payload, options), env(&model.server.url, &store.server.url));
    finish(&run).await.1
}

fn files(store: &Store) -> BTreeMap<String, String> {
    store.with(|s| s.files.clone())
}

/// The lines of the log that are not of files.
fn log(store: &Store) -> Vec<String> {
    let lines = store.calls("appendGenerationEvent");
    let lines = lines.iter().filter(|call| call.args["type"] != "file");
    lines
        .map(|call| {
            format!("{} {}", call.args["type"].as_str().unwrap(), call.args["message"].as_str().unwrap())
        })
        .collect()
}

fn write(n: u32, path: &str, content: &str) -> String {
    call(n, &format!("c{n}"), "writeFile", &json!({ "path": path, "content": content }).to_string())
}

/// A model that writes these files in its n-th round, and says that it is done.
async fn writing(rounds: Vec<Vec<(&'static str, &'static str)>>) -> Model {
    let rounds = Mutex::new(rounds.into_iter());
    Model::start_with(move |request| {
        if request["messages"].as_array().unwrap().len() > 2 {
            return stream(text("Done.") + &finish_event("stop"));
        }
        let Some(writes) = rounds.lock().unwrap().next() else {
            return stream(text("I cannot.") + &finish_event("stop"));
        };
        let calls = writes.iter().zip(0..).map(|((path, content), n)| write(n, path, content));
        stream(calls.collect::<String>() + &finish_event("tool_calls"))
    })
    .await
}

#[tokio::test]
async fn what_needs_no_model_is_repaired_without_one() {
    let model = writing(Vec::new()).await;
    let store = store([
        ("package.json", PACKAGE),
        ("src/App.tsx", "import { Home } from \"./page/Home\";\nimport \"zod\";\nexport default Home;\n"),
        ("src/pages/Home.tsx", "export const Home = 1;\n"),
    ])
    .await;
    let result = repair(&model, &store, json!({})).await.unwrap();
    assert_eq!(model.server.requests(), 0);
    let fixes = [
        "src/App.tsx: \"./page/Home\" became \"./pages/Home\"",
        "package.json: \"zod\": \"^3.22.0\" was added",
    ];
    let expected =
        Repair { before: 2, after: 0, fixes: fixes.map(str::to_owned).into(), ..Repair::default() };
    assert_eq!(result.repair, Some(expected));
    assert_eq!(result.inspection.unwrap().count, 0);
    assert_eq!(result.written.unwrap(), ["package.json", "src/App.tsx"]);
    assert!(files(&store)["src/App.tsx"].starts_with("import { Home } from \"./pages/Home\";\n"));
    assert!(files(&store)["package.json"].contains("\"zod\""));
    assert_eq!(
        log(&store),
        [
            "step Starting repair-project".to_owned(),
            format!("info Repair: {}", fixes[0]),
            format!("info Repair: {}", fixes[1]),
            "step Completed repair-project".to_owned(),
            "info Inspection: no problems found".to_owned(),
        ]
    );
    let changes = &store.calls("applyFileChanges")[0].args["changes"];
    assert_eq!(changes[1]["line"]["message"], "Wrote src/App.tsx");
    assert!(changes[1]["line"]["preview"].is_string());
}

#[tokio::test]
async fn a_whole_project_is_left_alone() {
    let model = writing(Vec::new()).await;
    let store = store([("package.json", PACKAGE), ("a.ts", "export const a = 1;\n")]).await;
    let before = files(&store);
    let result = repair(&model, &store, json!({})).await.unwrap();
    assert_eq!((result.repair, result.written), (Some(Repair::default()), Some(Vec::new())));
    assert_eq!((files(&store), model.server.requests()), (before, 0));
    assert!(store.calls("applyFileChanges").is_empty());
}

#[tokio::test]
async fn the_model_gets_the_problems_and_the_failing_files_and_may_change_no_others() {
    let good = "import { b } from \"./b\";\nexport const a = b;\n";
    let model =
        writing(vec![vec![("a.ts", good), ("clean.ts", "// mine\n"), ("b.ts", "export const b = 2;\n")]])
            .await;
    let store = store([
        ("package.json", PACKAGE),
        ("a.ts", "import { b } from \"./b\";\nexport const a = (;\n"),
        ("c.ts", "import { gone } from \"./d\";\nconsole.log(gone);\n"),
        ("d.ts", "export const here = 1;\n"),
        ("clean.ts", "export const clean = 1;\n"),
    ])
    .await;
    let result = repair(&model, &store, json!({})).await.unwrap();
    let request = model.request(0);
    let prompts = PlanPrompts::parse(PlanName::Default.shipped()).unwrap();
    assert_eq!(request["messages"][0]["content"], prompts.system);
    let asked = request["messages"][1]["content"].as_str().unwrap();
    let start = format!(
        "Project description:\nA shop\n\n{}\n\nProblems:\n- a.ts:2: it does not parse",
        prompts.instruction(REPAIR_STEP).unwrap()
    );
    assert!(asked.starts_with(&start), "{asked}");
    assert!(asked.contains("- c.ts:1: d.ts does not export \"gone\"\n"), "{asked}");
    assert!(
        asked.contains("\nd.ts\n```\nexport const here = 1;\n\n```\n") && !asked.contains("clean"),
        "{asked}"
    );
    assert_eq!(request.get("tool_choice"), None);
    let told = &model.request(1)["messages"];
    assert_eq!(
        told[4]["content"],
        "Error writing file: nothing is wrong with clean.ts: this step may change a.ts, c.ts, d.ts, and create files"
    );
    assert_eq!(files(&store)["a.ts"], good);
    assert_eq!(files(&store)["b.ts"], "export const b = 2;\n");
    assert_eq!(files(&store)["clean.ts"], "export const clean = 1;\n");
    let done = result.repair.unwrap();
    // The second round changed nothing, and so it was the last one.
    assert_eq!((done.before, done.after, done.rounds), (2, 1, 2));
    assert_eq!(done.stopped.unwrap(), "round 2 would leave 1 of 1 problem(s), and was dropped");
    assert!(log(&store).contains(&"info Repair: round 1 left 1 of 2 problem(s)".to_owned()));
    assert!(log(&store).contains(&"info repair-project emitted 3 tool call(s)".to_owned()));
}

#[tokio::test]
async fn a_round_that_does_not_help_leaves_nothing() {
    let worse = "import \"./x\";\nimport \"./y\";\n";
    let model = writing(vec![vec![("a.ts", worse), ("new.ts", "export {};\n")]]).await;
    let store = store([("package.json", PACKAGE), ("a.ts", "import \"./nowhere\";\n")]).await;
    let before = files(&store);
    let done = repair(&model, &store, json!({})).await.unwrap().repair.unwrap();
    assert_eq!((done.before, done.after, done.rounds), (1, 1, 1));
    assert_eq!(files(&store), before);
    assert!(store.calls("applyFileChanges").is_empty());
}

#[tokio::test]
async fn there_is_a_last_round_even_if_each_one_helps() {
    let paths = ["a.ts", "b.ts", "c.ts", "d.ts", "e.ts"];
    let model = writing(paths.map(|path| vec![(path, "export {};\n")]).into()).await;
    let broken = "import \"./nowhere\";\n";
    let store = store(paths.map(|path| (path, broken))).await;
    let done = repair(&model, &store, json!({})).await.unwrap().repair.unwrap();
    assert_eq!((done.before, done.after, done.rounds), (5, 2, 3));
    assert_eq!(done.stopped.as_deref(), Some("after 3 rounds"));
}

#[tokio::test]
async fn what_a_person_saves_meanwhile_stays() {
    let store = store([
        ("package.json", PACKAGE),
        ("a.ts", "import \"./nowhere\";\n"),
        ("b.ts", "import \"./no\";\n"),
    ])
    .await;
    let model = Model::start_with({
        let store = Arc::clone(&store);
        move |request| {
            if request["messages"].as_array().unwrap().len() > 2 {
                return stream(text("Done.") + &finish_event("stop"));
            }
            store.with(|s| {
                s.files.insert("a.ts".into(), "// by hand\n".into());
                s.file_changes = 7;
                s.file_times.insert("a.ts".into(), 7);
            });
            stream(
                write(0, "a.ts", "export {};\n")
                    + &write(1, "b.ts", "export {};\n")
                    + &finish_event("tool_calls"),
            )
        }
    })
    .await;
    let result = repair(&model, &store, json!({})).await.unwrap();
    assert_eq!(
        (files(&store)["a.ts"].as_str(), files(&store)["b.ts"].as_str()),
        ("// by hand\n", "export {};\n")
    );
    assert_eq!(result.written.unwrap(), ["b.ts"]);
    let line = "info Repair: a.ts was left alone: somebody has changed it meanwhile".to_owned();
    assert!(log(&store).contains(&line), "{:?}", log(&store));
}

#[tokio::test]
async fn a_model_that_cannot_be_asked_fails_no_generation_and_what_is_repaired_stays() {
    let refused = || Reply::json(401, json!({ "error": { "message": "no" } }));
    let busy = || Reply::json(503, json!({ "error": { "message": "busy" } }));
    let broken = [
        ("package.json", PACKAGE),
        ("a.ts", "import { b } from \"./lib/b\";\nimport \"./nowhere\";\nconsole.log(b);\n"),
        ("b.ts", "export const b = 1;\n"),
    ];
    let once =
        |number: u32| json!({ "attempt": { "number": number, "max": 3 }, "limits": { "modelRetries": 0 } });
    for (reply, number) in [(refused(), 1), (busy(), 3)] {
        let (model, store) = (Model::start(vec![reply]).await, store(broken).await);
        let result = repair(&model, &store, once(number)).await.unwrap();
        let done = result.repair.unwrap();
        assert_eq!((done.before, done.after), (2, 1));
        assert!(done.stopped.unwrap().starts_with("the model did not help: "));
        assert!(files(&store)["a.ts"].starts_with("import { b } from \"./b\";\n"));
        assert_eq!(log(&store).last().unwrap(), "info Inspection: a.ts:2: \"./nowhere\" leads to no file");
    }
    // A passing failure is the runner's to try again.
    let (model, store) = (Model::start(vec![busy()]).await, store(broken).await);
    let error = repair(&model, &store, once(1)).await.unwrap_err();
    assert_eq!((error.code, error.retryable()), (ErrorCode::ModelUnavailable, true));
    assert!(log(&store).iter().all(|line| !line.contains("failed")));
}

#[tokio::test]
async fn a_step_that_dies_goes_on_with_what_it_has_kept() {
    let model = writing(vec![vec![("b.ts", "export {};\n")], vec![("b.ts", "export {};\n")]]).await;
    let store =
        store([("package.json", PACKAGE), ("a.ts", "import \"zod\";\n"), ("b.ts", "import \"./x\";\n")])
            .await;
    let payload = json!({ "projectId": "p1", "description": "A shop", "step": REPAIR_STEP });
    let spec = || spec("generation-step", payload.clone(), json!({}));
    let killed = store.with(|s| {
        // The list of packages takes effect, and nobody hears of it.
        s.kill_call = Some(("applyFileChanges".to_owned(), true));
        Arc::clone(&s.killed)
    });
    let run = Run::start(spec(), env(&model.server.url, &store.server.url));
    killed.notified().await;
    drop(run);
    assert!(files(&store)["package.json"].contains("zod"));
    let run = Run::start(spec(), env(&model.server.url, &store.server.url));
    let done = finish(&run).await.1.unwrap().repair.unwrap();
    assert_eq!((done.before, done.after, done.rounds, done.fixes.len()), (1, 0, 1, 0));
}
