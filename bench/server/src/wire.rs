//! A turn as the events of the two protocols, shaped as OpenRouter sends them.

use serde_json::{Value, json};

use crate::scenario::{Turn, delta};

/// Which protocol a request speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wire {
    /// Chat completions.
    OpenAi,
    /// Anthropic Messages.
    Anthropic,
}

/// The events of a turn.
#[derive(Debug, Default)]
pub struct Events {
    /// Before the first delta.
    pub open: Vec<String>,
    /// One per delta or fragment; what must come between two of them is with the later one.
    pub deltas: Vec<String>,
    /// After the last delta.
    pub close: Vec<String>,
}

impl Wire {
    /// The protocol that is spoken at `path`.
    pub fn at(path: &str) -> Option<Self> {
        match path {
            "v1/chat/completions" => Some(Self::OpenAi),
            "v1/messages" => Some(Self::Anthropic),
            _ => None,
        }
    }

    /// How a tool result looks in a request.
    pub fn result_marker(self) -> &'static [u8] {
        match self {
            Self::OpenAi => br#""role":"tool""#,
            Self::Anthropic => br#""type":"tool_result""#,
        }
    }

    /// The events of `turn`.
    pub fn events(self, turn: &Turn) -> Events {
        match self {
            Self::OpenAi => openai(turn),
            Self::Anthropic => anthropic(turn),
        }
    }
}

fn openai(turn: &Turn) -> Events {
    let chunk = |delta: &str, finish: &str, usage: &str| {
        format!(
            "data: {{\"id\":\"gen-1763912345-AbCdEfGhIjKlMnOpQrSt\",\"provider\":\"Moonshot AI\",\"model\":\"moonshotai/kimi-k2.5\",\"object\":\"chat.completion.chunk\",\"created\":1763912345,\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish},\"native_finish_reason\":{finish},\"logprobs\":null}}]{usage}}}\n\n"
        )
    };
    let mut events = Events::default();
    for n in 0..turn.text {
        let delta = json_text(&delta(n));
        events.deltas.push(chunk(&format!(r#"{{"role":"assistant","content":{delta}}}"#), "null", ""));
    }
    for (n, call) in turn.calls.iter().enumerate() {
        for (piece, fragment) in call.fragments.iter().enumerate() {
            let fragment = json_text(fragment);
            let mut event = String::new();
            if piece == 0 {
                let id = json_text(&call.id);
                let first = format!(
                    r#"{{"role":"assistant","content":null,"tool_calls":[{{"index":{n},"id":{id},"type":"function","function":{{"name":"writeFile","arguments":""}}}}]}}"#
                );
                event.push_str(&chunk(&first, "null", ""));
            }
            let next = format!(
                r#"{{"role":"assistant","content":null,"tool_calls":[{{"index":{n},"type":"function","function":{{"arguments":{fragment}}}}}]}}"#
            );
            event.push_str(&chunk(&next, "null", ""));
            events.deltas.push(event);
        }
    }
    let finish = if turn.calls.is_empty() { "\"stop\"" } else { "\"tool_calls\"" };
    let end = r#"{"role":"assistant","content":""}"#;
    let output = events.deltas.len();
    let usage = format!(
        r#","usage":{{"prompt_tokens":100,"completion_tokens":{output},"total_tokens":{}}}"#,
        100 + output
    );
    events.close.push(chunk(end, finish, ""));
    events.close.push(chunk(end, finish, &usage));
    events.close.push("data: [DONE]\n\n".to_owned());
    events
}

fn anthropic(turn: &Turn) -> Events {
    let event = |value: Value| {
        let name = value["type"].as_str().unwrap_or_default().to_owned();
        format!("event: {name}\ndata: {value}\n\n")
    };
    let mut events = Events::default();
    events.open.push(event(json!({ "type": "message_start", "message": {
        "id": "msg_01AbCdEfGhIjKlMnOpQrStUv", "type": "message", "role": "assistant", "content": [],
        "model": "moonshotai/kimi-k2.5", "stop_reason": null, "stop_sequence": null,
        "usage": { "input_tokens": 100, "output_tokens": 1 },
    } })));
    let mut index = 0;
    if turn.text > 0 {
        events.open.push(event(json!({
            "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" },
        })));
        for n in 0..turn.text {
            let text = json_text(&delta(n));
            events.deltas.push(format!(
                "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":{text}}}}}\n\n"
            ));
        }
        index = 1;
    }
    let stop = |index: usize| event(json!({ "type": "content_block_stop", "index": index }));
    for call in &turn.calls {
        let mut before = if index > 0 { stop(index - 1) } else { String::new() };
        before.push_str(&event(json!({ "type": "content_block_start", "index": index, "content_block": {
            "type": "tool_use", "id": call.id, "name": "writeFile", "input": {},
        } })));
        for fragment in &call.fragments {
            let fragment = json_text(fragment);
            events.deltas.push(format!(
                "{}event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":{index},\"delta\":{{\"type\":\"input_json_delta\",\"partial_json\":{fragment}}}}}\n\n",
                std::mem::take(&mut before)
            ));
        }
        index += 1;
    }
    events.close.push(stop(index.saturating_sub(1)));
    let reason = if turn.calls.is_empty() { "end_turn" } else { "tool_use" };
    events.close.push(event(json!({
        "type": "message_delta", "delta": { "stop_reason": reason, "stop_sequence": null },
        "usage": { "output_tokens": events.deltas.len() },
    })));
    events.close.push(event(json!({ "type": "message_stop" })));
    events
}

fn json_text(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    #[test]
    fn a_text_event_of_chat_completions_has_the_size_of_openrouters() {
        let events = Wire::OpenAi.events(&Scenario::Flat(20_000).turn(0));
        let bytes: usize = events.deltas.iter().map(String::len).sum();
        assert!((270..=300).contains(&(bytes / 20_000)), "{}", bytes / 20_000);
    }

    #[test]
    fn every_event_is_json() {
        for wire in [Wire::OpenAi, Wire::Anthropic] {
            for results in [0, 27] {
                let events = wire.events(&Scenario::parse("loop").unwrap().turn(results));
                let all = [events.open, events.deltas, events.close].concat().concat();
                for data in all.lines().filter_map(|line| line.strip_prefix("data: ")) {
                    assert!(data == "[DONE]" || serde_json::from_str::<Value>(data).is_ok(), "{data}");
                }
            }
        }
    }
}
