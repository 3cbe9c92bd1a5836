//! The server functions of `app/convex/system.ts`, one typed call each. Which of them may be
//! repeated is said here: all are idempotent by key or write the whole value, except the streamed
//! text, where the newest text replaces a lost write.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::convex::{Convex, Function, Kind, Repeat};
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
const APPEND_EVENT: Function = mutation("system:appendGenerationEvent", Repeat::Safe);
const BEGIN_GENERATION: Function = mutation("system:beginGeneration", Repeat::Safe);
const COMMIT_FILES: Function = mutation("system:commitFiles", Repeat::Safe);
const READ_FILE: Function = query("system:readFileByPath");
const WRITE_FILE: Function = mutation("system:writeFileByPath", Repeat::Safe);
const DELETE_FILE: Function = mutation("system:deleteFileByPath", Repeat::Never);
// Compares each file with what the command found, so that a repeat changes nothing more.
const APPLY_CHANGES: Function = mutation("system:applyFileChanges", Repeat::Safe);
const LIST_FILES: Function = query("system:listFilesByPath");
const STRUCTURE: Function = query("system:getProjectStructure");
const FILES_PAGE: Function = query("system:listProjectFilesPage");

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
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
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

    /// Adds or completes tool calls, by id, with the text before them and the turn that made them.
    ///
    /// # Errors
    /// `MESSAGE_NOT_FOUND`, `STORE_*`.
    pub async fn save_calls(
        &self,
        content: Option<&str>,
        calls: &[StoredCall],
        turn: Option<&FinishedTurn>,
    ) -> Result<Written> {
        let mut args = self.write_args();
        args["toolCalls"] = json!(calls);
        if let Some(content) = content {
            args["content"] = json!(content);
        }
        if let Some(turn) = turn.filter(|_| self.is_numbered()) {
            args["turn"] = json!(turn);
        }
        self.convex.call(SAVE_TOOL_CALLS, args).await
    }
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Entry {
    /// A text file.
    File {
        /// Its text.
        content: String,
    },
    /// A folder.
    Folder,
    /// A file without text.
    Binary,
}

/// One line of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Listed {
    /// The name.
    pub name: String,
    /// Whether it is a folder.
    #[serde(rename = "type")]
    pub kind: EntryKind,
}

/// File or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// A file, text or binary.
    File,
    /// A folder.
    Folder,
}

/// What stands at a path that should be a folder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Listing {
    /// The entries of the folder, folders first, then by name.
    Folder {
        /// One level.
        entries: Vec<Listed>,
    },
    /// It is a file.
    File,
}

/// All paths of a project.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Structure {
    /// Files, sorted by UTF-16 code units.
    pub files: Vec<String>,
    /// Folders without anything in them.
    pub empty_folders: Vec<String>,
}

/// A change of a project's files: its `updatedAt` (ms since 1970) before and after.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Before it; who knew the project then knows it still.
    pub before: f64,
    /// After it, and of the file that was written.
    pub updated_at: f64,
}

/// What becomes of one file, if it still is as it was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FileChange {
    /// The file.
    pub path: String,
    /// Its `updatedAt` when it was found; `None`: there was none.
    pub base: Option<f64>,
    /// Its new text; `None`: it is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

/// What came of one [`FileChange`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The file is as asked.
    Applied,
    /// Somebody else has changed the file: theirs is kept.
    Conflict,
    /// The project does not allow it.
    Refused,
}

/// An [`Outcome`] with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Told {
    /// What.
    pub outcome: Outcome,
    /// Why it was refused.
    #[serde(default)]
    pub reason: Option<String>,
}

/// What came of a batch of changes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Applied {
    /// Of the project; before and after are equal if nothing was changed.
    #[serde(flatten)]
    pub change: Change,
    /// In the order of the changes.
    pub outcomes: Vec<Told>,
}

/// Which page of a project is asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct PageRequest {
    /// Where the page before ended; `None` for the first page.
    pub cursor: Option<String>,
    /// Texts of files that were changed before this time (ms since 1970) are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<f64>,
    /// No rows at all if the project's `updatedAt` is this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unless: Option<f64>,
}

/// A part of a project's tree.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FilesPage {
    /// When the project was changed last, ms since 1970.
    pub updated_at: f64,
    /// Files and folders, oldest first.
    pub rows: Vec<FileRow>,
    /// Where the next page begins; `None` after the last.
    pub cursor: Option<String>,
}

/// A file or folder as a page of its project shows it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileRow {
    /// Unique in the project, and the same as long as the file exists, also when it is moved.
    pub id: String,
    /// The folder's id; `None` at the root.
    #[serde(default)]
    pub parent_id: Option<String>,
    /// The name; a store without folders gives the path.
    pub name: String,
    /// File or folder.
    #[serde(rename = "type")]
    pub kind: EntryKind,
    /// When it was changed, ms since 1970; different for each change.
    pub updated_at: f64,
    /// The text, of a text file that was asked for.
    #[serde(default)]
    pub content: Option<String>,
    /// A file without text.
    #[serde(default)]
    pub binary: bool,
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

/// A change of several that are made together, with its line in the project's log.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StagedChange {
    /// Where.
    pub path: String,
    /// The new text; `None`: what stands there is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    preview: Option<String>,
    created_at: f64,
}

impl StagedChange {
    /// A file is written.
    pub fn write(path: &str, content: &str) -> Self {
        Self::new(path, Some(content.to_owned()), format!("Wrote {path}"))
    }

    /// A file or folder is deleted.
    pub fn delete(path: &str) -> Self {
        Self::new(path, None, format!("Deleted {path}"))
    }

    fn new(path: &str, content: Option<String>, message: String) -> Self {
        Self { path: path.to_owned(), content, message, preview: None, created_at: 0.0 }
    }

    /// What the log says of it; `at` in ms since 1970.
    pub fn tell(&mut self, message: &str, preview: Option<&str>, at: f64) {
        message.clone_into(&mut self.message);
        self.preview = preview.map(str::to_owned);
        self.created_at = at;
    }
}

/// The functions around one project's files.
#[derive(Debug, Clone)]
pub struct FileStore {
    convex: Convex,
    project_id: String,
    /// The run whose effects these are.
    guard: Option<Value>,
}

impl FileStore {
    /// Arguments of a change: refused if a newer attempt has taken over.
    fn change(&self, path: &str) -> Value {
        let mut args = self.at(path);
        if let Some(guard) = &self.guard {
            args["guard"] = guard.clone();
        }
        args
    }

    fn at(&self, path: &str) -> Value {
        json!({ "projectId": self.project_id, "path": path })
    }

    /// What stands at `path`.
    ///
    /// # Errors
    /// `STORE_*`.
    pub async fn read(&self, path: &str) -> Result<Option<Entry>> {
        self.convex.call(READ_FILE, self.at(path)).await
    }

    /// Creates or replaces a file. Older deployments do not tell the change.
    ///
    /// # Errors
    /// `STORE_*`; a refusal is `STORE_FUNCTION_FAILED` with the function's own code as cause.
    pub async fn write(&self, path: &str, content: &str) -> Result<Option<Change>> {
        let mut args = self.change(path);
        args["content"] = json!(content);
        self.convex.call(WRITE_FILE, args).await
    }

    /// Deletes a file or folder. Older deployments do not tell the change.
    ///
    /// # Errors
    /// As [`FileStore::write`].
    pub async fn delete(&self, path: &str) -> Result<Option<Change>> {
        self.convex.call(DELETE_FILE, self.change(path)).await
    }

    /// Makes all of these changes, with their lines in the log, or none.
    ///
    /// # Errors
    /// As [`FileStore::write`].
    pub async fn commit(&self, changes: &[StagedChange]) -> Result<()> {
        let args = json!({ "projectId": self.project_id, "changes": changes });
        self.convex.call::<Value>(COMMIT_FILES, args).await.map(drop)
    }

    /// Changes several files at once, each only if it still is as it was found.
    ///
    /// # Errors
    /// `STORE_*`.
    pub async fn apply(&self, changes: &[FileChange]) -> Result<Applied> {
        let mut args = json!({ "projectId": self.project_id, "changes": changes });
        if let Some(guard) = &self.guard {
            args["guard"] = guard.clone();
        }
        self.convex.call(APPLY_CHANGES, args).await
    }

    /// One level of a folder.
    ///
    /// # Errors
    /// `STORE_*`.
    pub async fn list(&self, path: &str) -> Result<Option<Listing>> {
        self.convex.call(LIST_FILES, self.at(path)).await
    }

    /// All paths.
    ///
    /// # Errors
    /// `STORE_*`.
    pub async fn structure(&self) -> Result<Structure> {
        self.convex.call(STRUCTURE, json!({ "projectId": self.project_id })).await
    }

    /// A part of the whole tree.
    ///
    /// # Errors
    /// `STORE_*`.
    pub async fn page(&self, request: &PageRequest) -> Result<FilesPage> {
        let mut args = json!(request);
        args["projectId"] = json!(self.project_id);
        self.convex.call(FILES_PAGE, args).await
    }

    /// Adds a line to the project's log; `created_at` (ms since 1970) is its key.
    ///
    /// # Errors
    /// `STORE_*`.
    pub async fn append_event(
        &self,
        message: &str,
        path: &str,
        preview: Option<&str>,
        created_at: f64,
    ) -> Result<()> {
        let mut args = json!({
            "projectId": self.project_id, "type": "file", "message": message, "filePath": path, "createdAt": created_at,
        });
        if let Some(preview) = preview {
            args["preview"] = json!(preview);
        }
        if let Some(guard) = &self.guard {
            args["guard"] = guard.clone();
        }
        self.convex.call::<Value>(APPEND_EVENT, args).await.map(drop)
    }
}
