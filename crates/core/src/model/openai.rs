//! OpenAI-compatible chat completions: the request body, and the assembler that turns the data of
//! stream events into a [`Turn`]. Pure; the differences between providers that speak this protocol
//! are handled here and nowhere else.

use std::borrow::Cow;

use serde_json::Value;
use serde_json::value::RawValue;

use super::build::{PartialCall, TurnBuilder};
use super::chunk::{CallDelta, Chunk, Content, Delta, FunctionDelta, Part, Text, WireUsage};
use super::fault::{bare_error, is_error, provider_error};
use super::lenient::{self, Document, Mender};
use super::openai_request;
use super::repeat::Template;
use super::wire::{Assemble, Fields, Request, Wire};
use super::{FinishReason, ProviderError, ReasoningForm, Turn, TurnSink, Usage};
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

    fn body(&self, request: &Request<'_>, fields: &mut Fields<'_>) -> serde_json::Result<()> {
        openai_request::body(request, fields)
    }

    fn assembler(&self, max_bytes: usize) -> Box<dyn Assemble> {
        Box::new(Assembler::new(max_bytes))
    }

    fn replay_assembler(&self, max_bytes: usize) -> Box<dyn Assemble> {
        Box::new(Assembler { all_candidates: true, ..Assembler::new(max_bytes) })
    }
}

/// Turns event data into a [`Turn`].
#[derive(Debug)]
pub struct Assembler {
    builder: TurnBuilder,
    all_candidates: bool,
    template: Template<Varying>,
    mender: Mender,
}

/// The index of a call in the form from before there were several.
const ONLY_CALL: u32 = u32::MAX;

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
        && chunk.base_resp.is_none()
        && chunk.message.is_none()
        && choice.usage.is_none()
        && chunk.error.is_none_or(|e| !is_error(e.get()))
        && choice.error.is_none_or(|e| !is_error(e.get()))
        && choice.index.unwrap_or(0) == 0
        && blank(&choice.finish_reason)
        && blank(&delta.refusal)
        && delta.reasoning_content.is_none()
        && delta.reasoning.is_none()
        && delta.reasoning_text.is_none()
        && delta.reasoning_details.is_none()
        && delta.function_call.is_none();
    if !quiet {
        return None;
    }
    match (&delta.content, delta.tool_calls.as_deref().unwrap_or_default()) {
        (Some(Content::Text(Cow::Borrowed(text))), []) => Some((text, Varying::Text)),
        (content, [call])
            if content.as_ref().is_none_or(|c| matches!(c, Content::Text(t) if t.is_empty()))
                && blank(&call.id)
                && call.extra_content.is_none() =>
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
        if lenient::is_done(data) {
            self.builder.turn.done = true;
            return Ok(());
        }
        if name != b"error"
            && let Some((what, text)) = self.template.read(data)
        {
            match what {
                Varying::Text => return self.builder.text(&text, sink),
                Varying::Arguments(index) => {
                    if let Some(slot) = self.slot(Some(index), None, None, "") {
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
            Err(_) => self.read_again(&text, sink),
        }
    }

    fn has_text(&self) -> bool {
        !self.builder.turn.text.is_empty()
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
        Self {
            builder: TurnBuilder::new(max_bytes),
            all_candidates: false,
            template: Template::default(),
            mender: Mender::default(),
        }
    }

    /// Takes an event that is no chunk as the protocol has it.
    fn read_again(&mut self, text: &str, sink: &mut dyn TurnSink) -> Result<()> {
        for document in self.mender.documents(text) {
            match document {
                Document::Done => self.builder.turn.done = true,
                Document::Json(Value::Null) => {}
                Document::Json(mut value) => {
                    let text = value.to_string();
                    lenient::chat_chunk(&mut value);
                    match serde_json::from_str(&value.to_string()) {
                        Ok(chunk) => self.chunk(chunk, &text, sink)?,
                        Err(_) => self.unreadable(&text),
                    }
                }
                Document::Unreadable(text) => self.unreadable(&text),
            }
        }
        Ok(())
    }

    fn unreadable(&mut self, text: &str) {
        self.builder.fail(ProviderError::unreadable("a chat completion chunk", text));
    }

    fn chunk(&mut self, chunk: Chunk<'_>, text: &str, sink: &mut dyn TurnSink) -> Result<()> {
        let nested = chunk.x_groq.as_ref().and_then(|groq| groq.error);
        if let Some(error) = [chunk.error, nested].into_iter().flatten().find(|e| is_error(e.get())) {
            self.builder.fail(provider_error(error.get()));
        } else if chunk.base_resp.is_some_and(|response| response.is_error())
            || (chunk.object.is_some_and(|o| o.0 == "error") && chunk.message.is_some())
        {
            self.builder.fail(provider_error(text));
        } else if chunk.choices.is_none()
            && chunk.usage.is_none()
            && chunk.x_groq.is_none()
            && let Some(error) = bare_error(text)
        {
            self.builder.fail(error);
        }
        if let Some(usage) = chunk.usage.or(chunk.x_groq.and_then(|groq| groq.usage)) {
            self.usage(usage);
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
            if let Some(usage) = choice.usage {
                self.usage(usage);
            }
            match (choice.delta, choice.message) {
                (Some(delta), _) => self.delta(delta, sink)?,
                // The whole answer at once; after deltas it would be a repetition.
                (None, Some(message)) if self.builder.is_empty() => self.delta(message, sink)?,
                _ => {}
            }
            if let Some(Text(reason)) = choice.finish_reason
                && !reason.is_empty()
            {
                self.finish(&reason);
            }
        }
        Ok(())
    }

    /// The last report counts, but an empty one does not wipe out what is known.
    fn usage(&mut self, wire: WireUsage) {
        let usage = Usage::from(wire);
        let turn = &mut self.builder.turn;
        if turn.usage.is_none() || usage != Usage::default() {
            turn.usage = Some(usage);
            turn.total_tokens = wire.total();
        }
    }

    fn finish(&mut self, reason: &str) {
        let finish = match reason.to_ascii_lowercase().as_str() {
            "stop" | "end_turn" | "stop_sequence" | "eos" | "eos_token" => FinishReason::Stop,
            "tool_calls" | "tool-calls" | "tool_call" | "tool_use" | "function_call" => {
                FinishReason::ToolCalls
            }
            "length"
            | "max_tokens"
            | "max_output_tokens"
            | "model_length"
            | "model_context_window_exceeded" => FinishReason::Length,
            "content_filter" | "content-filter" | "refusal" | "sensitive" | "safety" | "recitation"
            | "blocklist" | "prohibited_content" | "spii" => FinishReason::ContentFilter,
            // What DeepSeek, z.ai, vLLM and Gemini say when the answer is not whole.
            "error"
            | "insufficient_system_resource"
            | "network_error"
            | "abort"
            | "malformed_function_call" => {
                let why = if reason == "error" { "an error" } else { reason };
                self.builder.fail(ProviderError {
                    code: (reason != "error").then(|| reason.to_owned()),
                    message: format!("the provider ended the stream with {why}"),
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
                    self.part(part, sink)?;
                }
            }
            Some(Content::Other(part)) => {
                if let Ok(part) = serde_json::from_value(part) {
                    self.part(part, sink)?;
                }
            }
            None => {}
        }
        if let Some(Text(refusal)) = delta.refusal
            && !refusal.is_empty()
        {
            self.builder.refusal(&refusal, sink)?;
        }
        for call in delta.tool_calls.into_iter().flatten() {
            self.call(call)?;
        }
        if let Some(function) = delta.function_call {
            self.call(CallDelta {
                index: Some(ONLY_CALL),
                id: None,
                function: Some(function),
                extra_content: None,
            })?;
        }
        Ok(())
    }

    fn part(&mut self, part: Part, sink: &mut dyn TurnSink) -> Result<()> {
        match (part.kind.as_deref(), part.text, part.thinking) {
            (Some("thinking" | "reasoning"), text, thinking) => {
                let thinking = thinking.into_iter().flatten().filter_map(|part| part.text);
                for text in text.into_iter().chain(thinking) {
                    self.builder.reasoning(&text, ReasoningForm::Parts, sink)?;
                }
                Ok(())
            }
            (_, Some(text), _) => self.builder.text(&text, sink),
            _ => Ok(()),
        }
    }

    /// Providers send reasoning under up to three names at once: one of them counts as text, and
    /// details are kept as they are, since only they can be sent back.
    fn reasoning(&mut self, delta: &mut Delta<'_>, sink: &mut dyn TurnSink) -> Result<()> {
        let plain = |content: &Option<Content<'_>>| match content {
            Some(Content::Text(text)) if !text.is_empty() => Some(text.to_string()),
            Some(Content::Parts(parts)) => {
                Some(parts.iter().filter_map(|part| part.text.as_deref()).collect::<String>())
                    .filter(|text| !text.is_empty())
            }
            _ => None,
        };
        let content = plain(&delta.reasoning_content).map(|text| (text, ReasoningForm::ReasoningContent));
        let other = || plain(&delta.reasoning).or_else(|| plain(&delta.reasoning_text));
        let text = content.or_else(|| other().map(|text| (text, ReasoningForm::Reasoning)));
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
        let FunctionDelta { name, arguments } =
            delta.function.unwrap_or(FunctionDelta { name: None, arguments: None });
        let name = name.map(|name| name.0).filter(|name| !name.is_empty());
        let arguments = match arguments {
            Some(Content::Text(text)) => text,
            Some(Content::Other(object)) => Cow::Owned(object.to_string()),
            Some(Content::Parts(_)) | None => Cow::Borrowed(""),
        };
        let slot = match self.slot(delta.index, id.as_deref(), name.as_deref(), &arguments) {
            Some(slot) => slot,
            None => {
                self.builder.hold(64)?;
                self.builder.calls.push(PartialCall { index: delta.index, ..PartialCall::default() });
                self.builder.calls.len() - 1
            }
        };
        // The first stays, where it is repeated.
        let extra = delta.extra_content.map(RawValue::get).filter(|extra| extra.starts_with('{'));
        let extra = extra.filter(|_| self.builder.calls[slot].extra.is_none());
        let held = [Some(&*arguments), name.as_deref(), extra].into_iter().flatten().map(str::len).sum();
        self.builder.hold(held)?;
        let call = &mut self.builder.calls[slot];
        if let Some(extra) = extra {
            call.extra = Some(extra.to_owned());
        }
        // Some providers repeat the id on every fragment, or make a new one each time: the first stays.
        if let Some(id) = id.filter(|_| call.id.is_empty()) {
            call.id = id.into_owned();
        }
        if let Some(name) = name {
            call.add_name(name);
        }
        call.args.push_str(&arguments);
        Ok(())
    }

    /// The call that a fragment belongs to: by index, else by id, else the last one. A new id at
    /// a known index is a new call, unless it comes in the middle of the arguments.
    fn slot(
        &self,
        index: Option<u32>,
        id: Option<&str>,
        name: Option<&str>,
        arguments: &str,
    ) -> Option<usize> {
        let calls = &self.builder.calls;
        if index.is_some() {
            let last = calls.iter().rposition(|call| call.index == index)?;
            let Some(id) = id else {
                let call = &calls[last];
                // Several whole calls at one index and without ids, as old Gemini endpoints send them.
                let is_new = name.is_some() && arguments.starts_with('{') && call.is_whole();
                return (!is_new).then_some(last);
            };
            if let Some(known) = calls.iter().rposition(|call| call.index == index && call.id == id) {
                return Some(known);
            }
            let call = &calls[last];
            let is_new = !call.id.is_empty() && (name.is_some() || call.is_whole());
            return (!is_new).then_some(last);
        }
        let last = calls.last();
        let continues_last = last.is_some_and(|last| match (id, name) {
            // Arguments came before the name.
            _ if last.name.is_empty() => last.id.is_empty() || id.is_none(),
            (_, None) => id.is_none() || (!last.args.is_empty() && !last.is_whole()),
            // The name is repeated on every fragment.
            (None, Some(name)) => {
                last.name == name && (!last.args.is_empty() || !arguments.is_empty()) && !last.is_whole()
            }
            (Some(_), Some(_)) => false,
        });
        let known = id.and_then(|id| calls.iter().rposition(|call| call.id == id));
        known.or(continues_last.then(|| calls.len() - 1))
    }
}
