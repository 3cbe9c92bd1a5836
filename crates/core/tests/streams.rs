//! Recorded streams of real providers, at three splits. The folder is named by
//! `POLARIS_STREAM_CORPUS`; without it the test says so and checks nothing.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::path::Path;

use polaris_core::config::Protocol;
use polaris_core::model::{Turn, replay};
use serde_json::{Value, json};

/// What of the expectation a turn must equal; fields that the recording does not give are not compared.
fn differences(turn: &Turn, expected: &Value) -> Vec<String> {
    let calls: Vec<Value> = turn
        .tool_calls
        .iter()
        .map(|call| match &call.args {
            Some(args) => json!({ "id": call.id, "name": call.name, "args": args }),
            None => {
                json!({ "id": call.id, "name": call.name, "argsRaw": call.raw_args, "argsInvalid": true })
            }
        })
        .collect();
    let effective = expected.get("effectiveFinishReason").unwrap_or(&Value::Null);
    let mut pairs = vec![
        ("text", json!(turn.text), expected["text"].clone()),
        (
            "reasoning",
            json!(turn.reasoning.as_ref().map(|r| &r.text).filter(|t| !t.is_empty())),
            expected["reasoning"].clone(),
        ),
        ("toolCalls", json!(calls), expected["toolCalls"].clone()),
        ("finishReasonRaw", json!(turn.finish_raw), expected["finishReasonRaw"].clone()),
        ("done", json!(turn.done), expected["done"].clone()),
        ("refusal", json!(turn.refusal), expected.get("refusal").cloned().unwrap_or(Value::Null)),
        ("error", json!(turn.error.is_some()), json!(!expected["error"].is_null())),
    ];
    if !effective.is_null() {
        pairs.push(("effectiveFinishReason", json!(turn.effective_finish()), effective.clone()));
    }
    if let (Some(usage), Some(wanted)) = (turn.usage, expected["usage"].as_object()) {
        for (key, have) in [
            ("input", usage.input),
            ("output", usage.output),
            ("cached", usage.cached),
            ("reasoning", usage.reasoning),
        ] {
            if let Some(want) = wanted.get(key) {
                pairs.push((key, json!(have), want.clone()));
            }
        }
    } else {
        pairs.push(("usage", json!(turn.usage.is_some()), json!(!expected["usage"].is_null())));
    }
    pairs
        .into_iter()
        .filter(|(_, have, want)| have != want)
        .map(|(name, have, want)| format!("{name}: {have} instead of {want}"))
        .collect()
}

#[test]
fn recorded_streams_are_read_the_same_at_every_split() {
    let Ok(folder) = std::env::var("POLARIS_STREAM_CORPUS") else {
        println!("POLARIS_STREAM_CORPUS is not set: no recorded streams were read");
        return;
    };
    let folder = Path::new(&folder);
    let index: Value = serde_json::from_slice(&std::fs::read(folder.join("index.json")).unwrap()).unwrap();
    let mut read = 0;
    let mut wrong = Vec::new();
    for case in index["cases"].as_array().unwrap().iter() {
        let name = case["name"].as_str().unwrap();
        let protocol = Protocol::from_name(case["api"].as_str().unwrap()).unwrap();
        let bytes = std::fs::read(folder.join(format!("{name}.sse"))).unwrap();
        let expected = std::fs::read(folder.join(format!("{name}.expected.json"))).unwrap();
        let expected: Value = serde_json::from_slice(&expected).unwrap();
        let whole = replay(protocol, &[&bytes]).unwrap();
        for size in [1, 7] {
            let parts: Vec<&[u8]> = bytes.chunks(size).collect();
            assert_eq!(replay(protocol, &parts).unwrap(), whole, "{name} in pieces of {size}");
        }
        read += 1;
        wrong.extend(differences(&whole, &expected).into_iter().map(|d| format!("{name}: {d}")));
    }
    println!("{read} recorded streams read");
    assert!(read > 0, "no streams in {}", folder.display());
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
}
