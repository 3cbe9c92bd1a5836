//! What both assemblers share: a [`Turn`] under construction, its size limit, and the guards that
//! hold for every provider.

use std::borrow::Cow;

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
    pub(super) extra: Option<String>,
}

/// Up to this size the arguments of a call are looked at to tell whether they are whole.
const MAX_LOOKED_AT_BYTES: usize = 64 << 10;

impl PartialCall {
    /// Whether the arguments are a whole object, so that nothing can follow them.
    pub(super) fn is_whole(&self) -> bool {
        self.args.len() <= MAX_LOOKED_AT_BYTES
            && self.args.trim_ascii_end().ends_with('}')
            && serde_json::from_str::<Value>(&self.args).is_ok_and(|args| args.is_object())
    }

    /// Takes a name, or a piece of one: some providers repeat it, some let it grow.
    pub(super) fn add_name(&mut self, name: Cow<'_, str>) {
        if self.name.is_empty() || name.starts_with(&self.name) {
            self.name = name.into_owned();
        } else if self.args.is_empty() && !self.name.starts_with(&*name) {
            self.name.push_str(&name);
        }
    }

    /// Whether nothing in it says what to call.
    fn is_empty(&self) -> bool {
        self.name.is_empty() && self.args.trim().is_empty() && self.whole.is_none()
    }
}

/// Arguments as JSON; none if they are cut.
fn read_args(raw: &str) -> Option<Value> {
    if raw.trim().is_empty() {
        return Some(Value::Object(serde_json::Map::new()));
    }
    serde_json::from_str(raw).ok()
}

/// The one object of arguments that came more than once, or behind an empty one: some servers
/// announce a call with `{}`, some repeat the whole at the end.
fn read_repeated_args(raw: &str) -> Option<Value> {
    let objects = serde_json::Deserializer::from_str(raw).into_iter::<Value>();
    let mut objects = objects.collect::<std::result::Result<Vec<_>, _>>().ok()?;
    if !objects.iter().all(Value::is_object) {
        return None;
    }
    objects.retain(|object| object.as_object().is_some_and(|fields| !fields.is_empty()));
    let first = objects.pop().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    objects.iter().all(|object| *object == first).then_some(first)
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

    /// Whether nothing of the answer has come.
    pub(super) fn is_empty(&self) -> bool {
        let turn = &self.turn;
        let is_silent = turn.text.is_empty() && self.held_text.is_empty() && turn.refusal.is_none();
        is_silent && turn.reasoning.is_none() && self.calls.is_empty()
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
            .filter(|call| !call.is_empty())
            .enumerate()
            .map(|(n, call)| {
                let mut raw_args = match call.whole {
                    Some(value) if call.args.trim().is_empty() => value.to_string(),
                    _ => call.args,
                };
                let mut args = read_args(&raw_args);
                if args.is_none()
                    && let Some(once) = read_repeated_args(&raw_args)
                {
                    raw_args = once.to_string();
                    args = Some(once);
                }
                let id = if call.id.is_empty() { format!("call_{n}") } else { call.id };
                ToolCall { id, name: call.name, args, raw_args, extra: call.extra }
            })
            .collect();
        turn
    }
}
