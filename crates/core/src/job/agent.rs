//! Job `agent`: the loop without a store. Messages and, if wanted, a project's files come in the
//! payload; text and changed files go out in the result.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use serde::Deserialize;
use serde_json::Value;
use ts_rs::TS;

use super::{Context, RunResult, payload};
use crate::agent::{CallRecord, Output, TurnRecord};
use crate::error::{CoreError, ErrorCode, Result};
use crate::event::MessageStatus;
use crate::model::ChatMessage;
use crate::tool::registry::Registry;
use crate::workspace::memory::MemoryFiles;
use crate::workspace::path::normalise_file;
use crate::workspace::snapshot::Snapshot;

/// The payload of job `agent`.
#[derive(Debug, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgentPayload {
    /// The conversation, oldest first; the last message is what is asked.
    pub messages: Vec<AgentMessage>,
    /// A project in memory, contents by path. Left out: no tools are offered but one's own.
    #[serde(default)]
    #[ts(optional)]
    pub files: Option<BTreeMap<String, String>>,
}

/// A message of the conversation.
#[derive(Debug, Deserialize, TS)]
#[serde(tag = "role", content = "content", rename_all = "lowercase")]
pub enum AgentMessage {
    /// Instructions; goes before the others.
    System(String),
    /// What the user said.
    User(String),
    /// What the model said.
    Assistant(String),
}

/// Goes nowhere: without a store, the answer and the events carry everything.
pub(super) struct Nowhere;

impl Output for Nowhere {
    fn text(&self, _delta: &str) {}
    fn reset_to(&self, _bytes: usize) {}
    fn turn(&self, _turn: &TurnRecord, _calls: &[CallRecord]) {}
    fn result(&self, _id: &str, _result: &str) {}
    fn recorded(&self) -> BoxFuture<'_, ()> {
        ready(()).boxed()
    }
}

pub(super) async fn run(context: &Context, payload: Value) -> Result<RunResult> {
    let payload: AgentPayload = payload::read(payload)?;
    if payload.messages.is_empty() {
        return Err(CoreError::new(ErrorCode::PayloadInvalid, "payload.messages is empty"));
    }
    let options = &context.options;
    let files = payload.files.map(project).transpose()?;
    let offered = match &files {
        Some(files) => {
            let snapshot = Arc::new(Snapshot::new(Arc::clone(files) as _));
            Registry::for_code(
                &snapshot,
                options.limits.max_tool_result_bytes as usize,
                context.command(&snapshot),
                &context.language_server(),
            )
        }
        None => Registry::default(),
    };
    let tools = context.tools(offered, None, None)?;
    let mut messages = Vec::with_capacity(payload.messages.len() + 1);
    if let Some(system) = &options.prompts.system {
        messages.push(ChatMessage::System(system.load("options.prompts.system").await?));
    }
    messages.extend(payload.messages.into_iter().map(|message| match message {
        AgentMessage::System(text) => ChatMessage::System(text),
        AgentMessage::User(text) => ChatMessage::User(text),
        AgentMessage::Assistant(text) => {
            ChatMessage::Assistant { text, reasoning: None, tool_calls: Vec::new() }
        }
    }));
    let models = context.models()?;
    match context.until_cancelled(context.agent(&models, &tools).run(messages, None, &Nowhere)).await {
        Ok(answer) => {
            let answer = answer?;
            Ok(RunResult {
                files: files.as_ref().map(|files| files.snapshot()),
                text: Some(answer.text.clone()),
                ..RunResult::answered(MessageStatus::Completed, &answer)
            })
        }
        Err(reason) => Err(super::process_message::stopped(reason)),
    }
}

fn project(files: BTreeMap<String, String>) -> Result<Arc<MemoryFiles>> {
    let files = files.into_iter().map(|(path, content)| match normalise_file(&path) {
        Ok(path) => Ok((path, content)),
        Err(error) => {
            Err(CoreError::new(ErrorCode::PayloadInvalid, format!("payload.files[{path:?}]: {error}")))
        }
    });
    Ok(Arc::new(MemoryFiles::new(files.collect::<Result<_>>()?)))
}
