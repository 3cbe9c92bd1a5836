//! A project's files behind a rule: which were written is noted, and a step that only checks the
//! project writes nothing.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::{
    Applied, Change, ChangeLine, Entry, FileChange, FileError, FilesPage, Listing, Outcome, PageRequest,
    ProjectFiles, Structure,
};

/// What may be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// Everything.
    Free,
    /// Nothing.
    ReadOnly,
    /// These files may be written, and ones that are not there yet; nothing may be deleted.
    Only(BTreeSet<String>),
}

/// The files behind it, watched.
pub struct WatchedFiles {
    files: Arc<dyn ProjectFiles>,
    rule: Rule,
    written: Mutex<BTreeSet<String>>,
}

impl WatchedFiles {
    /// Watches `files`; changes that the rule does not allow are refused.
    pub fn new(files: Arc<dyn ProjectFiles>, rule: Rule) -> Self {
        Self { files, rule, written: Mutex::default() }
    }

    /// The paths that were written and are still there.
    pub fn written(&self) -> Vec<String> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Refuses what changes more than one file's text.
    fn allow(&self) -> Result<(), FileError> {
        match self.rule {
            Rule::Free => Ok(()),
            Rule::ReadOnly => refused("this step only checks the project: nothing may be changed".to_owned()),
            Rule::Only(_) => refused("this step deletes nothing".to_owned()),
        }
    }

    async fn allow_write(&self, path: &str) -> Result<(), FileError> {
        let Rule::Only(paths) = &self.rule else { return self.allow() };
        if paths.contains(path) || self.files.read(path).await?.is_none() {
            return Ok(());
        }
        let may = paths.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        refused(format!("nothing is wrong with {path}: this step may change {may}, and create files"))
    }
}

fn refused(why: String) -> Result<(), FileError> {
    Err(FileError::Refused(why))
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
        async move {
            self.allow_write(path).await?;
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
        async move {
            self.allow()?;
            let change = self.files.delete(path, line).await?;
            let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            written.retain(|known| known != path && !known.starts_with(&format!("{path}/")));
            Ok(change)
        }
        .boxed()
    }

    fn apply<'a>(&'a self, changes: &'a [FileChange]) -> BoxFuture<'a, Result<Applied, FileError>> {
        async move {
            self.allow()?;
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
