//! A project in memory: for hosts that have no store, and for tests.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};

use super::{Entry, EntryKind, FileError, Listed, Listing, ProjectFiles, Structure};

/// Files by normalised path. Folders exist as long as something is in them.
#[derive(Debug, Default)]
pub struct MemoryFiles(Mutex<BTreeMap<String, String>>);

impl MemoryFiles {
    /// A project with these files; paths must be normalised.
    pub fn new(files: BTreeMap<String, String>) -> Self {
        Self(Mutex::new(files))
    }

    /// The files as they are now.
    pub fn snapshot(&self) -> BTreeMap<String, String> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_folder(files: &BTreeMap<String, String>, path: &str) -> bool {
    path.is_empty()
        || files.range(format!("{path}/")..).next().is_some_and(|(p, _)| p.starts_with(&format!("{path}/")))
}

impl ProjectFiles for MemoryFiles {
    fn read<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Entry>, FileError>> {
        let files = self.lock();
        let entry = match files.get(path) {
            Some(content) => Some(Entry::File { content: content.clone() }),
            None if is_folder(&files, path) => Some(Entry::Folder),
            None => None,
        };
        ready(Ok(entry)).boxed()
    }

    fn write<'a>(&'a self, path: &'a str, content: &'a str) -> BoxFuture<'a, Result<(), FileError>> {
        let mut files = self.lock();
        let parent =
            path.match_indices('/').map(|(end, _)| &path[..end]).find(|parent| files.contains_key(*parent));
        let result = if let Some(parent) = parent {
            Err(FileError::Refused(format!("{parent} is a file, not a folder")))
        } else if is_folder(&files, path) {
            Err(FileError::Refused(format!("{path} is a folder")))
        } else {
            files.insert(path.to_owned(), content.to_owned());
            Ok(())
        };
        ready(result).boxed()
    }

    fn delete<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<(), FileError>> {
        let mut files = self.lock();
        let before = files.len();
        files.retain(|p, _| p != path && !p.starts_with(&format!("{path}/")));
        let found = files.len() < before && !path.is_empty();
        ready(if found { Ok(()) } else { Err(FileError::Refused("File not found".to_owned())) }).boxed()
    }

    fn list<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Listing>, FileError>> {
        let files = self.lock();
        if files.contains_key(path) {
            return ready(Ok(Some(Listing::File))).boxed();
        }
        if !is_folder(&files, path) {
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
        let mut files: Vec<String> = self.lock().keys().cloned().collect();
        files.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
        ready(Ok(Structure { files, empty_folders: Vec::new() })).boxed()
    }

    fn note<'a>(
        &'a self,
        _message: &'a str,
        _path: &'a str,
        _preview: Option<&'a str>,
        _at: f64,
    ) -> BoxFuture<'a, ()> {
        ready(()).boxed()
    }
}
