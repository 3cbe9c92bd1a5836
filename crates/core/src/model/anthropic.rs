//! Anthropic Messages: the request body, and the assembler that turns the data of stream events
//! into a [`Turn`]. Pure. OpenRouter offers this protocol too, with a closing `[DONE]` of its own.
//! Source: <https://docs.anthropic.com/en/docs/build-with-claude/streaming>.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::anthropic_request;
use super::build::{PartialCall, TurnBuilder};
use super::chunk::{Number, Text};
use super::fault::{bare_error, is_error, provider_error};
use super::lenient::{self, Document, Mender};
use super::wire::{Assemble, Fields, Request, Wire};
use super::{FinishReason, ProviderError, ReasoningForm, Turn, TurnSink, Usage};
use crate::config::Secret;
use crate::error::Result;

/// The version of the protocol that this file reads and writes.
const VERSION: &str = "2023-06-01";

/// The protocol.
#[derive(Debug, Clone, Copy)]
pub struct Anthropic;

impl Wire for Anthropic {
    fn path(&self) -> &'static str {
        "messages"
    }

    fn headers(&self, key: Option<&Secret>) -> Vec<(&'static str, String)> {
        let mut headers = vec![("anthropic-version", VERSION.to_owned())];
        headers.extend(key.map(|key| ("x-api-key", key.reveal().to_owned())));
        headers
    }

    fn body(&self, request: &Request<'_>, fields: &mut Fields<'_>) -> serde_json::Result<()> {
        anthropic_request::body(request, fields)
    }

    fn assembler(&self, max_bytes: usize) -> Box<dyn Assemble> {
        Box::new(Assembler::new(max_bytes))
    }
}

#[derive(Deserialize)]
struct StreamEvent<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(default)]
    index: Option<u32>,
    #[serde(borrow, default)]
    message: Option<Message<'a>>,
    #[serde(borrow, default)]
    content_block: Option<Block<'a>>,
    #[serde(borrow, default)]
    delta: Option<Delta<'a>>,
    #[serde(default)]
    usage: Option<WireUsage>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    model: Option<Text<'a>>,
    /// Empty, but for calls that the model's own program makes: those are here, whole.
    #[serde(borrow, default)]
    content: Option<Vec<Block<'a>>>,
    #[serde(borrow, default)]
    stop_reason: Option<Text<'a>>,
    #[serde(default)]
    usage: Option<WireUsage>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
    #[serde(borrow, default)]
    thinking: Option<Text<'a>>,
    #[serde(borrow, default)]
    signature: Option<Text<'a>>,
    #[serde(borrow, default)]
    data: Option<Text<'a>>,
    #[serde(default)]
    input: Option<Value>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
    #[serde(borrow, default)]
    thinking: Option<Text<'a>>,
    #[serde(borrow, default)]
    signature: Option<Text<'a>>,
    #[serde(borrow, default)]
    partial_json: Option<Text<'a>>,
    #[serde(borrow, default)]
    stop_reason: Option<Text<'a>>,
}

#[derive(Deserialize, Clone, Copy)]
struct WireUsage {
    #[serde(default)]
    input_tokens: Number,
    #[serde(default)]
    output_tokens: Number,
    #[serde(default)]
    cache_read_input_tokens: Number,
    #[serde(default)]
    cache_creation_input_tokens: Number,
    #[serde(default)]
    output_tokens_details: Option<OutputDetails>,
    #[serde(default)]
    cost: Number,
}

#[derive(Deserialize, Clone, Copy)]
struct OutputDetails {
    #[serde(default)]
    thinking_tokens: Number,
}

/// What the events of one block go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Text,
    Thinking(usize),
    Call(usize),
    /// A block of the provider's own tools, or of a kind that this version does not know.
    Ignored,
}

/// Turns event data into a [`Turn`].
#[derive(Debug)]
pub struct Assembler {
    builder: TurnBuilder,
    /// What the block at an index is; indexes are small and come in order.
    open: Vec<(u32, Open)>,
    stopped: bool,
    mender: Mender,
}

impl Assembler {
    /// An assembler for a turn that may bring at most `max_bytes`.
    pub fn new(max_bytes: usize) -> Self {
        let (builder, mender) = (TurnBuilder::new(max_bytes), Mender::default());
        Self { builder, open: Vec::new(), stopped: false, mender }
    }

    fn usage(&mut self, wire: WireUsage) {
        let usage = self.builder.turn.usage.get_or_insert_with(Usage::default);
        let set = |field: &mut u64, value: Number| {
            if let Some(value) = value.count() {
                *field = value;
            }
        };
        set(&mut usage.input, wire.input_tokens);
        set(&mut usage.output, wire.output_tokens);
        set(&mut usage.cached, wire.cache_read_input_tokens);
        set(&mut usage.cache_write, wire.cache_creation_input_tokens);
        set(&mut usage.reasoning, wire.output_tokens_details.map(|d| d.thinking_tokens).unwrap_or_default());
        if let Some(cost) = wire.cost.0 {
            usage.cost = cost;
        }
    }

    fn block(&mut self, index: u32, block: Block<'_>, sink: &mut dyn TurnSink) -> Result<()> {
        let text = |text: Option<Text<'_>>| text.map(|t| t.0.into_owned()).unwrap_or_default();
        let open = match block.kind.as_ref().map(|kind| kind.0.as_ref()) {
            Some("text") => {
                self.builder.text(&text(block.text), sink)?;
                Open::Text
            }
            Some("thinking") => {
                let (thinking, signature) = (text(block.thinking), text(block.signature));
                let at = self.thinking_block(&thinking, &signature);
                self.builder.reasoning(&thinking, ReasoningForm::Thinking, sink)?;
                Open::Thinking(at)
            }
            Some("redacted_thinking") => {
                let data = text(block.data);
                self.builder.hold(data.len())?;
                let reasoning = self.builder.reasoning_mut(ReasoningForm::Thinking);
                reasoning.blocks.push(json!({ "type": "redacted_thinking", "data": data }));
                Open::Ignored
            }
            Some("tool_use") => Open::Call(self.call(index, block)?),
            _ => Open::Ignored,
        };
        self.open.retain(|(known, _)| *known != index);
        self.open.push((index, open));
        Ok(())
    }

    /// Begins a call; a start that comes once more for the same call changes nothing.
    fn call(&mut self, index: u32, block: Block<'_>) -> Result<usize> {
        let text = |text: Option<Text<'_>>| text.map(|t| t.0.into_owned()).unwrap_or_default();
        let id = text(block.id);
        if let Some(known) = self.builder.calls.iter().position(|call| !id.is_empty() && call.id == id) {
            return Ok(known);
        }
        self.builder.hold(64)?;
        let whole = block.input.filter(|input| input.as_object().is_some_and(|o| !o.is_empty()));
        let (name, args) = (text(block.name), String::new());
        self.builder.calls.push(PartialCall { index: Some(index), id, name, args, whole, extra: None });
        Ok(self.builder.calls.len() - 1)
    }

    /// Begins a block of thinking, to be sent back as it is; its place among the blocks.
    fn thinking_block(&mut self, thinking: &str, signature: &str) -> usize {
        let blocks = &mut self.builder.reasoning_mut(ReasoningForm::Thinking).blocks;
        blocks.push(json!({ "type": "thinking", "thinking": thinking, "signature": signature }));
        blocks.len() - 1
    }

    /// Where a fragment goes follows from its own kind: gateways leave out the start of a block, or
    /// count blocks otherwise in the fragments than in the starts.
    fn delta(&mut self, index: u32, delta: Delta<'_>, sink: &mut dyn TurnSink) -> Result<()> {
        let open = self.open.iter().rev().find(|(known, _)| *known == index).map(|(_, open)| *open);
        if open == Some(Open::Ignored) {
            return Ok(());
        }
        if let Some(Text(text)) = delta.text {
            self.builder.text(&text, sink)?;
        }
        if let Some(Text(thinking)) = delta.thinking {
            let at = match open {
                Some(Open::Thinking(at)) => at,
                _ => {
                    let at = self.thinking_block("", "");
                    self.open.retain(|(known, _)| *known != index);
                    self.open.push((index, Open::Thinking(at)));
                    at
                }
            };
            let blocks = &mut self.builder.reasoning_mut(ReasoningForm::Thinking).blocks;
            append(&mut blocks[at]["thinking"], &thinking);
            self.builder.reasoning(&thinking, ReasoningForm::Thinking, sink)?;
        }
        if let (Some(Text(signature)), Some(Open::Thinking(at))) = (delta.signature, open) {
            self.builder.hold(signature.len())?;
            let blocks = &mut self.builder.reasoning_mut(ReasoningForm::Thinking).blocks;
            append(&mut blocks[at]["signature"], &signature);
        }
        if let Some(Text(json)) = delta.partial_json {
            let call = match open {
                Some(Open::Call(call)) => Some(call),
                _ => self.builder.calls.len().checked_sub(1),
            };
            if let Some(call) = call {
                self.builder.hold(json.len())?;
                self.builder.calls[call].args.push_str(&json);
            }
        }
        Ok(())
    }

    fn stop_reason(&mut self, reason: Option<Text<'_>>) {
        let Some(Text(reason)) = reason.filter(|reason| !reason.0.is_empty()) else { return };
        let finish = match reason.as_ref() {
            "end_turn" | "stop_sequence" => FinishReason::Stop,
            "tool_use" => FinishReason::ToolCalls,
            "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
            "refusal" => FinishReason::ContentFilter,
            _ => FinishReason::Other,
        };
        self.builder.finish(finish, &reason);
    }

    /// Takes an event that is none as the protocol has it.
    fn read_again(&mut self, name: &[u8], text: &str, sink: &mut dyn TurnSink) -> Result<()> {
        for document in self.mender.documents(text) {
            match document {
                Document::Done | Document::Json(Value::Null) => {}
                Document::Json(mut value) => {
                    let text = value.to_string();
                    lenient::anthropic_event(&mut value);
                    match serde_json::from_str(&value.to_string()) {
                        Ok(event) => self.take(name, event, &text, sink)?,
                        Err(_) => self.unreadable(name, &text),
                    }
                }
                Document::Unreadable(text) => self.unreadable(name, &text),
            }
        }
        Ok(())
    }

    fn unreadable(&mut self, name: &[u8], text: &str) {
        let error = if name == b"error" {
            provider_error(text)
        } else {
            ProviderError::unreadable("an Anthropic stream event", text)
        };
        self.builder.fail(error);
    }

    fn take(
        &mut self,
        name: &[u8],
        event: StreamEvent<'_>,
        text: &str,
        sink: &mut dyn TurnSink,
    ) -> Result<()> {
        let kind = event.kind.as_ref().map_or(name, |kind| kind.0.as_bytes());
        match kind {
            b"message_start" => {
                // A gateway that restarts upstream sends a second one: its blocks count anew.
                self.open.clear();
                if let Some(message) = event.message {
                    if let Some(Text(model)) = message.model.filter(|m| !m.0.is_empty()) {
                        self.builder.turn.model.get_or_insert_with(|| model.into_owned());
                    }
                    if let Some(usage) = message.usage {
                        self.usage(usage);
                    }
                    let is_call = |block: &Block<'_>| block.kind.as_ref().is_some_and(|k| k.0 == "tool_use");
                    for block in message.content.into_iter().flatten().filter(is_call) {
                        self.call(u32::MAX, block)?;
                    }
                    self.stop_reason(message.stop_reason);
                }
            }
            b"content_block_start" => {
                if let Some(block) = event.content_block {
                    self.block(event.index.unwrap_or(0), block, sink)?;
                }
            }
            b"content_block_delta" => {
                if let Some(delta) = event.delta {
                    self.delta(event.index.unwrap_or(0), delta, sink)?;
                }
            }
            b"message_delta" => {
                if let Some(usage) = event.usage {
                    self.usage(usage);
                }
                self.stop_reason(event.delta.and_then(|delta| delta.stop_reason));
            }
            b"message_stop" => {
                self.stopped = true;
                self.builder.turn.done = true;
            }
            b"error" => self.builder.fail(provider_error(text)),
            _ if name == b"error" || event.error.is_some_and(|error| is_error(error.get())) => {
                self.builder.fail(provider_error(text));
            }
            // Pings, and kinds that later versions of the protocol add.
            _ => {
                if let Some(error) = event.kind.is_none().then(|| bare_error(text)).flatten() {
                    self.builder.fail(error);
                }
            }
        }
        Ok(())
    }
}

/// Appends to a JSON string in place.
fn append(value: &mut Value, more: &str) {
    if let Value::String(text) = value {
        text.push_str(more);
    }
}

impl Assemble for Assembler {
    fn event(&mut self, name: &[u8], data: &[u8], sink: &mut dyn TurnSink) -> Result<()> {
        let data = data.trim_ascii();
        // OpenRouter closes this protocol with the other one's word, after `message_stop`.
        if data.is_empty() || lenient::is_done(data) {
            return Ok(());
        }
        let text = String::from_utf8_lossy(data);
        match serde_json::from_str(&text) {
            Ok(event) => self.take(name, event, &text, sink),
            Err(_) => self.read_again(name, &text, sink),
        }
    }

    fn has_text(&self) -> bool {
        !self.builder.turn.text.is_empty()
    }

    fn has_finish(&self) -> bool {
        self.builder.turn.finish.is_some()
    }

    fn is_over(&self) -> bool {
        self.stopped || self.builder.turn.error.is_some()
    }

    fn into_turn(mut self: Box<Self>, sink: &mut dyn TurnSink) -> Turn {
        self.builder.flush(sink);
        self.builder.into_turn()
    }
}
