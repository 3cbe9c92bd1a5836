//! The tool calls of a turn: run, recorded, answered. What the model can correct is text for it.

use std::collections::HashSet;
use std::time::{Instant, SystemTime};

use serde_json::json;
use tokio::time::timeout;

use super::breaker::{Breaker, HINT, Verdict};
use super::{
    Agent, CallRecord, MAX_KEPT_EXTRA_BYTES, OpenCall, Output, TurnRecord, ms_since, schedule, spans,
};
use crate::error::{CoreError, ErrorCode, Result};
use crate::event::Event;
use crate::model::ToolCall;
use crate::model::client::millis;
use crate::tool::{Access, ToolError, cap};

/// The calling side of a run.
pub(super) struct Calling<'a> {
    agent: &'a Agent<'a>,
    output: &'a dyn Output,
    ids: HashSet<String>,
    breaker: Breaker,
}

/// What a call came to.
struct Outcome {
    text: String,
    is_error: bool,
    ms: f64,
    /// It was stored by an earlier attempt.
    known: bool,
}

/// Whether a call is made for the first time, or may have had its effect already.
#[derive(Debug, Clone, Copy)]
enum Attempt {
    First,
    Later,
}

impl<'a> Calling<'a> {
    pub(super) fn new(agent: &'a Agent<'a>, output: &'a dyn Output, ids: HashSet<String>) -> Self {
        Self { agent, output, ids, breaker: Breaker::default() }
    }

    /// Finishes the calls of the turn at which an earlier attempt stopped: known results stand, the
    /// other calls are made up for.
    pub(super) async fn finish_open(&mut self, step: u32, at: f64, open: &[OpenCall]) -> Result<Vec<String>> {
        let records: Vec<CallRecord> = open
            .iter()
            .map(|open| CallRecord {
                id: open.id.clone(),
                name: open.call.name.clone(),
                args: open.call.object(),
            })
            .collect();
        let accesses: Vec<Access> = records.iter().map(|record| self.access(record)).collect();
        let limit = self.agent.limits.max_parallel_tools as usize;
        let this = &*self;
        let outcomes = schedule::run(&accesses, limit, |n| {
            let (open, record) = (&open[n], &records[n]);
            async move {
                match &open.result {
                    Some(text) => Ok(Outcome { text: text.clone(), is_error: false, ms: 0.0, known: true }),
                    None => this.call(step, &open.call, record, key(at, n), Attempt::Later).await,
                }
            }
        })
        .await;
        let calls: Vec<ToolCall> = open.iter().map(|open| open.call.clone()).collect();
        self.take_results(step, outcomes, &calls, &records)
    }

    /// Runs the calls of a turn; the results come in the order of the calls.
    pub(super) async fn call_all(&mut self, turn: &TurnRecord, calls: &[ToolCall]) -> Result<Vec<String>> {
        let step = turn.step;
        let records: Vec<CallRecord> = calls
            .iter()
            .map(|call| CallRecord {
                id: unique_id(&mut self.ids, &call.id, step),
                name: call.name.clone(),
                args: call.object(),
            })
            .collect();
        let pairs = records.iter().zip(calls).map(|(record, call)| (record.id.clone(), call.id.clone()));
        let extra = |(record, call): (&CallRecord, &ToolCall)| {
            let extra = call.extra.as_deref()?;
            let kept = if extra.len() > MAX_KEPT_EXTRA_BYTES { "" } else { extra };
            Some((record.id.clone(), kept.to_owned()))
        };
        let extras = records.iter().zip(calls).filter_map(extra).collect();
        self.output.turn(&TurnRecord { calls: pairs.collect(), extras, ..turn.clone() }, &records);
        for record in &records {
            let args = record.shown_args();
            self.agent.events.push(Event::ToolCall {
                step,
                id: record.id.clone(),
                name: record.name.clone(),
                args,
            });
        }
        let accesses: Vec<Access> = records.iter().map(|record| self.access(record)).collect();
        let limit = self.agent.limits.max_parallel_tools as usize;
        let outcomes = schedule::run(&accesses, limit, |n| {
            self.call(step, &calls[n], &records[n], key(turn.at, n), Attempt::First)
        })
        .await;
        self.take_results(step, outcomes, calls, &records)
    }

    fn take_results(
        &mut self,
        step: u32,
        outcomes: Vec<Result<Outcome>>,
        calls: &[ToolCall],
        records: &[CallRecord],
    ) -> Result<Vec<String>> {
        let mut results = Vec::with_capacity(calls.len());
        for ((outcome, call), record) in outcomes.into_iter().zip(calls).zip(records) {
            let Outcome { mut text, is_error, ms, known } = outcome?;
            let verdict = self.breaker.note(&call.name, &call.raw_args, &text);
            if known {
                results.push(text);
                continue;
            }
            if verdict == Verdict::Hint {
                text.push_str(HINT);
            }
            self.output.result(&record.id, &text);
            let (id, name, result) = (record.id.clone(), call.name.clone(), text.clone());
            let bytes = result.len();
            self.agent.events.push(Event::ToolResult { step, id, name, result, bytes, is_error, ms });
            if verdict == Verdict::Break {
                return Err(CoreError::new(
                    ErrorCode::ToolLoop,
                    format!(
                        "the model made the same call to {} with the same result again and again",
                        call.name
                    ),
                ));
            }
            results.push(text);
        }
        Ok(results)
    }

    /// What a call touches; one that will not run touches nothing that matters.
    fn access(&self, record: &CallRecord) -> Access {
        match (self.agent.tools.get(&record.name), &record.args) {
            (Some(tool), Some(args)) => tool.access(args),
            _ => Access::Read(String::new()),
        }
    }

    async fn call(
        &self,
        step: u32,
        call: &ToolCall,
        record: &CallRecord,
        at: f64,
        attempt: Attempt,
    ) -> Result<Outcome> {
        let (wall, begin) = (SystemTime::now(), Instant::now());
        let limits = self.agent.limits;
        let result = match (self.agent.tools.get(&call.name), &record.args) {
            (None, _) => {
                let known = self.agent.tools.names().collect::<Vec<_>>().join(", ");
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
            (Some(tool), Some(args)) => {
                if matches!(tool.access(args), Access::Write(_)) && !tool.keeps_order() {
                    self.output.recorded().await;
                }
                let printed = |stream, text: &str| {
                    let (id, text) = (record.id.clone(), text.to_owned());
                    self.agent.events.push(Event::ToolOutput { step, id, stream, text });
                };
                let run = match attempt {
                    Attempt::First => tool.call_aloud(args, at, &printed),
                    Attempt::Later => tool.recover(args, at),
                };
                let limit = tool.limit(millis(limits.tool_ms));
                match timeout(limit, run).await {
                    Ok(result) => result,
                    Err(_) => Err(ToolError::Text(format!(
                        "Error: {} timed out: it took longer than {} ms and was stopped.",
                        call.name,
                        limit.as_millis()
                    ))),
                }
            }
        };
        let (text, is_error) = match result {
            Ok(text) => (text, false),
            Err(ToolError::Text(text)) => (text, true),
            Err(ToolError::Fatal(error)) => {
                self.agent.telemetry.error("tool", &error);
                return Err(error);
            }
        };
        // Tools cut by themselves where they know better; their closing line must not be cut again.
        let text = cap::head_and_tail(text, limits.max_tool_result_bytes as usize + 128);
        let ms = ms_since(begin);
        let attributes = spans::execute_tool(step, call, is_error, text.len());
        self.agent.telemetry.span(format!("execute_tool {}", call.name), wall, attributes, None);
        let data = json!({ "step": step, "ms": ms, "isError": is_error });
        self.agent.telemetry.breadcrumb("tool", call.name.clone(), data);
        Ok(Outcome { text, is_error, ms, known: false })
    }
}

/// The time under which call `n` of a turn is noted: its own, and the same in every attempt.
fn key(turn_at: f64, n: usize) -> f64 {
    turn_at + n as f64
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
