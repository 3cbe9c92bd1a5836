//! The body of a request in OpenAI's shape. Borrowed and written as it goes, never built as a tree.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::wire::{Fields, Request};
use super::{ChatMessage, ReasoningForm, ToolCall, ToolSpec};

pub(super) fn body(request: &Request<'_>, fields: &mut Fields<'_>) -> serde_json::Result<()> {
    fields.add("model", request.model)?;
    fields.add("messages", &Messages(request.messages))?;
    fields.add("temperature", &request.temperature)?;
    fields.add("max_tokens", &request.max_tokens)?;
    fields.add("stream", &true)?;
    fields.add("stream_options", &StreamOptions { include_usage: true })?;
    if !request.tools.is_empty() {
        fields.add("tools", &Tools(request.tools))?;
    }
    if let Some(name) = request.tool_choice {
        fields.add("tool_choice", &Function { kind: "function", function: Name { name } })?;
    }
    Ok(())
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct Name<'a> {
    name: &'a str,
}

/// A tool, or the choice of one.
#[derive(Serialize)]
struct Function<T> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: T,
}

struct Tools<'a>(&'a [ToolSpec]);

impl Serialize for Tools<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|function| Function { kind: "function", function }))
    }
}

struct Messages<'a>(&'a [ChatMessage]);

impl Serialize for Messages<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(message))
    }
}

#[derive(Default, Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_details: Option<&'a [Value]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<Calls<'a>>,
}

fn message(message: &ChatMessage) -> Message<'_> {
    let of = |role, content| Message { role, content: Some(content), ..Message::default() };
    match message {
        ChatMessage::System(text) => of("system", text),
        ChatMessage::User(text) => of("user", text),
        ChatMessage::Tool { call_id, content } => {
            Message { tool_call_id: Some(call_id), ..of("tool", content) }
        }
        ChatMessage::Assistant { text, reasoning, tool_calls } => {
            let mut message = of("assistant", text);
            if !tool_calls.is_empty() {
                message.tool_calls = Some(Calls(tool_calls));
                // With calls and no text, providers want `content: null` to be there.
                message.content = message.content.filter(|text| !text.is_empty());
            }
            // Under the name by which it came: some providers refuse a tool turn without it.
            if let Some(reasoning) = reasoning {
                match reasoning.form {
                    ReasoningForm::ReasoningContent => message.reasoning_content = Some(&reasoning.text),
                    ReasoningForm::Reasoning => message.reasoning = Some(&reasoning.text),
                    ReasoningForm::Details => message.reasoning_details = Some(&reasoning.blocks),
                    ReasoningForm::Parts | ReasoningForm::Thinking => {}
                }
            }
            message
        }
    }
}

struct Calls<'a>(&'a [ToolCall]);

impl Serialize for Calls<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(call))
    }
}

#[derive(Serialize)]
struct Call<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Called<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Called<'a> {
    name: &'a str,
    arguments: Cow<'a, str>,
}

fn call(call: &ToolCall) -> Call<'_> {
    // Arguments that are no object would make every later request of the conversation invalid.
    let arguments = match &call.args {
        Some(Value::Object(_)) if !call.raw_args.trim().is_empty() => Cow::Borrowed(call.raw_args.as_str()),
        _ => call.object().map_or(Cow::Borrowed("{}"), |object| Cow::Owned(object.to_string())),
    };
    let function = Called { name: &call.name, arguments };
    let extra_content = call.extra.as_deref().and_then(|extra| serde_json::from_str(extra).ok());
    Call { id: &call.id, kind: "function", function, extra_content }
}
