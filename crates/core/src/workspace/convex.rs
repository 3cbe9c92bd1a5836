//! A project's files in the store.

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::{Entry, FileError, Listing, ProjectFiles, Structure};
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

impl ProjectFiles for ConvexFiles {
    fn read<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Entry>, FileError>> {
        async move { self.0.read(path).await.map_err(refusal) }.boxed()
    }

    fn write<'a>(&'a self, path: &'a str, content: &'a str) -> BoxFuture<'a, Result<(), FileError>> {
        async move { self.0.write(path, content).await.map_err(refusal) }.boxed()
    }

    fn delete<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<(), FileError>> {
        async move {
            match self.0.delete(path).await {
                // The answer of the first try may have been lost: gone is what was asked for.
                Err(error) if error.retryable() => match self.0.read(path).await {
                    Ok(None) => Ok(()),
                    Ok(Some(_)) => self.0.delete(path).await.map_err(refusal),
                    Err(_) => Err(refusal(error)),
                },
                result => result.map_err(refusal),
            }
        }
        .boxed()
    }

    fn list<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Listing>, FileError>> {
        async move { self.0.list(path).await.map_err(refusal) }.boxed()
    }

    fn structure(&self) -> BoxFuture<'_, Result<Structure, FileError>> {
        async move { self.0.structure().await.map_err(refusal) }.boxed()
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
