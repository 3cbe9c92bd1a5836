use super::super::Workspace;
use super::super::folder::Folders;
use super::*;

/// Each test has projects of its own: all share one cache.
fn project() -> String {
    format!("test-{:016x}", random())
}

fn install(workspace: &mut Workspace, installation: &Installation, text: &str) {
    let place = workspace.root().join(PACKAGES).join("left-pad");
    fs::create_dir_all(&place).unwrap();
    fs::write(place.join("index.js"), text).unwrap();
    workspace.keep_packages(Some(installation.clone()));
}

fn found(workspace: &Workspace) -> Option<String> {
    fs::read_to_string(workspace.root().join(PACKAGES).join("left-pad/index.js")).ok()
}

fn open(installation: &Installation) -> Workspace {
    let mut workspace = Workspace::create_with(Folders::default().hold(), Some(installation)).unwrap();
    workspace.unpack(Some(installation.clone()));
    workspace
}

#[test]
fn packages_are_there_for_the_next_run_with_the_same_lock_file_and_for_nobody_else() {
    let project = project();
    let installation = Installation::new(&project, "lock 1");
    let mut first = open(&installation);
    assert_eq!(found(&first), None);
    install(&mut first, &installation, "1");
    drop(first);
    assert_eq!(found(&open(&Installation::new(&project, "lock 2"))), None, "another lock file");
    assert_eq!(found(&open(&Installation::new("another", "lock 1"))), None, "another project");
    let second = open(&installation);
    assert_eq!(found(&second).as_deref(), Some("1"));
    assert_eq!(found(&open(&installation)), None, "two runs at once do not share them");
    drop(second);
    let mut third = open(&installation);
    assert_eq!(found(&third).as_deref(), Some("1"), "they come back");
    // Taken while a command runs; a cancelled one gives nothing back.
    third.take_installation();
    drop(third);
    assert_eq!(found(&open(&installation)), None);
}

#[test]
fn what_is_no_folder_is_not_kept() {
    let installation = Installation::new(&project(), "lock");
    let mut workspace = open(&installation);
    std::os::unix::fs::symlink("/etc", workspace.root().join(PACKAGES)).unwrap();
    workspace.keep_packages(Some(installation.clone()));
    drop(workspace);
    assert!(!open(&installation).root().join(PACKAGES).exists());
}

#[test]
fn the_oldest_go_when_there_are_too_many() {
    let cache = std::env::temp_dir().join(format!("polaris-cache-{:016x}", random()));
    private_folder(&cache, 0o700).unwrap();
    for n in 0..MAX_KEPT + 3 {
        let place = cache.join(n.to_string());
        fs::create_dir_all(place.join(PACKAGES)).unwrap();
        fs::write(place.join(SIZE), "1").unwrap();
        let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000 + n as u64);
        fs::File::open(&place).unwrap().set_modified(at).unwrap();
    }
    private_folder(&cache.join(TRASH), 0o700).unwrap();
    let long_ago = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1);
    fs::File::open(cache.join(TRASH)).unwrap().set_modified(long_ago).unwrap();
    fs::write(cache.join("4").join(SIZE), MAX_BYTES.to_string()).unwrap();
    prune(&cache).unwrap();
    let mut left: Vec<_> = fs::read_dir(&cache)
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<usize>().ok())
        .collect();
    left.sort_unstable();
    assert_eq!(left, [5, 6, 7, 8, 9, 10], "3 are too many, and 4 is too large");
    fs::remove_dir_all(&cache).unwrap();
}
