//! A project in memory: for hosts that have no store, and for tests.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};

use super::{
    Applied, Change, ChangeLine, Entry, EntryKind, FileChange, FileError, FileRow, FilesPage, Listed,
    Listing, Outcome, PageRequest, ProjectFiles, Structure, Told,
};
use crate::telemetry::epoch_ms;

/// Files by normalised path. Folders exist as long as something is in them.
#[derive(Debug, Default)]
pub struct MemoryFiles(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<String, File>,
    /// When the project was changed last, ms since 1970; different for each change.
    updated_at: f64,
}

#[derive(Debug)]
struct File {
    content: String,
    /// 0: nobody knows.
    updated_at: f64,
}

impl MemoryFiles {
    /// A project with these files; paths must be normalised.
    pub fn new(files: BTreeMap<String, String>) -> Self {
        let files = files.into_iter().map(|(path, content)| (path, File { content, updated_at: 0.0 }));
        Self(Mutex::new(State { files: files.collect(), updated_at: 0.0 }))
    }

    /// The files as they are now.
    pub fn snapshot(&self) -> BTreeMap<String, String> {
        self.lock().files.iter().map(|(path, file)| (path.clone(), file.content.clone())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn touch(&mut self) -> Change {
        let before = self.updated_at;
        self.updated_at = epoch_ms(SystemTime::now()).max(before + 1.0);
        Change { before, updated_at: self.updated_at }
    }

    fn apply(&mut self, changes: &[FileChange]) -> Applied {
        let mut change = Change { before: self.updated_at, updated_at: self.updated_at };
        let mut outcomes = Vec::with_capacity(changes.len());
        for FileChange { path, base, content, .. } in changes {
            let found = self.files.get(path);
            let is_as_wanted = found.map(|file| &file.content) == content.as_ref();
            let told = |outcome, reason: Option<&str>| Told { outcome, reason: reason.map(str::to_owned) };
            let parent_is_file =
                path.match_indices('/').any(|(end, _)| self.files.contains_key(&path[..end]));
            outcomes.push(if is_as_wanted {
                told(Outcome::Applied, None)
            } else if found.map(|file| file.updated_at) != *base {
                told(Outcome::Conflict, None)
            } else if found.is_none() && (parent_is_file || is_folder(&self.files, path)) {
                told(Outcome::Refused, Some("a file stands where a folder is needed, or the reverse"))
            } else {
                if change.before == change.updated_at {
                    change = self.touch();
                }
                match content {
                    Some(content) => {
                        let file = File { content: content.clone(), updated_at: change.updated_at };
                        self.files.insert(path.clone(), file);
                    }
                    None => drop(self.files.remove(path)),
                }
                told(Outcome::Applied, None)
            });
        }
        Applied { change, outcomes }
    }

    fn page(&self, request: &PageRequest) -> FilesPage {
        if request.unless == Some(self.updated_at) {
            return FilesPage { updated_at: self.updated_at, rows: Vec::new(), cursor: None };
        }
        let rows = self.files.iter().map(|(path, file)| FileRow {
            id: path.clone(),
            parent_id: None,
            name: path.clone(),
            kind: EntryKind::File,
            updated_at: file.updated_at,
            content: (file.updated_at >= request.since.unwrap_or(0.0)).then(|| file.content.clone()),
            binary: false,
        });
        FilesPage { updated_at: self.updated_at, rows: rows.collect(), cursor: None }
    }
}

fn is_folder<T>(files: &BTreeMap<String, T>, path: &str) -> bool {
    path.is_empty()
        || files.range(format!("{path}/")..).next().is_some_and(|(p, _)| p.starts_with(&format!("{path}/")))
}

impl ProjectFiles for MemoryFiles {
    fn read<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Entry>, FileError>> {
        let files = &self.lock().files;
        let entry = match files.get(path) {
            Some(file) => Some(Entry::File { content: file.content.clone() }),
            None if is_folder(files, path) => Some(Entry::Folder),
            None => None,
        };
        ready(Ok(entry)).boxed()
    }

    fn write<'a>(
        &'a self,
        path: &'a str,
        content: &'a str,
        _line: &'a ChangeLine,
    ) -> BoxFuture<'a, Result<Option<Change>, FileError>> {
        let mut state = self.lock();
        let files = &state.files;
        let parent =
            path.match_indices('/').map(|(end, _)| &path[..end]).find(|parent| files.contains_key(*parent));
        let result = if let Some(parent) = parent {
            Err(FileError::Refused(format!("{parent} is a file, not a folder")))
        } else if is_folder(files, path) {
            Err(FileError::Refused(format!("{path} is a folder")))
        } else {
            let change = state.touch();
            let file = File { content: content.to_owned(), updated_at: change.updated_at };
            state.files.insert(path.to_owned(), file);
            Ok(Some(change))
        };
        ready(result).boxed()
    }

    fn delete<'a>(
        &'a self,
        path: &'a str,
        _line: &'a ChangeLine,
    ) -> BoxFuture<'a, Result<Option<Change>, FileError>> {
        let mut state = self.lock();
        let before = state.files.len();
        if !path.is_empty() {
            state.files.retain(|p, _| p != path && !p.starts_with(&format!("{path}/")));
        }
        let found = state.files.len() < before;
        let result = if found {
            Ok(Some(state.touch()))
        } else {
            Err(FileError::Refused("File not found".to_owned()))
        };
        ready(result).boxed()
    }

    fn apply<'a>(&'a self, changes: &'a [FileChange]) -> BoxFuture<'a, Result<Applied, FileError>> {
        ready(Ok(self.lock().apply(changes))).boxed()
    }

    fn page<'a>(&'a self, request: &'a PageRequest) -> BoxFuture<'a, Result<FilesPage, FileError>> {
        ready(Ok(self.lock().page(request))).boxed()
    }

    fn list<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Listing>, FileError>> {
        let files = &self.lock().files;
        if files.contains_key(path) {
            return ready(Ok(Some(Listing::File))).boxed();
        }
        if !is_folder(files, path) {
            return ready(Ok(None)).boxed();
        }
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        let mut entries: BTreeMap<(bool, String), EntryKind> = BTreeMap::new();
        for rest in files.keys().filter_map(|p| p.strip_prefix(&prefix)) {
            match rest.split_once('/') {
                Some((folder, _)) => entries.insert((false, folder.to_owned()), EntryKind::Folder),
                None => entries.insert((true, rest.to_owned()), EntryKind::File),
            };
        }
        let entries = entries.into_iter().map(|((_, name), kind)| Listed { name, kind }).collect();
        ready(Ok(Some(Listing::Folder { entries }))).boxed()
    }

    fn structure(&self) -> BoxFuture<'_, Result<Structure, FileError>> {
        let mut files: Vec<String> = self.lock().files.keys().cloned().collect();
        files.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
        ready(Ok(Structure { files, empty_folders: Vec::new() })).boxed()
    }
}
