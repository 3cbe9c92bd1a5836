//! The copy of a whole project that a run works with: loaded once in pages, at first need; kept
//! current by the run's own changes, which go through it, and by a cheap check before each use that
//! fetches only what others changed. Bounded in memory: what is beyond is known by name only.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::Mutex;

use super::tree::with_paths;
use super::{
    Applied, Change, ChangeLine, Entry, EntryKind, FileChange, FileError, FileRow, FilesPage, Listing,
    Outcome, PageRequest, ProjectFiles, Structure,
};

/// A time that no file was changed after: with it, a page holds no texts. The largest integer that
/// every JSON reader takes as it is.
pub const NO_TEXTS: f64 = 9_007_199_254_740_991.0;

/// Files that are read one by one at the same time.
const PARALLEL_READS: usize = 8;

/// How much of a project is kept.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Files and folders, at most.
    pub max_rows: usize,
    /// Bytes of text, at most.
    pub max_text_bytes: usize,
}

/// What fits beside everything else on a machine of 512 MB.
impl Default for Bounds {
    fn default() -> Self {
        Self { max_rows: 50_000, max_text_bytes: 64 << 20 }
    }
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Text; shared by all views in which the file is the same.
    Text(Arc<str>),
    /// A file without text.
    Binary,
    /// Text that is beyond [`Bounds::max_text_bytes`].
    LeftOut,
}

/// A file of a project.
#[derive(Debug, Clone)]
pub struct File {
    /// What it holds.
    pub content: Content,
    /// When it was changed, ms since 1970; 0 if nobody knows.
    pub updated_at: f64,
    /// Different whenever path or content may be: the key for what is worked out from them.
    pub revision: u64,
    id: Option<Arc<str>>,
}

impl File {
    /// The text, of a text file that is held.
    pub fn text(&self) -> Option<&Arc<str>> {
        match &self.content {
            Content::Text(text) => Some(text),
            Content::Binary | Content::LeftOut => None,
        }
    }
}

/// A project at one moment.
#[derive(Debug, Clone, Default)]
pub struct Project {
    files: BTreeMap<Arc<str>, File>,
    folders: BTreeSet<Arc<str>>,
    text_bytes: usize,
    /// There are more rows than [`Bounds::max_rows`].
    cut: bool,
}

impl Project {
    /// All files, by path.
    pub fn files(&self) -> impl Iterator<Item = (&Arc<str>, &File)> {
        self.files.iter()
    }

    /// The text files that are held, by path.
    pub fn texts(&self) -> impl Iterator<Item = (&Arc<str>, &File, &Arc<str>)> {
        self.files.iter().filter_map(|(path, file)| Some((path, file, file.text()?)))
    }

    /// The file at a normalised path.
    pub fn get(&self, path: &str) -> Option<&File> {
        self.files.get(path)
    }

    /// Whether files stand below the path.
    pub fn is_folder(&self, path: &str) -> bool {
        self.below(path).next().is_some()
    }

    /// The folders that the store has rows for, empty ones too, parents first.
    pub fn folders(&self) -> impl Iterator<Item = &Arc<str>> {
        self.folders.iter()
    }

    /// Whether the store has a row for this folder.
    pub fn is_known_folder(&self, path: &str) -> bool {
        self.folders.contains(path)
    }

    /// A project of files without text.
    #[cfg(test)]
    pub(crate) fn of(paths: &[&str]) -> Self {
        let file = File { content: Content::Binary, updated_at: 0.0, revision: 0, id: None };
        let files = paths.iter().map(|&path| (path.into(), file.clone()));
        Self { files: files.collect(), ..Self::default() }
    }

    /// The same project with these folders, as the store's rows name them.
    #[cfg(test)]
    pub(crate) fn with_folders(&self, folders: &[&str]) -> Self {
        Self { folders: folders.iter().map(|&path| path.into()).collect(), ..self.clone() }
    }

    /// The paths below a folder.
    pub fn below(&self, folder: &str) -> impl Iterator<Item = &Arc<str>> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let paths = self.files.range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded));
        paths.map(|(path, _)| path).take_while(move |path| path.starts_with(&prefix))
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there are no files.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Whether there are more files than the copy knows of.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// What an answer from this copy must say if the project is larger than the copy.
    pub fn shortfall(&self) -> Option<String> {
        let left_out = self.files.values().filter(|file| file.content == Content::LeftOut).count();
        match (self.cut, left_out) {
            (false, 0) => None,
            (false, files) => Some(format!(
                "[The project is too large to be looked at as a whole: {files} of {} files were left out]",
                self.len()
            )),
            (true, files) => Some(format!(
                "[The project is too large to be looked at as a whole: only {} files were]",
                self.len() - files
            )),
        }
    }

    fn insert(&mut self, path: Arc<str>, mut file: File, bounds: Bounds) {
        self.remove(&path);
        if let Content::Text(text) = &file.content {
            if self.text_bytes + text.len() > bounds.max_text_bytes {
                file.content = Content::LeftOut;
            } else {
                self.text_bytes += text.len();
            }
        }
        self.files.insert(path, file);
    }

    fn remove(&mut self, path: &str) {
        if let Some(File { content: Content::Text(text), .. }) = self.files.remove(path) {
            self.text_bytes -= text.len();
        }
    }

    fn remove_tree(&mut self, path: &str) {
        self.remove(path);
        for path in self.below(path).cloned().collect::<Vec<_>>() {
            self.remove(&path);
        }
        self.folders.retain(|folder| {
            folder.strip_prefix(path).is_none_or(|rest| !rest.is_empty() && !rest.starts_with('/'))
        });
    }
}

/// A project's files with a copy of the whole of them. Everything that a run changes must go
/// through it, so that the next view has it.
pub struct Snapshot {
    files: Arc<dyn ProjectFiles>,
    bounds: Bounds,
    state: Mutex<State>,
    /// Counts the uses of the copy.
    uses: AtomicU64,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("bounds", &self.bounds).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct State {
    project: Arc<Project>,
    /// The project's `updatedAt` that the copy stands for; `None` before it is loaded.
    version: Option<f64>,
    /// Own changes that follow a version that is not known yet, by the version before them.
    ahead: Vec<Change>,
    /// The latest time of a change that the copy has.
    newest: f64,
    /// The uses that the last check counts for: those that had been asked for when it began.
    checked: u64,
    revisions: u64,
}

impl Snapshot {
    /// A copy of `files`; nothing is read yet.
    pub fn new(files: Arc<dyn ProjectFiles>) -> Self {
        Self::with_bounds(files, Bounds::default())
    }

    /// A copy of `files` that holds no more than `bounds`.
    pub fn with_bounds(files: Arc<dyn ProjectFiles>, bounds: Bounds) -> Self {
        Self { files, bounds, state: Mutex::default(), uses: AtomicU64::new(0) }
    }

    /// The project as it is now.
    ///
    /// # Errors
    /// What the store refuses or cannot do.
    pub async fn current(&self) -> Result<Arc<Project>, FileError> {
        let asked = self.uses.fetch_add(1, Ordering::SeqCst) + 1;
        let mut state = self.state.lock().await;
        // Calls that waited for a check that began after them share it.
        if state.checked < asked {
            let covers = self.uses.load(Ordering::SeqCst);
            self.refresh(&mut state).await?;
            state.checked = covers;
        }
        Ok(Arc::clone(&state.project))
    }

    /// Loads what changed. `state` is touched at the end only, so that a dropped call leaves it whole.
    async fn refresh(&self, state: &mut State) -> Result<(), FileError> {
        let since = state.version.map(|_| state.newest);
        let mut request = PageRequest { cursor: None, since, unless: state.version };
        let mut rows: Vec<FileRow> = Vec::new();
        let (mut version, mut text_bytes) = (None, 0);
        let cut = loop {
            let page = self.files.page(&request).await?;
            if state.version == Some(page.updated_at) && version.is_none() {
                return Ok(());
            }
            // The first page's: what is changed while the others are read is found by the next check.
            version.get_or_insert(page.updated_at);
            text_bytes +=
                page.rows.iter().filter_map(|row| row.content.as_ref()).map(String::len).sum::<usize>();
            rows.extend(page.rows);
            let cut = rows.len() > self.bounds.max_rows;
            rows.truncate(self.bounds.max_rows);
            let since = if text_bytes > self.bounds.max_text_bytes { Some(NO_TEXTS) } else { since };
            request = PageRequest { cursor: page.cursor, since, unless: None };
            if request.cursor.is_none() || cut {
                break cut;
            }
        };
        let mut revisions = state.revisions;
        let mut project = Project { cut, ..Project::default() };
        let mut newest = state.newest;
        let mut unread: Vec<(Arc<str>, FileRow)> = Vec::new();
        let known: HashMap<&str, (&str, &File)> = state
            .project
            .files
            .iter()
            .filter_map(|(path, file)| Some((file.id.as_deref()?, (path.as_ref(), file))))
            .collect();
        for (path, row) in with_paths(rows) {
            newest = newest.max(row.updated_at);
            // Of two files of one path, the older one is the one that is read.
            let path: Arc<str> = path.into();
            if row.kind == EntryKind::Folder {
                project.folders.insert(path);
                continue;
            }
            if project.files.contains_key(&path) {
                continue;
            }
            let by_path = || state.project.files.get_key_value(&path).filter(|(_, file)| file.id.is_none());
            let same = known
                .get(row.id.as_str())
                .copied()
                .or_else(|| by_path().map(|(path, file)| (path.as_ref(), file)))
                .filter(|(_, file)| file.updated_at == row.updated_at);
            let (content, revision) = match (same, &row.content) {
                _ if row.binary => (Content::Binary, None),
                (Some((at, file)), None) => {
                    (file.content.clone(), Some(file.revision).filter(|_| at == path.as_ref()))
                }
                (None, None) if request.since == Some(NO_TEXTS) => (Content::LeftOut, None),
                (None, None) => {
                    unread.push((path, row));
                    continue;
                }
                (_, Some(text)) => match state.project.get(&path) {
                    Some(file) if file.text().is_some_and(|known| **known == **text) => {
                        (file.content.clone(), Some(file.revision))
                    }
                    _ => (Content::Text(text.as_str().into()), None),
                },
            };
            let revision = revision.unwrap_or_else(|| next(&mut revisions));
            let file = File { content, updated_at: row.updated_at, revision, id: Some(row.id.into()) };
            project.insert(path, file, self.bounds);
        }
        // Changed before the newest change that was known: committed out of order.
        let read = stream::iter(unread)
            .map(|(path, row)| async move {
                let entry = self.files.read(&path).await?;
                Ok::<_, FileError>((path, row, entry))
            })
            .buffer_unordered(PARALLEL_READS)
            .try_collect::<Vec<_>>()
            .await?;
        for (path, row, entry) in read {
            let content = match entry {
                Some(Entry::File { content }) => Content::Text(content.into()),
                Some(Entry::Binary) => Content::Binary,
                Some(Entry::Folder) | None => continue,
            };
            let (updated_at, revision) = (row.updated_at, next(&mut revisions));
            project.insert(
                path,
                File { content, updated_at, revision, id: Some(row.id.into()) },
                self.bounds,
            );
        }
        state.project = Arc::new(project);
        state.version = version;
        state.newest = newest;
        state.revisions = revisions;
        state.catch_up();
        Ok(())
    }

    /// Takes a change of this run into the copy.
    async fn changed(&self, change: Option<Change>, apply: impl FnOnce(&mut Project, File, Bounds)) {
        let mut state = self.state.lock().await;
        if state.version.is_none() {
            return;
        }
        let revision = next(&mut state.revisions);
        let updated_at = change.map_or(0.0, |change| change.updated_at);
        let file = File { content: Content::Binary, updated_at, revision, id: None };
        apply(Arc::make_mut(&mut state.project), file, self.bounds);
        // Without a change to go by, the next check loads what it finds.
        state.ahead.extend(change);
        state.catch_up();
    }
}

fn next(revisions: &mut u64) -> u64 {
    *revisions += 1;
    *revisions
}

impl State {
    /// Moves the version over own changes that follow it directly.
    fn catch_up(&mut self) {
        while let Some(at) = self.ahead.iter().position(|change| Some(change.before) == self.version) {
            let change = self.ahead.swap_remove(at);
            self.version = Some(change.updated_at);
        }
        let version = self.version.unwrap_or_default();
        self.ahead.retain(|change| change.before > version);
    }
}

impl ProjectFiles for Snapshot {
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
            let change = self.files.write(path, content, line).await?;
            self.changed(change, |project, file, bounds| {
                project.insert(path.into(), File { content: Content::Text(content.into()), ..file }, bounds);
            })
            .await;
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
            let change = self.files.delete(path, line).await?;
            self.changed(change, |project, _, _| project.remove_tree(path)).await;
            Ok(change)
        }
        .boxed()
    }

    fn apply<'a>(&'a self, changes: &'a [FileChange]) -> BoxFuture<'a, Result<Applied, FileError>> {
        async move {
            let applied = self.files.apply(changes).await?;
            let outcomes = changes.iter().zip(&applied.outcomes);
            for (change, _) in outcomes.filter(|(_, told)| told.outcome == Outcome::Applied) {
                // All of them are one change of the project; who counts it, counts it once.
                self.changed(None, |project, file, bounds| match &change.content {
                    Some(text) => {
                        let content = Content::Text(text.as_str().into());
                        let file = File { content, updated_at: applied.change.updated_at, ..file };
                        project.insert(change.path.as_str().into(), file, bounds);
                    }
                    None => project.remove(&change.path),
                })
                .await;
            }
            if applied.change.before != applied.change.updated_at {
                self.changed(Some(applied.change), |_, _, _| ()).await;
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
