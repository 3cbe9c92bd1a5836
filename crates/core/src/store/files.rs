//! A project's files in the store: what the functions around them take and answer, one typed call each.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::convex::Convex;
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
    pub(super) convex: Convex,
    pub(super) project_id: String,
    /// The run whose effects these are.
    pub(super) guard: Option<Value>,
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
