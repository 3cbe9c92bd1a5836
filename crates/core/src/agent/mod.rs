//! The loop: ask the model for a turn, run the tools that it calls, ask again, until it answers.
//!
//! Knows no wire format and no job. Where text and calls go is behind [`Output`], which never
//! makes the loop wait.

pub mod breaker;
mod calls;
pub mod history;
pub mod schedule;
mod spans;
mod turn;

use std::collections::HashSet;
use std::time::Instant;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::config::Limits;
use crate::error::{CoreError, ErrorCode, Result};
use crate::event::{Events, FinishReason, Usage};
use crate::model::client::ModelClient;
use crate::model::{ChatMessage, Reasoning, ToolCall, Turn};
use crate::telemetry::Telemetry;
use crate::tool::registry::Registry;

/// What a person reads when the model ran tools and then said nothing.
pub const DONE_WITHOUT_TEXT: &str = "I've completed the task.";

/// How the model is asked to go on with an answer that the token limit cut.
pub const CONTINUE: &str = "Your answer was cut off by the output limit. Continue exactly where it stopped, without repeating anything.";

/// A call as it is stored: under an id that is unique within the message.
#[derive(Debug, Clone, PartialEq)]
pub struct CallRecord {
    /// The provider's id, made unique.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments as an object; `None` if they are cut or none, and the tool will not run.
    pub args: Option<Value>,
}

impl CallRecord {
    /// The arguments as they are shown and stored.
    pub fn shown_args(&self) -> Value {
        self.args.clone().unwrap_or_else(|| json!({}))
    }
}

/// Where a run's answer goes. Nothing here may wait.
pub trait Output: Send + Sync {
    /// Text to add.
    fn text(&self, delta: &str);
    /// Text beyond these bytes no longer counts.
    fn reset_to(&self, bytes: usize);
    /// A turn is finished, and these calls of it are about to run.
    fn turn(&self, turn: &TurnRecord, calls: &[CallRecord]);
    /// The call stored as `id` has this result.
    fn result(&self, id: &str, result: &str);
    /// Completes once everything that was said of turns until this call is safe. Calls with effects
    /// wait for it, so that a later attempt knows of them.
    fn recorded(&self) -> BoxFuture<'_, ()>;
}

/// What a later attempt needs to go on behind a finished turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TurnRecord {
    /// The turn.
    pub step: u32,
    /// The length of the answer's text after it, in UTF-8 bytes.
    pub end: usize,
    /// When it ended, in ms since 1970: what its calls do is noted under this time, by whichever
    /// attempt.
    #[serde(default)]
    pub at: f64,
    /// Its calls: stored id, and the provider's id.
    pub calls: Vec<(String, String)>,
    /// What the provider wants back with its calls, by their stored ids, as text: the store does not take
    /// every name that it may hold. Empty where it was too large to keep.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extras: Vec<(String, String)>,
    /// Its reasoning, where it must go back and is not too large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Reasoning>,
    /// Tokens of the run so far.
    pub usage: Usage,
    /// Whether the fallback has taken over.
    pub used_fallback: bool,
}

/// The reasoning of one turn that is kept for a later attempt, at most.
const MAX_KEPT_REASONING_BYTES: usize = 8 << 10;
/// What the provider wants back with one call, likewise.
const MAX_KEPT_EXTRA_BYTES: usize = 8 << 10;

/// Where an earlier attempt stopped.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resume {
    /// What the finished turns brought.
    pub answer: Answer,
    /// The conversation of the finished turns, the last one's answer included, without the results
    /// of its calls.
    pub messages: Vec<ChatMessage>,
    /// The calls of the last finished turn, and the results that are known.
    pub open: Vec<OpenCall>,
    /// When that turn ended.
    pub at: f64,
    /// The ids under which calls are stored.
    pub ids: HashSet<String>,
}

/// A call of the turn at which an earlier attempt stopped.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenCall {
    /// The call.
    pub call: ToolCall,
    /// Its stored id.
    pub id: String,
    /// Its result, if it had one.
    pub result: Option<String>,
}

/// What a run brought.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// The whole text, turns joined without a separator.
    pub text: String,
    /// Turns that the model took.
    pub steps: u32,
    /// Tool calls that it made.
    pub tool_calls: u32,
    /// Tokens of all turns.
    pub usage: Usage,
    /// The model that gave the last turn.
    pub model: String,
    /// Whether the fallback took over.
    pub used_fallback: bool,
}

/// The models of a run.
#[derive(Debug)]
pub struct ModelSet {
    /// Asked first.
    pub primary: ModelClient,
    /// Asked when the primary fails in a way that another provider may not.
    pub fallback: Option<ModelClient>,
}

/// A model, its tools and its bounds.
#[derive(Debug)]
pub struct Agent<'a> {
    /// The models.
    pub models: &'a ModelSet,
    /// The tools.
    pub tools: &'a Registry,
    /// The tool that the first turn must call.
    pub first_tool: Option<&'a str>,
    /// Whether using up the turns is an end like any other, as for a step of a plan; otherwise it is
    /// the error `STEP_LIMIT`.
    pub may_use_up_steps: bool,
    /// The bounds.
    pub limits: &'a Limits,
    /// Where events go.
    pub events: &'a Events,
    /// Where breadcrumbs and spans go.
    pub telemetry: &'a Telemetry,
    /// When the run began; times to the first text count from here.
    pub started: Instant,
}

impl Agent<'_> {
    /// Runs until the model has answered.
    ///
    /// # Errors
    /// Everything that keeps the answer from being whole; `output` has the text so far.
    pub async fn run(
        &self,
        mut messages: Vec<ChatMessage>,
        resume: Option<Resume>,
        output: &dyn Output,
    ) -> Result<Answer> {
        let resume = resume.unwrap_or_default();
        let mut asking = turn::Asking::new(self, output, &resume);
        let mut calling = calls::Calling::new(self, output, resume.ids);
        let mut continuations = 0;
        messages.extend(resume.messages);
        let done = asking.answer.steps;
        if done > 0 {
            let results = calling.finish_open(done, resume.at, &resume.open).await?;
            messages.extend(
                resume
                    .open
                    .into_iter()
                    .zip(results)
                    .map(|(open, content)| ChatMessage::Tool { call_id: open.call.id, content }),
            );
        }
        let mut said = None;
        for step in done + 1..=self.limits.max_steps {
            // The last turn may still be on its way to the store while the next is asked, the one before
            // it may not: a later attempt repeats one turn at most.
            if let Some(recorded) = said.replace(output.recorded()) {
                recorded.await;
            }
            let turn = asking.ask(step, &mut messages).await?;
            match turn.effective_finish() {
                Some(FinishReason::ToolCalls) => {}
                Some(FinishReason::Length) if !turn.tool_calls.is_empty() => {}
                Some(FinishReason::Length) => {
                    if continuations == self.limits.max_continuations || turn.text.is_empty() {
                        return Err(CoreError::new(
                            ErrorCode::OutputLimit,
                            "the answer was cut at the limit of output tokens",
                        ));
                    }
                    continuations += 1;
                    output.turn(&asking.turn_record(step, &turn), &[]);
                    messages.push(ChatMessage::Assistant {
                        text: turn.text,
                        reasoning: turn.reasoning,
                        tool_calls: vec![],
                    });
                    messages.push(ChatMessage::User(CONTINUE.to_owned()));
                    continue;
                }
                Some(FinishReason::ContentFilter) => {
                    return Err(CoreError::new(ErrorCode::ContentFilter, "the provider withheld the answer"));
                }
                Some(FinishReason::Stop | FinishReason::Other) | None => {
                    let mut answer = asking.answer;
                    if answer.text.is_empty() {
                        output.text(DONE_WITHOUT_TEXT);
                        self.events.push_text(DONE_WITHOUT_TEXT);
                        answer.text = DONE_WITHOUT_TEXT.to_owned();
                    }
                    return Ok(answer);
                }
            }
            asking.answer.tool_calls += u32::try_from(turn.tool_calls.len()).unwrap_or(u32::MAX);
            let results = calling.call_all(&asking.turn_record(step, &turn), &turn.tool_calls).await?;
            let Turn { text, reasoning, tool_calls, .. } = turn;
            let answers: Vec<ChatMessage> = tool_calls
                .iter()
                .zip(results)
                .map(|(call, content)| ChatMessage::Tool { call_id: call.id.clone(), content })
                .collect();
            messages.push(ChatMessage::Assistant { text, reasoning, tool_calls });
            messages.extend(answers);
        }
        if self.may_use_up_steps {
            return Ok(asking.answer);
        }
        let limit = self.limits.max_steps;
        Err(CoreError::new(ErrorCode::StepLimit, format!("no answer within {limit} steps")))
    }
}

fn ms_since(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1_000.0
}
