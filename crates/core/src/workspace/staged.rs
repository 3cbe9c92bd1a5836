//! A project's files under changes that nobody else sees yet: they are kept in memory until
//! [`StagedFiles::commit`] makes them visible together. Dropped without it, they never were.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use tokio::sync::{Mutex, OnceCell};

use super::{
    Applied, Change, ChangeLine, Entry, EntryKind, FileChange, FileError, FilesPage, Listed, Listing,
    PageRequest, ProjectFiles, Structure,
};
use crate::error::Result;
use crate::store::functions::{FileStore, StagedChange};

/// The size of one document in Convex, less what stands beside the text
/// (docs.convex.dev/production/state/limits).
const MAX_FILE_BYTES: usize = (1 << 20) - (8 << 10);
/// All texts of one commit: half of what a mutation may take and write (16 MiB).
const MAX_STAGED_BYTES: usize = 8 << 20;

/// The files behind it, and what is to become of them.
pub struct StagedFiles {
    files: Arc<dyn ProjectFiles>,
    /// The project before the first change, asked for once.
    before: OnceCell<Structure>,
    staged: Mutex<Staged>,
}

#[derive(Default)]
struct Staged {
    /// Every change in its order, for the commit.
    changes: Vec<StagedChange>,
    /// What stands at each changed path: a text, or nothing.
    at: BTreeMap<String, Option<String>>,
    bytes: usize,
}

impl Staged {
    /// What the changes say of `path`; `None` if nothing.
    fn entry(&self, path: &str) -> Option<Option<&String>> {
        if let Some(entry) = self.at.get(path) {
            return Some(entry.as_ref());
        }
        // Below a folder that is gone.
        let parents = path.match_indices('/').map(|(end, _)| &path[..end]);
        parents.into_iter().any(|parent| self.at.get(parent) == Some(&None)).then_some(None)
    }
}

impl StagedFiles {
    /// Changes over `files`.
    pub fn new(files: Arc<dyn ProjectFiles>) -> Self {
        Self { files, before: OnceCell::new(), staged: Mutex::default() }
    }

    /// Makes all changes visible, in one mutation.
    ///
    /// # Errors
    /// What the store refuses or cannot do; then nothing is visible.
    pub async fn commit(&self, store: &FileStore) -> Result<()> {
        let staged = self.staged.lock().await;
        if staged.changes.is_empty() {
            return Ok(());
        }
        store.commit(&staged.changes).await
    }

    /// The files as the changes leave them, and folders without any.
    async fn after(&self, staged: &Staged) -> Result<Structure, FileError> {
        let before = self.before.get_or_try_init(|| self.files.structure()).await?;
        let mut files: Vec<String> =
            before.files.iter().filter(|path| staged.entry(path).is_none()).cloned().collect();
        files.extend(staged.at.iter().filter(|(_, text)| text.is_some()).map(|(path, _)| path.clone()));
        files.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
        let has_files = |folder: &str| files.iter().any(|path| is_below(path, folder));
        let empty = before.empty_folders.iter();
        let empty_folders =
            empty.filter(|folder| staged.entry(folder).is_none() && !has_files(folder)).cloned().collect();
        Ok(Structure { files, empty_folders })
    }
}

fn is_below(path: &str, folder: &str) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

fn is_folder(structure: &Structure, path: &str) -> bool {
    path.is_empty()
        || structure.files.iter().any(|file| is_below(file, path))
        || structure.empty_folders.iter().any(|folder| folder == path || is_below(folder, path))
}

fn refused<T>(why: String) -> Result<T, FileError> {
    Err(FileError::Refused(why))
}

impl ProjectFiles for StagedFiles {
    fn read<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Entry>, FileError>> {
        async move {
            let staged = self.staged.lock().await;
            if staged.at.is_empty() {
                drop(staged);
                return self.files.read(path).await;
            }
            if let Some(Some(content)) = staged.entry(path) {
                return Ok(Some(Entry::File { content: content.clone() }));
            }
            let after = self.after(&staged).await?;
            if is_folder(&after, path) {
                return Ok(Some(Entry::Folder));
            }
            match staged.entry(path) {
                Some(_) => Ok(None),
                None => self.files.read(path).await,
            }
        }
        .boxed()
    }

    fn write<'a>(
        &'a self,
        path: &'a str,
        content: &'a str,
        line: &'a ChangeLine,
    ) -> BoxFuture<'a, Result<Option<Change>, FileError>> {
        async move {
            if content.len() > MAX_FILE_BYTES {
                return refused(format!("{path} is larger than {MAX_FILE_BYTES} bytes"));
            }
            let mut staged = self.staged.lock().await;
            let bytes = staged.bytes + content.len();
            if bytes > MAX_STAGED_BYTES {
                return refused(format!("what is written is larger than {MAX_STAGED_BYTES} bytes in all"));
            }
            // What the commit would refuse is refused now, while the model can correct it.
            let after = self.after(&staged).await?;
            if is_folder(&after, path) {
                return refused(format!("{path} is a folder"));
            }
            let mut parents = path.match_indices('/').map(|(end, _)| &path[..end]);
            if let Some(parent) = parents.find(|parent| after.files.iter().any(|file| file == parent)) {
                return refused(format!("{parent} is a file, so nothing can be written below it"));
            }
            staged.bytes = bytes;
            staged.at.insert(path.to_owned(), Some(content.to_owned()));
            staged.changes.push(StagedChange::new(path, Some(content), line));
            Ok(None)
        }
        .boxed()
    }

    fn delete<'a>(
        &'a self,
        path: &'a str,
        line: &'a ChangeLine,
    ) -> BoxFuture<'a, Result<Option<Change>, FileError>> {
        async move {
            let mut staged = self.staged.lock().await;
            let after = self.after(&staged).await?;
            let exists = after.files.iter().any(|file| file == path) || is_folder(&after, path);
            if !exists || path.is_empty() {
                return refused("File not found".to_owned());
            }
            staged.at.retain(|changed, _| !is_below(changed, path));
            staged.at.insert(path.to_owned(), None);
            staged.changes.push(StagedChange::new(path, None, line));
            Ok(None)
        }
        .boxed()
    }

    fn list<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Listing>, FileError>> {
        async move {
            let staged = self.staged.lock().await;
            if staged.at.is_empty() {
                drop(staged);
                return self.files.list(path).await;
            }
            let after = self.after(&staged).await?;
            if after.files.iter().any(|file| file == path) {
                return Ok(Some(Listing::File));
            }
            if !is_folder(&after, path) {
                return Ok(None);
            }
            let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
            let mut entries: BTreeMap<(bool, String), EntryKind> = BTreeMap::new();
            let rest = |of: &String| of.strip_prefix(&prefix).map(str::to_owned);
            for rest in after.files.iter().filter_map(rest) {
                let (key, kind) = match rest.split_once('/') {
                    Some((folder, _)) => ((false, folder.to_owned()), EntryKind::Folder),
                    None => ((true, rest), EntryKind::File),
                };
                entries.insert(key, kind);
            }
            for rest in after.empty_folders.iter().filter_map(rest).filter(|rest| !rest.is_empty()) {
                let folder = rest.split('/').next().unwrap_or_default().to_owned();
                entries.insert((false, folder), EntryKind::Folder);
            }
            let entries = entries.into_iter().map(|((_, name), kind)| Listed { name, kind }).collect();
            Ok(Some(Listing::Folder { entries }))
        }
        .boxed()
    }

    /// Commands work on files that everybody sees; no step of a generation has any.
    fn apply<'a>(&'a self, _changes: &'a [FileChange]) -> BoxFuture<'a, Result<Applied, FileError>> {
        let why = "what a command changes cannot be held back until the step's end";
        ready(refused(why.to_owned())).boxed()
    }

    /// The project without the changes: who keeps a copy of it sees what others see.
    fn page<'a>(&'a self, request: &'a PageRequest) -> BoxFuture<'a, Result<FilesPage, FileError>> {
        self.files.page(request)
    }

    fn structure(&self) -> BoxFuture<'_, Result<Structure, FileError>> {
        async move {
            let staged = self.staged.lock().await;
            self.after(&staged).await
        }
        .boxed()
    }
}
