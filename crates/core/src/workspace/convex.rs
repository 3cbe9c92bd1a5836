//! A project's files in the store.

use std::collections::HashSet;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::snapshot::NO_TEXTS;
use super::tree::with_paths;
use super::{
    Applied, Change, Entry, EntryKind, FileChange, FileError, FileRow, FilesPage, Listing, PageRequest,
    ProjectFiles, Structure,
};
use crate::error::{CoreError, ErrorCode};
use crate::store::functions::FileStore;

/// The files of one project in Convex.
#[derive(Debug, Clone)]
pub struct ConvexFiles(FileStore);

impl ConvexFiles {
    /// The files behind `store`.
    pub fn new(store: FileStore) -> Self {
        Self(store)
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
        async move { self.0.read(path).await.map_err(refusal) }.boxed()
    }

    fn write<'a>(
        &'a self,
        path: &'a str,
        content: &'a str,
    ) -> BoxFuture<'a, Result<Option<Change>, FileError>> {
        async move { self.0.write(path, content).await.map_err(refusal) }.boxed()
    }

    fn delete<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Change>, FileError>> {
        async move {
            match self.0.delete(path).await {
                // The answer of the first try may have been lost: gone is what was asked for.
                Err(error) if error.retryable() => match self.0.read(path).await {
                    Ok(None) => Ok(None),
                    Ok(Some(_)) => self.0.delete(path).await.map_err(refusal),
                    Err(_) => Err(refusal(error)),
                },
                result => result.map_err(refusal),
            }
        }
        .boxed()
    }

    fn apply<'a>(&'a self, changes: &'a [FileChange]) -> BoxFuture<'a, Result<Applied, FileError>> {
        async move { self.0.apply(changes).await.map_err(refusal) }.boxed()
    }

    fn list<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Listing>, FileError>> {
        async move { self.0.list(path).await.map_err(refusal) }.boxed()
    }

    fn page<'a>(&'a self, request: &'a PageRequest) -> BoxFuture<'a, Result<FilesPage, FileError>> {
        async move { self.0.page(request).await.map_err(refusal) }.boxed()
    }

    fn structure(&self) -> BoxFuture<'_, Result<Structure, FileError>> {
        async move {
            // In pages: in one transaction, the files of a large project cannot be read.
            let mut request = PageRequest { since: Some(NO_TEXTS), ..PageRequest::default() };
            let mut rows = Vec::new();
            loop {
                let page = match self.0.page(&request).await {
                    Err(error) if error.code == ErrorCode::StoreFunctionMissing => {
                        return self.0.structure().await.map_err(refusal);
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

    fn note<'a>(
        &'a self,
        message: &'a str,
        path: &'a str,
        preview: Option<&'a str>,
        at: f64,
    ) -> BoxFuture<'a, ()> {
        async move {
            // The log is a comfort: a failure here must not fail the tool.
            let _ = self.0.append_event(message, path, preview, at).await;
        }
        .boxed()
    }
}
