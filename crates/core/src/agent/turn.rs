//! One turn, asked until it is whole: the same model again, the fallback, a raised token limit.
//! A turn that is asked again takes back its text; finished turns and tool calls stay.

use std::time::{Duration, Instant, SystemTime};

use serde_json::json;

use super::{Agent, Answer, MAX_KEPT_REASONING_BYTES, Output, Resume, TurnRecord, ms_since, spans};
use crate::error::{CoreError, ErrorCode, Result};
use crate::event::{Event, Events, FinishReason};
use crate::http;
use crate::model::client::{ModelClient, TurnFailure};
use crate::model::policy::{Decision, Standing, decide};
use crate::model::{ChatMessage, Reasoning, ToolSpec, Turn, TurnSink};
use crate::telemetry::epoch_ms;

/// By how much the token limit is raised for a turn that it left with nothing usable.
const RAISE: u32 = 4;

/// Hands deltas of a turn on.
struct Sink<'a> {
    output: &'a dyn Output,
    events: &'a Events,
    started: Instant,
    text_bytes: usize,
    first: &'a mut bool,
}

impl TurnSink for Sink<'_> {
    fn text(&mut self, delta: &str) {
        self.text_bytes += delta.len();
        self.output.text(delta);
        if std::mem::take(self.first) {
            self.events.push_first_text(ms_since(self.started), delta);
        } else {
            self.events.push_text(delta);
        }
    }

    fn reasoning(&mut self, delta: &str) {
        self.events.push_reasoning(delta);
    }
}

/// The asking side of a run: which model, and what the turns have brought.
pub(super) struct Asking<'a> {
    agent: &'a Agent<'a>,
    output: &'a dyn Output,
    specs: Vec<ToolSpec>,
    model: &'a ModelClient,
    first_text: bool,
    /// The calls of the next turn are noted from this time on, ms since 1970: no two have one.
    free_at: f64,
    pub(super) answer: Answer,
}

impl<'a> Asking<'a> {
    /// Goes on behind what `resume` has.
    pub(super) fn new(agent: &'a Agent<'a>, output: &'a dyn Output, resume: &Resume) -> Self {
        let answer = resume.answer.clone();
        let free_at = resume.at + resume.open.len() as f64;
        let model = match &agent.models.fallback {
            Some(fallback) if answer.used_fallback => fallback,
            _ => &agent.models.primary,
        };
        Self { agent, output, specs: agent.tools.specs(), model, first_text: true, free_at, answer }
    }

    /// Asks for turn `step` until it is whole, and adds it to the answer.
    pub(super) async fn ask(&mut self, step: u32, messages: &mut [ChatMessage]) -> Result<Turn> {
        let limits = self.agent.limits;
        let mut max_tokens = limits.max_output_tokens;
        let mut standing = Standing {
            retries: 0,
            max_retries: limits.model_retries,
            waited: Duration::ZERO,
            has_fallback: !self.answer.used_fallback && self.agent.models.fallback.is_some(),
        };
        loop {
            let (result, text_bytes) = self.once(step, messages, max_tokens).await;
            let failure = match result {
                Ok(turn) if is_useless(&turn) && max_tokens == limits.max_output_tokens => {
                    let raised = max_tokens.saturating_mul(RAISE).min(limits.max_raised_output_tokens);
                    if raised <= max_tokens {
                        return Ok(self.take(step, turn));
                    }
                    max_tokens = raised;
                    self.answer.usage += turn.usage.unwrap_or_default();
                    self.take_back(text_bytes);
                    let message =
                        format!("the token limit left nothing usable; asked once more with {raised}");
                    self.agent.events.push(Event::Retry {
                        step,
                        code: ErrorCode::OutputLimit,
                        message,
                        delay_ms: 0,
                    });
                    continue;
                }
                Ok(turn) => return Ok(self.take(step, turn)),
                Err(failure) => {
                    self.answer.usage += failure.partial.usage.unwrap_or_default();
                    failure.error
                }
            };
            match (decide(&failure, standing, http::random()), &self.agent.models.fallback) {
                (Decision::Again(pause), _) => {
                    self.take_back(text_bytes);
                    standing.retries += 1;
                    standing.waited += pause;
                    self.agent.telemetry.error("model", &failure);
                    let delay_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
                    self.agent.events.push(Event::Retry {
                        step,
                        code: failure.code,
                        message: failure.message,
                        delay_ms,
                    });
                    tokio::time::sleep(pause).await;
                }
                (Decision::Fallback, Some(fallback)) => {
                    self.take_back(text_bytes);
                    standing.retries = 0;
                    standing.has_fallback = false;
                    self.model = fallback;
                    forget_extras(messages);
                    self.answer.used_fallback = true;
                    self.agent.telemetry.error("model", &failure);
                    let model = fallback.model().to_owned();
                    self.agent.events.push(Event::Fallback { step, code: failure.code, model });
                }
                (Decision::Fallback, None) | (Decision::End, _) => return Err(failure),
            }
        }
    }

    async fn once(
        &mut self,
        step: u32,
        messages: &[ChatMessage],
        max_tokens: u32,
    ) -> (Result<Turn, TurnFailure>, usize) {
        let events = self.agent.events;
        events.push(Event::TurnStart { step, model: self.model.model().to_owned() });
        let (wall, begin) = (SystemTime::now(), Instant::now());
        let forced = self.agent.first_tool.filter(|_| step == 1);
        let mut sink = Sink {
            output: self.output,
            events,
            started: self.agent.started,
            text_bytes: 0,
            first: &mut self.first_text,
        };
        let result = self.model.turn(messages, &self.specs, forced, max_tokens, &mut sink).await;
        let text_bytes = sink.text_bytes;
        let says_nothing = text_bytes == 0 && self.answer.text.is_empty() && self.answer.tool_calls == 0;
        let result = result.and_then(|turn| match turn.effective_finish() {
            // Cut calls count: the token limit is dealt with elsewhere.
            _ if forced.is_some_and(|name| turn.tool_calls.iter().all(|call| call.name != name)) => {
                let (host, name) = (self.model.host(), forced.unwrap_or_default());
                let message = format!("{host} did not call {name}, which the step begins with");
                Err(TurnFailure {
                    error: CoreError::new(ErrorCode::ToolNotCalled, message),
                    partial: Box::new(turn),
                })
            }
            Some(FinishReason::Stop | FinishReason::Other) if says_nothing => {
                let host = self.model.host();
                let message = format!("{host} finished without text and without tool calls");
                Err(TurnFailure {
                    error: CoreError::new(ErrorCode::EmptyAnswer, message),
                    partial: Box::new(turn),
                })
            }
            _ => Ok(turn),
        });
        self.record(step, wall, begin, max_tokens, &result);
        (result, text_bytes)
    }

    /// Adds a whole turn to the answer.
    fn take(&mut self, step: u32, turn: Turn) -> Turn {
        let answer = &mut self.answer;
        answer.text.push_str(&turn.text);
        answer.text.push_str(turn.refusal.as_deref().unwrap_or_default());
        answer.steps = step;
        answer.usage += turn.usage.unwrap_or_default();
        answer.model = turn.model.clone().unwrap_or_else(|| self.model.model().to_owned());
        let finish = turn.effective_finish().unwrap_or(FinishReason::Other);
        self.agent.events.push(Event::TurnEnd { step, finish, usage: turn.usage });
        turn
    }

    /// What a later attempt needs to go on behind `turn`, which is part of the answer.
    pub(super) fn turn_record(&mut self, step: u32, turn: &Turn) -> TurnRecord {
        let size = |reasoning: &Reasoning| {
            reasoning.text.len() + reasoning.blocks.iter().map(|block| block.to_string().len()).sum::<usize>()
        };
        let at = epoch_ms(SystemTime::now()).floor().max(self.free_at);
        self.free_at = at + turn.tool_calls.len() as f64;
        TurnRecord {
            step,
            end: self.answer.text.len(),
            at,
            calls: Vec::new(),
            extras: Vec::new(),
            reasoning: turn.reasoning.clone().filter(|r| size(r) <= MAX_KEPT_REASONING_BYTES),
            usage: self.answer.usage,
            used_fallback: self.answer.used_fallback,
        }
    }

    /// Takes back the text of a turn that will be asked again.
    fn take_back(&self, text_bytes: usize) {
        if text_bytes > 0 {
            let bytes = self.answer.text.len();
            self.output.reset_to(bytes);
            self.agent.events.push(Event::Reset { bytes });
        }
    }

    fn record(
        &self,
        step: u32,
        wall: SystemTime,
        begin: Instant,
        max_tokens: u32,
        result: &Result<Turn, TurnFailure>,
    ) {
        let turn = match result {
            Ok(turn) => turn,
            Err(failure) => &failure.partial,
        };
        let error = result.as_ref().err().map(|failure| failure.error.code);
        let asked = (max_tokens, self.agent.limits.temperature);
        let attributes = spans::chat(step, self.model, asked, turn, error);
        self.agent.telemetry.span(format!("chat {}", self.model.model()), wall, attributes, error);
        let outcome = error.map_or("finished", ErrorCode::name);
        self.agent.telemetry.breadcrumb(
            "model",
            format!("turn {step} {outcome}"),
            json!({ "ms": ms_since(begin) }),
        );
    }
}

/// Takes out what another provider has put beside its calls: this one may refuse it.
fn forget_extras(messages: &mut [ChatMessage]) {
    for message in messages {
        if let ChatMessage::Assistant { tool_calls, .. } = message {
            tool_calls.iter_mut().for_each(|call| call.extra = None);
        }
    }
}

/// Whether the token limit left nothing of a turn that can be used: no text and no call, or a call
/// whose arguments are cut.
fn is_useless(turn: &Turn) -> bool {
    turn.effective_finish() == Some(FinishReason::Length)
        && if turn.tool_calls.is_empty() {
            turn.text.is_empty()
        } else {
            turn.tool_calls.iter().any(|call| call.object().is_none())
        }
}
