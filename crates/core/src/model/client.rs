//! Asks a provider for one turn: sends the request, watches the clocks, feeds the decoder and the
//! assembler. Retries are the agent's decision, not made here.

use std::time::{Duration, SystemTime};

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use tokio::time::{Instant, timeout_at};

use super::body::{Body, Patience};
use super::fault::{bare_error, provider_error};
use super::sse::{SseDecoder, SseItem};
use super::wire::{self, Assemble, Request, body_bytes};
use super::{ChatMessage, ProviderError, ToolSpec, Turn, TurnSink, code_for_status, is_document};
use crate::config::{Limits, ModelConfig};
use crate::error::{CoreError, ErrorCode, Result};
use crate::http::{self, Failure};

/// How much of an error body is read.
const ERROR_BODY_BYTES: usize = 64 << 10;
/// How long the rest of a stream (usage, `[DONE]`) may take once the finish reason is there.
const AFTER_FINISH: Duration = Duration::from_secs(3);
/// How long the connection may take to end after `[DONE]`, so that it can be used again.
const AFTER_DONE: Duration = Duration::from_millis(20);

/// A model that can be asked.
#[derive(Debug, Clone)]
pub struct ModelClient {
    config: ModelConfig,
    http: reqwest::Client,
    limits: Limits,
}

/// A turn that failed: the error, and what had arrived by then.
#[derive(Debug)]
pub struct TurnFailure {
    /// The error.
    pub error: CoreError,
    /// What had arrived; boxed because it is rare and large.
    pub partial: Box<Turn>,
}

impl From<CoreError> for TurnFailure {
    fn from(error: CoreError) -> Self {
        Self { error, partial: Box::default() }
    }
}

impl ModelClient {
    /// A client for the model that `config` names.
    ///
    /// # Errors
    /// As [`http::client`].
    pub fn new(config: ModelConfig, limits: Limits) -> Result<Self> {
        let http = http::client(&config.base_url, &config.network, millis(limits.connect_ms))?;
        Ok(Self { config, http, limits })
    }

    /// The model's name.
    pub fn model(&self) -> &str {
        &self.config.model
    }

    /// What the provider is called.
    pub fn provider(&self) -> &str {
        self.config.provider()
    }

    /// The provider's host, for events and spans.
    pub fn host(&self) -> &str {
        self.config.base_url.host_str().unwrap_or_default()
    }

    /// Asks for one turn of at most `max_tokens`. Dropping the future closes the connection.
    ///
    /// # Errors
    /// Everything that keeps the turn from being whole. A turn that is returned has a finish
    /// reason, or tool calls and the end of the stream.
    pub async fn turn(
        &self,
        messages: &[ChatMessage],
        tools: &[ToolSpec],
        tool_choice: Option<&str>,
        max_tokens: u32,
        sink: &mut dyn TurnSink,
    ) -> Result<Turn, TurnFailure> {
        let request = Request {
            model: &self.config.model,
            messages,
            tools,
            tool_choice,
            temperature: self.limits.temperature,
            max_tokens,
            extra: &self.config.body,
        };
        let wire = wire::of(self.config.protocol);
        let body = body_bytes(wire, &request)?;
        let start = Instant::now();
        let response = self.send(body, start).await?;
        let mut assembler = wire.assembler(self.limits.max_answer_bytes as usize);
        let read = self.read(response, start, assembler.as_mut(), sink).await;
        let turn = assembler.into_turn(sink);
        let failure = match read {
            Err(error) => error,
            Ok(()) => match (&turn.error, turn.effective_finish()) {
                (Some(error), _) => self.in_band(error),
                (None, Some(_)) => return Ok(turn),
                (None, None) => CoreError::new(
                    ErrorCode::ModelStreamCut,
                    format!("{} ended the stream without saying why it finished", self.host()),
                ),
            },
        };
        Err(TurnFailure { error: failure, partial: Box::new(turn) })
    }

    async fn send(&self, body: Vec<u8>, start: Instant) -> Result<reqwest::Response> {
        let mut url = self.config.base_url.clone();
        let wire = wire::of(self.config.protocol);
        url.set_path(&format!("{}/{}", url.path().trim_end_matches('/'), wire.path()));
        let mut request = self
            .http
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "text/event-stream")
            .body(body);
        for (name, value) in wire.headers(self.config.api_key.as_ref()) {
            request = request.header(name, value);
        }
        for (name, value) in &self.config.headers {
            request = request.header(name.as_str(), value);
        }
        let mut response = timeout_at(start + millis(self.limits.first_byte_ms), request.send())
            .await
            .map_err(|_| self.first_byte_timeout())?
            .map_err(|error| self.transport(&error, ErrorCode::ModelConnect))?;
        let status = response.status().as_u16();
        let is_json =
            response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
                value.starts_with("application/json") || value.starts_with("application/problem+json")
            });
        if status == 200 && !is_json {
            return Ok(response);
        }
        let retry_after = http::retry_after(response.headers(), SystemTime::now());
        let body = self.rest_of_body(Vec::new(), &mut response, start).await;
        if status == 200 {
            return Err(self.no_stream(&body));
        }
        let message = provider_error(&body).message;
        let message = self.redact(&message);
        let text = if message.is_empty() { String::new() } else { format!(": {message}") };
        let mut error = CoreError::new(
            code_for_status(status, &message),
            format!("{} answered {status}{text}", self.host()),
        );
        error.status = Some(status);
        error.retry_after_ms = retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        Err(error)
    }

    /// Status 200, but no stream: an error as JSON, other JSON, or a page of a proxy.
    fn no_stream(&self, body: &str) -> CoreError {
        if let Some(error) = bare_error(body) {
            return self.in_band(&error);
        }
        let what = if body.trim_start().starts_with('<') { "a web page" } else { "JSON" };
        CoreError::new(
            ErrorCode::ModelProtocol,
            format!("{} answered with {what} instead of a stream", self.host()),
        )
    }

    /// The beginning of a body that is not read as a stream; `body` is what of it has come.
    async fn rest_of_body(
        &self,
        mut body: Vec<u8>,
        response: &mut reqwest::Response,
        start: Instant,
    ) -> String {
        let deadline = start + millis(self.limits.first_byte_ms);
        body.truncate(ERROR_BODY_BYTES);
        while body.len() < ERROR_BODY_BYTES
            && let Ok(Ok(Some(chunk))) = timeout_at(deadline, response.chunk()).await
        {
            let room = ERROR_BODY_BYTES - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        }
        String::from_utf8_lossy(&body).into_owned()
    }

    async fn read(
        &self,
        response: reqwest::Response,
        start: Instant,
        assembler: &mut dyn Assemble,
        sink: &mut dyn TurnSink,
    ) -> Result<()> {
        let turn_end = start + millis(self.limits.turn_ms);
        let stall = millis(self.limits.stall_ms);
        let mut decoder = SseDecoder::new(self.limits.max_answer_bytes as usize);
        let mut last_event: Option<Instant> = None;
        let first_byte = start + millis(self.limits.first_byte_ms);
        let mut body = Body::new(response, first_byte);
        loop {
            let quiet_until = match last_event {
                None => first_byte,
                Some(_) if assembler.is_over() => Instant::now() + AFTER_DONE,
                Some(at) if assembler.has_finish() => at + AFTER_FINISH,
                Some(at) => at + stall,
            };
            let deadline = quiet_until.min(turn_end);
            let is_streaming = assembler.has_text() && !assembler.has_finish() && !assembler.is_over();
            let patience = if is_streaming { Patience::Some } else { Patience::None };
            let chunk = match body.piece(deadline, patience).await {
                Some(Ok(Some(chunk))) => chunk,
                Some(Ok(None)) => break,
                // Whatever breaks after the answer is whole does not make it less whole.
                Some(Err(_)) | None if assembler.has_finish() || assembler.is_over() => break,
                Some(Err(error)) => return Err(self.transport(&error, ErrorCode::ModelStreamCut)),
                None if last_event.is_none() => return Err(self.first_byte_timeout()),
                None if deadline == turn_end => {
                    let ms = self.limits.turn_ms;
                    return Err(CoreError::new(
                        ErrorCode::ModelTurnTimeout,
                        format!("one turn took longer than {ms} ms"),
                    ));
                }
                None => {
                    let (host, ms) = (self.host(), self.limits.stall_ms);
                    return Err(CoreError::new(
                        ErrorCode::ModelStalled,
                        format!("{host} sent nothing for {ms} ms"),
                    ));
                }
            };
            let now = Instant::now();
            if last_event.is_none() {
                if is_document(&chunk) {
                    let text = self.rest_of_body(chunk.to_vec(), &mut body.response, start).await;
                    return Err(self.no_stream(&text));
                }
                sink.first_byte();
                last_event = Some(now);
            }
            decoder.push(&chunk, &mut |item| match item {
                // A comment keeps the connection alive; it does not show that the model works.
                SseItem::Comment => Ok(()),
                SseItem::Event { name, data } => {
                    last_event = Some(now);
                    assembler.event(name, data, sink)
                }
            })?;
        }
        decoder.finish(&mut |item| match item {
            SseItem::Comment => Ok(()),
            SseItem::Event { name, data } => assembler.event(name, data, sink),
        })
    }

    /// An error that came with status 200: its code decides as a status would, where it is one.
    fn in_band(&self, error: &ProviderError) -> CoreError {
        let status = error
            .code
            .as_deref()
            .and_then(|code| code.parse::<u16>().ok())
            .filter(|s| (400..600).contains(s));
        let code = match (status, error.code.as_deref().unwrap_or_default()) {
            (Some(status), _) => code_for_status(status, &error.message),
            (
                None,
                "overloaded_error"
                | "server_error"
                | "api_error"
                | "timeout_error"
                | "internal_server_error"
                | "service_unavailable"
                | "insufficient_system_resource"
                | "network_error"
                | "abort",
            ) => ErrorCode::ModelUnavailable,
            (None, "rate_limit_error" | "rate_limit_exceeded") => ErrorCode::ModelRateLimited,
            (None, "authentication_error" | "permission_error" | "invalid_api_key") => ErrorCode::ModelAuth,
            (None, "billing_error" | "insufficient_quota") => ErrorCode::ModelPayment,
            (None, "invalid_event" | "raw_tool_markers") => ErrorCode::ModelProtocol,
            (None, "context_length_exceeded") => ErrorCode::ModelContextLength,
            (None, _) => ErrorCode::ModelError,
        };
        let mut core = CoreError::new(
            code,
            format!("{} reported an error: {}", self.host(), self.redact(&error.message)),
        );
        core.status = status;
        core
    }

    fn first_byte_timeout(&self) -> CoreError {
        let (host, ms) = (self.host(), self.limits.first_byte_ms);
        CoreError::new(ErrorCode::ModelFirstByteTimeout, format!("{host} sent no answer within {ms} ms"))
    }

    fn transport(&self, error: &reqwest::Error, otherwise: ErrorCode) -> CoreError {
        let host = self.host();
        let (code, what) = match http::classify(error) {
            Failure::Tls(why) => (why.code(ErrorCode::ModelTls), why.text()),
            Failure::ConnectTimeout => (ErrorCode::ModelConnectTimeout, "no connection in time to"),
            Failure::Connect => (otherwise, "no connection to"),
            Failure::Timeout => (ErrorCode::ModelStalled, "no answer in time from"),
            Failure::Broken => (otherwise, "the connection broke with"),
        };
        CoreError::new(code, format!("{what} {host}")).with_cause(error)
    }

    /// Providers echo keys in their messages; they go no further.
    fn redact(&self, text: &str) -> String {
        match &self.config.api_key {
            Some(key) if key.reveal().len() >= 4 => text.replace(key.reveal(), "[key]"),
            _ => text.to_owned(),
        }
    }
}

pub(crate) fn millis(ms: u32) -> Duration {
    Duration::from_millis(u64::from(ms))
}
