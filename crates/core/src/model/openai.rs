//! OpenAI-compatible chat completions: the request body, and the assembler that turns the data of
//! stream events into a [`Turn`]. Pure; the differences between providers that speak this protocol
//! are handled here and nowhere else.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::build::{PartialCall, TurnBuilder};
use super::repeat::Template;
use super::wire::{Assemble, Request, Wire};
use super::{ChatMessage, FinishReason, ProviderError, ReasoningForm, ToolCall, Turn, TurnSink, Usage};
use crate::config::Secret;
use crate::error::Result;

/// The protocol.
#[derive(Debug, Clone, Copy)]
pub struct OpenAiChat;

impl Wire for OpenAiChat {
    fn path(&self) -> &'static str {
        "chat/completions"
    }

    fn headers(&self, key: Option<&Secret>) -> Vec<(&'static str, String)> {
        key.map(|key| ("authorization", format!("Bearer {}", key.reveal()))).into_iter().collect()
    }

    fn body(&self, request: &Request<'_>) -> Value {
        let mut body = json!({
            "model": request.model,
            "messages": request.messages.iter().map(message).collect::<Vec<_>>(),
            "temperature": request.temperature,
            "max_tokens": request.max_tokens,
            "stream": true,
            "stream_options": { "include_usage": true },
        });
        if !request.tools.is_empty() {
            body["tools"] =
                request.tools.iter().map(|tool| json!({ "type": "function", "function": tool })).collect();
        }
        if let Some(name) = request.tool_choice {
            body["tool_choice"] = json!({ "type": "function", "function": { "name": name } });
        }
        body
    }

    fn assembler(&self, max_bytes: usize) -> Box<dyn Assemble> {
        Box::new(Assembler::new(max_bytes))
    }

    fn replay_assembler(&self, max_bytes: usize) -> Box<dyn Assemble> {
        Box::new(Assembler { all_candidates: true, ..Assembler::new(max_bytes) })
    }
}

fn message(message: &ChatMessage) -> Value {
    match message {
        ChatMessage::System(text) => json!({ "role": "system", "content": text }),
        ChatMessage::User(text) => json!({ "role": "user", "content": text }),
        ChatMessage::Tool { call_id, content } => {
            json!({ "role": "tool", "tool_call_id": call_id, "content": content })
        }
        ChatMessage::Assistant { text, reasoning, tool_calls } => {
            // With calls and no text, providers want `content: null` to be there.
            let content = if text.is_empty() && !tool_calls.is_empty() { Value::Null } else { json!(text) };
            let mut message = json!({ "role": "assistant", "content": content });
            // Under the name by which it came: some providers refuse a tool turn without it.
            if let Some(reasoning) = reasoning {
                match reasoning.form {
                    ReasoningForm::ReasoningContent => message["reasoning_content"] = json!(reasoning.text),
                    ReasoningForm::Reasoning => message["reasoning"] = json!(reasoning.text),
                    ReasoningForm::Details => message["reasoning_details"] = json!(reasoning.blocks),
                    ReasoningForm::Parts | ReasoningForm::Thinking => {}
                }
            }
            if !tool_calls.is_empty() {
                message["tool_calls"] = tool_calls.iter().map(call).collect();
            }
            message
        }
    }
}

fn call(call: &ToolCall) -> Value {
    // Arguments that are no object would make every later request of the conversation invalid.
    let is_object = call.args.as_ref().is_some_and(Value::is_object);
    let arguments = if is_object && !call.raw_args.trim().is_empty() { call.raw_args.as_str() } else { "{}" };
    json!({ "id": call.id, "type": "function", "function": { "name": call.name, "arguments": arguments } })
}

/// A string of the wire, borrowed where it has no escapes. `Option<Cow<str>>` alone would always copy.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow, default)]
    choices: Option<Vec<Choice<'a>>>,
    #[serde(default)]
    usage: Option<WireUsage>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    model: Option<Text<'a>>,
    #[serde(borrow, default)]
    x_groq: Option<Groq<'a>>,
    // Mistral and others report an error at the top: {"object":"error","message":…}.
    #[serde(borrow, default)]
    object: Option<Text<'a>>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Groq<'a> {
    #[serde(default)]
    usage: Option<WireUsage>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(default)]
    index: Option<u32>,
    #[serde(borrow, default)]
    delta: Option<Delta<'a>>,
    #[serde(borrow, default)]
    finish_reason: Option<Text<'a>>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default)]
    content: Option<Content<'a>>,
    #[serde(borrow, default)]
    reasoning_content: Option<Content<'a>>,
    #[serde(borrow, default)]
    reasoning: Option<Content<'a>>,
    #[serde(default)]
    reasoning_details: Option<Vec<Value>>,
    #[serde(borrow, default)]
    refusal: Option<Text<'a>>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<CallDelta<'a>>>,
}

#[derive(Deserialize)]
struct CallDelta<'a> {
    #[serde(default)]
    index: Option<u32>,
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    function: Option<FunctionDelta<'a>>,
}

#[derive(Deserialize)]
struct FunctionDelta<'a> {
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(borrow, default)]
    arguments: Option<Content<'a>>,
}

#[derive(Deserialize, Clone, Copy)]
struct WireUsage {
    #[serde(default)]
    prompt_tokens: Option<f64>,
    #[serde(default)]
    completion_tokens: Option<f64>,
    #[serde(default)]
    prompt_tokens_details: Option<PromptDetails>,
    #[serde(default)]
    completion_tokens_details: Option<CompletionDetails>,
    #[serde(default)]
    cost: Option<f64>,
}

#[derive(Deserialize, Clone, Copy)]
struct PromptDetails {
    #[serde(default)]
    cached_tokens: Option<f64>,
}

#[derive(Deserialize, Clone, Copy)]
struct CompletionDetails {
    #[serde(default)]
    reasoning_tokens: Option<f64>,
}

impl From<WireUsage> for Usage {
    fn from(wire: WireUsage) -> Self {
        let count = |n: Option<f64>| n.filter(|n| n.is_finite() && *n > 0.0).map_or(0, |n| n as u64);
        Self {
            input: count(wire.prompt_tokens),
            output: count(wire.completion_tokens),
            cached: count(wire.prompt_tokens_details.and_then(|d| d.cached_tokens)),
            reasoning: count(wire.completion_tokens_details.and_then(|d| d.reasoning_tokens)),
            cache_write: 0,
            cost: wire.cost.filter(|c| c.is_finite()).unwrap_or(0.0),
        }
    }
}

/// A field that is a string for most, an array of parts for Mistral, an object (tool arguments)
/// for Gemini-compatible servers.
enum Content<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<Part>),
    Other(Value),
}

#[derive(Deserialize)]
struct Part {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    thinking: Option<Vec<Part>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ContentVisitor<'a>(std::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for ContentVisitor<'a> {
            type Value = Content<'a>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, an array of parts or an object")
            }
            fn visit_borrowed_str<E: de::Error>(self, v: &'de str) -> Result<Self::Value, E> {
                Ok(Content::Text(Cow::Borrowed(v)))
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Result<Self::Value, E> {
                Ok(Content::Text(Cow::Owned(v.to_owned())))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(de::value::SeqAccessDeserializer::new(seq)).map(Content::Parts)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Value::deserialize(de::value::MapAccessDeserializer::new(map)).map(Content::Other)
            }
        }
        deserializer.deserialize_any(ContentVisitor(std::marker::PhantomData))
    }
}

/// Turns event data into a [`Turn`].
#[derive(Debug)]
pub struct Assembler {
    builder: TurnBuilder,
    all_candidates: bool,
    template: Template<Varying>,
}

/// The string in which an event differs from the one before.
#[derive(Debug, Clone, Copy)]
enum Varying {
    Text,
    /// Arguments of the call with this index.
    Arguments(u32),
}

/// The one string that carries what is new in a chunk, where all else in it says nothing.
fn varying<'a>(chunk: &Chunk<'a>) -> Option<(&'a str, Varying)> {
    let Some([choice]) = chunk.choices.as_deref() else { return None };
    let delta = choice.delta.as_ref()?;
    let blank = |text: &Option<Text<'_>>| text.as_ref().is_none_or(|text| text.0.is_empty());
    let quiet = chunk.usage.is_none()
        && chunk.x_groq.is_none()
        && chunk.message.is_none()
        && chunk.error.is_none_or(|e| !is_error(e.get()))
        && choice.error.is_none_or(|e| !is_error(e.get()))
        && choice.index.unwrap_or(0) == 0
        && blank(&choice.finish_reason)
        && blank(&delta.refusal)
        && delta.reasoning_content.is_none()
        && delta.reasoning.is_none()
        && delta.reasoning_details.is_none();
    if !quiet {
        return None;
    }
    match (&delta.content, delta.tool_calls.as_deref().unwrap_or_default()) {
        (Some(Content::Text(Cow::Borrowed(text))), []) => Some((text, Varying::Text)),
        (content, [call])
            if content.as_ref().is_none_or(|c| matches!(c, Content::Text(t) if t.is_empty()))
                && blank(&call.id) =>
        {
            let function = call.function.as_ref().filter(|function| blank(&function.name))?;
            match &function.arguments {
                Some(Content::Text(Cow::Borrowed(text))) => Some((text, Varying::Arguments(call.index?))),
                _ => None,
            }
        }
        _ => None,
    }
}

impl Assemble for Assembler {
    fn event(&mut self, name: &[u8], data: &[u8], sink: &mut dyn TurnSink) -> Result<()> {
        let data = data.trim_ascii();
        if data.is_empty() {
            return Ok(());
        }
        if data == b"[DONE]" {
            self.builder.turn.done = true;
            return Ok(());
        }
        if name != b"error"
            && let Some((what, text)) = self.template.read(data)
        {
            match what {
                Varying::Text => return self.builder.text(&text, sink),
                Varying::Arguments(index) => {
                    if let Some(slot) = self.slot(Some(index), None, false) {
                        self.builder.hold(text.len())?;
                        self.builder.calls[slot].args.push_str(&text);
                        return Ok(());
                    }
                }
            }
        }
        // Bytes that are no UTF-8 are replaced, as a browser would: they only occur inside strings.
        let text = std::str::from_utf8(data).map_or_else(|_| String::from_utf8_lossy(data), Cow::Borrowed);
        if name == b"error" {
            self.builder.fail(provider_error(&text));
            return Ok(());
        }
        match serde_json::from_str::<Chunk<'_>>(&text) {
            Ok(chunk) => {
                if let Some((part, what)) = varying(&chunk) {
                    self.template.learn(text.as_bytes(), part, what);
                }
                self.chunk(chunk, &text, sink)
            }
            Err(_) => {
                self.builder.fail(ProviderError::unreadable("a chat completion chunk", &text));
                Ok(())
            }
        }
    }

    fn has_finish(&self) -> bool {
        self.builder.turn.finish.is_some()
    }

    fn is_over(&self) -> bool {
        self.builder.turn.done || self.builder.turn.error.is_some()
    }

    fn into_turn(mut self: Box<Self>, sink: &mut dyn TurnSink) -> Turn {
        self.builder.flush(sink);
        self.builder.into_turn()
    }
}

impl Assembler {
    /// An assembler for a turn that may bring at most `max_bytes` of text, reasoning and arguments.
    pub fn new(max_bytes: usize) -> Self {
        Self { builder: TurnBuilder::new(max_bytes), all_candidates: false, template: Template::default() }
    }

    fn chunk(&mut self, chunk: Chunk<'_>, text: &str, sink: &mut dyn TurnSink) -> Result<()> {
        let nested = chunk.x_groq.as_ref().and_then(|groq| groq.error);
        if let Some(error) = [chunk.error, nested].into_iter().flatten().find(|e| is_error(e.get())) {
            self.builder.fail(provider_error(error.get()));
        } else if chunk.object.is_some_and(|o| o.0 == "error") && chunk.message.is_some() {
            self.builder.fail(provider_error(text));
        }
        if let Some(usage) = chunk.usage.or(chunk.x_groq.and_then(|groq| groq.usage)) {
            self.builder.turn.usage = Some(usage.into());
        }
        if let Some(Text(model)) = chunk.model
            && self.builder.turn.model.is_none()
            && !model.is_empty()
        {
            self.builder.turn.model = Some(model.into_owned());
        }
        for choice in chunk.choices.into_iter().flatten() {
            // Only the first candidate is the answer.
            if choice.index.unwrap_or(0) != 0 && !self.all_candidates {
                continue;
            }
            if let Some(error) = choice.error.filter(|e| is_error(e.get())) {
                self.builder.fail(provider_error(error.get()));
            }
            if let Some(delta) = choice.delta {
                self.delta(delta, sink)?;
            }
            if let Some(Text(reason)) = choice.finish_reason
                && !reason.is_empty()
            {
                self.finish(&reason);
            }
        }
        Ok(())
    }

    fn finish(&mut self, reason: &str) {
        let finish = match reason {
            "stop" | "end_turn" | "stop_sequence" | "eos" => FinishReason::Stop,
            "tool_calls" | "tool_use" | "function_call" => FinishReason::ToolCalls,
            "length" | "max_tokens" => FinishReason::Length,
            "content_filter" | "refusal" | "sensitive" => FinishReason::ContentFilter,
            "error" => {
                self.builder.fail(ProviderError {
                    code: None,
                    message: "the provider ended the stream with an error".to_owned(),
                });
                FinishReason::Other
            }
            _ => FinishReason::Other,
        };
        self.builder.finish(finish, reason);
    }

    fn delta(&mut self, mut delta: Delta<'_>, sink: &mut dyn TurnSink) -> Result<()> {
        self.reasoning(&mut delta, sink)?;
        match delta.content {
            Some(Content::Text(text)) => self.builder.text(&text, sink)?,
            Some(Content::Parts(parts)) => {
                for part in parts {
                    match (part.kind.as_deref(), part.text, part.thinking) {
                        (Some("thinking" | "reasoning"), text, thinking) => {
                            let thinking = thinking.into_iter().flatten().filter_map(|part| part.text);
                            for text in text.into_iter().chain(thinking) {
                                self.builder.reasoning(&text, ReasoningForm::Parts, sink)?;
                            }
                        }
                        (_, Some(text), _) => self.builder.text(&text, sink)?,
                        _ => {}
                    }
                }
            }
            Some(Content::Other(_)) | None => {}
        }
        if let Some(Text(refusal)) = delta.refusal
            && !refusal.is_empty()
        {
            self.builder.refusal(&refusal, sink)?;
        }
        for call in delta.tool_calls.into_iter().flatten() {
            self.call(call)?;
        }
        Ok(())
    }

    /// Providers send reasoning under up to three names at once: one of them counts as text, and
    /// details are kept as they are, since only they can be sent back.
    fn reasoning(&mut self, delta: &mut Delta<'_>, sink: &mut dyn TurnSink) -> Result<()> {
        let plain = |content: &Option<Content<'_>>| match content {
            Some(Content::Text(text)) if !text.is_empty() => Some(text.to_string()),
            _ => None,
        };
        let content = plain(&delta.reasoning_content).map(|text| (text, ReasoningForm::ReasoningContent));
        let text = content.or_else(|| plain(&delta.reasoning).map(|text| (text, ReasoningForm::Reasoning)));
        let details = delta.reasoning_details.take().unwrap_or_default();
        let text = text.or_else(|| {
            let parts = details.iter().filter_map(|d| d["text"].as_str().or(d["summary"].as_str()));
            Some((parts.collect(), ReasoningForm::Details))
        });
        if let Some((text, form)) = text {
            self.builder.reasoning(&text, form, sink)?;
        }
        for detail in details {
            self.detail(detail)?;
        }
        Ok(())
    }

    /// Joins a fragment of a reasoning detail to the one it continues.
    fn detail(&mut self, detail: Value) -> Result<()> {
        self.builder.hold(detail.to_string().len())?;
        let reasoning = self.builder.reasoning_mut(ReasoningForm::Details);
        reasoning.form = ReasoningForm::Details;
        if let Some(last) = reasoning.blocks.last_mut()
            && last["type"] == detail["type"]
            && last["index"] == detail["index"]
            && detail["type"] != "reasoning.encrypted"
            && let (Value::Object(last), Value::Object(detail)) = (last, &detail)
        {
            for (key, value) in detail {
                match (last.get_mut(key), value) {
                    (_, Value::Null) => {}
                    (Some(Value::String(known)), Value::String(more))
                        if matches!(key.as_str(), "text" | "summary") =>
                    {
                        known.push_str(more);
                    }
                    _ => drop(last.insert(key.clone(), value.clone())),
                }
            }
            return Ok(());
        }
        reasoning.blocks.push(detail);
        Ok(())
    }

    fn call(&mut self, delta: CallDelta<'_>) -> Result<()> {
        let id = delta.id.map(|id| id.0).filter(|id| !id.is_empty());
        let (name, arguments) = delta.function.map_or((None, None), |f| (f.name, f.arguments));
        let name = name.map(|name| name.0).filter(|name| !name.is_empty());
        let slot = match self.slot(delta.index, id.as_deref(), name.is_some()) {
            Some(slot) => slot,
            None => {
                self.builder.hold(64)?;
                self.builder.calls.push(PartialCall { index: delta.index, ..PartialCall::default() });
                self.builder.calls.len() - 1
            }
        };
        let arguments = match arguments {
            Some(Content::Text(text)) => text,
            Some(Content::Other(object)) => Cow::Owned(object.to_string()),
            Some(Content::Parts(_)) | None => Cow::Borrowed(""),
        };
        self.builder.hold(arguments.len())?;
        let call = &mut self.builder.calls[slot];
        // Some providers repeat id and name on every fragment: the first one stays.
        if let Some(id) = id.filter(|_| call.id.is_empty()) {
            call.id = id.into_owned();
        }
        if let Some(name) = name.filter(|_| call.name.is_empty()) {
            call.name = name.into_owned();
        }
        call.args.push_str(&arguments);
        Ok(())
    }

    /// The call that a fragment belongs to: by index, else by id, else the last one. A new id at
    /// a known index is a new call.
    fn slot(&self, index: Option<u32>, id: Option<&str>, has_name: bool) -> Option<usize> {
        if let Some(index) = index {
            let slot = self.builder.calls.iter().rposition(|call| call.index == Some(index))?;
            let known = &self.builder.calls[slot].id;
            let is_new = id.is_some_and(|id| !known.is_empty() && known != id);
            return (!is_new).then_some(slot);
        }
        match id {
            Some(id) => self.builder.calls.iter().rposition(|call| call.id == id),
            None if has_name => None,
            None => self.builder.calls.len().checked_sub(1),
        }
    }
}

/// Whether the value of an `error` field is one: `null`, `""` and `{}` are not.
fn is_error(raw: &str) -> bool {
    !matches!(raw.trim(), "null" | "\"\"" | "{}" | "false")
}

/// Reads what providers put into an error, in all their shapes.
pub fn provider_error(raw: &str) -> ProviderError {
    let Ok(value) = serde_json::from_str::<Value>(raw) else {
        return ProviderError { code: None, message: excerpt(raw) };
    };
    let inner = value.get("error").filter(|e| !e.is_null()).unwrap_or(&value);
    let text = |value: &Value| match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(object) => object.get("message").and_then(Value::as_str).map(str::to_owned),
        _ => None,
    };
    let code = ["code", "type"].iter().find_map(|key| inner.get(key).and_then(text));
    let message = match inner {
        Value::String(message) => Some(message.clone()),
        _ => ["message", "detail", "error"].iter().find_map(|key| inner.get(key).and_then(text)),
    };
    ProviderError { code, message: message.map_or_else(|| excerpt(raw), |m| excerpt(&m)) }
}

/// One line of at most 300 characters.
fn excerpt(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
