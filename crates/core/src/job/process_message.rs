//! Job `process-message`: answers one message of a conversation.
//!
//! The message is `processing` when this begins and has exactly one final status when the last
//! attempt has ended. An attempt that the runner will repeat leaves it `processing`.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};
use ts_rs::TS;

use super::resume::resume;
use super::{Context, RunResult, payload};
use crate::agent::history::{Past, PastCall, window};
use crate::agent::{CallRecord, DONE_WITHOUT_TEXT, Output, Resume, TurnRecord};
use crate::cancel::CancelReason;
use crate::config::{Prompt, StoreConfig};
use crate::error::{CoreError, ErrorCode, Result};
use crate::event::MessageStatus;
use crate::model::ChatMessage;
use crate::store::convex::Convex;
use crate::store::functions::{FailureNote, FinishedTurn, HistoryMessage, MessageStore, Role, StoredCall};
use crate::store::writer::StreamWriter;
use crate::tool::registry::Registry;
use crate::workspace::convex::ConvexFiles;
use crate::workspace::snapshot::Snapshot;

/// The system prompt that is used when the host names no other.
pub const SYSTEM_PROMPT: &str = include_str!("../../../../prompts/process-message.md");

/// What a person reads when a run failed before there was any text.
pub const FAILURE_TEXT: &str = "I'm sorry, an error occurred while I was processing your request. Please let me know what else you need.";

/// How long a run that is asked to stop may take to record its end. Trigger.dev gives `onCancel`,
/// which waits for it, 30 s.
const STOP_BUDGET: Duration = Duration::from_secs(10);

/// How long a run whose message was cancelled waits for its own cancel.
const CANCEL_FOLLOWS: Duration = Duration::from_secs(2);

/// The payload of job `process-message`.
#[derive(Debug, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ProcessMessagePayload {
    /// The assistant message to fill.
    pub message_id: String,
}

impl Output for StreamWriter {
    fn text(&self, delta: &str) {
        self.push(delta);
    }
    fn reset_to(&self, bytes: usize) {
        StreamWriter::reset_to(self, bytes);
    }
    fn turn(&self, turn: &TurnRecord, calls: &[CallRecord]) {
        let stored = calls.iter().map(|call| StoredCall {
            id: call.id.clone(),
            name: call.name.clone(),
            args: call.shown_args(),
            result: None,
        });
        StreamWriter::calls(self, stored, FinishedTurn { step: turn.step, data: json!(turn) });
    }
    fn result(&self, id: &str, result: &str) {
        StreamWriter::result(self, id, result);
    }
    fn recorded(&self) -> BoxFuture<'_, ()> {
        StreamWriter::recorded(self).boxed()
    }
}

/// The error of a run that was asked to stop.
pub(super) fn stopped(reason: CancelReason) -> CoreError {
    match reason {
        CancelReason::Timeout => {
            CoreError::new(ErrorCode::RunTimeout, "the run passed the runner's time limit")
        }
        CancelReason::Cancelled | CancelReason::Superseded | CancelReason::Dropped => {
            CoreError::new(ErrorCode::Cancelled, "the run was cancelled")
        }
    }
}

pub(super) async fn run(context: &Context, payload: Value) -> Result<RunResult> {
    let payload: ProcessMessagePayload = payload::read(payload)?;
    let convex = Convex::new(StoreConfig::from_env(&context.env)?)?;
    let store = MessageStore::new(convex, payload.message_id.clone());
    let result = |result| RunResult { message_id: Some(payload.message_id.clone()), ..result };
    let begin = store.begin(context.options.run_id.as_deref(), context.options.attempt.number);
    let begun = match context.until_cancelled(begin).await {
        Ok(begun) => begun?,
        Err(reason) => {
            end_stopped(&store, "", reason).await;
            return Err(stopped(reason));
        }
    };
    if begun.state != "run" {
        context.telemetry.breadcrumb("run", "nothing to do", json!({ "status": begun.status }));
        return Ok(result(RunResult::idle(begun.status)));
    }
    let resume = resume(&begun);
    let (text, calls) = match &resume {
        Some(resume) => (resume.answer.text.clone(), begun.tool_calls.clone()),
        None => Default::default(),
    };
    if let Some(resume) = &resume {
        let data = json!({ "steps": resume.answer.steps, "attempt": context.options.attempt.number });
        context.telemetry.breadcrumb("run", "goes on behind an earlier attempt", data);
    }
    let writer = StreamWriter::spawn(store.clone(), context.events.clone(), text, calls, &begun.turns);
    let body = async {
        tokio::select! {
            answer = answer(context, &store, &begun.project_id, resume, &writer) => answer.map(Ok),
            interrupted = writer.interrupted() => interrupted.map(Err),
        }
    };
    match context.until_cancelled(body).await {
        Ok(Ok(Ok(answer))) => {
            let status = match context.until_cancelled(writer.finish(MessageStatus::Completed, None)).await {
                Ok(status) => status?,
                Err(reason) => {
                    let text = writer.stored_text();
                    drop(writer);
                    end_stopped(&store, &text, reason).await;
                    return Err(stopped(reason));
                }
            };
            Ok(result(RunResult::answered(status, &answer)))
        }
        // Somebody else gave the message its final status: there is nothing left to do or to write.
        Ok(Ok(Err(status))) => {
            drop(writer);
            // Who cancels a message cancels its run right after: the run should end as cancelled too.
            if status == MessageStatus::Cancelled
                && let Ok(reason) = tokio::time::timeout(CANCEL_FOLLOWS, context.cancel.cancelled()).await
            {
                return Err(stopped(reason));
            }
            Ok(result(RunResult::idle(status)))
        }
        Ok(Err(error)) => {
            if error.retryable() && !context.options.attempt.is_last() {
                // What is finished must be known to the next attempt.
                let _ = tokio::time::timeout(STOP_BUDGET, writer.recorded()).await;
                return Err(error);
            }
            // A newer attempt has the message now: this one must not end it.
            if error.code == ErrorCode::Superseded {
                return Err(error);
            }
            if writer.text().is_empty() {
                writer.push(FAILURE_TEXT);
            }
            let note = FailureNote { code: error.code.name().to_owned(), message: error.message.clone() };
            if writer.finish(MessageStatus::Failed, Some(note.clone())).await.is_err() {
                // The writer had given up on a write; the end itself may still be possible.
                let text = writer.stored_text();
                let end = store.finish(&text, MessageStatus::Failed, Some(&note));
                if let Ok(Err(store_error)) = tokio::time::timeout(STOP_BUDGET, end).await {
                    context.telemetry.error("store", &store_error);
                }
            }
            Err(error)
        }
        Err(reason) => {
            let text = writer.stored_text();
            // Dropped first: nothing of this run may be written after its final status.
            drop(writer);
            end_stopped(&store, &text, reason).await;
            Err(stopped(reason))
        }
    }
}

/// Records the end of a run that was asked to stop, unless the message has a final status already.
async fn end_stopped(store: &MessageStore, text: &str, reason: CancelReason) {
    let end = async {
        if store.status().await.ok().flatten() != Some(MessageStatus::Processing) {
            return;
        }
        let _ = match reason {
            CancelReason::Cancelled => store.cancel(text).await,
            CancelReason::Timeout => {
                let error = stopped(reason);
                let note = FailureNote { code: error.code.name().to_owned(), message: error.message };
                let text = if text.is_empty() { FAILURE_TEXT } else { text };
                store.finish(text, MessageStatus::Failed, Some(&note)).await
            }
            CancelReason::Superseded | CancelReason::Dropped => return,
        };
    };
    // What is not recorded in time is found by the check of dead runs.
    let _ = tokio::time::timeout(STOP_BUDGET, end).await;
}

async fn answer(
    context: &Context,
    store: &MessageStore,
    project_id: &str,
    resume: Option<Resume>,
    writer: &StreamWriter,
) -> Result<crate::agent::Answer> {
    let options = &context.options;
    let files = ConvexFiles::through(writer.outbox(), store.files(project_id));
    let snapshot = Arc::new(Snapshot::new(Arc::new(files)));
    let command = context.command(&snapshot).of_project(project_id);
    let offered = Registry::for_code(
        &snapshot,
        options.limits.max_tool_result_bytes as usize,
        command,
        &context.language_server(),
    );
    let tools = context.tools(offered, Some(project_id), Some(store.message_id()))?;
    let models = context.models()?;
    let default = Prompt::Text(SYSTEM_PROMPT.to_owned());
    let system = options.prompts.system.as_ref().unwrap_or(&default).load("options.prompts.system").await?;
    let mut messages = vec![ChatMessage::System(system)];
    let past: Vec<Past> = store.history().await?.into_iter().map(past).collect();
    messages.extend(window(&past, options.limits.max_history_tokens as usize));
    context.agent(&models, &tools).run(messages, resume, writer).await
}

fn past(message: HistoryMessage) -> Past {
    match message.role {
        Role::User => Past::User(message.content),
        Role::Assistant => Past::Assistant {
            // A closing word that no model said is no context for one.
            text: Some(message.content).filter(|text| text != DONE_WITHOUT_TEXT).unwrap_or_default(),
            calls: message.tool_calls.into_iter().map(past_call).collect(),
        },
    }
}

fn past_call(call: StoredCall) -> PastCall {
    let result = call.result.map(|result| match result {
        Value::String(text) => text,
        other => other.to_string(),
    });
    PastCall { id: call.id, name: call.name, args: call.args, result }
}
