//! The server functions of `app/convex/system.ts`, one typed call each. Which of them may be
//! repeated is said here: all are idempotent by key or write the whole value, except the streamed
//! text, where the newest text replaces a lost write.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::convex::{Convex, Function, Kind, Repeat};
pub use super::files::{
    Applied, Change, ChangeLine, ChangeOutcome, Entry, EntryKind, FileChange, FileRow, FileStore, FilesPage,
    Listed, Listing, Outcome, PageRequest, StagedChange, Structure, Told, TurnChange,
};
use crate::error::Result;
use crate::event::MessageStatus;
use crate::http;

const fn query(path: &'static str) -> Function {
    Function { path, kind: Kind::Query, repeat: Repeat::Safe }
}

const fn mutation(path: &'static str, repeat: Repeat) -> Function {
    Function { path, kind: Kind::Mutation, repeat }
}

const BEGIN_MESSAGE: Function = mutation("system:beginMessage", Repeat::Safe);
const GET_MESSAGE: Function = query("system:getMessageById");
const GET_CONTEXT: Function = query("system:getMessageContext");
const STREAM_CONTENT: Function = mutation("system:streamMessageContent", Repeat::Never);
const APPEND_CONTENT: Function = mutation("system:appendMessageContent", Repeat::Never);
const RENEW_LEASE: Function = mutation("system:renewLease", Repeat::Never);
const UPDATE_CONTENT: Function = mutation("system:updateMessageContent", Repeat::Safe);
const CANCEL_MESSAGE: Function = mutation("system:cancelMessage", Repeat::Safe);
const SAVE_TOOL_CALLS: Function = mutation("system:saveToolCalls", Repeat::Safe);
pub(super) const APPEND_EVENT: Function = mutation("system:appendGenerationEvent", Repeat::Safe);
const BEGIN_GENERATION: Function = mutation("system:beginGeneration", Repeat::Safe);
pub(super) const COMMIT_FILES: Function = mutation("system:commitFiles", Repeat::Safe);
pub(super) const READ_FILE: Function = query("system:readFileByPath");
pub(super) const WRITE_FILE: Function = mutation("system:writeFileByPath", Repeat::Safe);
pub(super) const DELETE_FILE: Function = mutation("system:deleteFileByPath", Repeat::Safe);
// Compares each file with what the command found, so that a repeat changes nothing more.
pub(super) const APPLY_CHANGES: Function = mutation("system:applyFileChanges", Repeat::Safe);
pub(super) const LIST_FILES: Function = query("system:listFilesByPath");
pub(super) const STRUCTURE: Function = query("system:getProjectStructure");
pub(super) const FILES_PAGE: Function = query("system:listProjectFilesPage");

/// Every function that the core calls; the contract test compares them with the deployment's.
pub const ALL: [Function; 19] = [
    BEGIN_MESSAGE,
    GET_MESSAGE,
    GET_CONTEXT,
    STREAM_CONTENT,
    APPEND_CONTENT,
    RENEW_LEASE,
    UPDATE_CONTENT,
    CANCEL_MESSAGE,
    SAVE_TOOL_CALLS,
    APPEND_EVENT,
    BEGIN_GENERATION,
    COMMIT_FILES,
    READ_FILE,
    WRITE_FILE,
    DELETE_FILE,
    APPLY_CHANGES,
    LIST_FILES,
    STRUCTURE,
    FILES_PAGE,
];

/// What a write of a message answers.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Written {
    /// The status after it.
    pub status: MessageStatus,
    /// `false`: nothing was changed.
    pub applied: bool,
    /// Nothing was changed because a newer attempt works on the message.
    #[serde(default)]
    pub superseded: bool,
    /// Of an append that did not fit: the length of the stored text in UTF-16 units.
    #[serde(default)]
    pub length: Option<f64>,
    /// What came of the changes that the write brought, in their order.
    #[serde(default)]
    pub changes: Option<Vec<ChangeOutcome>>,
}

/// Whether a run may work on a message, and what earlier attempts have finished of it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Begun {
    /// `run`, or anything else if there is nothing to do.
    pub state: String,
    /// The message's status.
    pub status: MessageStatus,
    /// Its project.
    pub project_id: String,
    /// The stored text.
    #[serde(default)]
    pub content: String,
    /// The stored calls.
    #[serde(default)]
    pub tool_calls: Vec<StoredCall>,
    /// The number that this attempt's writes begin behind; absent in older deployments.
    #[serde(default)]
    pub seq: Option<f64>,
    /// Finished model turns.
    #[serde(default)]
    pub turns: Vec<FinishedTurn>,
}

/// A finished model turn, as it is kept with the message while a run is under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FinishedTurn {
    /// The turn.
    pub step: u32,
    /// What is needed to go on behind it; opaque to the store.
    pub data: Value,
}

/// Why a message failed, kept for the page.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FailureNote {
    /// The error's code.
    pub code: String,
    /// The error in one line.
    pub message: String,
}

/// A message of the conversation.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryMessage {
    /// Who said it.
    pub role: Role,
    /// The text.
    pub content: String,
    /// The tool calls behind it, where the deployment gives them.
    #[serde(default)]
    pub tool_calls: Vec<StoredCall>,
}

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The person.
    User,
    /// The model.
    Assistant,
}

/// A tool call as the store keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredCall {
    /// Unique within the message.
    pub id: String,
    /// The tool.
    pub name: String,
    /// Its arguments.
    pub args: Value,
    /// Its result, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
}

/// The functions around one message. Clones share the numbering of writes.
#[derive(Debug, Clone)]
pub struct MessageStore {
    convex: Convex,
    message_id: String,
    /// The number of the last write; 0 where the deployment does not number them.
    seq: Arc<AtomicU64>,
}

impl MessageStore {
    /// The message.
    pub fn message_id(&self) -> &str {
        &self.message_id
    }

    /// The functions for the message `message_id`.
    pub fn new(convex: Convex, message_id: impl Into<String>) -> Self {
        Self { convex, message_id: message_id.into(), seq: Arc::default() }
    }

    /// The files of the message's project; their changes carry the number of this attempt.
    pub fn files(&self, project_id: impl Into<String>) -> FileStore {
        let guard = match self.seq.load(Ordering::Relaxed) {
            0 => None,
            seq => Some(json!({ "messageId": self.message_id, "seq": seq })),
        };
        FileStore { convex: self.convex.clone(), project_id: project_id.into(), guard }
    }

    /// Arguments of a write: the message, and the write's own number.
    fn write_args(&self) -> Value {
        let mut args = json!({ "messageId": self.message_id });
        if self.is_numbered() {
            args["seq"] = json!(self.seq.fetch_add(1, Ordering::Relaxed) + 1);
        }
        args
    }

    /// Whether the deployment numbers writes, keeps a lease, and takes appended text.
    pub fn is_numbered(&self) -> bool {
        self.seq.load(Ordering::Relaxed) > 0
    }

    /// Begins an attempt: stores the run's id, keeps what an earlier attempt has finished, clears
    /// the rest.
    ///
    /// # Errors
    /// `MESSAGE_NOT_FOUND`, `NOT_AN_ASSISTANT_MESSAGE`, `STORE_*`.
    pub async fn begin(&self, run_id: Option<&str>, attempt: u32) -> Result<Begun> {
        // New for each attempt: the same call again has the effect of one.
        let worker = format!("{:016x}", (http::random() * 2_f64.powi(53)) as u64);
        let mut args = json!({
            "messageId": self.message_id, "attempt": attempt, "resume": true, "worker": worker,
        });
        if let Some(run_id) = run_id {
            args["runId"] = json!(run_id);
        }
        let begun: Begun = self.convex.call(BEGIN_MESSAGE, args).await?;
        if let Some(seq) = begun.seq.filter(|seq| *seq > 0.0) {
            self.seq.store(seq as u64, Ordering::Relaxed);
        }
        Ok(begun)
    }

    /// The message's status; `None` if it is gone.
    ///
    /// # Errors
    /// `STORE_*`.
    pub async fn status(&self) -> Result<Option<MessageStatus>> {
        #[derive(Deserialize)]
        struct Message {
            #[serde(default)]
            status: Option<MessageStatus>,
        }
        let message: Option<Message> =
            self.convex.call(GET_MESSAGE, json!({ "messageId": self.message_id })).await?;
        Ok(message.map(|m| m.status.unwrap_or(MessageStatus::Completed)))
    }

    /// The conversation before the message, oldest first.
    ///
    /// # Errors
    /// `MESSAGE_NOT_FOUND`, `PROJECT_NOT_FOUND`, `STORE_*`.
    pub async fn history(&self) -> Result<Vec<HistoryMessage>> {
        #[derive(Deserialize)]
        struct Context {
            messages: Vec<HistoryMessage>,
        }
        let context: Context = self.convex.call(GET_CONTEXT, json!({ "messageId": self.message_id })).await?;
        Ok(context.messages)
    }

    /// Replaces the text while the message is being written.
    ///
    /// # Errors
    /// `MESSAGE_NOT_FOUND`, `STORE_*`.
    pub async fn stream(&self, content: &str) -> Result<Written> {
        let mut args = self.write_args();
        args["content"] = json!(content);
        self.convex.call(STREAM_CONTENT, args).await
    }

    /// Adds `text` where the stored text has `offset` UTF-16 units, and sets the status, if given.
    ///
    /// # Errors
    /// `MESSAGE_NOT_FOUND`, `STORE_*`.
    pub async fn append(&self, offset: usize, text: &str, status: Option<MessageStatus>) -> Result<Written> {
        let mut args = self.write_args();
        args["offset"] = json!(offset);
        args["text"] = json!(text);
        if let Some(status) = status {
            args["status"] = json!(status);
        }
        self.convex.call(APPEND_CONTENT, args).await
    }

    /// Says that the run is alive.
    ///
    /// # Errors
    /// `MESSAGE_NOT_FOUND`, `STORE_*`.
    pub async fn renew(&self) -> Result<Written> {
        self.convex.call(RENEW_LEASE, self.write_args()).await
    }

    /// Sets the final text and status, and why it failed, if it did.
    ///
    /// # Errors
    /// `MESSAGE_NOT_FOUND`, `STORE_*`.
    pub async fn finish(
        &self,
        content: &str,
        status: MessageStatus,
        error: Option<&FailureNote>,
    ) -> Result<Written> {
        let mut args = self.write_args();
        args["content"] = json!(content);
        args["status"] = json!(status);
        // Older deployments do not know the field.
        if let Some(error) = error.filter(|_| self.is_numbered()) {
            args["error"] = json!(error);
        }
        self.convex.call(UPDATE_CONTENT, args).await
    }

    /// Sets the status `cancelled` and keeps the text that there is.
    ///
    /// # Errors
    /// `MESSAGE_NOT_FOUND`, `STORE_*`.
    pub async fn cancel(&self, content: &str) -> Result<Written> {
        let mut args = self.write_args();
        args["content"] = json!(content);
        self.convex.call(CANCEL_MESSAGE, args).await
    }

    /// Adds or completes tool calls, by id, with the text before them, the turn that made them, and what
    /// they change of the project.
    ///
    /// # Errors
    /// `MESSAGE_NOT_FOUND`, `STORE_*`.
    pub async fn save_calls(
        &self,
        content: Option<&str>,
        calls: &[StoredCall],
        turn: Option<&FinishedTurn>,
        changes: &[&TurnChange],
    ) -> Result<Written> {
        let mut args = self.write_args();
        args["toolCalls"] = json!(calls);
        if let Some(content) = content {
            args["content"] = json!(content);
        }
        if let Some(turn) = turn.filter(|_| self.is_numbered()) {
            args["turn"] = json!(turn);
        }
        if !changes.is_empty() {
            args["changes"] = json!(changes);
        }
        self.convex.call(SAVE_TOOL_CALLS, args).await
    }
}

/// What a line of the project's log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogKind {
    /// A step begins or ends.
    Step,
    /// Something else worth knowing.
    Info,
    /// Something failed.
    Error,
}

/// The log of one project. Lines keep the order in which they are given: no two have one time.
#[derive(Debug)]
pub struct ProjectLog {
    convex: Convex,
    project_id: String,
    last: AtomicU64,
}

impl ProjectLog {
    /// The log of the project `project_id`.
    pub fn new(convex: Convex, project_id: impl Into<String>) -> Self {
        Self { convex, project_id: project_id.into(), last: AtomicU64::new(0) }
    }

    /// A time for the next line, ms since 1970, later than all before.
    pub fn next_time(&self, now_ms: u64) -> u64 {
        let next = |last: u64| now_ms.max(last + 1);
        self.last
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)))
            .map_or(now_ms, next)
    }

    /// The first line of a generation: the store looks at the project again when its log falls silent.
    ///
    /// # Errors
    /// `PROJECT_NOT_FOUND`, `STORE_*`.
    pub async fn begin_generation(&self, at: u64) -> Result<()> {
        let args = json!({ "projectId": self.project_id, "createdAt": at });
        self.convex.call::<Value>(BEGIN_GENERATION, args).await.map(drop)
    }

    /// Adds a line; `at` (from [`ProjectLog::next_time`]) is its key.
    ///
    /// # Errors
    /// `PROJECT_NOT_FOUND`, `STORE_*`.
    pub async fn append(&self, kind: LogKind, message: &str, at: u64) -> Result<()> {
        let args = json!({ "projectId": self.project_id, "type": kind, "message": message, "createdAt": at });
        self.convex.call::<Value>(APPEND_EVENT, args).await.map(drop)
    }

    /// The project's files, for runs without a message.
    pub fn files(&self) -> FileStore {
        FileStore { convex: self.convex.clone(), project_id: self.project_id.clone(), guard: None }
    }
}
