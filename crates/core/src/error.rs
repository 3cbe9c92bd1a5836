//! Every error that a run can end with, in one table: stable code, whether a new attempt can
//! help, and what the person who operates the job should do.
//!
//! Tools do not use this type for what the model may correct: they answer with text
//! (see [`crate::tool::ToolError`]). What arrives here ends the run.

use serde::Serialize;
use ts_rs::TS;

/// A stable name for what went wrong. It is the `code` of the JavaScript error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, TS)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[ts(rename = "ErrorCode")]
pub enum ErrorCode {
    /// A variable that the run needs is not set.
    ConfigMissing,
    /// A variable or an option has a value that cannot be used.
    ConfigInvalid,
    /// The payload of the run does not have the shape that its job needs.
    PayloadInvalid,
    /// The message does not exist (any more).
    MessageNotFound,
    /// The message is not an assistant message.
    NotAnAssistantMessage,
    /// The conversation or the project of the message does not exist (any more).
    ProjectNotFound,
    /// The provider refused the key (401, 403).
    ModelAuth,
    /// The provider wants to be paid first (402).
    ModelPayment,
    /// The provider refused the request itself (400, 404, 422).
    ModelBadRequest,
    /// The conversation is longer than the model's context window.
    ModelContextLength,
    /// The provider limits the rate (429).
    ModelRateLimited,
    /// The provider cannot answer now (5xx, overloaded).
    ModelUnavailable,
    /// No connection to the provider: refused, reset, name not found.
    ModelConnect,
    /// The TLS handshake with the provider failed.
    ModelTls,
    /// The certificate of the other side is not valid at this time.
    TlsCertificateExpired,
    /// The certificate of the other side is for another host.
    TlsWrongHost,
    /// The certificate of the other side is signed by nobody whom this machine trusts.
    TlsUnknownIssuer,
    /// No connection within the connect limit.
    ModelConnectTimeout,
    /// No first byte of an answer within its limit.
    ModelFirstByteTimeout,
    /// The stream stood still for longer than the stall limit.
    ModelStalled,
    /// One turn took longer than its limit.
    ModelTurnTimeout,
    /// The stream ended, or was reset, before the provider said why it finished.
    ModelStreamCut,
    /// The provider sent something that is not its protocol.
    ModelProtocol,
    /// The provider reported an error inside the stream.
    ModelError,
    /// The answer is larger than the run may hold in memory.
    AnswerTooLarge,
    /// The answer was cut by the output token limit.
    OutputLimit,
    /// The provider withheld the answer.
    ContentFilter,
    /// The model finished without text and without tool calls.
    EmptyAnswer,
    /// The step limit was reached before the model gave an answer.
    StepLimit,
    /// The model made the same call with the same result again and again.
    ToolLoop,
    /// The model did not call the tool that it had to call first.
    ToolNotCalled,
    /// The store's URL does not answer like a Convex deployment.
    StoreNotConvex,
    /// The store refused the internal key.
    StoreKeyRefused,
    /// The store lacks a function that the core calls.
    StoreFunctionMissing,
    /// A function of the store failed.
    StoreFunctionFailed,
    /// The store cannot be reached or does not answer in time.
    StoreUnavailable,
    /// A tool failed in a way that the model cannot correct.
    ToolFatal,
    /// A tool cannot work now, and the model cannot help it.
    ToolUnavailable,
    /// A newer attempt works on the message, or somebody else ended it.
    Superseded,
    /// The run was cancelled.
    Cancelled,
    /// The runner's time limit for the run passed.
    RunTimeout,
    /// A defect of the core itself.
    Internal,
}

impl ErrorCode {
    /// All codes, in the order of the table.
    pub const ALL: [ErrorCode; 42] = {
        use ErrorCode::*;
        [
            ConfigMissing,
            ConfigInvalid,
            PayloadInvalid,
            MessageNotFound,
            NotAnAssistantMessage,
            ProjectNotFound,
            ModelAuth,
            ModelPayment,
            ModelBadRequest,
            ModelContextLength,
            ModelRateLimited,
            ModelUnavailable,
            ModelConnect,
            ModelTls,
            TlsCertificateExpired,
            TlsWrongHost,
            TlsUnknownIssuer,
            ModelConnectTimeout,
            ModelFirstByteTimeout,
            ModelStalled,
            ModelTurnTimeout,
            ModelStreamCut,
            ModelProtocol,
            ModelError,
            AnswerTooLarge,
            OutputLimit,
            ContentFilter,
            EmptyAnswer,
            StepLimit,
            ToolLoop,
            ToolNotCalled,
            StoreNotConvex,
            StoreKeyRefused,
            StoreFunctionMissing,
            StoreFunctionFailed,
            StoreUnavailable,
            ToolFatal,
            ToolUnavailable,
            Superseded,
            Cancelled,
            RunTimeout,
            Internal,
        ]
    };

    /// The row of this code: `(name, a new attempt can help, what to do)`.
    const fn row(self) -> (&'static str, bool, &'static str) {
        use ErrorCode::*;
        match self {
            ConfigMissing => ("CONFIG_MISSING", false, "set the variable that the message names"),
            ConfigInvalid => {
                ("CONFIG_INVALID", false, "correct the variable or option that the message names")
            }
            PayloadInvalid => {
                ("PAYLOAD_INVALID", false, "trigger the task with the payload that its type describes")
            }
            MessageNotFound => (
                "MESSAGE_NOT_FOUND",
                false,
                "the message was deleted, or the id belongs to another deployment",
            ),
            NotAnAssistantMessage => (
                "NOT_AN_ASSISTANT_MESSAGE",
                false,
                "trigger the task with the id of the empty assistant message",
            ),
            ProjectNotFound => ("PROJECT_NOT_FOUND", false, "the project or conversation was deleted"),
            ModelAuth => ("MODEL_AUTH", false, "check the provider's API key"),
            ModelPayment => ("MODEL_PAYMENT", false, "add credit to the provider's account"),
            ModelBadRequest => ("MODEL_BAD_REQUEST", false, "check the model name and the base URL"),
            ModelContextLength => (
                "MODEL_CONTEXT_LENGTH",
                false,
                "start a new conversation, or choose a model with a larger context",
            ),
            ModelRateLimited => ("MODEL_RATE_LIMITED", true, "wait, or raise the provider's rate limit"),
            ModelUnavailable => ("MODEL_UNAVAILABLE", true, "the provider has an outage; try again later"),
            ModelConnect => ("MODEL_CONNECT", true, "check the base URL and the network"),
            ModelTls => (
                "MODEL_TLS",
                false,
                "check the certificate of the provider or proxy, and the CA that the worker trusts",
            ),
            TlsCertificateExpired => (
                "TLS_CERTIFICATE_EXPIRED",
                false,
                "renew the server's certificate, or set this machine's clock",
            ),
            TlsWrongHost => (
                "TLS_WRONG_HOST",
                false,
                "use the host name that the certificate is for, or a certificate for this host",
            ),
            TlsUnknownIssuer => {
                ("TLS_UNKNOWN_ISSUER", false, "name the file of the CA's certificate in NODE_EXTRA_CA_CERTS")
            }
            ModelConnectTimeout => ("MODEL_CONNECT_TIMEOUT", true, "check the base URL and the network"),
            ModelFirstByteTimeout => (
                "MODEL_FIRST_BYTE_TIMEOUT",
                true,
                "the provider is slow; raise limits.firstByteMs or choose another model",
            ),
            ModelStalled => (
                "MODEL_STALLED",
                true,
                "the provider's stream stood still; raise limits.stallMs or choose another model",
            ),
            ModelTurnTimeout => {
                ("MODEL_TURN_TIMEOUT", true, "raise limits.turnMs or lower limits.maxOutputTokens")
            }
            ModelStreamCut => ("MODEL_STREAM_CUT", true, "the provider's stream ended early; try again"),
            ModelProtocol => ("MODEL_PROTOCOL", true, "check that the base URL speaks the chosen protocol"),
            ModelError => ("MODEL_ERROR", true, "the provider failed while answering; try again"),
            AnswerTooLarge => ("ANSWER_TOO_LARGE", false, "ask for a shorter answer"),
            OutputLimit => {
                ("OUTPUT_LIMIT", false, "raise limits.maxOutputTokens, or ask for a shorter answer")
            }
            ContentFilter => ("CONTENT_FILTER", false, "rephrase the request"),
            EmptyAnswer => {
                ("EMPTY_ANSWER", true, "the model gave no answer; try again or choose another model")
            }
            StepLimit => ("STEP_LIMIT", false, "ask to continue, or raise limits.maxSteps"),
            ToolLoop => ("TOOL_LOOP", false, "rephrase the request, or choose another model"),
            ToolNotCalled => ("TOOL_NOT_CALLED", true, "choose a model that calls tools when it is told to"),
            StoreNotConvex => (
                "STORE_NOT_CONVEX",
                false,
                "set CONVEX_URL (or NEXT_PUBLIC_CONVEX_URL) to the URL of the deployment",
            ),
            StoreKeyRefused => (
                "STORE_KEY_REFUSED",
                false,
                "give POLARIS_CONVEX_INTERNAL_KEY the same value in the worker and in the Convex deployment",
            ),
            StoreFunctionMissing => (
                "STORE_FUNCTION_MISSING",
                false,
                "deploy the Convex functions of this version (npx convex deploy)",
            ),
            StoreFunctionFailed => ("STORE_FUNCTION_FAILED", false, "see the deployment's log"),
            StoreUnavailable => {
                ("STORE_UNAVAILABLE", true, "check CONVEX_URL and the state of the deployment")
            }
            ToolFatal => ("TOOL_FATAL", false, "see the cause"),
            ToolUnavailable => {
                ("TOOL_UNAVAILABLE", true, "see the cause: what the tool needs does not answer now")
            }
            Superseded => {
                ("SUPERSEDED", false, "nothing: a newer attempt of the run goes on with the message")
            }
            Cancelled => ("CANCELLED", false, "nothing: the run was cancelled"),
            RunTimeout => ("RUN_TIMEOUT", false, "raise maxDuration of the task, or ask for less at once"),
            Internal => ("INTERNAL", true, "this is a defect of polaris-agent; please report it"),
        }
    }

    /// The name as JavaScript sees it, e.g. `MODEL_RATE_LIMITED`.
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    /// Whether a new attempt of the run can succeed where this one failed.
    pub const fn retryable(self) -> bool {
        self.row().1
    }

    /// What the operator should do, as the end of a sentence.
    pub const fn hint(self) -> &'static str {
        self.row().2
    }
}

/// An error that ends a run.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct CoreError {
    /// What went wrong.
    pub code: ErrorCode,
    /// One line for people; carries no secret and no text of the conversation.
    pub message: String,
    /// The HTTP status behind it, where there is one.
    pub status: Option<u16>,
    /// How long the other side asked to wait before a new try, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// The innermost cause as text.
    pub cause: Option<String>,
}

impl CoreError {
    /// An error with a code and a message.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), status: None, retry_after_ms: None, cause: None }
    }

    /// Adds the HTTP status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Adds the innermost cause of `error`: outer layers repeat its text.
    #[must_use]
    pub fn with_cause(mut self, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut innermost = error;
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        self.cause = Some(innermost.to_string());
        self
    }

    /// Whether a new attempt can help.
    pub fn retryable(&self) -> bool {
        self.code.retryable()
    }
}

/// The result of everything that can end a run.
pub type Result<T, E = CoreError> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_in_the_table_is_the_name_that_serde_writes() {
        for code in ErrorCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.name());
            assert!(!code.hint().is_empty());
        }
    }

    #[test]
    fn only_the_innermost_cause_is_kept() {
        let inner = std::io::Error::other("connection refused");
        let outer = std::io::Error::other(inner);
        let error = CoreError::new(ErrorCode::ModelConnect, "no connection").with_cause(&outer);
        assert_eq!(error.cause.as_deref(), Some("connection refused"));
    }
}
