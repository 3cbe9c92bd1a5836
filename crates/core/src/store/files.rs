//! A project's files in the store: what the functions around them take and answer, one typed call each.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::convex::{Convex, Function, Repeat, function_error};
use super::functions::{
    APPEND_EVENT, APPLY_CHANGES, COMMIT_FILES, DELETE_FILE, FILES_PAGE, LIST_FILES, READ_FILE, STRUCTURE,
    WRITE_FILE,
};
use crate::error::Result;

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

/// What the project's log says of a change. With the change it is its receipt: what the log has told
/// already has been done, and is not done again.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeLine {
    /// In words, with the path.
    pub message: String,
    /// The head of the new text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preview: Option<String>,
    /// The call's own time, ms since 1970: the same in every attempt.
    pub created_at: f64,
    /// An earlier attempt may have made the change. Where no receipts are kept, the files are asked.
    #[serde(skip)]
    pub again: bool,
}

/// What a call of a run's turn changes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TurnChange {
    project_id: String,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    line: ChangeLine,
}

impl TurnChange {
    /// Bytes that it adds to a call.
    pub fn bytes(&self) -> usize {
        self.path.len() + self.content.as_ref().map_or(0, String::len)
    }
}

/// What came of a [`TurnChange`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum ChangeOutcome {
    /// It is made.
    Made(Change),
    /// The project does not allow it.
    Refused {
        /// The function's code.
        code: String,
        /// Why, for the model.
        message: String,
    },
}

impl ChangeOutcome {
    /// As the answer to a call of its own would be.
    pub fn into_result(self) -> Result<Change> {
        match self {
            Self::Made(change) => Ok(change),
            Self::Refused { code, message } => {
                let data = json!({ "code": code, "message": message });
                Err(function_error(WRITE_FILE.path, "", Some(data)))
            }
        }
    }
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
    /// What the log says of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<ChangeLine>,
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

/// A change of several that are made together, with its line in the project's log.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StagedChange {
    /// Where.
    pub path: String,
    /// The new text; `None`: what stands there is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    #[serde(flatten)]
    line: ChangeLine,
}

impl StagedChange {
    /// A file is written, or (`None`) what stands at `path` is deleted.
    pub fn new(path: &str, content: Option<&str>, line: &ChangeLine) -> Self {
        Self { path: path.to_owned(), content: content.map(str::to_owned), line: line.clone() }
    }
}

/// The functions around one project's files.
#[derive(Debug, Clone)]
pub struct FileStore {
    pub(super) convex: Convex,
    pub(super) project_id: String,
    /// The run whose effects these are.
    pub(super) guard: Option<Value>,
}

impl FileStore {
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

    /// Creates or replaces a file, or (`None`) deletes what stands at `path`; refused if a newer attempt
    /// has taken over. With a line, it is told in the log, and the same call again changes nothing.
    /// Older deployments take no line and do not tell the change.
    ///
    /// # Errors
    /// `STORE_*`; a refusal is `STORE_FUNCTION_FAILED` with the function's own code as cause.
    pub async fn change(
        &self,
        path: &str,
        content: Option<&str>,
        line: Option<&ChangeLine>,
    ) -> Result<Option<Change>> {
        let mut args = self.guarded(self.at(path));
        if let Some(line) = line {
            args["line"] = json!(line);
        }
        let function = match content {
            Some(content) => {
                args["content"] = json!(content);
                WRITE_FILE
            }
            // Without its line, a repeat finds nothing to delete and says so.
            None if line.is_none() => Function { repeat: Repeat::Never, ..DELETE_FILE },
            None => DELETE_FILE,
        };
        self.convex.call(function, args).await
    }

    /// The same change, to be made together with the record of its turn.
    pub fn turn_change(&self, path: &str, content: Option<&str>, line: &ChangeLine) -> TurnChange {
        TurnChange {
            project_id: self.project_id.clone(),
            path: path.to_owned(),
            content: content.map(str::to_owned),
            line: line.clone(),
        }
    }

    fn guarded(&self, mut args: Value) -> Value {
        if let Some(guard) = &self.guard {
            args["guard"] = guard.clone();
        }
        args
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
        let args = json!({ "projectId": self.project_id, "changes": changes });
        self.convex.call(APPLY_CHANGES, self.guarded(args)).await
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

    /// Adds what is said of a change at `path` to the project's log; its time is its key.
    ///
    /// # Errors
    /// `STORE_*`.
    pub async fn append_event(&self, path: &str, line: &ChangeLine) -> Result<()> {
        let mut args = json!(line);
        args["projectId"] = json!(self.project_id);
        args["type"] = json!("file");
        args["filePath"] = json!(path);
        self.convex.call::<Value>(APPEND_EVENT, self.guarded(args)).await.map(drop)
    }
}
