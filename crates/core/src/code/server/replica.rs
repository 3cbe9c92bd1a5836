//! The copy of the project that the server reads: in memory where it may and can be, or in the temporary
//! folder; kept equal to what the index has.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use url::Url;

use super::folder;
use crate::code::index::Index;
use crate::workspace::materialise::Workspace;
use crate::workspace::materialise::folder::Folders;
use crate::workspace::materialise::follow::Changed;
use crate::workspace::materialise::place::{self, Size};

/// What happened to the files of the copy.
pub(super) type Changes = Vec<(Arc<str>, Changed)>;

/// The copy of the project, and what it stands for.
pub(super) struct Replica {
    folder: Workspace,
    /// Without links on the way to it.
    pub(super) root: PathBuf,
    pub(super) of: Arc<Index>,
    /// A file that points outside the project, where nothing keeps the server from following it.
    pub(super) outside: Option<Arc<str>>,
    /// What it took when its place was chosen, if that is in memory.
    in_memory: Option<Size>,
}

/// How a copy is made.
pub(super) struct How {
    /// The server can read nothing else.
    pub(super) confined: bool,
    /// A new copy may lie in memory.
    pub(super) may_use_memory: bool,
    /// Counts its folder.
    pub(super) folders: Folders,
}

impl Replica {
    /// Makes `copy`, or a new one, what `index` has; what changed in it. One in memory that has outgrown its
    /// place is made anew elsewhere.
    pub(super) fn update(copy: Option<Self>, index: &Arc<Index>, how: &How) -> io::Result<(Self, Changes)> {
        let files = folder::files(index);
        let size: Size = files.values().map(|text| text.len()).collect();
        let outside = if how.confined { None } else { folder::leads_out(index) };
        let fill = |mut folder: Workspace, root, in_memory| {
            let changes = match outside {
                Some(_) => Vec::new(),
                None => folder.follow(&files)?,
            };
            let (of, outside) = (Arc::clone(index), outside.clone());
            Ok((Self { folder, root, of, outside, in_memory }, changes))
        };
        let make = |place: Option<&Path>| {
            let held = how.folders.hold();
            let folder = match place {
                Some(place) => Workspace::create_in(place, held)?,
                None => Workspace::create(held)?,
            };
            let root = folder.root().canonicalize()?;
            fill(folder, root, place.map(|_| size))
        };
        let has_room = |before| !size.has_outgrown(before) || place::in_memory(size).is_some();
        match copy.filter(|copy| copy.in_memory.is_none_or(has_room)) {
            Some(copy) => fill(copy.folder, copy.root, copy.in_memory),
            None => match how.may_use_memory.then(|| place::in_memory(size)).flatten() {
                // Not everything can be known of a place beforehand.
                Some(place) => make(Some(place)).or_else(|_| make(None)),
                None => make(None),
            },
        }
    }

    pub(super) fn is_in_memory(&self) -> bool {
        self.in_memory.is_some()
    }

    /// A folder beside it.
    pub(super) fn temp(&self) -> &Path {
        self.folder.temp()
    }

    /// A file of it, as the protocol names it.
    pub(super) fn uri(&self, path: &str) -> Option<String> {
        Some(Url::from_file_path(self.root.join(path)).ok()?.into())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::code::index::Indexer;
    use crate::workspace::memory::MemoryFiles;
    use crate::workspace::snapshot::Snapshot;

    async fn index(files: &[(&str, &str)]) -> Arc<Index> {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        let files = MemoryFiles::new(files.collect::<BTreeMap<_, _>>());
        Indexer::new(Arc::new(Snapshot::new(Arc::new(files)))).current().await.unwrap()
    }

    #[tokio::test]
    async fn a_copy_lies_in_memory_only_where_it_may_and_stays_where_it_is() {
        let first = index(&[("a.ts", "1"), ("b/c.ts", "2")]).await;
        let second = index(&[("a.ts", "3"), ("b/c.ts", "2"), ("d.ts", "4")]).await;
        for may_use_memory in [false, true] {
            let how = How { confined: true, may_use_memory, folders: Folders::default() };
            let (copy, changes) = Replica::update(None, &first, &how).unwrap();
            // Two files, and a configuration of ours.
            assert_eq!(changes.len(), 3);
            let is_there = may_use_memory && place::in_memory([1, 1, 1].into_iter().collect()).is_some();
            assert_eq!(copy.is_in_memory(), is_there);
            let root = copy.root.clone();
            let (copy, changes) = Replica::update(Some(copy), &second, &how).unwrap();
            let changes: Vec<_> = changes.iter().map(|(path, change)| (&**path, *change)).collect();
            assert_eq!(changes, [("a.ts", Changed::Written), ("d.ts", Changed::Created)]);
            assert_eq!((&copy.root, copy.is_in_memory()), (&root, is_there));
            assert_eq!(std::fs::read_to_string(root.join("a.ts")).unwrap(), "3");
        }
    }

    #[tokio::test]
    async fn a_copy_that_has_outgrown_memory_is_made_anew_elsewhere() {
        let index = index(&[("a.ts", "1")]).await;
        let how = How { confined: true, may_use_memory: false, folders: Folders::default() };
        let (mut copy, _) = Replica::update(None, &index, &how).unwrap();
        let root = copy.root.clone();
        // As if it lay in memory and had been a thousandth of what it is.
        copy.in_memory = Some(Size::default());
        let has_room = place::in_memory([1, 1].into_iter().collect()).is_some();
        let (copy, changes) = Replica::update(Some(copy), &index, &how).unwrap();
        assert_eq!((copy.root == root, changes.is_empty()), (has_room, has_room));
    }
}
