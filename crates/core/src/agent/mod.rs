//! The loop: ask the model for a turn, run the tools that it calls, ask again, until it answers.
//!
//! Knows no wire format and no job. Where text and calls go is behind [`Output`], which never
//! makes the loop wait.

pub mod schedule;

use std::collections::HashSet;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::config::Limits;
use crate::error::{CoreError, ErrorCode, Result};
use crate::event::{Event, Events};
use crate::http;
use crate::model::client::{ModelClient, TurnFailure, millis};
use crate::model::{ChatMessage, FinishReason, ToolCall, ToolSpec, Turn, TurnSink, Usage};
use crate::telemetry::Telemetry;
use crate::tool::registry::Registry;
use crate::tool::{Access, ToolError, cap};

/// The pause before a turn is asked again; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause that the agent chooses by itself.
const MAX_PAUSE: Duration = Duration::from_secs(8);
/// The longest wait that a provider may ask for; beyond it the attempt ends, and the runner retries.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// What a person reads when the model ran tools and then said nothing.
pub const DONE_WITHOUT_TEXT: &str = "I've completed the task.";

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
    /// These calls are about to run.
    fn calls(&self, calls: &[CallRecord]);
    /// The call stored as `id` has this result.
    fn result(&self, id: &str, result: &str);
}

/// What a run brought.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The whole text, turns joined without a separator.
    pub text: String,
    /// Turns that the model took.
    pub steps: u32,
    /// Tool calls that it made.
    pub tool_calls: u32,
    /// Tokens of all turns.
    pub usage: Usage,
}

/// A model, its tools and its bounds.
#[derive(Debug)]
pub struct Agent<'a> {
    /// The model.
    pub model: &'a ModelClient,
    /// The tools.
    pub tools: &'a Registry,
    /// The bounds.
    pub limits: &'a Limits,
    /// Where events go.
    pub events: &'a Events,
    /// Where breadcrumbs and spans go.
    pub telemetry: &'a Telemetry,
    /// When the run began; times to the first text count from here.
    pub started: Instant,
}

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
        if std::mem::take(self.first) {
            self.events.push(Event::FirstText { ms: ms_since(self.started) });
        }
        self.text_bytes += delta.len();
        self.output.text(delta);
        self.events.push_text(delta);
    }

    fn reasoning(&mut self, delta: &str) {
        self.events.push(Event::Reasoning { text: delta.to_owned() });
    }
}

impl Agent<'_> {
    /// Runs until the model has answered.
    ///
    /// # Errors
    /// Everything that keeps the answer from being whole; `output` has the text so far.
    pub async fn run(&self, mut messages: Vec<ChatMessage>, output: &dyn Output) -> Result<Answer> {
        let specs = self.tools.specs();
        let mut answer = Answer { text: String::new(), steps: 0, tool_calls: 0, usage: Usage::default() };
        let mut ids = HashSet::new();
        let mut first_text = true;
        for step in 1..=self.limits.max_steps {
            let turn = self.ask(step, &messages, &specs, &mut answer, output, &mut first_text).await?;
            answer.steps = step;
            answer.usage += turn.usage.unwrap_or_default();
            match turn.effective_finish() {
                Some(FinishReason::ToolCalls) => {}
                Some(FinishReason::Length) if !turn.tool_calls.is_empty() => {}
                Some(FinishReason::Length) => {
                    let limit = self.limits.max_output_tokens;
                    return Err(CoreError::new(
                        ErrorCode::OutputLimit,
                        format!("the answer was cut at the limit of {limit} output tokens"),
                    ));
                }
                Some(FinishReason::ContentFilter) => {
                    return Err(CoreError::new(ErrorCode::ContentFilter, "the provider withheld the answer"));
                }
                Some(FinishReason::Stop | FinishReason::Other) | None => {
                    if answer.text.is_empty() {
                        output.text(DONE_WITHOUT_TEXT);
                        self.events.push_text(DONE_WITHOUT_TEXT);
                        answer.text = DONE_WITHOUT_TEXT.to_owned();
                    }
                    return Ok(answer);
                }
            }
            answer.tool_calls += u32::try_from(turn.tool_calls.len()).unwrap_or(u32::MAX);
            let results = self.call_tools(step, &turn.tool_calls, &mut ids, output).await?;
            let Turn { text, reasoning, tool_calls, .. } = turn;
            let answers = tool_calls
                .iter()
                .zip(results)
                .map(|(call, content)| ChatMessage::Tool { call_id: call.id.clone(), content });
            let answers: Vec<ChatMessage> = answers.collect();
            messages.push(ChatMessage::Assistant { text, reasoning, tool_calls });
            messages.extend(answers);
        }
        let limit = self.limits.max_steps;
        Err(CoreError::new(ErrorCode::StepLimit, format!("no answer within {limit} steps")))
    }

    /// One turn, asked again after failures that pass. A turn that is asked again takes back its text.
    async fn ask(
        &self,
        step: u32,
        messages: &[ChatMessage],
        specs: &[ToolSpec],
        answer: &mut Answer,
        output: &dyn Output,
        first_text: &mut bool,
    ) -> Result<Turn> {
        let mut tries = 0;
        loop {
            self.events.push(Event::TurnStart { step, model: self.model.model().to_owned() });
            let (wall, begin) = (SystemTime::now(), Instant::now());
            let mut sink =
                Sink { output, events: self.events, started: self.started, text_bytes: 0, first: first_text };
            let result = self.model.turn(messages, specs, &mut sink).await;
            let text_bytes = sink.text_bytes;
            let result = result.and_then(|turn| match turn.effective_finish() {
                Some(FinishReason::Stop | FinishReason::Other)
                    if text_bytes == 0 && answer.text.is_empty() && answer.tool_calls == 0 =>
                {
                    let host = self.model.host();
                    let error = CoreError::new(
                        ErrorCode::EmptyAnswer,
                        format!("{host} finished without text and without tool calls"),
                    );
                    Err(TurnFailure { error, partial: Box::new(turn) })
                }
                _ => Ok(turn),
            });
            self.record_turn(step, wall, begin, &result);
            let failure = match result {
                Ok(turn) => {
                    answer.text.push_str(&turn.text);
                    answer.text.push_str(turn.refusal.as_deref().unwrap_or_default());
                    let finish = turn.effective_finish().unwrap_or(FinishReason::Other);
                    self.events.push(Event::TurnEnd { step, finish, usage: turn.usage });
                    return Ok(turn);
                }
                Err(failure) => failure.error,
            };
            let asked = Duration::from_millis(failure.retry_after_ms.unwrap_or(0));
            if !failure.retryable() || tries == self.limits.model_retries || asked > MAX_RETRY_AFTER {
                return Err(failure);
            }
            tries += 1;
            if text_bytes > 0 {
                output.reset_to(answer.text.len());
                self.events.push(Event::Reset { bytes: answer.text.len() });
            }
            let pause = http::backoff(tries, FIRST_PAUSE, MAX_PAUSE, http::random()).max(asked);
            self.telemetry.error("model", &failure);
            self.events.push(Event::Retry {
                step,
                code: failure.code,
                message: failure.message,
                delay_ms: u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
            });
            tokio::time::sleep(pause).await;
        }
    }

    fn record_turn(&self, step: u32, wall: SystemTime, begin: Instant, result: &Result<Turn, TurnFailure>) {
        let model = self.model.model();
        let usage = result.as_ref().ok().and_then(|turn| turn.usage).unwrap_or_default();
        let error = result.as_ref().err().map(|failure| failure.error.code);
        let attributes = json!({
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": model,
            "gen_ai.request.max_tokens": self.limits.max_output_tokens,
            "gen_ai.usage.input_tokens": usage.input,
            "gen_ai.usage.output_tokens": usage.output,
            "server.address": self.model.host(),
            "polaris.step": step,
        });
        self.telemetry.span(format!("chat {model}"), wall, attributes, error);
        let outcome = error.map_or("finished", ErrorCode::name);
        self.telemetry.breadcrumb(
            "model",
            format!("turn {step} {outcome}"),
            json!({ "ms": ms_since(begin) }),
        );
    }

    async fn call_tools(
        &self,
        step: u32,
        calls: &[ToolCall],
        ids: &mut HashSet<String>,
        output: &dyn Output,
    ) -> Result<Vec<String>> {
        let records: Vec<CallRecord> = calls
            .iter()
            .map(|call| CallRecord {
                id: unique_id(ids, &call.id, step),
                name: call.name.clone(),
                args: call.object(),
            })
            .collect();
        output.calls(&records);
        for record in &records {
            let args = record.shown_args();
            self.events.push(Event::ToolCall {
                step,
                id: record.id.clone(),
                name: record.name.clone(),
                args,
            });
        }
        let accesses: Vec<Access> = records.iter().map(|record| self.access(record)).collect();
        let limit = self.limits.max_parallel_tools as usize;
        let results =
            schedule::run(&accesses, limit, |n| self.call_tool(step, &calls[n], &records[n], output)).await;
        results.into_iter().collect()
    }

    /// What a call touches; one that will not run touches nothing.
    fn access(&self, record: &CallRecord) -> Access {
        match (self.tools.get(&record.name), &record.args) {
            (Some(tool), Some(args)) => tool.access(args),
            _ => Access::Read(String::new()),
        }
    }

    async fn call_tool(
        &self,
        step: u32,
        call: &ToolCall,
        record: &CallRecord,
        output: &dyn Output,
    ) -> Result<String> {
        let (wall, begin) = (SystemTime::now(), Instant::now());
        let result = match (self.tools.get(&call.name), &record.args) {
            (None, _) => {
                let known = self.tools.names().collect::<Vec<_>>().join(", ");
                Err(ToolError::Text(format!(
                    "Error: there is no tool {:?}. The tools are: {known}",
                    call.name
                )))
            }
            (Some(_), None) => Err(ToolError::Text(format!(
                "Error: the arguments of this call to {} were cut off or are not a JSON object. The tool was not run. \
                 Send the call again with complete arguments; for a long file, write it in smaller parts.",
                call.name
            ))),
            (Some(tool), Some(args)) => match timeout(millis(self.limits.tool_ms), tool.call(args)).await {
                Ok(result) => result,
                Err(_) => Err(ToolError::Text(format!(
                    "Error: {} timed out: it took longer than {} ms and was stopped.",
                    call.name, self.limits.tool_ms
                ))),
            },
        };
        let (text, is_error) = match result {
            Ok(text) => (text, false),
            Err(ToolError::Text(text)) => (text, true),
            Err(ToolError::Fatal(error)) => {
                self.telemetry.error("tool", &error);
                return Err(error);
            }
        };
        let text = cap::head_and_tail(text, self.limits.max_tool_result_bytes as usize + 128);
        output.result(&record.id, &text);
        let ms = ms_since(begin);
        self.telemetry.span(
            format!("execute_tool {}", call.name),
            wall,
            json!({
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": call.name,
                "gen_ai.tool.call.id": call.id,
                "polaris.step": step,
                "polaris.tool.is_error": is_error,
            }),
            None,
        );
        self.telemetry.breadcrumb(
            "tool",
            call.name.clone(),
            json!({ "step": step, "ms": ms, "isError": is_error }),
        );
        self.events.push(Event::ToolResult {
            step,
            id: record.id.clone(),
            name: call.name.clone(),
            result: text.clone(),
            is_error,
            ms,
        });
        Ok(text)
    }
}

/// The provider's id where it is new in this message; providers count per turn and repeat themselves.
fn unique_id(ids: &mut HashSet<String>, id: &str, step: u32) -> String {
    let mut unique = id.to_owned();
    let mut n = 1;
    while !ids.insert(unique.clone()) {
        unique = if n == 1 { format!("{id}#{step}") } else { format!("{id}#{step}.{n}") };
        n += 1;
    }
    unique
}

fn ms_since(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_comes_again_is_stored_under_another_name() {
        let mut ids = HashSet::new();
        assert_eq!(unique_id(&mut ids, "functions.readFile:0", 1), "functions.readFile:0");
        assert_eq!(unique_id(&mut ids, "functions.readFile:0", 2), "functions.readFile:0#2");
        assert_eq!(unique_id(&mut ids, "functions.readFile:0", 2), "functions.readFile:0#2.2");
    }
}
