//! The conversation as the model gets to see it: what fits, with the tool calls of earlier answers.
//! Pure.

use serde_json::Value;

use crate::model::{ChatMessage, ToolCall};

/// UTF-8 bytes that count as one token. English text and code have about four; three leaves room
/// for other languages.
const BYTES_PER_TOKEN: usize = 3;
/// What a message costs beside its text.
const TOKENS_PER_MESSAGE: usize = 8;

/// An earlier message of the conversation.
#[derive(Debug, Clone, PartialEq)]
pub enum Past {
    /// What the user said.
    User(String),
    /// What was answered, and the calls that were made on the way, with their results.
    Assistant {
        /// The text.
        text: String,
        /// `(id, name, args, result)`; a call without a result was cut short.
        calls: Vec<PastCall>,
    },
}

/// A tool call of an earlier answer.
#[derive(Debug, Clone, PartialEq)]
pub struct PastCall {
    /// Its stored id, unique within its message.
    pub id: String,
    /// The tool.
    pub name: String,
    /// Its arguments.
    pub args: Value,
    /// Its result, if it had one.
    pub result: Option<String>,
}

/// What a call without a result is answered with: a history with an open call is invalid.
const NO_RESULT: &str = "[The run ended before this call had a result.]";

/// The messages after the system prompt: the newest that fit into `max_tokens`, oldest first. The
/// last message is always there, and a call is never parted from its result.
pub fn window(past: &[Past], max_tokens: usize) -> Vec<ChatMessage> {
    let mut left = max_tokens;
    let mut first = past.len();
    for (n, message) in past.iter().enumerate().rev() {
        let cost = tokens(message);
        if cost > left && n + 1 < past.len() {
            break;
        }
        left = left.saturating_sub(cost);
        first = n;
    }
    // An answer without its question says little, and some providers want a user message first.
    while first > 0 && first + 1 < past.len() && matches!(past[first], Past::Assistant { .. }) {
        first += 1;
    }
    past[first..].iter().enumerate().flat_map(|(n, message)| expand(first + n, message)).collect()
}

fn expand(n: usize, message: &Past) -> Vec<ChatMessage> {
    match message {
        Past::User(text) => vec![ChatMessage::User(text.clone())],
        Past::Assistant { text, calls } => {
            let mut out = Vec::with_capacity(calls.len() + 2);
            if !calls.is_empty() {
                // Ids are unique within a message only; the place in the conversation makes them so.
                let id = |call: &PastCall| format!("m{n}_{}", call.id);
                let tool_calls = calls.iter().map(|call| ToolCall {
                    id: id(call),
                    name: call.name.clone(),
                    raw_args: call.args.to_string(),
                    args: Some(call.args.clone()),
                    extra: None,
                });
                out.push(ChatMessage::Assistant {
                    text: String::new(),
                    reasoning: None,
                    tool_calls: tool_calls.collect(),
                });
                out.extend(calls.iter().map(|call| ChatMessage::Tool {
                    call_id: id(call),
                    content: call.result.clone().unwrap_or_else(|| NO_RESULT.to_owned()),
                }));
            }
            if !text.is_empty() {
                out.push(ChatMessage::Assistant {
                    text: text.clone(),
                    reasoning: None,
                    tool_calls: Vec::new(),
                });
            }
            out
        }
    }
}

fn tokens(message: &Past) -> usize {
    let bytes = match message {
        Past::User(text) => text.len(),
        Past::Assistant { text, calls } => {
            let calls = calls.iter().map(|call| {
                call.name.len()
                    + call.args.to_string().len()
                    + call.result.as_ref().map_or(NO_RESULT.len(), String::len)
                    + 2 * TOKENS_PER_MESSAGE * BYTES_PER_TOKEN
            });
            text.len() + calls.sum::<usize>()
        }
    };
    bytes.div_ceil(BYTES_PER_TOKEN) + TOKENS_PER_MESSAGE
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn user(text: &str) -> Past {
        Past::User(text.to_owned())
    }

    fn answer(text: &str, calls: usize) -> Past {
        let call = |n: usize| PastCall {
            id: format!("c{n}"),
            name: "readFile".into(),
            args: json!({ "path": "a" }),
            result: (n != 1).then(|| "A".to_owned()),
        };
        Past::Assistant { text: text.to_owned(), calls: (0..calls).map(call).collect() }
    }

    #[test]
    fn tool_context_goes_along_and_open_calls_are_closed() {
        let messages = window(&[user("q"), answer("a", 2), user("q2")], 1_000);
        let ChatMessage::Assistant { tool_calls, .. } = &messages[1] else { panic!("{messages:?}") };
        assert_eq!(tool_calls[0].id, "m1_c0");
        assert_eq!(messages[2], ChatMessage::Tool { call_id: "m1_c0".into(), content: "A".into() });
        assert_eq!(messages[3], ChatMessage::Tool { call_id: "m1_c1".into(), content: NO_RESULT.into() });
        assert_eq!(messages.len(), 6);
    }

    #[test]
    fn the_oldest_go_first_and_the_last_stays() {
        let long = "x".repeat(900);
        let past = [user(&long), answer(&long, 0), user("last")];
        assert_eq!(
            window(&past, 400),
            [ChatMessage::User("last".into())],
            "an answer goes with its question"
        );
        assert_eq!(window(&[user(&long)], 1), [ChatMessage::User(long.clone())]);
        assert!(window(&[], 100).is_empty());
    }

    proptest! {
        #[test]
        fn every_call_has_its_result_and_the_window_its_size(
            sizes in prop::collection::vec((0_usize..400, 0_usize..4), 0..12),
            max in 0_usize..600,
        ) {
            let past: Vec<Past> = sizes.iter().enumerate().map(|(n, (size, calls))| {
                if n % 2 == 0 { user(&"u".repeat(*size)) } else { answer(&"a".repeat(*size), *calls) }
            }).collect();
            let messages = window(&past, max);
            let mut open = Vec::new();
            for message in &messages {
                match message {
                    ChatMessage::Assistant { tool_calls, .. } => open.extend(tool_calls.iter().map(|c| c.id.clone())),
                    ChatMessage::Tool { call_id, .. } => {
                        let at = open.iter().position(|id| id == call_id);
                        prop_assert!(at.is_some());
                        open.remove(at.unwrap_or_default());
                    }
                    ChatMessage::System(_) | ChatMessage::User(_) => prop_assert!(open.is_empty()),
                }
            }
            prop_assert!(open.is_empty());
        }
    }
}
