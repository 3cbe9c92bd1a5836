//! One turn of a model: a request in, text, reasoning and tool calls out.
//!
//! The wire format stays in here ([`openai`]); the agent sees [`Turn`] only. Reading never waits:
//! a [`TurnSink`] is told of deltas synchronously and must not block.

pub mod client;
pub mod openai;
pub mod sse;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use ts_rs::TS;

use crate::error::{ErrorCode, Result};

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
        reasoning: Option<String>,
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
}

impl ToolCall {
    /// The arguments as a tool gets them: some providers write `null` for none.
    pub fn object(&self) -> Option<Value> {
        match &self.args {
            Some(Value::Null) => Some(Value::Object(serde_json::Map::new())),
            args => args.clone().filter(Value::is_object),
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

/// Why a turn ended, in one vocabulary for all providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum FinishReason {
    /// The model was done.
    Stop,
    /// The model wants tools to run.
    ToolCalls,
    /// The output token limit cut it.
    Length,
    /// The provider withheld the rest.
    ContentFilter,
    /// A reason that this version does not know.
    Other,
}

/// Tokens of a turn, as far as the provider reports them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Tokens of the request.
    #[ts(type = "number")]
    pub input: u64,
    /// Tokens of the answer, reasoning included.
    #[ts(type = "number")]
    pub output: u64,
    /// Of `input`: read from the provider's cache.
    #[ts(type = "number")]
    pub cached: u64,
    /// Of `output`: reasoning.
    #[ts(type = "number")]
    pub reasoning: u64,
    /// Cost in the provider's currency (OpenRouter: US dollars); 0 where it is not reported.
    pub cost: f64,
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.input += other.input;
        self.output += other.output;
        self.cached += other.cached;
        self.reasoning += other.reasoning;
        self.cost += other.cost;
    }
}

/// An error that the provider reported in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderError {
    /// The provider's own code or type.
    pub code: Option<String>,
    /// Its message.
    pub message: String,
}

/// What one turn brought.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Turn {
    /// Visible text (a refusal included).
    pub text: String,
    /// Reasoning; never shown as answer.
    pub reasoning: String,
    /// The calls, in the order in which the model began them.
    pub tool_calls: Vec<ToolCall>,
    /// Why it ended; `None` if the stream ended without saying so.
    pub finish: Option<FinishReason>,
    /// The provider's own word for it.
    pub finish_raw: Option<String>,
    /// Tokens.
    pub usage: Option<Usage>,
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

/// Reads a whole recorded stream of chat completions, given in parts at any split.
///
/// # Errors
/// `ANSWER_TOO_LARGE` beyond 64 MiB.
pub fn replay(parts: &[&[u8]]) -> Result<Turn> {
    const MAX_BYTES: usize = 64 << 20;
    let mut decoder = sse::SseDecoder::new(MAX_BYTES);
    let mut assembler = openai::Assembler::new(MAX_BYTES).all_candidates();
    let mut sink = |item: sse::SseItem<'_>| match item {
        sse::SseItem::Comment => Ok(()),
        sse::SseItem::Event { name, data } => assembler.event(name, data, &mut Silent),
    };
    for part in parts {
        decoder.push(part, &mut sink)?;
    }
    decoder.finish(&mut sink)?;
    Ok(assembler.into_turn())
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
