//! The body of a request in Anthropic's shape: tool results are blocks of a user message, and neighbours
//! with one role are one message. Borrowed and written as it goes, never built as a tree.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::wire::{Fields, Request};
use super::{ChatMessage, ReasoningForm, ToolCall, ToolSpec};

pub(super) fn body(request: &Request<'_>, fields: &mut Fields<'_>) -> serde_json::Result<()> {
    let system = request.messages.iter().filter_map(|message| match message {
        ChatMessage::System(text) => Some(text.as_str()),
        _ => None,
    });
    let system: Vec<&str> = system.collect();
    fields.add("model", request.model)?;
    if !system.is_empty() {
        fields.add("system", &system.join("\n\n"))?;
    }
    fields.add("messages", &messages(request.messages))?;
    fields.add("max_tokens", &request.max_tokens)?;
    fields.add("temperature", &request.temperature)?;
    fields.add("stream", &true)?;
    if !request.tools.is_empty() {
        fields.add("tools", &Tools(request.tools))?;
    }
    if let Some(name) = request.tool_choice {
        fields.add("tool_choice", &Choice { kind: "tool", name })?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Choice<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'a str,
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'a str,
    description: &'a str,
    input_schema: &'a Value,
}

struct Tools<'a>(&'a [ToolSpec]);

impl Serialize for Tools<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|tool| Tool {
            name: &tool.name,
            description: &tool.description,
            input_schema: &tool.parameters,
        }))
    }
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Vec<Block<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Block<'a> {
    /// As the provider gave it.
    Raw(&'a Value),
    Ours(OurBlock<'a>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum OurBlock<'a> {
    Text { text: &'a str },
    ToolUse { id: &'a str, name: &'a str, input: Input<'a> },
    ToolResult { tool_use_id: &'a str, content: &'a str },
}

/// The arguments of a call, which must be an object.
struct Input<'a>(&'a ToolCall);

impl Serialize for Input<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0.args {
            Some(Value::Object(args)) => args.serialize(serializer),
            _ => self.0.object().unwrap_or_else(|| Map::new().into()).serialize(serializer),
        }
    }
}

fn messages(messages: &[ChatMessage]) -> Vec<Message<'_>> {
    let mut out: Vec<Message<'_>> = Vec::new();
    for message in messages {
        let (role, blocks) = match message {
            ChatMessage::System(_) => continue,
            ChatMessage::User(text) => ("user", vec![Block::Ours(OurBlock::Text { text })]),
            ChatMessage::Tool { call_id, content } => {
                ("user", vec![Block::Ours(OurBlock::ToolResult { tool_use_id: call_id, content })])
            }
            ChatMessage::Assistant { text, reasoning, tool_calls } => {
                let mut blocks = Vec::new();
                // Only signed blocks of this protocol may go back.
                if let Some(reasoning) = reasoning.as_ref().filter(|r| r.form == ReasoningForm::Thinking) {
                    blocks.extend(reasoning.blocks.iter().map(Block::Raw));
                }
                // A text block must not be empty.
                if !text.trim().is_empty() {
                    blocks.push(Block::Ours(OurBlock::Text { text }));
                }
                blocks.extend(tool_calls.iter().map(|call| {
                    Block::Ours(OurBlock::ToolUse { id: &call.id, name: &call.name, input: Input(call) })
                }));
                ("assistant", blocks)
            }
        };
        match out.last_mut() {
            Some(last) if last.role == role => last.content.extend(blocks),
            _ => out.push(Message { role, content: blocks }),
        }
    }
    out.retain(|message| !message.content.is_empty());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Protocol;
    use crate::model::Reasoning;
    use crate::model::wire::{self, body_bytes};
    use serde_json::{Map, json};

    fn body(messages: &[ChatMessage]) -> Value {
        let tools =
            [ToolSpec { name: "t".into(), description: "d".into(), parameters: json!({ "type": "object" }) }];
        let request = Request {
            model: "m",
            messages,
            tools: &tools,
            tool_choice: None,
            temperature: 0.7,
            max_tokens: 9,
            extra: &Map::new(),
        };
        serde_json::from_slice(&body_bytes(wire::of(Protocol::Anthropic), &request).unwrap()).unwrap()
    }

    #[test]
    fn tool_results_of_one_turn_are_one_user_message_after_the_signed_thinking() {
        let call = |id: &str| ToolCall {
            id: id.into(),
            name: "t".into(),
            raw_args: "{}".into(),
            args: Some(json!({})),
            extra: None,
        };
        let block = json!({ "type": "thinking", "thinking": "hm", "signature": "s" });
        let reasoning =
            Reasoning { text: "hm".into(), form: ReasoningForm::Thinking, blocks: vec![block.clone()] };
        let body = body(&[
            ChatMessage::System("sys".into()),
            ChatMessage::User("hi".into()),
            ChatMessage::Assistant {
                text: String::new(),
                reasoning: Some(reasoning),
                tool_calls: vec![call("a"), call("b")],
            },
            ChatMessage::Tool { call_id: "a".into(), content: "A".into() },
            ChatMessage::Tool { call_id: "b".into(), content: "B".into() },
        ]);
        assert_eq!(body["system"], "sys");
        assert_eq!(body["tools"][0]["input_schema"], json!({ "type": "object" }));
        assert_eq!(
            body["messages"],
            json!([
                { "role": "user", "content": [{ "type": "text", "text": "hi" }] },
                { "role": "assistant", "content": [
                    block,
                    { "type": "tool_use", "id": "a", "name": "t", "input": {} },
                    { "type": "tool_use", "id": "b", "name": "t", "input": {} },
                ] },
                { "role": "user", "content": [
                    { "type": "tool_result", "tool_use_id": "a", "content": "A" },
                    { "type": "tool_result", "tool_use_id": "b", "content": "B" },
                ] },
            ])
        );
    }

    #[test]
    fn reasoning_of_another_protocol_does_not_go_back() {
        let reasoning =
            Reasoning { text: "hm".into(), form: ReasoningForm::ReasoningContent, blocks: vec![json!(1)] };
        let body = body(&[ChatMessage::Assistant {
            text: "x".into(),
            reasoning: Some(reasoning),
            tool_calls: vec![],
        }]);
        assert_eq!(body["messages"][0]["content"], json!([{ "type": "text", "text": "x" }]));
    }
}
