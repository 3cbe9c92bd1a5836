//! What both assemblers share: a [`Turn`] under construction, its size limit, and the guards that
//! hold for every provider.

use serde_json::Value;

use super::{FinishReason, ProviderError, Reasoning, ReasoningForm, ToolCall, Turn, TurnSink};
use crate::error::{CoreError, ErrorCode, Result};

/// How a tool call begins when the upstream server failed to parse it and let the model's own
/// markers through as text (Kimi models; seen behind several hosts).
const RAW_MARKER: &str = "<|tool_call";

/// A tool call while its fragments arrive.
#[derive(Debug, Default)]
pub(super) struct PartialCall {
    pub(super) index: Option<u32>,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) args: String,
    /// Arguments that came whole and as an object, where no fragments follow.
    pub(super) whole: Option<Value>,
}

/// A turn under construction.
#[derive(Debug)]
pub(super) struct TurnBuilder {
    pub(super) turn: Turn,
    pub(super) calls: Vec<PartialCall>,
    /// The end of the text, held back because a raw marker may begin there.
    held_text: String,
    held_bytes: usize,
    max_bytes: usize,
}

impl TurnBuilder {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { turn: Turn::default(), calls: Vec::new(), held_text: String::new(), held_bytes: 0, max_bytes }
    }

    pub(super) fn fail(&mut self, error: ProviderError) {
        self.turn.error.get_or_insert(error);
    }

    pub(super) fn finish(&mut self, finish: FinishReason, raw: &str) {
        self.turn.finish = Some(finish);
        self.turn.finish_raw = Some(raw.to_owned());
    }

    /// Counts bytes that the turn keeps.
    pub(super) fn hold(&mut self, bytes: usize) -> Result<()> {
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

    /// Visible text. Raw tool markers never become visible: they fail the turn.
    pub(super) fn text(&mut self, text: &str, sink: &mut dyn TurnSink) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        self.hold(text.len())?;
        if self.held_text.is_empty() && memchr::memchr(b'<', text.as_bytes()).is_none() {
            self.show(text, sink);
            return Ok(());
        }
        let mut held = std::mem::take(&mut self.held_text);
        held.push_str(text);
        if let Some(at) = held.find(RAW_MARKER) {
            self.show(&held[..at], sink);
            self.fail(ProviderError {
                code: Some("raw_tool_markers".to_owned()),
                message: "the provider sent the model's tool call markers as text".to_owned(),
            });
            return Ok(());
        }
        let keep = (1..RAW_MARKER.len()).rev().find(|&n| held.ends_with(&RAW_MARKER[..n])).unwrap_or(0);
        let shown = held.len() - keep;
        self.show(&held[..shown], sink);
        self.held_text.push_str(&held[shown..]);
        Ok(())
    }

    fn show(&mut self, text: &str, sink: &mut dyn TurnSink) {
        if !text.is_empty()
            && self.turn.error.as_ref().is_none_or(|e| e.code.as_deref() != Some("raw_tool_markers"))
        {
            self.turn.text.push_str(text);
            sink.text(text);
        }
    }

    /// The end of the stream: text that was held back is text after all.
    pub(super) fn flush(&mut self, sink: &mut dyn TurnSink) {
        let held = std::mem::take(&mut self.held_text);
        self.show(&held, sink);
    }

    pub(super) fn refusal(&mut self, text: &str, sink: &mut dyn TurnSink) -> Result<()> {
        self.hold(text.len())?;
        self.turn.refusal.get_or_insert_default().push_str(text);
        sink.text(text);
        Ok(())
    }

    pub(super) fn reasoning(
        &mut self,
        text: &str,
        form: ReasoningForm,
        sink: &mut dyn TurnSink,
    ) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        self.hold(text.len())?;
        let reasoning = self.reasoning_mut(form);
        reasoning.text.push_str(text);
        sink.reasoning(text);
        Ok(())
    }

    pub(super) fn reasoning_mut(&mut self, form: ReasoningForm) -> &mut Reasoning {
        self.turn.reasoning.get_or_insert_with(|| Reasoning { text: String::new(), form, blocks: Vec::new() })
    }

    pub(super) fn into_turn(self) -> Turn {
        let mut turn = self.turn;
        turn.tool_calls = self
            .calls
            .into_iter()
            .enumerate()
            .map(|(n, call)| {
                let raw_args = match call.whole {
                    Some(value) if call.args.trim().is_empty() => value.to_string(),
                    _ => call.args,
                };
                let raw = if raw_args.trim().is_empty() { "{}" } else { raw_args.as_str() };
                let args = serde_json::from_str::<Value>(raw).ok();
                let id = if call.id.is_empty() { format!("call_{n}") } else { call.id };
                ToolCall { id, name: call.name, args, raw_args }
            })
            .collect();
        turn
    }
}
