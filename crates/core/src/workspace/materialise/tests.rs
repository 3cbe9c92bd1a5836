use super::changes::Changes;
use super::*;
use crate::workspace::Outcome;
use crate::workspace::memory::MemoryFiles;
use crate::workspace::snapshot::Snapshot;
use crate::workspace::{ChangeLine, FileChange, ProjectFiles};

const FILES: &[(&str, &str)] = &[
    ("package.json", "{}"),
    (".gitignore", "secret.txt\n/out\n"),
    ("src/a.ts", "a"),
    ("src/b.ts", "b"),
    ("dist/kept.js", "k"),
];

struct World {
    files: Arc<MemoryFiles>,
    snapshot: Snapshot,
    workspace: Workspace,
}

async fn world() -> World {
    let files = FILES.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
    let files = Arc::new(MemoryFiles::new(files.collect()));
    let snapshot = Snapshot::new(Arc::clone(&files) as _);
    let mut workspace = Workspace::create(folder::Folders::default().hold()).unwrap();
    workspace.update(&snapshot.current().await.unwrap()).unwrap();
    World { files, snapshot, workspace }
}

impl World {
    fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.workspace.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn changes(&self) -> Changes {
        self.workspace.changes(false).unwrap()
    }

    fn disk(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.workspace.root().join(path)).ok()
    }

    async fn update(&mut self) {
        self.workspace.update(&self.snapshot.current().await.unwrap()).unwrap();
    }
}

fn paths(changes: &Changes) -> Vec<String> {
    let path = |change: &FileChange| match change.content {
        Some(_) => change.path.clone(),
        None => format!("-{}", change.path),
    };
    changes.files.iter().map(path).collect()
}

#[tokio::test]
async fn the_folder_is_private_and_holds_the_project() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = world().await;
    let mode = fs::metadata(world.workspace.root()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert_eq!(world.disk("src/a.ts").as_deref(), Some("a"));
    assert_eq!(world.changes(), Changes::default());
    let base = world.workspace.folder.path().to_owned();
    drop(world);
    while base.exists() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn empty_folders_are_there_and_follow_the_store() {
    let mut world = world().await;
    let project = world.snapshot.current().await.unwrap();
    world.workspace.update(&project.with_folders(&["empty", "empty/inner", "gone", "src"])).unwrap();
    let is_folder = |world: &World, path: &str| world.workspace.root().join(path).is_dir();
    assert!(["empty/inner", "gone", "src"].iter().all(|path| is_folder(&world, path)));
    assert_eq!(world.changes(), Changes::default(), "a folder is no change");
    // A command may remove one, put a file in its place, or one into it.
    fs::remove_dir(world.workspace.root().join("empty/inner")).unwrap();
    fs::remove_dir(world.workspace.root().join("gone")).unwrap();
    world.write("gone", "a file");
    world.write("empty/new.txt", "n");
    assert_eq!(paths(&world.changes()), ["empty/new.txt", "gone"]);
    world.workspace.update(&project.with_folders(&["empty", "empty/inner", "gone"])).unwrap();
    assert!(is_folder(&world, "empty/inner") && is_folder(&world, "gone"), "they are back");
    world.workspace.update(&project.with_folders(&["src"])).unwrap();
    assert!(!is_folder(&world, "empty/inner") && !is_folder(&world, "gone"), "the store has them no more");
    assert_eq!(world.disk("empty/new.txt").as_deref(), Some("n"), "what a command made stays");
}

#[tokio::test]
async fn what_a_command_changed_is_found_and_nothing_else() {
    let world = world().await;
    world.write("src/a.ts", "A");
    world.write("src/new/c.ts", "c");
    fs::remove_file(world.workspace.root().join("src/b.ts")).unwrap();
    for ignored in ["node_modules/x/i.js", "dist/new.js", "debug.log", "secret.txt", "out/x", ".git/HEAD"] {
        world.write(ignored, "x");
    }
    assert_eq!(paths(&world.changes()), ["-src/b.ts", "src/a.ts", "src/new/c.ts"]);
}

#[tokio::test]
async fn a_stored_file_in_an_ignored_folder_may_change_but_not_vanish() {
    let world = world().await;
    world.write("dist/kept.js", "K");
    assert_eq!(paths(&world.changes()), ["dist/kept.js"]);
    fs::remove_dir_all(world.workspace.root().join("dist")).unwrap();
    assert_eq!(paths(&world.changes()), [""; 0]);
}

#[tokio::test]
async fn a_change_that_hides_behind_size_and_time_is_found() {
    let world = world().await;
    let path = world.workspace.root().join("src/a.ts");
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    (&file).write_all(b"Z").unwrap();
    file.set_modified(before).unwrap();
    assert_eq!(paths(&world.changes()), ["src/a.ts"]);
}

#[tokio::test]
async fn links_devices_binaries_and_large_files_stay_out() {
    let world = world().await;
    let root = world.workspace.root().to_owned();
    std::os::unix::fs::symlink("/etc/passwd", root.join("link")).unwrap();
    fs::remove_file(root.join("src/a.ts")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", root.join("src/a.ts")).unwrap();
    world.write("one", "x");
    fs::hard_link(root.join("one"), root.join("two")).unwrap();
    world.write("binary", [0xff, 0xfe]);
    world.write("nul", "a\0b");
    world.write("large", vec![b'x'; 1_000_001]);
    world.write("bad\u{1}name", "x");
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
    let changes = world.changes();
    assert_eq!(paths(&changes), [""; 0]);
    let skipped: Vec<&str> = changes.skipped.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(
        skipped,
        ["bad\u{1}name", "binary", "large", "link", "nul", "one", "socket", "src/a.ts", "two"]
    );
}

#[tokio::test]
async fn a_folder_that_became_a_link_is_neither_read_nor_written_through() {
    let mut world = world().await;
    let outside = tempfile_dir();
    fs::write(outside.join("a.ts"), "outside").unwrap();
    fs::remove_dir_all(world.workspace.root().join("src")).unwrap();
    std::os::unix::fs::symlink(&outside, world.workspace.root().join("src")).unwrap();
    assert_eq!(paths(&world.changes()), ["-src/a.ts", "-src/b.ts"]);
    world.update().await;
    assert_eq!(fs::read_to_string(outside.join("a.ts")).unwrap(), "outside");
    assert!(!outside.join("b.ts").exists());
    assert_eq!(world.disk("src/a.ts").as_deref(), Some("a"));
    fs::remove_dir_all(outside).unwrap();
}

#[tokio::test]
async fn more_than_half_of_the_files_are_not_deleted_unless_allowed() {
    let world = world().await;
    for path in ["src/a.ts", "src/b.ts", "package.json"] {
        fs::remove_file(world.workspace.root().join(path)).unwrap();
    }
    world.write("new", "n");
    let changes = world.changes();
    assert_eq!((paths(&changes), changes.mass_deletion), (vec!["new".to_owned()], 3));
    let changes = world.workspace.changes(true).unwrap();
    assert_eq!(paths(&changes), ["-package.json", "-src/a.ts", "-src/b.ts", "new"]);
}

#[tokio::test]
async fn the_users_newer_version_wins_and_comes_back_to_disk() {
    let mut world = world().await;
    world.write("src/a.ts", "command");
    world.write("src/b.ts", "command");
    let changes = world.changes();
    world.files.write("src/a.ts", "user", &ChangeLine::default()).await.unwrap();
    let applied = world.snapshot.apply(&changes.files).await.unwrap();
    let outcomes: Vec<_> = applied.outcomes.iter().map(|told| told.outcome).collect();
    assert_eq!(outcomes, [Outcome::Conflict, Outcome::Applied]);
    world.workspace.settle(&changes.files, &applied);
    world.update().await;
    assert_eq!(
        (world.disk("src/a.ts").as_deref(), world.disk("src/b.ts").as_deref()),
        (Some("user"), Some("command"))
    );
    assert_eq!(world.changes(), Changes::default());
    assert_eq!(world.files.snapshot()["src/b.ts"], "command");
}

#[tokio::test]
async fn the_same_batch_again_changes_nothing_more() {
    let world = world().await;
    world.write("src/a.ts", "A");
    world.write("new", "n");
    fs::remove_file(world.workspace.root().join("src/b.ts")).unwrap();
    let changes = world.changes();
    let first = world.files.apply(&changes.files).await.unwrap();
    let again = world.files.apply(&changes.files).await.unwrap();
    assert_eq!(first.outcomes, again.outcomes);
    assert_eq!(again.change.before, again.change.updated_at);
}

#[tokio::test]
async fn what_a_cancelled_command_left_is_put_right_before_the_next_one() {
    let mut world = world().await;
    world.write("src/a.ts", "half");
    fs::remove_file(world.workspace.root().join("src/b.ts")).unwrap();
    world.files.delete("package.json", &ChangeLine::default()).await.unwrap();
    world.update().await;
    assert_eq!(
        (world.disk("src/a.ts").as_deref(), world.disk("src/b.ts").as_deref()),
        (Some("a"), Some("b"))
    );
    assert_eq!(world.disk("package.json"), None);
}

#[tokio::test]
async fn a_name_that_no_disk_can_hold_is_left_out_and_told() {
    let mut world = world().await;
    let long = format!("src/{}/a.ts", "x".repeat(256));
    world.files.write(&long, "x", &ChangeLine::default()).await.unwrap();
    world.files.write(&"y".repeat(255), "y", &ChangeLine::default()).await.unwrap();
    world.update().await;
    let absent: Vec<_> = world.workspace.absent().collect();
    assert_eq!(absent, [(long.as_str(), "a name in its path is longer than 255 bytes")]);
    assert_eq!(world.disk(&"y".repeat(255)).as_deref(), Some("y"));
    assert_eq!(world.changes(), Changes::default());
}

#[tokio::test]
async fn too_many_files_are_listed() {
    let world = world().await;
    for n in 0..205 {
        world.write(&format!("gen/{n:03}"), "x");
    }
    let changes = world.changes();
    assert_eq!((changes.files.len(), changes.skipped.len()), (200, 5));
}

fn tempfile_dir() -> PathBuf {
    let path = std::env::temp_dir().join(format!("polaris-outside-{:016x}", random()));
    private_folder(&path, 0o700).unwrap();
    path
}
