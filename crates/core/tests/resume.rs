//! A worker dies at every call that it makes to the store, before and after the call takes effect:
//! the next attempt ends with the same message and the same files, as if nothing had happened.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use polaris_core::error::ErrorCode;
use polaris_core::job::Run;
use serde_json::{Value, json};
use support::http::{Part, Reply};
use support::model::{Model, call, finish as finish_event, parts, signed_call, stream, text};
use support::store::{MESSAGE, Store};
use support::{env, finish, spec};

fn start(model: &Model, store: &Store, attempt: u32) -> Run {
    let options = json!({ "runId": "run_1", "attempt": { "number": attempt, "max": 3 } });
    Run::start(
        spec("process-message", json!({ "messageId": MESSAGE }), options),
        env(&model.server.url, &store.server.url),
    )
}

fn signature() -> Value {
    json!({ "google": { "thought_signature": "c2ln" } })
}

fn write(index: u32, id: &str, path: &str) -> String {
    call(index, id, "writeFile", &format!(r#"{{"path":"{path}","content":"{path}!"}}"#))
}

/// A model that goes by the conversation, as a real one does: the turn is the number of answers in it.
async fn model() -> Model {
    let turns = |request: &Value| {
        let messages = request["messages"].as_array().unwrap();
        let answers: Vec<&Value> = messages.iter().filter(|m| m["role"] == "assistant").collect();
        let signed =
            answers.first().is_none_or(|first| first["tool_calls"][0]["extra_content"] == signature());
        match answers.len() {
            _ if !signed => text("What it signed did not come back.") + &finish_event("stop"),
            0 => {
                let a = r#"{"path":"a","content":"a!"}"#;
                text("One. ")
                    + &signed_call(0, "functions.writeFile:0", "writeFile", a, &signature())
                    + &call(1, "r", "readFile", r#"{"path":"z"}"#)
                    + &finish_event("tool_calls")
            }
            1 => {
                text("Two. ")
                    + &write(0, "functions.writeFile:0", "b")
                    + &write(1, "w2", "c")
                    + &finish_event("tool_calls")
            }
            2 => {
                call(0, "d", "deleteFile", r#"{"path":"z"}"#)
                    + &call(1, "n", "deleteFile", r#"{"path":"never"}"#)
                    + &finish_event("tool_calls")
            }
            _ => text("Three ") + &text("😀.") + &finish_event("stop"),
        }
    };
    Model::start_with(move |request| stream(turns(request))).await
}

async fn store() -> Store {
    let store = Store::start("Hi").await;
    store.with(|s| drop(s.files.insert("z".into(), "Z".into())));
    store
}

/// What a person sees of the end.
fn end(store: &Store) -> Value {
    let log = log(store);
    store.with(
        |s| json!({ "status": s.status, "content": s.content, "calls": s.tool_calls, "files": s.files, "log": log }),
    )
}

/// The lines of the project's log; a line that comes again under its time is one.
fn log(store: &Store) -> Vec<String> {
    let mut lines = store.with(|s| s.lines.clone());
    lines.sort();
    lines.into_iter().map(|(words, _)| words).collect()
}

#[tokio::test]
async fn a_kill_at_every_call_to_the_store_changes_nothing_of_the_end() {
    let (calm_model, calm) = (model().await, store().await);
    finish(&start(&calm_model, &calm, 1)).await.1.unwrap();
    let expected = end(&calm);
    assert_eq!(expected["content"], "One. Two. Three 😀.");
    let calls = calm.with(|s| s.log.len());
    let turns = calm_model.server.requests();
    let mut points = 0;
    for n in 1..=calls {
        for takes_effect in [false, true] {
            let (model, store) = (model().await, store().await);
            store.with(|s| s.kill_at = Some((n, takes_effect)));
            let killed = store.with(|s| Arc::clone(&s.killed));
            let run = start(&model, &store, 1);
            tokio::select! {
                () = killed.notified() => {}
                // Writes are merged as time goes: a run may make fewer calls than the calm one.
                _ = finish(&run) => continue,
            }
            drop(run);
            let at = format!("killed at call {n} of {calls}, took effect: {takes_effect}");
            finish(&start(&model, &store, 2)).await.1.unwrap();
            assert_eq!(end(&store), expected, "{at}");
            let mut made = store.with(|s| s.made.clone());
            made.sort();
            assert_eq!(made, ["deleted z", "wrote a", "wrote b", "wrote c"], "{at}");
            let repeated = model.server.requests() - turns;
            assert!(
                repeated <= 1,
                "{at}: only the turn that was not finished may be asked again, not {repeated}"
            );
            points += 1;
        }
    }
    assert!(points > calls, "{points} points");
}

#[tokio::test]
async fn a_worker_that_wakes_up_after_its_successor_began_changes_nothing() {
    let model = Model::start(vec![
        stream(text("One. ") + &write(0, "c", "a") + &finish_event("tool_calls")),
        parts(vec![Part::Bytes(text("old").into_bytes()), Part::Hang]),
        stream(text("Two.") + &finish_event("stop")),
    ])
    .await;
    let store = Store::start("Hi").await;
    let old = start(&model, &store, 1);
    model.server.requested(2).await;
    // The frozen worker goes on streaming; its successor begins.
    let new = start(&model, &store, 2);
    finish(&new).await.1.unwrap();
    assert_eq!(store.with(|s| s.content.clone()), "One. Two.");
    old.cancel(polaris_core::cancel::CancelReason::Cancelled);
    old.result().await.unwrap_err();
    assert_eq!(
        store.with(|s| (s.status.clone(), s.content.clone())),
        ("completed".to_owned(), "One. Two.".to_owned())
    );
}

#[tokio::test]
async fn an_older_attempt_ends_by_itself_when_its_write_is_refused() {
    let slow: Vec<Part> = (0..2_000)
        .flat_map(|n| {
            [
                Part::Bytes(text(&format!("{n} ")).into_bytes()),
                Part::Pause(std::time::Duration::from_millis(5)),
            ]
        })
        .collect();
    let model = Model::start(vec![parts(slow.clone()), parts(vec![Part::Hang])]).await;
    let store = Store::start("Hi").await;
    let old = start(&model, &store, 1);
    while store.timer_writes().is_empty() {
        old.next_batch().await.unwrap();
    }
    let _new = start(&model, &store, 2);
    let error = finish(&old).await.1.unwrap_err();
    assert_eq!((error.code, error.retryable()), (ErrorCode::Superseded, false));
    assert_eq!(store.with(|s| s.status.clone()), "processing", "the older attempt does not end the message");
}

#[tokio::test]
async fn an_older_deployment_gets_the_whole_text_and_a_clean_retry() {
    let (model, store) = (model().await, store().await);
    store.with(|s| s.old = true);
    finish(&start(&model, &store, 1)).await.1.unwrap();
    store.with(|s| assert_eq!((s.status.as_str(), s.content.as_str()), ("completed", "One. Two. Three 😀.")));
    assert!(
        store.with(|s| s.log.iter().all(|c| c.args.get("seq").is_none() && c.args.get("turn").is_none()))
    );
}

#[tokio::test]
async fn a_deployment_that_takes_no_lines_gets_each_change_and_its_line_on_its_own() {
    let (calm_model, calm) = (model().await, store().await);
    finish(&start(&calm_model, &calm, 1)).await.1.unwrap();
    let (model, store) = (model().await, store().await);
    store.with(|s| s.takes_no_lines = true);
    finish(&start(&model, &store, 1)).await.1.unwrap();
    assert_eq!(end(&store), end(&calm));
    // What it does not take is tried once of each kind.
    let refused = store.with(|s| s.log.iter().filter(|call| support::store::has_lines(&call.args)).count());
    assert_eq!(refused, 2);
}

#[tokio::test]
async fn what_the_calls_of_a_turn_change_goes_with_the_record_of_the_turn() {
    let (model, store) = (model().await, store().await);
    finish(&start(&model, &store, 1)).await.1.unwrap();
    assert!(store.calls("writeFileByPath").is_empty() && store.calls("appendGenerationEvent").is_empty());
    let with_turns = store.calls("saveToolCalls").into_iter().filter(|call| call.args.get("turn").is_some());
    let changes = with_turns.map(|call| call.args["changes"].as_array().map_or(0, Vec::len));
    assert_eq!(changes.collect::<Vec<_>>(), [1, 2, 2]);
}

#[tokio::test]
async fn text_goes_to_the_store_once_and_not_with_every_write() {
    let deltas: Vec<Part> = (0..300)
        .flat_map(|n| {
            [
                Part::Bytes(text(&format!("delta {n:03} ")).into_bytes()),
                Part::Pause(std::time::Duration::from_millis(3)),
            ]
        })
        .chain([Part::Bytes(finish_event("stop").into_bytes())])
        .collect();
    let model = Model::start(vec![parts(deltas)]).await;
    let store = Store::start("Hi").await;
    finish(&start(&model, &store, 1)).await.1.unwrap();
    let content = store.with(|s| s.content.clone());
    assert_eq!(content.len(), 300 * 10);
    let sent: usize = store.with(|s| {
        s.log
            .iter()
            .flat_map(|c| [&c.args["text"], &c.args["content"]])
            .filter_map(Value::as_str)
            .map(str::len)
            .sum()
    });
    assert_eq!(sent, content.len(), "each byte of the answer travels once");
    assert!(store.timer_writes().len() > 3);
}

#[tokio::test]
async fn a_lost_answer_to_an_append_is_noticed_and_repaired() {
    let deltas: Vec<Part> = (0..150)
        .flat_map(|n| {
            [
                Part::Bytes(text(&format!("{n} ")).into_bytes()),
                Part::Pause(std::time::Duration::from_millis(4)),
            ]
        })
        .chain([Part::Bytes(finish_event("stop").into_bytes())])
        .collect();
    let model = Model::start(vec![parts(deltas)]).await;
    let store = Store::start("Hi").await;
    store.with(|s| s.lose_answers = vec![2, 4, 6]);
    finish(&start(&model, &store, 1)).await.1.unwrap();
    let expected: String = (0..150).map(|n| format!("{n} ")).collect();
    assert_eq!(store.with(|s| (s.status.clone(), s.content.clone())), ("completed".to_owned(), expected));
}

#[tokio::test]
async fn a_failure_is_stored_with_its_reason_beside_the_partial_text() {
    let model = Model::start(vec![stream(text("Half") + &finish_event("content_filter"))]).await;
    let store = Store::start("Hi").await;
    start(&model, &store, 1).result().await.unwrap_err();
    let last = store.calls("updateMessageContent").pop().unwrap().args;
    assert_eq!(last["content"], "Half");
    assert_eq!(
        last["error"],
        json!({ "code": "CONTENT_FILTER", "message": "the provider withheld the answer" })
    );
}

#[tokio::test]
async fn a_write_that_the_store_refuses_for_good_still_ends_the_message() {
    let model = Model::start(vec![stream(text("Half")), stream(text("x"))]).await;
    let store = Store::start("Hi").await;
    let refusal = json!({ "status": "error", "errorMessage": "Value is too large" });
    store.with(|s| s.faults.push(("appendMessageContent".into(), Reply::json(200, refusal))));
    let error = finish(&start(&model, &store, 1)).await.1.unwrap_err();
    assert_eq!(error.code, ErrorCode::StoreFunctionFailed);
    assert_eq!(store.with(|s| s.status.clone()), "failed");
}

#[tokio::test]
async fn a_turn_is_asked_only_when_the_turn_before_the_last_is_safe() {
    const LATENCY: Duration = Duration::from_millis(150);
    let store = store().await;
    store.with(|s| s.latency = LATENCY);
    let early = Arc::new(AtomicUsize::new(0));
    let model = Model::start_with({
        let (state, early) = (Arc::clone(&store.state), Arc::clone(&early));
        move |request| {
            let messages = request["messages"].as_array().unwrap();
            let done = messages.iter().filter(|m| m["role"] == "assistant").count();
            // Answered by now: what arrived a latency ago.
            let state = state.lock().unwrap();
            let answered = state.log.iter().filter(|call| call.at.elapsed() >= LATENCY);
            let safe = answered.filter(|call| call.args.get("turn").is_some()).count();
            early.fetch_add(usize::from(done >= 2 && safe + 1 < done), Ordering::SeqCst);
            if done < 5 {
                let path = format!(r#"{{"path":"{done}"}}"#);
                stream(call(0, &format!("r{done}"), "readFile", &path) + &finish_event("tool_calls"))
            } else {
                stream(text("Done.") + &finish_event("stop"))
            }
        }
    })
    .await;
    finish(&start(&model, &store, 1)).await.1.unwrap();
    assert_eq!(early.load(Ordering::SeqCst), 0);
    assert_eq!(model.server.requests(), 6);
}
