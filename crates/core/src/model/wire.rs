//! The two wire protocols behind one trait, and the request that both serialise.

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer as _};
use serde_json::{Map, Serializer, Value};

use super::anthropic::Anthropic;
use super::openai::OpenAiChat;
use super::{ChatMessage, ToolSpec, Turn, TurnSink};
use crate::config::{Protocol, Secret};
use crate::error::{CoreError, ErrorCode, Result};

/// The implementation of `protocol`.
pub fn of(protocol: Protocol) -> &'static dyn Wire {
    match protocol {
        Protocol::OpenaiChat => &OpenAiChat,
        Protocol::Anthropic => &Anthropic,
    }
}

/// A request for one turn.
#[derive(Debug)]
pub struct Request<'a> {
    /// The model's name.
    pub model: &'a str,
    /// The conversation.
    pub messages: &'a [ChatMessage],
    /// The tools on offer; none: the field is left out.
    pub tools: &'a [ToolSpec],
    /// The tool that must be called; none: the model chooses.
    pub tool_choice: Option<&'a str>,
    /// Sampling temperature.
    pub temperature: f64,
    /// Output tokens, at most.
    pub max_tokens: u32,
    /// Fields of the host's choice; they win over the request's own.
    pub extra: &'a Map<String, Value>,
}

/// One wire protocol. Pure: bytes and values in, bytes and values out.
pub trait Wire: Send + Sync {
    /// The path below the base URL.
    fn path(&self) -> &'static str;
    /// The headers that carry the key and the protocol's version.
    fn headers(&self, key: Option<&Secret>) -> Vec<(&'static str, String)>;
    /// Writes the body of a streaming request.
    ///
    /// # Errors
    /// None that is known: the values are texts, numbers and JSON.
    fn body(&self, request: &Request<'_>, fields: &mut Fields<'_>) -> serde_json::Result<()>;
    /// An assembler for a turn that may bring at most `max_bytes`.
    fn assembler(&self, max_bytes: usize) -> Box<dyn Assemble>;
    /// The same, for recordings: every candidate is read, not only the first.
    fn replay_assembler(&self, max_bytes: usize) -> Box<dyn Assemble> {
        self.assembler(max_bytes)
    }
}

/// Turns the data of stream events into a [`Turn`].
pub trait Assemble: Send {
    /// Takes one event.
    ///
    /// # Errors
    /// `ANSWER_TOO_LARGE` when the turn passes its bound. What the provider gets wrong becomes
    /// [`Turn::error`], and later text is still read.
    fn event(&mut self, name: &[u8], data: &[u8], sink: &mut dyn TurnSink) -> Result<()>;
    /// Whether visible text has come.
    fn has_text(&self) -> bool;
    /// Whether the provider said why it finished.
    fn has_finish(&self) -> bool;
    /// Whether the stream is over: its closing event has come, or an error.
    fn is_over(&self) -> bool;
    /// The turn, once the stream is over.
    fn into_turn(self: Box<Self>, sink: &mut dyn TurnSink) -> Turn;
}

/// The fields of a request's body, written one by one: the conversation of a long run is large, and is
/// sent with every turn.
pub struct Fields<'a> {
    map: <&'a mut Serializer<Vec<u8>> as serde::Serializer>::SerializeMap,
    extra: &'a Map<String, Value>,
}

impl Fields<'_> {
    /// Adds a field, unless the host sets it itself.
    ///
    /// # Errors
    /// If the value cannot be written as JSON.
    pub fn add(&mut self, name: &str, value: &(impl Serialize + ?Sized)) -> serde_json::Result<()> {
        if self.extra.contains_key(name) {
            return Ok(());
        }
        self.map.serialize_entry(name, value)
    }
}

/// Serialises `request` for `wire`, the host's own fields last.
///
/// # Errors
/// `INTERNAL` if it cannot be serialised.
pub fn body_bytes(wire: &dyn Wire, request: &Request<'_>) -> Result<Vec<u8>> {
    write_body(wire, request).map_err(|e| {
        CoreError::new(ErrorCode::Internal, "the request could not be serialised").with_cause(&e)
    })
}

fn write_body(wire: &dyn Wire, request: &Request<'_>) -> serde_json::Result<Vec<u8>> {
    let mut json = Serializer::new(Vec::new());
    let mut fields = Fields { map: json.serialize_map(None)?, extra: request.extra };
    wire.body(request, &mut fields)?;
    for (name, value) in request.extra {
        fields.map.serialize_entry(name, value)?;
    }
    fields.map.end()?;
    Ok(json.into_inner())
}
