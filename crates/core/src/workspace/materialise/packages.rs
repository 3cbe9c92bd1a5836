//! Installed packages from one run of a project to the next: `node_modules` by the lock file that it
//! was installed for. Of one project alone, whose commands may have written whatever they liked into
//! it; nobody else's command ever sees it. Moved, never copied; bounded; never follows a link.

use std::cmp::Reverse;
use std::fs;
use std::hash::{DefaultHasher, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::folder::{TRASH, discard_in, open_up};
use super::{private_folder, random};
use crate::workspace::snapshot::Project;

/// What is kept.
pub(super) const PACKAGES: &str = "node_modules";
/// Lock files of package managers, the first that a project has counts.
pub const LOCKS: [&str; 5] =
    ["package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock"];
/// Installations that are kept on a machine.
const MAX_KEPT: usize = 8;
/// Bytes of them together.
const MAX_BYTES: u64 = 4 << 30;
/// Holds how many bytes an installation has.
const SIZE: &str = "size";

/// Which installation: of which project, for which lock file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    name: String,
}

impl Installation {
    /// The one for this text of a lock file.
    pub fn new(project: &str, lock: &str) -> Self {
        // Every project's name is its own; what it has for a lock file is its own business.
        let project: String = project.bytes().map(|byte| format!("{byte:02x}")).collect();
        let mut hasher = DefaultHasher::new();
        hasher.write(lock.as_bytes());
        Self { name: format!("{project}-{:016x}", hasher.finish()) }
    }

    /// The one that the project's lock file asks for; `None`: it has no lock file.
    pub fn of(id: &str, project: &Project) -> Option<Self> {
        let lock = LOCKS.iter().find_map(|lock| project.get(lock)?.text())?;
        Some(Self::new(id, lock))
    }

    /// Moves it to `place`, if it is kept. Whoever else wants it finds nothing.
    pub(super) fn take(&self, place: &Path) -> bool {
        let Ok(cache) = cache() else { return false };
        fs::rename(cache.join(&self.name), place).is_ok()
            && fs::symlink_metadata(place.join(PACKAGES)).is_ok_and(|found| found.is_dir())
    }

    /// Keeps the folder `packages`, which goes away. No command may be running.
    pub(super) fn put(&self, packages: &Path) -> io::Result<()> {
        let found = fs::symlink_metadata(packages)?;
        if !found.is_dir() {
            return Ok(());
        }
        let cache = cache()?;
        open_up(packages, &found)?;
        let new = cache.join(format!("new-{:016x}", random()));
        private_folder(&new, 0o700)?;
        let result = self.fill(packages, &new, &cache);
        if result.is_err() {
            discard_in(&cache, &new)?;
        }
        prune(&cache)?;
        result
    }

    fn fill(&self, packages: &Path, new: &Path, cache: &Path) -> io::Result<()> {
        fs::rename(packages, new.join(PACKAGES))?;
        fs::write(new.join(SIZE), bytes_of(new).to_string())?;
        let place = cache.join(&self.name);
        if place.exists() {
            discard_in(cache, &place)?;
        }
        fs::rename(new, place)
    }
}

/// Where installations are kept: a folder that this user alone can open.
fn cache() -> io::Result<PathBuf> {
    let base = std::env::temp_dir();
    let own = fs::metadata("/proc/self")?;
    let place = base.join(format!("polaris-packages-{}", user(&own)));
    match private_folder(&place, 0o700) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = fs::symlink_metadata(&place)?;
    if !found.is_dir() || user(&found) != user(&own) || is_open(&found) {
        // Somebody else has made it, or opened it.
        return Err(io::Error::from(io::ErrorKind::PermissionDenied));
    }
    Ok(place)
}

#[cfg(unix)]
fn user(found: &fs::Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::uid(found)
}

#[cfg(unix)]
fn is_open(found: &fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::mode(found) & 0o077 != 0
}

#[cfg(not(unix))]
fn user(_found: &fs::Metadata) -> u32 {
    0
}

#[cfg(not(unix))]
fn is_open(_found: &fs::Metadata) -> bool {
    false
}

/// Removes the oldest until what is kept is within its bounds.
fn prune(cache: &Path) -> io::Result<()> {
    let mut kept = Vec::new();
    for entry in fs::read_dir(cache)?.flatten().filter(|entry| entry.file_name() != TRASH) {
        let place = entry.path();
        // Without a size it is on its way in or out: of somebody else, or of nobody any more.
        let size = fs::read_to_string(place.join(SIZE)).ok().and_then(|size| size.parse::<u64>().ok());
        let at = entry.metadata().and_then(|found| found.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
        match size {
            Some(size) => kept.push((at, size, place)),
            None if at.elapsed().is_ok_and(|age| age.as_secs() > 3_600) => discard_in(cache, &place)?,
            None => {}
        }
    }
    kept.sort_by_key(|&(at, ..)| Reverse(at));
    let mut bytes = 0_u64;
    for (n, (_, size, place)) in kept.iter().enumerate() {
        bytes = bytes.saturating_add(*size);
        if n >= MAX_KEPT || bytes > MAX_BYTES {
            discard_in(cache, place)?;
        }
    }
    Ok(())
}

/// What is below a folder, bytes; too much is as good as any other number that is too large.
fn bytes_of(folder: &Path) -> u64 {
    const MAX_FILES: usize = 500_000;
    let (mut bytes, mut files) = (0, 0);
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            files += 1;
            if files > MAX_FILES {
                return MAX_BYTES + 1;
            }
            match entry.metadata() {
                Ok(found) if found.is_dir() => open.push(entry.path()),
                Ok(found) => bytes += found.len(),
                Err(_) => {}
            }
        }
    }
    bytes
}

#[cfg(test)]
#[path = "packages_tests.rs"]
mod tests;
