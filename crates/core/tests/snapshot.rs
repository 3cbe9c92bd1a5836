//! The copy of a project that a run works with: loaded in pages, kept current, bounded.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::{Arc, Mutex};

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use polaris_core::workspace::snapshot::{Bounds, Content, Project, Snapshot};
use polaris_core::workspace::watched::{Rule, WatchedFiles};
use polaris_core::workspace::{
    Applied, Change, ChangeLine, Entry, EntryKind, FileChange, FileError, FileRow, FilesPage, Listing,
    PageRequest, ProjectFiles, Structure,
};

/// A store that gives two rows a page and notes what it was asked.
#[derive(Default)]
struct Paged(Mutex<State>);

#[derive(Default)]
struct State {
    rows: Vec<FileRow>,
    updated_at: f64,
    pages: Vec<PageRequest>,
    reads: Vec<String>,
    /// Whether changes are told, as newer deployments do.
    silent: bool,
}

impl State {
    fn touch(&mut self) -> Change {
        let before = self.updated_at;
        self.updated_at += 1.0;
        Change { before, updated_at: self.updated_at }
    }

    fn put(&mut self, path: &str, content: Option<&str>) -> Change {
        let change = self.touch();
        self.rows.retain(|row| row.name != path);
        self.rows.push(FileRow {
            id: format!("id of {path}"),
            parent_id: None,
            name: path.to_owned(),
            kind: EntryKind::File,
            updated_at: change.updated_at,
            content: content.map(str::to_owned),
            binary: content.is_none(),
        });
        change
    }

    fn told(&self, change: Change) -> Option<Change> {
        (!self.silent).then_some(change)
    }
}

impl Paged {
    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.0.lock().unwrap())
    }

    /// The page requests since the last look.
    fn asked(&self) -> Vec<PageRequest> {
        self.with(|s| std::mem::take(&mut s.pages))
    }
}

impl ProjectFiles for Paged {
    fn read<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Entry>, FileError>> {
        let entry = self.with(|s| {
            s.reads.push(path.to_owned());
            let row = s.rows.iter().find(|row| row.name == path)?;
            Some(row.content.clone().map_or(Entry::Binary, |content| Entry::File { content }))
        });
        ready(Ok(entry)).boxed()
    }
    fn write<'a>(
        &'a self,
        path: &'a str,
        content: &'a str,
        _: &'a ChangeLine,
    ) -> BoxFuture<'a, Result<Option<Change>, FileError>> {
        ready(Ok(self.with(|s| {
            let change = s.put(path, Some(content));
            s.told(change)
        })))
        .boxed()
    }
    fn delete<'a>(
        &'a self,
        path: &'a str,
        _: &'a ChangeLine,
    ) -> BoxFuture<'a, Result<Option<Change>, FileError>> {
        ready(Ok(self.with(|s| {
            s.rows.retain(|row| row.name != path && !row.name.starts_with(&format!("{path}/")));
            let change = s.touch();
            s.told(change)
        })))
        .boxed()
    }
    fn apply<'a>(&'a self, _: &'a [FileChange]) -> BoxFuture<'a, Result<Applied, FileError>> {
        unreachable!()
    }
    fn page<'a>(&'a self, request: &'a PageRequest) -> BoxFuture<'a, Result<FilesPage, FileError>> {
        let page = self.with(|s| {
            s.pages.push(request.clone());
            if request.unless == Some(s.updated_at) {
                return FilesPage { updated_at: s.updated_at, rows: Vec::new(), cursor: None };
            }
            let from: usize = request.cursor.as_deref().unwrap_or("0").parse().unwrap();
            let mut rows: Vec<FileRow> = s.rows.iter().skip(from).take(2).cloned().collect();
            for row in rows.iter_mut().filter(|row| row.updated_at < request.since.unwrap_or(0.0)) {
                row.content = None;
            }
            let cursor = (from + 2 < s.rows.len()).then(|| (from + 2).to_string());
            FilesPage { updated_at: s.updated_at, rows, cursor }
        });
        // As over a network: others come between.
        async move {
            tokio::task::yield_now().await;
            Ok(page)
        }
        .boxed()
    }
    fn list<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Listing>, FileError>> {
        unreachable!()
    }
    fn structure(&self) -> BoxFuture<'_, Result<Structure, FileError>> {
        unreachable!()
    }
}

fn store(paths: &[(&str, &str)]) -> Arc<Paged> {
    let store = Paged::default();
    store.with(|s| {
        paths.iter().for_each(|(path, content)| {
            s.put(path, Some(content));
        })
    });
    Arc::new(store)
}

fn texts(project: &Project) -> Vec<(String, String)> {
    project.texts().map(|(path, _, text)| (path.to_string(), text.to_string())).collect()
}

fn owned(files: &[(&str, &str)]) -> Vec<(String, String)> {
    files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

const FILES: [(&str, &str); 5] =
    [("a.ts", "a"), ("b.ts", ""), ("src/c.ts", "c"), ("src/d.ts", "d"), ("src/e/f.ts", "f")];

#[tokio::test]
async fn a_project_is_loaded_once_in_pages_and_then_only_checked() {
    let store = store(&FILES);
    let snapshot = Snapshot::new(Arc::clone(&store) as _);
    assert!(store.asked().is_empty(), "nothing is read before it is needed");
    assert_eq!(texts(&snapshot.current().await.unwrap()), owned(&FILES));
    assert_eq!(store.asked().len(), 3);
    let project = snapshot.current().await.unwrap();
    assert_eq!(texts(&project), owned(&FILES));
    let asked = store.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].unless, Some(5.0));
    assert!(project.is_folder("src/e") && project.is_folder("") && !project.is_folder("sr"));
}

#[tokio::test]
async fn calls_of_one_moment_share_one_load() {
    let store = store(&FILES);
    let snapshot = Snapshot::new(Arc::clone(&store) as _);
    let views = futures::future::join_all((0..5).map(|_| snapshot.current())).await;
    assert!(views.iter().all(|view| texts(view.as_ref().unwrap()) == owned(&FILES)));
    assert!(store.asked().len() <= 4, "three pages and one check at most");
}

#[tokio::test]
async fn a_write_of_the_run_is_in_the_next_view_and_is_not_fetched_again() {
    for silent in [false, true] {
        let store = store(&FILES);
        store.with(|s| s.silent = silent);
        let snapshot = Arc::new(Snapshot::new(Arc::clone(&store) as _));
        let before = snapshot.current().await.unwrap();
        // Behind other rules, too.
        let watched = WatchedFiles::new(Arc::clone(&snapshot) as _, Rule::Free);
        watched.write("new.ts", "n", &ChangeLine::default()).await.unwrap();
        watched.write("a.ts", "aa", &ChangeLine::default()).await.unwrap();
        watched.delete("src", &ChangeLine::default()).await.unwrap();
        store.asked();
        let after = snapshot.current().await.unwrap();
        assert_eq!(texts(&after), owned(&[("a.ts", "aa"), ("b.ts", ""), ("new.ts", "n")]));
        assert_eq!(texts(&before), owned(&FILES), "a view stays as it was");
        assert_eq!(before.get("b.ts").unwrap().revision, after.get("b.ts").unwrap().revision);
        assert_ne!(before.get("a.ts").unwrap().revision, after.get("a.ts").unwrap().revision);
        let asked = store.asked();
        if !silent {
            assert_eq!(asked.len(), 1, "the change was told, so the check finds nothing new");
        }
        assert!(store.with(|s| s.reads.is_empty()));
    }
}

#[tokio::test]
async fn what_others_change_is_seen_and_only_that_is_fetched() {
    let store = store(&FILES);
    let snapshot = Snapshot::new(Arc::clone(&store) as _);
    let before = snapshot.current().await.unwrap();
    store.asked();
    store.with(|s| {
        s.put("b.ts", Some("changed"));
        s.put("g.ts", Some("g"));
        s.rows.retain(|row| row.name != "a.ts");
        s.touch();
    });
    // A change of the run in between must not hide them.
    snapshot.write("h.ts", "h", &ChangeLine::default()).await.unwrap();
    let after = snapshot.current().await.unwrap();
    let expected = [
        ("b.ts", "changed"),
        ("g.ts", "g"),
        ("h.ts", "h"),
        ("src/c.ts", "c"),
        ("src/d.ts", "d"),
        ("src/e/f.ts", "f"),
    ];
    assert_eq!(texts(&after), owned(&expected));
    assert!(store.asked().iter().all(|page| page.since == Some(5.0)), "old texts are not sent again");
    assert_eq!(before.get("src/c.ts").unwrap().revision, after.get("src/c.ts").unwrap().revision);
    assert!(store.with(|s| s.reads.is_empty()));
}

#[tokio::test]
async fn a_change_with_an_older_time_is_not_missed() {
    let store = store(&FILES);
    let snapshot = Snapshot::new(Arc::clone(&store) as _);
    snapshot.current().await.unwrap();
    // Committed late: begun before the last change that the copy knows.
    store.with(|s| {
        s.put("a.ts", Some("late"));
        s.rows.iter_mut().find(|row| row.name == "a.ts").unwrap().updated_at = 4.5;
    });
    let after = snapshot.current().await.unwrap();
    assert_eq!(after.get("a.ts").unwrap().text().unwrap().as_ref(), "late");
    assert_eq!(store.with(|s| s.reads.clone()), ["a.ts"]);
}

#[tokio::test]
async fn a_moved_file_keeps_its_text_and_binaries_and_empty_files_are_files() {
    let store = store(&FILES);
    store.with(|s| s.put("logo.png", None));
    let snapshot = Snapshot::new(Arc::clone(&store) as _);
    let before = snapshot.current().await.unwrap();
    assert_eq!(before.get("logo.png").unwrap().content, Content::Binary);
    assert_eq!(before.len(), 6);
    store.with(|s| {
        s.rows.iter_mut().find(|row| row.name == "a.ts").unwrap().name = "moved.ts".to_owned();
        s.touch();
    });
    let after = snapshot.current().await.unwrap();
    assert_eq!(after.get("moved.ts").unwrap().text().unwrap().as_ref(), "a");
    assert!(after.get("a.ts").is_none());
    assert_ne!(after.get("moved.ts").unwrap().revision, before.get("a.ts").unwrap().revision);
    assert!(store.with(|s| s.reads.is_empty()));
}

#[tokio::test]
async fn what_is_too_large_is_known_by_name_and_said() {
    let store = store(&[("a.ts", "12345"), ("b.ts", "12345"), ("c.ts", "12"), ("d.ts", "x")]);
    let bounds = Bounds { max_rows: 100, max_text_bytes: 9 };
    let snapshot = Snapshot::with_bounds(Arc::clone(&store) as _, bounds);
    let project = snapshot.current().await.unwrap();
    assert_eq!(project.len(), 4);
    assert_eq!(project.get("b.ts").unwrap().content, Content::LeftOut);
    assert_eq!(project.get("d.ts").unwrap().content, Content::LeftOut, "texts are no longer asked for");
    let said = project.shortfall().unwrap();
    assert_eq!(said, "[The project is too large to be looked at as a whole: 3 of 4 files were left out]");
    store.with(|s| s.touch());
    let again = snapshot.current().await.unwrap();
    assert!(again.shortfall().is_some());
    assert!(store.with(|s| s.reads.is_empty()), "the next check does not load them one by one");

    let bounds = Bounds { max_rows: 3, max_text_bytes: 100 };
    let snapshot = Snapshot::with_bounds(Arc::clone(&store) as _, bounds);
    let project = snapshot.current().await.unwrap();
    assert_eq!(project.len(), 3);
    assert!(project.shortfall().unwrap().ends_with("only 3 files were]"));
}
