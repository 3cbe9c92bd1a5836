//! Arguments in any fragments are what the model wrote, and cut ones are never arguments.
#![no_main]

#[path = "pieces.rs"]
mod pieces;

use libfuzzer_sys::fuzz_target;
use polaris_core::config::Protocol;
use polaris_core::model::replay;
use serde_json::{Value, json};

fuzz_target!(|input: &[u8]| {
    let (_, bytes) = pieces::split(input);
    let text = String::from_utf8_lossy(bytes);
    let fragments = fragments(input, &text);
    for finished in [true, false] {
        let chat = stream(&fragments, finished, chat_fragment, CHAT_END);
        check(Protocol::OpenaiChat, &chat, &text, finished);
    }
});

/// The text in pieces of the sizes that the input names, at borders of characters.
fn fragments<'a>(input: &[u8], text: &'a str) -> Vec<&'a str> {
    let mut left = text;
    let mut fragments = Vec::new();
    for &size in input.iter().take(16) {
        let mut at = usize::from(size).min(left.len());
        while !left.is_char_boundary(at) {
            at += 1;
        }
        let (fragment, more) = left.split_at(at);
        fragments.push(fragment);
        left = more;
    }
    fragments.push(left);
    fragments
}

const CHAT_END: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n";

fn chat_fragment(n: usize, fragment: &str) -> Value {
    let id = (n == 0).then_some("call_1");
    json!({ "choices": [{ "index": 0, "delta": { "tool_calls": [
        { "index": 0, "id": id, "function": { "name": id.map(|_| "writeFile"), "arguments": fragment } },
    ] } }] })
}

fn stream(fragments: &[&str], finished: bool, event: fn(usize, &str) -> Value, end: &str) -> String {
    let events = fragments.iter().enumerate().map(|(n, text)| format!("data: {}\n\n", event(n, text)));
    events.collect::<String>() + if finished { end } else { "" }
}

fn check(protocol: Protocol, stream: &str, text: &str, finished: bool) {
    let turn = replay(protocol, &[stream.as_bytes()]).expect("a stream below the limit");
    let parsed = serde_json::from_str::<Value>(text).ok();
    for call in &turn.tool_calls {
        if let Some(object) = call.object().filter(|_| !text.trim().is_empty()) {
            let expected = parsed.clone().map(|value| if value.is_null() { json!({}) } else { value });
            assert_eq!(Some(object), expected, "arguments that the model did not write");
        }
    }
    if finished && parsed.as_ref().is_some_and(Value::is_object) {
        assert_eq!(turn.tool_calls.len(), 1, "a whole call must not be lost");
        assert_eq!(turn.tool_calls[0].object(), parsed);
    }
    if !finished {
        assert_eq!(turn.effective_finish(), None, "a stream that was cut has no end");
    }
}
