use super::*;

fn place() -> PathBuf {
    let place = std::env::temp_dir().join(format!("polaris-folder-test-{:016x}", random()));
    private_folder(&place, 0o700).unwrap();
    place
}

/// As a process that is killed leaves it: nobody holds the lock, nothing is removed.
fn abandon(mut folder: Folder) -> PathBuf {
    drop(folder.kept.take());
    let path = std::mem::take(&mut folder.path);
    std::mem::forget(folder);
    path
}

fn deep(folder: &Path, levels: usize) {
    // Deeper than a path can name: built from the inside out.
    let inner = folder.join("inner");
    fs::create_dir(&inner).unwrap();
    fs::write(inner.join("file"), "x").unwrap();
    for _ in 0..levels {
        let outer = folder.join("outer");
        fs::create_dir(&outer).unwrap();
        fs::rename(&inner, outer.join("in")).unwrap();
        fs::rename(&outer, &inner).unwrap();
    }
}

#[test]
fn what_dead_processes_left_is_swept_and_nothing_else() {
    let (place, folders) = (place(), Folders::default());
    let dead = abandon(Folder::create(&place, 0o700, folders.hold()).unwrap());
    fs::create_dir(dead.join("project")).unwrap();
    fs::write(dead.join("project/file"), "x").unwrap();
    let alive = Folder::create(&place, 0o700, folders.hold()).unwrap();
    let others = ["polaris-0123", "polaris-0123456789abcdef", "other"].map(|name| place.join(name));
    for other in &others {
        fs::create_dir(other).unwrap();
    }
    sweep(&place);
    assert!(!dead.exists());
    assert!(alive.path().exists() && others.iter().all(|other| other.exists()));
    drop(alive);
    fs::remove_dir_all(place).unwrap();
}

#[test]
fn a_folder_goes_however_deep_or_locked_up_it_is_and_no_link_is_followed() {
    use std::os::unix::fs::PermissionsExt as _;
    let (place, folders) = (place(), Folders::default());
    let outside = place.join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("kept"), "x").unwrap();
    let folder = Folder::create(&place, 0o700, folders.hold()).unwrap();
    let project = folder.path().join("project");
    fs::create_dir(&project).unwrap();
    // More than a path can name, and than a process has descriptors.
    deep(&project, 3_000);
    std::os::unix::fs::symlink(&outside, project.join("link")).unwrap();
    fs::create_dir_all(project.join("closed/within")).unwrap();
    fs::set_permissions(project.join("closed"), fs::Permissions::from_mode(0o000)).unwrap();
    let path = folder.path().to_owned();
    drop(folder);
    assert!(!path.exists());
    assert!(outside.join("kept").exists());
    fs::remove_dir_all(place).unwrap();
}

#[tokio::test]
async fn the_end_of_a_run_waits_until_its_folders_are_gone() {
    let (place, folders) = (place(), Folders::default());
    folders.gone().await;
    let paths: Vec<PathBuf> =
        (0..3).map(|_| Folder::create(&place, 0o700, folders.hold()).unwrap().path().to_owned()).collect();
    folders.gone().await;
    assert!(paths.iter().all(|path| !path.exists()));
    fs::remove_dir(place).unwrap();
}
