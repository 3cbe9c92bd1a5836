//! One turn of a model: a request in, text, reasoning and tool calls out.
//!
//! The wire format stays in here ([`openai`]); the agent sees [`Turn`] only. Reading never waits:
//! a [`TurnSink`] is told of deltas synchronously and must not block.

pub mod anthropic;
mod anthropic_request;
mod body;
mod build;
mod chunk;
pub mod client;
mod fault;
mod lenient;
pub mod openai;
mod openai_request;
pub mod policy;
mod repeat;
pub mod sse;
pub mod wire;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::Protocol;
use crate::error::{ErrorCode, Result};
pub use crate::event::{FinishReason, Usage};

/// One message of the conversation as the agent keeps it.
#[derive(Debug, Clone, PartialEq)]
pub enum ChatMessage {
    /// What the job tells the model about its role.
    System(String),
    /// What the user said.
    User(String),
    /// What the model said, and the calls that it made.
    Assistant {
        /// Its text; empty if it only called tools.
        text: String,
        /// Its reasoning, sent back where the provider wants it.
        reasoning: Option<Reasoning>,
        /// Its calls.
        tool_calls: Vec<ToolCall>,
    },
    /// What a tool answered.
    Tool {
        /// The id of the call, verbatim as the provider gave it.
        call_id: String,
        /// The answer.
        content: String,
    },
}

/// Reasoning of a turn, and what the provider wants back of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reasoning {
    /// The text, for people.
    pub text: String,
    /// Under which name it came.
    pub form: ReasoningForm,
    /// The provider's own blocks, to be sent back as they are.
    pub blocks: Vec<Value>,
}

/// Under which name reasoning came, and so goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReasoningForm {
    /// `reasoning_content` (Moonshot, z.ai, DeepSeek).
    ReasoningContent,
    /// `reasoning` (Cerebras, Groq, OpenRouter).
    Reasoning,
    /// `reasoning_details` (OpenRouter).
    Details,
    /// Parts of the content (Mistral).
    Parts,
    /// Signed blocks (Anthropic).
    Thinking,
}

/// A call of a tool, as the model made it.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    /// The provider's id, verbatim; a generated one where it gave none.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// The arguments as the model wrote them.
    pub raw_args: String,
    /// The arguments as JSON, `{}` where there are none; `None` if they are cut or no JSON.
    pub args: Option<Value>,
    /// What the provider wants back with the call, JSON as it stands in `extra_content`: Gemini refuses
    /// the next turn without the signature that it put there, and others refuse a field of this name.
    pub extra: Option<String>,
}

/// What Gemini takes for a signature that is not there any more.
pub const UNSIGNED: &str = r#"{"google":{"thought_signature":"skip_thought_signature_validator"}}"#;

impl ToolCall {
    /// The arguments as a tool gets them: some providers write `null` or `[]` for none, some put the
    /// object into a JSON string.
    pub fn object(&self) -> Option<Value> {
        match self.args.as_ref()? {
            Value::Null => Some(Value::Object(serde_json::Map::new())),
            Value::Array(items) if items.is_empty() => Some(Value::Object(serde_json::Map::new())),
            Value::String(text) => serde_json::from_str(text).ok().filter(Value::is_object),
            args => Some(args.clone()).filter(Value::is_object),
        }
    }
}

/// A tool as the model is told of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ToolSpec {
    /// The name by which it is called.
    pub name: String,
    /// What it does and when to use it.
    pub description: String,
    /// JSON Schema (draft-07) of its arguments: an object.
    pub parameters: Value,
}

/// An error that the provider reported in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderError {
    /// The provider's own code or type.
    pub code: Option<String>,
    /// Its message.
    pub message: String,
}

impl ProviderError {
    /// The error for data that is not what it should be.
    pub(crate) fn unreadable(what: &str, data: &str) -> Self {
        let start: String = data.chars().take(80).collect();
        Self {
            code: Some("invalid_event".to_owned()),
            message: format!("the provider sent something that is not {what}: {start}"),
        }
    }
}

/// What one turn brought.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Turn {
    /// Visible text; a refusal that is marked as one stands in `refusal`.
    pub text: String,
    /// Reasoning; never shown as answer.
    pub reasoning: Option<Reasoning>,
    /// The calls, in the order in which the model began them.
    pub tool_calls: Vec<ToolCall>,
    /// Why it ended; `None` if the stream ended without saying so.
    pub finish: Option<FinishReason>,
    /// The provider's own word for it.
    pub finish_raw: Option<String>,
    /// Tokens.
    pub usage: Option<Usage>,
    /// The provider's own sum of tokens; with some it holds more than input and output.
    pub total_tokens: Option<u64>,
    /// The model that answered, where the provider says so.
    pub model: Option<String>,
    /// An error inside the stream.
    pub error: Option<ProviderError>,
    /// The refusal, where the provider marks it as one.
    pub refusal: Option<String>,
    /// Whether the closing `[DONE]` came.
    pub done: bool,
}

impl Turn {
    /// What to act on: calls count even where the provider says `stop` or nothing but `[DONE]`.
    pub fn effective_finish(&self) -> Option<FinishReason> {
        let has_calls = !self.tool_calls.is_empty();
        match self.finish {
            Some(FinishReason::Stop | FinishReason::Other) if has_calls => Some(FinishReason::ToolCalls),
            Some(FinishReason::ToolCalls) if !has_calls => Some(FinishReason::Stop),
            None if self.done && has_calls && self.tool_calls.iter().all(|c| c.object().is_some()) => {
                Some(FinishReason::ToolCalls)
            }
            finish => finish,
        }
    }
}

/// Hears of a turn while it streams. Calls are synchronous and must return at once.
pub trait TurnSink: Send {
    /// The first byte of the answer has come.
    fn first_byte(&mut self) {}
    /// Visible text.
    fn text(&mut self, delta: &str);
    /// Reasoning.
    fn reasoning(&mut self, _delta: &str) {}
}

/// A sink that hears nothing.
#[derive(Debug, Default)]
pub struct Silent;

impl TurnSink for Silent {
    fn text(&mut self, _delta: &str) {}
}

/// Reads a whole recorded stream, given in parts at any split.
///
/// # Errors
/// `ANSWER_TOO_LARGE` beyond 64 MiB.
pub fn replay(protocol: Protocol, parts: &[&[u8]]) -> Result<Turn> {
    const MAX_BYTES: usize = 64 << 20;
    let body = || parts.iter().flat_map(|part| part.iter().copied());
    let start: Vec<u8> = body().take(256).collect();
    if is_document(&start) {
        let body: Vec<u8> = body().take(MAX_BYTES).collect();
        let body = String::from_utf8_lossy(&body);
        let error =
            fault::bare_error(&body).unwrap_or_else(|| ProviderError::unreadable("an event stream", &body));
        return Ok(Turn { error: Some(error), ..Turn::default() });
    }
    let mut decoder = sse::SseDecoder::new(MAX_BYTES);
    let mut assembler = wire::of(protocol).replay_assembler(MAX_BYTES);
    let mut sink = |item: sse::SseItem<'_>| match item {
        sse::SseItem::Comment => Ok(()),
        sse::SseItem::Event { name, data } => assembler.event(name, data, &mut Silent),
    };
    for part in parts {
        decoder.push(part, &mut sink)?;
    }
    decoder.finish(&mut sink)?;
    Ok(assembler.into_turn(&mut Silent))
}

/// Whether a body is JSON or a web page by its first bytes, which no line of an event stream has.
fn is_document(start: &[u8]) -> bool {
    let start = start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start);
    matches!(start.trim_ascii_start().first(), Some(b'{' | b'[' | b'<'))
}

/// The error code for an HTTP status of a provider, with what its message says where the status
/// alone is ambiguous.
pub fn code_for_status(status: u16, message: &str) -> ErrorCode {
    match status {
        401 | 403 => ErrorCode::ModelAuth,
        402 => ErrorCode::ModelPayment,
        400 | 413 | 422 if is_context_length(message) => ErrorCode::ModelContextLength,
        408 | 409 | 425 | 500..=599 => ErrorCode::ModelUnavailable,
        429 => ErrorCode::ModelRateLimited,
        _ => ErrorCode::ModelBadRequest,
    }
}

fn is_context_length(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    [
        "context length",
        "context_length",
        "context window",
        "maximum context",
        "too many tokens",
        "prompt is too long",
    ]
    .iter()
    .any(|needle| message.contains(needle))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_has_one_code() {
        let cases = [
            (400, "", ErrorCode::ModelBadRequest),
            (400, "This model's maximum context length is 8192 tokens", ErrorCode::ModelContextLength),
            (401, "", ErrorCode::ModelAuth),
            (402, "", ErrorCode::ModelPayment),
            (403, "", ErrorCode::ModelAuth),
            (404, "", ErrorCode::ModelBadRequest),
            (408, "", ErrorCode::ModelUnavailable),
            (429, "", ErrorCode::ModelRateLimited),
            (500, "", ErrorCode::ModelUnavailable),
            (529, "", ErrorCode::ModelUnavailable),
        ];
        for (status, message, code) in cases {
            assert_eq!(code_for_status(status, message), code, "{status} {message}");
        }
    }
}
