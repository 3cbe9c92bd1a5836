//! A project's files in the store.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::snapshot::NO_TEXTS;
use super::tree::with_paths;
use super::{
    Applied, Change, ChangeLine, Entry, EntryKind, FileChange, FileError, FileRow, FilesPage, Listing,
    Outcome, PageRequest, ProjectFiles, Structure,
};
use crate::error::{CoreError, ErrorCode};
use crate::store::functions::FileStore;
use crate::store::writer::Outbox;

/// The files of one project in Convex.
#[derive(Debug)]
pub struct ConvexFiles {
    store: FileStore,
    outbox: Option<Outbox>,
    /// The deployment takes no line with a change: the line goes after it.
    old: AtomicBool,
}

impl ConvexFiles {
    /// The files behind `store`.
    pub fn new(store: FileStore) -> Self {
        Self { store, outbox: None, old: AtomicBool::new(false) }
    }

    /// The files behind `store`, for a run whose changes go with the record of their turn.
    pub fn through(outbox: Outbox, store: FileStore) -> Self {
        Self { outbox: Some(outbox), ..Self::new(store) }
    }

    fn is_old(&self) -> bool {
        self.old.load(Ordering::Relaxed)
    }

    fn found_old(&self) {
        self.old.store(true, Ordering::Relaxed);
    }

    /// Writes `content`, or deletes what is there.
    async fn change(
        &self,
        path: &str,
        content: Option<&str>,
        line: &ChangeLine,
    ) -> Result<Option<Change>, FileError> {
        if let Some(outbox) = &self.outbox
            && let Some(made) = outbox.change(self.store.turn_change(path, content, line)).await
        {
            return made.map(Some).map_err(refusal);
        }
        if !self.is_old() {
            match self.store.change(path, content, Some(line)).await {
                Err(error) if error.code == ErrorCode::StoreFunctionMissing => self.found_old(),
                made => return made.map_err(refusal),
            }
        }
        let change = if line.again && self.is_made(path, content).await? {
            None
        } else {
            self.change_untold(path, content).await?
        };
        self.tell(path, line).await;
        Ok(change)
    }

    /// Without receipts: what is asked for is there already.
    async fn is_made(&self, path: &str, content: Option<&str>) -> Result<bool, FileError> {
        let found = self.store.read(path).await.map_err(refusal)?;
        Ok(match (content, found) {
            (Some(content), Some(Entry::File { content: found })) => content == found,
            (content, found) => content.is_none() && found.is_none(),
        })
    }

    async fn change_untold(&self, path: &str, content: Option<&str>) -> Result<Option<Change>, FileError> {
        match self.store.change(path, content, None).await {
            // The answer of the first try may have been lost: gone is what was asked for.
            Err(error) if content.is_none() && error.retryable() => match self.store.read(path).await {
                Ok(None) => Ok(None),
                Ok(Some(_)) => self.store.change(path, None, None).await.map_err(refusal),
                Err(_) => Err(refusal(error)),
            },
            made => made.map_err(refusal),
        }
    }

    /// The log is a comfort: a failure here must not fail the tool.
    async fn tell(&self, path: &str, line: &ChangeLine) {
        drop(self.store.append_event(path, line).await);
    }
}

/// A function that refused with a code of its own tells something that the model can correct.
fn refusal(error: CoreError) -> FileError {
    match error.code {
        ErrorCode::StoreFunctionFailed => FileError::Refused(error.message),
        _ => FileError::Store(error),
    }
}

fn structure(rows: Vec<FileRow>) -> Structure {
    let all = with_paths(rows);
    let parents: HashSet<String> = all.iter().filter_map(|(_, row)| row.parent_id.clone()).collect();
    let mut structure = Structure::default();
    for (path, row) in all {
        match row.kind {
            EntryKind::File => structure.files.push(path),
            EntryKind::Folder if !parents.contains(&row.id) => structure.empty_folders.push(path),
            EntryKind::Folder => {}
        }
    }
    for paths in [&mut structure.files, &mut structure.empty_folders] {
        paths.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
    }
    structure
}

impl ProjectFiles for ConvexFiles {
    fn read<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Entry>, FileError>> {
        async move { self.store.read(path).await.map_err(refusal) }.boxed()
    }

    fn write<'a>(
        &'a self,
        path: &'a str,
        content: &'a str,
        line: &'a ChangeLine,
    ) -> BoxFuture<'a, Result<Option<Change>, FileError>> {
        self.change(path, Some(content), line).boxed()
    }

    fn delete<'a>(
        &'a self,
        path: &'a str,
        line: &'a ChangeLine,
    ) -> BoxFuture<'a, Result<Option<Change>, FileError>> {
        self.change(path, None, line).boxed()
    }

    fn apply<'a>(&'a self, changes: &'a [FileChange]) -> BoxFuture<'a, Result<Applied, FileError>> {
        async move {
            if !self.is_old() {
                match self.store.apply(changes).await {
                    Err(error) if error.code == ErrorCode::StoreFunctionMissing => self.found_old(),
                    applied => return applied.map_err(refusal),
                }
            }
            let untold: Vec<FileChange> =
                changes.iter().map(|change| FileChange { line: None, ..change.clone() }).collect();
            let applied = self.store.apply(&untold).await.map_err(refusal)?;
            let outcomes = changes.iter().zip(&applied.outcomes);
            for (change, _) in outcomes.filter(|(_, told)| told.outcome == Outcome::Applied) {
                if let Some(line) = &change.line {
                    self.tell(&change.path, line).await;
                }
            }
            Ok(applied)
        }
        .boxed()
    }

    fn list<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Listing>, FileError>> {
        async move { self.store.list(path).await.map_err(refusal) }.boxed()
    }

    fn page<'a>(&'a self, request: &'a PageRequest) -> BoxFuture<'a, Result<FilesPage, FileError>> {
        async move { self.store.page(request).await.map_err(refusal) }.boxed()
    }

    fn structure(&self) -> BoxFuture<'_, Result<Structure, FileError>> {
        async move {
            // In pages: in one transaction, the files of a large project cannot be read.
            let mut request = PageRequest { since: Some(NO_TEXTS), ..PageRequest::default() };
            let mut rows = Vec::new();
            loop {
                let page = match self.store.page(&request).await {
                    Err(error) if error.code == ErrorCode::StoreFunctionMissing => {
                        return self.store.structure().await.map_err(refusal);
                    }
                    page => page.map_err(refusal)?,
                };
                rows.extend(page.rows);
                request.cursor = page.cursor;
                if request.cursor.is_none() {
                    return Ok(structure(rows));
                }
            }
        }
        .boxed()
    }
}
