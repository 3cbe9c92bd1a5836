//! A project's files behind a rule: which were written is noted, and a step that only checks the
//! project writes nothing.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};

use super::{
    Applied, Change, ChangeLine, Entry, FileChange, FileError, FilesPage, Listing, Outcome, PageRequest,
    ProjectFiles, Structure,
};

/// The files behind it, watched.
pub struct WatchedFiles {
    files: Arc<dyn ProjectFiles>,
    read_only: bool,
    written: Mutex<BTreeSet<String>>,
}

impl WatchedFiles {
    /// Watches `files`; with `read_only`, changes are refused.
    pub fn new(files: Arc<dyn ProjectFiles>, read_only: bool) -> Self {
        Self { files, read_only, written: Mutex::default() }
    }

    /// The paths that were written and are still there.
    pub fn written(&self) -> Vec<String> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn refusal(&self) -> Option<FileError> {
        self.read_only.then(|| {
            FileError::Refused("this step only checks the project: nothing may be changed".to_owned())
        })
    }
}

impl ProjectFiles for WatchedFiles {
    fn read<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Entry>, FileError>> {
        self.files.read(path)
    }

    fn write<'a>(
        &'a self,
        path: &'a str,
        content: &'a str,
        line: &'a ChangeLine,
    ) -> BoxFuture<'a, Result<Option<Change>, FileError>> {
        if let Some(refusal) = self.refusal() {
            return ready(Err(refusal)).boxed();
        }
        async move {
            let change = self.files.write(path, content, line).await?;
            self.written.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned());
            Ok(change)
        }
        .boxed()
    }

    fn delete<'a>(
        &'a self,
        path: &'a str,
        line: &'a ChangeLine,
    ) -> BoxFuture<'a, Result<Option<Change>, FileError>> {
        if let Some(refusal) = self.refusal() {
            return ready(Err(refusal)).boxed();
        }
        async move {
            let change = self.files.delete(path, line).await?;
            let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            written.retain(|known| known != path && !known.starts_with(&format!("{path}/")));
            Ok(change)
        }
        .boxed()
    }

    fn apply<'a>(&'a self, changes: &'a [FileChange]) -> BoxFuture<'a, Result<Applied, FileError>> {
        if let Some(refusal) = self.refusal() {
            return ready(Err(refusal)).boxed();
        }
        async move {
            let applied = self.files.apply(changes).await?;
            let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            for (change, told) in changes.iter().zip(&applied.outcomes) {
                match (told.outcome, &change.content) {
                    (Outcome::Applied, Some(_)) => drop(written.insert(change.path.clone())),
                    (Outcome::Applied, None) => drop(written.remove(&change.path)),
                    _ => {}
                }
            }
            Ok(applied)
        }
        .boxed()
    }

    fn list<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Listing>, FileError>> {
        self.files.list(path)
    }

    fn page<'a>(&'a self, request: &'a PageRequest) -> BoxFuture<'a, Result<FilesPage, FileError>> {
        self.files.page(request)
    }

    fn structure(&self) -> BoxFuture<'_, Result<Structure, FileError>> {
        self.files.structure()
    }
}
