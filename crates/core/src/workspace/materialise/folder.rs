//! The private folder of a workspace: made under a lock that dies with its process, removed however
//! deep or locked up a command has left it, and swept up by the next process if its own was killed.
//! Never follows a link, and removes nothing before the last command in it has ended: whoever is alive
//! could put a link in the way.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::packages::Installation;
use super::{new_file, place, private_folder, random};

/// What the names of folders begin with; 16 hexadecimal digits follow.
const PREFIX: &str = "polaris-";
/// Held by the process that uses the folder.
const LOCK: &str = "lock";
/// Where folders wait to be emptied. Commands cannot reach it.
pub(super) const TRASH: &str = "trash";
/// Folders in each other that are emptied where they are. Deeper ones are moved up first, so that
/// nesting costs no stack, no descriptors and no long paths; moving takes longer than removing.
const MAX_DEPTH: usize = 32;

/// How often and how long apart a folder that a program of ours still uses is tried to be removed.
const REMOVALS: (u32, Duration) = (20, Duration::from_millis(50));

/// Counts the folders of a run, so that its end can wait until they are gone. Also counts the
/// commands in a folder, so that its removal can wait until they have ended.
#[derive(Debug, Clone, Default)]
pub struct Folders(Arc<watch::Sender<usize>>);

impl Folders {
    /// One more, from before it is made until it is removed.
    pub fn hold(&self) -> Held {
        self.0.send_modify(|count| *count += 1);
        Held(self.clone())
    }

    /// Waits until none is left.
    pub async fn gone(&self) {
        // The sender is `self`: it cannot be closed.
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

/// A folder that is counted.
#[derive(Debug)]
pub struct Held(Folders);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count -= 1);
    }
}

/// A folder of this process. Removed with everything in it when dropped.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Until it is removed.
    kept: Option<(File, Held)>,
    commands: Folders,
    /// What of it stays when it goes: a folder below it, and as what.
    stays: Option<(PathBuf, Installation)>,
}

impl Folder {
    /// A new one below `parent`. The first one there of a process sweeps up what dead processes have left
    /// there, and in memory, whether this one uses that or not.
    pub(super) fn create(parent: &Path, mode: u32, held: Held) -> io::Result<Self> {
        static SWEPT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
        let (path, lock) = loop {
            let path = parent.join(format!("{PREFIX}{:016x}", random()));
            match private_folder(&path, mode) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                other => other?,
            }
            // Somebody who sweeps may find it before it is locked, and then removes it.
            let lock = match new_file(&path.join(LOCK), false) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other?,
            };
            match lock.try_lock() {
                Err(TryLockError::WouldBlock) => continue,
                // Where files cannot be locked, nothing is swept.
                Err(TryLockError::Error(_)) => break (path, lock),
                Ok(()) if path.join(LOCK).exists() => break (path, lock),
                Ok(()) => {}
            }
        };
        let mut places: Vec<PathBuf> =
            [Some(parent), place::memory()].into_iter().flatten().map(Path::to_owned).collect();
        places.retain(|place| SWEPT.lock().unwrap_or_else(PoisonError::into_inner).insert(place.clone()));
        if !places.is_empty() {
            // Without a thread for it, the next process does it.
            let _ = std::thread::Builder::new()
                .name("polaris-sweep".to_owned())
                .spawn(move || places.iter().for_each(|place| sweep(place)));
        }
        Ok(Self { path, kept: Some((lock, held)), commands: Folders::default(), stays: None })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// To be held until a command in it has ended.
    pub(super) fn command(&self) -> Held {
        self.commands.hold()
    }

    /// Removes a folder below this one.
    pub(super) fn discard(&self, folder: &Path) -> io::Result<()> {
        discard_in(&self.path, folder)
    }

    /// Has the packages in the folder `packages` stay as this installation when it goes.
    pub(super) fn keep(&mut self, packages: PathBuf, installation: Option<Installation>) {
        self.stays = installation.map(|installation| (packages, installation));
    }

    /// Which installation it has, which may stop being one: taken back, or it does not stay.
    pub(super) fn take_installation(&mut self) -> Option<Installation> {
        self.stays.take().map(|(_, installation)| installation)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let (path, kept) = (std::mem::take(&mut self.path), self.kept.take());
        let commands = self.commands.clone();
        let stays = self.stays.take();
        let work = move || {
            if let Some((packages, installation)) = stays {
                // What cannot be kept is removed with the rest.
                let _ = installation.put(&packages);
            }
            // What cannot be removed now is swept by the next process.
            for _ in 0..REMOVALS.0 {
                if remove(&path).is_ok() || !path.exists() {
                    break;
                }
                std::thread::sleep(REMOVALS.1);
            }
            drop(kept);
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.clone().spawn(async move {
                commands.gone().await;
                runtime.spawn_blocking(work);
            })),
            // No runtime, no commands.
            Err(_) => work(),
        }
    }
}

/// Removes the folders below `parent` whose processes are dead. Only what this user has made.
pub(super) fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let digits = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let is_ours = digits
            .is_some_and(|digits| digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
            && entry.metadata().is_ok_and(|found| found.is_dir() && is_own(&found));
        if !is_ours {
            continue;
        }
        // Without a lock it is just being made, or not one of ours.
        let Ok(lock) = File::options().write(true).open(entry.path().join(LOCK)) else { continue };
        if lock.try_lock().is_ok() {
            // What cannot be removed now is tried by the next process.
            let _ = remove(&entry.path());
        }
    }
}

/// Removes a folder below `base`, by way of the trash in that.
pub(super) fn discard_in(base: &Path, folder: &Path) -> io::Result<()> {
    let trash = trash(base)?;
    throw(folder, &trash)?;
    empty(&trash)
}

/// Removes a workspace's folder; its lock last, so that what is left of it can be swept.
fn remove(base: &Path) -> io::Result<()> {
    let trash = trash(base)?;
    for entry in fs::read_dir(base)? {
        let entry = entry?;
        if ![TRASH, LOCK].iter().any(|kept| entry.file_name() == **kept) {
            throw(&entry.path(), &trash)?;
        }
    }
    empty(&trash)?;
    fs::remove_dir(&trash)?;
    match fs::remove_file(base.join(LOCK)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::remove_dir(base)
}

fn trash(base: &Path) -> io::Result<PathBuf> {
    let trash = base.join(TRASH);
    match private_folder(&trash, 0o700) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(trash),
    }
}

/// Removes a file, or moves a folder into the trash.
fn throw(entry: &Path, trash: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(entry)?;
    if !found.is_dir() {
        return fs::remove_file(entry);
    }
    open_up(entry, &found)?;
    fs::rename(entry, trash.join(format!("{:016x}", random())))
}

/// Empties the trash.
fn empty(trash: &Path) -> io::Result<()> {
    loop {
        let mut is_empty = true;
        for entry in fs::read_dir(trash)? {
            is_empty = false;
            clear(&entry?.path(), trash, 0)?;
        }
        if is_empty {
            return Ok(());
        }
    }
}

/// Removes an entry with what is in it; what is too deep becomes an entry of the trash.
fn clear(entry: &Path, trash: &Path, depth: usize) -> io::Result<()> {
    let found = fs::symlink_metadata(entry)?;
    if !found.is_dir() || depth > MAX_DEPTH {
        return throw(entry, trash);
    }
    open_up(entry, &found)?;
    for below in fs::read_dir(entry)? {
        clear(&below?.path(), trash, depth + 1)?;
    }
    fs::remove_dir(entry)
}

/// A command may have taken away every right to its own folders.
#[cfg(unix)]
pub(super) fn open_up(folder: &Path, found: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    if found.permissions().mode() & 0o700 == 0o700 {
        return Ok(());
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
pub(super) fn open_up(_folder: &Path, _found: &fs::Metadata) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn is_own(found: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == found.uid())
}

#[cfg(not(unix))]
fn is_own(_found: &fs::Metadata) -> bool {
    true
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
