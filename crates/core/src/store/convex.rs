//! Convex over HTTP: `POST /api/query` and `/api/mutation`.
//!
//! A mutation whose answer was lost may have been committed, and HTTP mutations carry no identity.
//! So a call says whether it may be repeated ([`Repeat`]), and only then it is.

use std::time::{Duration, SystemTime};

use reqwest::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::StoreConfig;
use crate::error::{CoreError, ErrorCode, Result};
use crate::http::{self, Failure};

/// Time to connect to the deployment.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for one call, answer included. A Convex function runs for at most 1 s of user code; the
/// rest is queueing and the network.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);
/// Tries of a call that may be repeated.
const TRIES: u32 = 4;
/// The pause before the second try; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause between two tries.
const MAX_PAUSE: Duration = Duration::from_secs(3);
/// The longest answer that is read: Convex returns at most 16 MiB.
const MAX_ANSWER_BYTES: usize = 17 << 20;

/// Which kind of function is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Reads.
    Query,
    /// Writes.
    Mutation,
}

/// Whether a call may be made again when nobody knows if it took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Making it twice has the effect of making it once.
    Safe,
    /// The caller decides: newer data may replace it.
    Never,
}

/// A function of the deployment.
#[derive(Debug, Clone, Copy)]
pub struct Function {
    /// `module:name`.
    pub path: &'static str,
    /// Query or mutation.
    pub kind: Kind,
    /// Whether a try may follow a try.
    pub repeat: Repeat,
}

/// A deployment, and the key to its server functions.
#[derive(Debug, Clone)]
pub struct Convex {
    http: reqwest::Client,
    config: StoreConfig,
}

/// What the deployment answers.
#[derive(Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
enum Answer {
    Success {
        #[serde(default)]
        value: Value,
    },
    #[serde(rename_all = "camelCase")]
    Error {
        #[serde(default)]
        error_message: String,
        #[serde(default)]
        error_data: Option<Value>,
    },
}

impl Convex {
    /// A client for the deployment that `config` names.
    ///
    /// # Errors
    /// As [`http::client`].
    pub fn new(config: StoreConfig) -> Result<Self> {
        Ok(Self { http: http::client(&config.url, &config.network, CONNECT_TIMEOUT)?, config })
    }

    /// Calls `function` with `args` and the internal key.
    ///
    /// # Errors
    /// `STORE_*`, or the code that the function itself reported.
    pub async fn call<T: DeserializeOwned>(&self, function: Function, args: impl Serialize) -> Result<T> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Args<'a, A> {
            internal_key: &'a str,
            #[serde(flatten)]
            args: A,
        }
        #[derive(Serialize)]
        struct Body<'a, A> {
            path: &'a str,
            format: &'static str,
            args: [Args<'a, A>; 1],
        }
        let args = Args { internal_key: self.config.internal_key.reveal(), args };
        let path = self.config.path(function.path);
        let body = serde_json::to_vec(&Body { path: &path, format: "convex_encoded_json", args: [args] })
            .map_err(|e| {
                CoreError::new(ErrorCode::Internal, "arguments could not be serialised").with_cause(&e)
            })?;
        let body = bytes::Bytes::from(body);
        let mut attempt = 1;
        let value = loop {
            match self.once(function, body.clone()).await {
                Ok(value) => break value,
                Err(error) if error.retryable() && function.repeat == Repeat::Safe && attempt < TRIES => {
                    let asked = Duration::from_millis(error.retry_after_ms.unwrap_or(0)).min(MAX_PAUSE);
                    let pause = http::backoff(attempt, FIRST_PAUSE, MAX_PAUSE, http::random());
                    tokio::time::sleep(pause.max(asked)).await;
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        };
        serde_json::from_value(value).map_err(|e| {
            let path = function.path;
            CoreError::new(
                ErrorCode::StoreFunctionMissing,
                format!("{path} answered in a shape of another version: {e}"),
            )
        })
    }

    async fn once(&self, function: Function, body: bytes::Bytes) -> Result<Value> {
        let mut url = self.config.url.clone();
        let endpoint = match function.kind {
            Kind::Query => "query",
            Kind::Mutation => "mutation",
        };
        url.set_path(&format!("{}/api/{endpoint}", url.path().trim_end_matches('/')));
        let path = function.path;
        let request = self
            .http
            .post(url)
            .timeout(CALL_TIMEOUT)
            .header(CONTENT_TYPE, "application/json")
            .header("Convex-Client", concat!("polaris-", env!("CARGO_PKG_VERSION")))
            .body(body);
        let mut response = request.send().await.map_err(|e| self.transport(path, &e))?;
        let status = response.status().as_u16();
        let retry_after = http::retry_after(response.headers(), SystemTime::now());
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.transport(path, &e))? {
            if answer.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(CoreError::new(
                    ErrorCode::StoreNotConvex,
                    format!("{path}: the answer is larger than Convex allows"),
                ));
            }
            answer.extend_from_slice(&chunk);
        }
        match status {
            // A failed function is 200 in this version of Convex and 560 in others.
            200 | 560 => match serde_json::from_slice::<Answer>(&answer) {
                Ok(Answer::Success { value }) => Ok(value),
                Ok(Answer::Error { error_message, error_data }) => {
                    Err(function_error(path, &error_message, error_data))
                }
                Err(_) => Err(self.not_convex(status)),
            },
            408 | 429 | 500 | 502..=504 => {
                let mut error = CoreError::new(
                    ErrorCode::StoreUnavailable,
                    format!("{path}: the deployment answered {status}"),
                );
                error.status = Some(status);
                error.retry_after_ms =
                    retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
                Err(error)
            }
            _ => {
                #[derive(Deserialize)]
                struct Refusal {
                    code: String,
                    message: String,
                }
                Err(match serde_json::from_slice::<Refusal>(&answer) {
                    Ok(refusal) => CoreError::new(
                        ErrorCode::StoreFunctionFailed,
                        format!(
                            "{path}: the deployment answered {status} {}: {}",
                            refusal.code, refusal.message
                        ),
                    )
                    .with_status(status),
                    Err(_) => self.not_convex(status),
                })
            }
        }
    }

    fn not_convex(&self, status: u16) -> CoreError {
        let host = self.config.url.host_str().unwrap_or_default();
        CoreError::new(
            ErrorCode::StoreNotConvex,
            format!("{host} does not answer like a Convex deployment (status {status})"),
        )
        .with_status(status)
    }

    fn transport(&self, path: &str, error: &reqwest::Error) -> CoreError {
        let what = match http::classify(error) {
            Failure::Tls(why) => {
                let host = self.config.url.host_str().unwrap_or_default();
                return CoreError::new(
                    why.code(ErrorCode::StoreUnavailable),
                    format!("{path}: {} {host}", why.text()),
                )
                .with_cause(error);
            }
            Failure::ConnectTimeout | Failure::Timeout => "no answer in time",
            Failure::Connect => "no connection",
            Failure::Broken => "the connection broke",
        };
        CoreError::new(ErrorCode::StoreUnavailable, format!("{path}: {what}")).with_cause(error)
    }
}

/// The error that a function reported. Production hides the text of everything but `ConvexError`,
/// so the code decides; the text only tells a missing function.
pub(super) fn function_error(path: &str, message: &str, data: Option<Value>) -> CoreError {
    let field = |key: &str| data.as_ref().and_then(|d| d.get(key)).and_then(Value::as_str).map(str::to_owned);
    let text = field("message").unwrap_or_else(|| first_line(message));
    let code = match field("code").as_deref() {
        Some("MESSAGE_NOT_FOUND") => ErrorCode::MessageNotFound,
        Some("SUPERSEDED") => ErrorCode::Superseded,
        Some("NOT_AN_ASSISTANT_MESSAGE") => ErrorCode::NotAnAssistantMessage,
        Some("CONVERSATION_NOT_FOUND" | "PROJECT_NOT_FOUND") => ErrorCode::ProjectNotFound,
        Some("INTERNAL_KEY_NOT_CONFIGURED" | "INVALID_INTERNAL_KEY") => ErrorCode::StoreKeyRefused,
        // A code of the functions that is for the model, such as IS_A_FOLDER.
        Some(_) => {
            return CoreError {
                cause: field("code"),
                ..CoreError::new(ErrorCode::StoreFunctionFailed, text)
            };
        }
        None if message.contains("Could not find public function") => ErrorCode::StoreFunctionMissing,
        None if message.contains("ArgumentValidationError") => ErrorCode::StoreFunctionMissing,
        None => ErrorCode::StoreFunctionFailed,
    };
    CoreError::new(code, format!("{path}: {text}"))
}

fn first_line(message: &str) -> String {
    message
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("the function failed")
        .trim()
        .chars()
        .take(300)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_function_error_is_read_by_its_code_not_its_text() {
        let cases = [
            (
                json!({ "code": "MESSAGE_NOT_FOUND", "message": "Message not found" }),
                ErrorCode::MessageNotFound,
            ),
            (json!({ "code": "INVALID_INTERNAL_KEY" }), ErrorCode::StoreKeyRefused),
            (json!({ "code": "IS_A_FOLDER", "message": "src is a folder" }), ErrorCode::StoreFunctionFailed),
            (json!("text"), ErrorCode::StoreFunctionFailed),
        ];
        for (data, code) in cases {
            assert_eq!(
                function_error("system:x", "[Request ID: 1] Server Error", Some(data.clone())).code,
                code,
                "{data}"
            );
        }
        let missing =
            "Could not find public function for 'system:x'. Did you forget to run `npx convex dev`?";
        assert_eq!(function_error("system:x", missing, None).code, ErrorCode::StoreFunctionMissing);
    }
}
