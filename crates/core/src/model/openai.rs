//! OpenAI-compatible chat completions: the request body, and the assembler that turns the data of
//! stream events into a [`Turn`]. Pure; the differences between providers that speak this protocol
//! are handled here and nowhere else.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{ChatMessage, FinishReason, ProviderError, ToolCall, ToolSpec, Turn, TurnSink, Usage};
use crate::error::{CoreError, ErrorCode, Result};

/// A request for one turn.
#[derive(Debug)]
pub struct Request<'a> {
    /// The model's name.
    pub model: &'a str,
    /// The conversation.
    pub messages: &'a [ChatMessage],
    /// The tools on offer; none: the field is left out.
    pub tools: &'a [ToolSpec],
    /// Sampling temperature.
    pub temperature: f64,
    /// Output tokens, at most.
    pub max_tokens: u32,
}

impl Request<'_> {
    /// The JSON body, `stream: true`.
    ///
    /// # Errors
    /// `INTERNAL` if it cannot be serialised.
    pub fn body(&self) -> Result<Vec<u8>> {
        #[derive(Serialize)]
        struct Body<'a> {
            model: &'a str,
            messages: Vec<Value>,
            #[serde(skip_serializing_if = "Vec::is_empty")]
            tools: Vec<Value>,
            temperature: f64,
            max_tokens: u32,
            stream: bool,
            stream_options: Value,
        }
        let body = Body {
            model: self.model,
            messages: self.messages.iter().map(message).collect(),
            tools: self.tools.iter().map(|tool| json!({ "type": "function", "function": tool })).collect(),
            temperature: self.temperature,
            max_tokens: self.max_tokens,
            stream: true,
            stream_options: json!({ "include_usage": true }),
        };
        serde_json::to_vec(&body).map_err(|e| {
            CoreError::new(ErrorCode::Internal, "the request could not be serialised").with_cause(&e)
        })
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
            if let Some(reasoning) = reasoning.as_deref().filter(|r| !r.is_empty()) {
                message["reasoning_content"] = json!(reasoning);
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
    #[serde(borrow, default)]
    reasoning_details: Option<Vec<ReasoningDetail<'a>>>,
    #[serde(borrow, default)]
    refusal: Option<Text<'a>>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<CallDelta<'a>>>,
}

#[derive(Deserialize)]
struct ReasoningDetail<'a> {
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
    #[serde(borrow, default)]
    summary: Option<Text<'a>>,
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

/// A tool call while its fragments arrive.
#[derive(Debug, Default)]
struct PartialCall {
    index: Option<u32>,
    id: String,
    name: String,
    args: String,
}

/// Turns event data into a [`Turn`].
#[derive(Debug)]
pub struct Assembler {
    turn: Turn,
    calls: Vec<PartialCall>,
    held_bytes: usize,
    max_bytes: usize,
    all_candidates: bool,
}

impl Assembler {
    /// An assembler for a turn that may bring at most `max_bytes` of text, reasoning and arguments.
    pub fn new(max_bytes: usize) -> Self {
        Self { turn: Turn::default(), calls: Vec::new(), held_bytes: 0, max_bytes, all_candidates: false }
    }

    /// Reads every candidate of a recorded stream, not only the first. Requests of this crate ask
    /// for one, so this is for conformance runs over recordings that asked for more.
    #[must_use]
    pub fn all_candidates(mut self) -> Self {
        self.all_candidates = true;
        self
    }

    /// Whether the provider said why it finished.
    pub fn has_finish(&self) -> bool {
        self.turn.finish.is_some()
    }

    /// Whether the stream is over: `[DONE]`, or an error inside it.
    pub fn is_over(&self) -> bool {
        self.turn.done || self.turn.error.is_some()
    }

    /// Takes the data of one event.
    ///
    /// # Errors
    /// `ANSWER_TOO_LARGE` when the turn passes its bound. Data that is no JSON becomes
    /// [`Turn::error`], and later text is still read.
    pub fn event(&mut self, name: &[u8], data: &[u8], sink: &mut dyn TurnSink) -> Result<()> {
        let data = data.trim_ascii();
        if data.is_empty() {
            return Ok(());
        }
        if data == b"[DONE]" {
            self.turn.done = true;
            return Ok(());
        }
        // Bytes that are no UTF-8 are replaced, as a browser would: they only occur inside strings.
        let text = String::from_utf8_lossy(data);
        if name == b"error" {
            self.fail(provider_error(&text));
            return Ok(());
        }
        match serde_json::from_str::<Chunk<'_>>(&text) {
            Ok(chunk) => self.chunk(chunk, &text, sink),
            Err(_) => {
                let start: String = text.chars().take(80).collect();
                self.fail(ProviderError {
                    code: Some("invalid_event".to_owned()),
                    message: format!(
                        "the provider sent an event that is not a chat completion chunk: {start}"
                    ),
                });
                Ok(())
            }
        }
    }

    fn fail(&mut self, error: ProviderError) {
        self.turn.error.get_or_insert(error);
    }

    fn chunk(&mut self, chunk: Chunk<'_>, text: &str, sink: &mut dyn TurnSink) -> Result<()> {
        let nested = chunk.x_groq.as_ref().and_then(|groq| groq.error);
        if let Some(error) = [chunk.error, nested].into_iter().flatten().find(|e| is_error(e.get())) {
            self.fail(provider_error(error.get()));
        } else if chunk.object.is_some_and(|o| o.0 == "error") && chunk.message.is_some() {
            self.fail(provider_error(text));
        }
        if let Some(usage) = chunk.usage.or(chunk.x_groq.and_then(|groq| groq.usage)) {
            self.turn.usage = Some(usage.into());
        }
        if let Some(Text(model)) = chunk.model
            && self.turn.model.is_none()
            && !model.is_empty()
        {
            self.turn.model = Some(model.into_owned());
        }
        for choice in chunk.choices.into_iter().flatten() {
            // Only the first candidate is the answer.
            if choice.index.unwrap_or(0) != 0 && !self.all_candidates {
                continue;
            }
            if let Some(error) = choice.error.filter(|e| is_error(e.get())) {
                self.fail(provider_error(error.get()));
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
                self.fail(ProviderError {
                    code: None,
                    message: "the provider ended the stream with an error".to_owned(),
                });
                FinishReason::Other
            }
            _ => FinishReason::Other,
        };
        self.turn.finish = Some(finish);
        self.turn.finish_raw = Some(reason.to_owned());
    }

    fn delta(&mut self, delta: Delta<'_>, sink: &mut dyn TurnSink) -> Result<()> {
        self.reasoning(&delta, sink)?;
        match delta.content {
            Some(Content::Text(text)) => self.text(&text, sink)?,
            Some(Content::Parts(parts)) => {
                for part in parts {
                    match (part.kind.as_deref(), part.text, part.thinking) {
                        (Some("thinking" | "reasoning"), text, thinking) => {
                            for text in
                                text.into_iter().chain(thinking.into_iter().flatten().filter_map(|p| p.text))
                            {
                                self.hold(text.len())?;
                                self.turn.reasoning.push_str(&text);
                                sink.reasoning(&text);
                            }
                        }
                        (_, Some(text), _) => self.text(&text, sink)?,
                        _ => {}
                    }
                }
            }
            Some(Content::Other(_)) | None => {}
        }
        if let Some(Text(refusal)) = delta.refusal
            && !refusal.is_empty()
        {
            self.hold(refusal.len())?;
            self.turn.refusal.get_or_insert_default().push_str(&refusal);
            sink.text(&refusal);
        }
        for call in delta.tool_calls.into_iter().flatten() {
            self.call(call)?;
        }
        Ok(())
    }

    fn text(&mut self, text: &str, sink: &mut dyn TurnSink) -> Result<()> {
        if !text.is_empty() {
            self.hold(text.len())?;
            self.turn.text.push_str(text);
            sink.text(text);
        }
        Ok(())
    }

    /// Providers send reasoning under up to three names at once: one of them counts.
    fn reasoning(&mut self, delta: &Delta<'_>, sink: &mut dyn TurnSink) -> Result<()> {
        let plain =
            [&delta.reasoning_content, &delta.reasoning].into_iter().flatten().find_map(|c| match c {
                Content::Text(text) if !text.is_empty() => Some(Cow::Borrowed(text.as_ref())),
                _ => None,
            });
        let text = plain.or_else(|| {
            let details = delta.reasoning_details.as_ref()?;
            let parts = details.iter().filter_map(|d| d.text.as_ref().or(d.summary.as_ref()));
            Some(Cow::Owned(parts.map(|t| t.0.as_ref()).collect::<String>()))
        });
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.hold(text.len())?;
            self.turn.reasoning.push_str(&text);
            sink.reasoning(&text);
        }
        Ok(())
    }

    fn call(&mut self, delta: CallDelta<'_>) -> Result<()> {
        let id = delta.id.map(|id| id.0).filter(|id| !id.is_empty());
        let (name, arguments) = delta.function.map_or((None, None), |f| (f.name, f.arguments));
        let name = name.map(|name| name.0).filter(|name| !name.is_empty());
        let slot = match self.slot(delta.index, id.as_deref(), name.is_some()) {
            Some(slot) => slot,
            None => {
                self.hold(64)?;
                self.calls.push(PartialCall { index: delta.index, ..PartialCall::default() });
                self.calls.len() - 1
            }
        };
        let arguments = match arguments {
            Some(Content::Text(text)) => text,
            Some(Content::Other(object)) => Cow::Owned(object.to_string()),
            Some(Content::Parts(_)) | None => Cow::Borrowed(""),
        };
        self.hold(arguments.len())?;
        let call = &mut self.calls[slot];
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
            let slot = self.calls.iter().rposition(|call| call.index == Some(index))?;
            let known = &self.calls[slot].id;
            let is_new = id.is_some_and(|id| !known.is_empty() && known != id);
            return (!is_new).then_some(slot);
        }
        match id {
            Some(id) => self.calls.iter().rposition(|call| call.id == id),
            None if has_name => None,
            None => self.calls.len().checked_sub(1),
        }
    }

    fn hold(&mut self, bytes: usize) -> Result<()> {
        self.held_bytes += bytes;
        if self.held_bytes > self.max_bytes {
            let limit = self.max_bytes;
            return Err(CoreError::new(
                ErrorCode::AnswerTooLarge,
                format!("one turn of the model brought more than {limit} bytes"),
            ));
        }
        Ok(())
    }

    /// The turn, once the stream is over.
    pub fn into_turn(self) -> Turn {
        let mut turn = self.turn;
        turn.tool_calls = self
            .calls
            .into_iter()
            .enumerate()
            .map(|(n, call)| {
                let raw = if call.args.trim().is_empty() { "{}" } else { call.args.as_str() };
                let args = serde_json::from_str::<Value>(raw).ok();
                let id = if call.id.is_empty() { format!("call_{n}") } else { call.id };
                ToolCall { id, name: call.name, args, raw_args: call.args }
            })
            .collect();
        turn
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
