//! The files of a project as tools see them. Where they live is behind [`ProjectFiles`]: the store
//! ([`convex`]) or memory ([`memory`], for hosts without a store). [`snapshot`] keeps the copy of a
//! whole project that a run works with.

pub mod convex;
pub mod materialise;
pub mod memory;
pub mod path;
pub mod snapshot;
pub mod staged;
pub mod tree;
pub mod watched;

use futures::future::BoxFuture;

use crate::error::CoreError;
pub use crate::store::functions::{
    Applied, Change, ChangeLine, Entry, EntryKind, FileChange, FileRow, FilesPage, Listed, Listing, Outcome,
    PageRequest, Structure, Told,
};

/// Why a file operation failed: something the model can correct, or an error that ends the run.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The project does not allow it; the text says why.
    #[error("{0}")]
    Refused(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] CoreError),
}

/// The files of one project. Paths are normalised (see [`path`]).
pub trait ProjectFiles: Send + Sync {
    /// What stands at `path`; `None` if nothing does.
    fn read<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Entry>, FileError>>;
    /// Creates or replaces a text file; folders are made. `line` tells it in the project's log, where
    /// there is one; the same change again under the same line is made once. `None`: the store does not
    /// tell the change.
    fn write<'a>(
        &'a self,
        path: &'a str,
        content: &'a str,
        line: &'a ChangeLine,
    ) -> BoxFuture<'a, Result<Option<Change>, FileError>>;
    /// Deletes a file, or a folder with all that is in it. The rest is as of a write.
    fn delete<'a>(
        &'a self,
        path: &'a str,
        line: &'a ChangeLine,
    ) -> BoxFuture<'a, Result<Option<Change>, FileError>>;
    /// Changes several files at once, each only if it still is as it was found, and tells what is made.
    fn apply<'a>(&'a self, changes: &'a [FileChange]) -> BoxFuture<'a, Result<Applied, FileError>>;
    /// One level of the folder `path`; `None` if nothing stands there.
    fn list<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Listing>, FileError>>;
    /// A part of the whole tree, for those that keep a copy ([`snapshot`]).
    fn page<'a>(&'a self, request: &'a PageRequest) -> BoxFuture<'a, Result<FilesPage, FileError>>;
    /// All paths.
    fn structure(&self) -> BoxFuture<'_, Result<Structure, FileError>>;
}
