//! A project as files in a private folder, for commands that need real ones. Before a command the
//! folder is made to be what the store has; after it, what the command changed is found ([`changes`]).
//! Commands are hostile: what they leave behind is looked at without following a link, while none of
//! their processes is alive.

pub mod changes;
pub mod folder;
pub mod follow;
pub mod packages;
pub mod place;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::folder::{Folder, Held};
use self::packages::{Installation, PACKAGES};
use super::snapshot::Project;

/// Bytes of a name on the file systems in use (NAME_MAX of limits.h).
const MAX_NAME_BYTES: usize = 255;

/// Where packages wait until the project is there. Commands cannot reach it.
const TAKEN: &str = "taken";

/// A project on disk. Removed with everything in it when dropped.
#[derive(Debug)]
pub struct Workspace {
    folder: Folder,
    root: PathBuf,
    temp: PathBuf,
    owner: Option<u32>,
    known: BTreeMap<Arc<str>, Known>,
    /// The store's folders, as they were made.
    folders: BTreeSet<Arc<str>>,
    /// Files of the store that are not on disk, and why.
    absent: BTreeMap<Arc<str>, &'static str>,
}

/// A file as the store has it and as it was written.
#[derive(Debug, Clone)]
struct Known {
    text: Arc<str>,
    updated_at: f64,
    stamp: Stamp,
}

/// What changes when a file is changed: size and times can be forged, the change time cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    size: u64,
    inode: u64,
    mtime: (i64, i64),
    ctime: (i64, i64),
}

#[cfg(unix)]
impl Stamp {
    fn of(found: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self {
            size: found.size(),
            inode: found.ino(),
            mtime: (found.mtime(), found.mtime_nsec()),
            ctime: (found.ctime(), found.ctime_nsec()),
        }
    }
}

#[cfg(not(unix))]
impl Stamp {
    fn of(found: &Metadata) -> Self {
        let mtime = found.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        let mtime = mtime.map_or((0, 0), |at| (at.as_secs() as i64, i64::from(at.subsec_nanos())));
        Self { size: found.len(), inode: 0, mtime, ctime: mtime }
    }
}

impl Workspace {
    /// An empty project in a new private folder, which `held` counts. Root gives it to a user that
    /// nobody else is.
    ///
    /// # Errors
    /// The file system's.
    pub fn create(held: Held) -> io::Result<Self> {
        Self::create_with(held, None)
    }

    /// The same below `parent`.
    ///
    /// # Errors
    /// The file system's.
    pub fn create_in(parent: &Path, held: Held) -> io::Result<Self> {
        Self::make(parent, held, None)
    }

    /// The same with an installation of packages, if it is kept: they are there from
    /// [`Workspace::unpack`] on.
    ///
    /// # Errors
    /// The file system's.
    pub fn create_with(held: Held, installation: Option<&Installation>) -> io::Result<Self> {
        Self::make(&std::env::temp_dir(), held, installation)
    }

    fn make(parent: &Path, held: Held, installation: Option<&Installation>) -> io::Result<Self> {
        let unused = unused_user();
        let mode = if unused.is_some() { 0o711 } else { 0o700 };
        let folder = Folder::create(parent, mode, held)?;
        let taken = folder.path().join(TAKEN);
        let taken = installation.is_some_and(|installation| installation.take(&taken)).then_some(taken);
        // Whoever installed them is gone, and the user who they belong to is nobody's but theirs.
        let before = taken.as_ref().and_then(|taken| owner_of(&taken.join(PACKAGES)));
        let owner = if unused.is_some() { before.or(unused) } else { None };
        let (root, temp) = (folder.path().join("project"), folder.path().join("temp"));
        let (known, folders, absent) = Default::default();
        let workspace = Self { folder, root, temp, owner, known, folders, absent };
        for folder in [&workspace.root, &workspace.temp] {
            private_folder(folder, 0o700)?;
            give(folder, owner)?;
        }
        workspace.set_up_git()?;
        Ok(workspace)
    }

    /// Packages are no change of the project, whether its own .gitignore says so or not. In the file
    /// that git reads without being told (gitignore(5)).
    fn set_up_git(&self) -> io::Result<()> {
        let mut at = self.temp.clone();
        for name in [".config", "git"] {
            at.push(name);
            private_folder(&at, 0o700)?;
            give(&at, self.owner)?;
        }
        let mut file = new_file(&at.join("ignore"), false)?;
        writeln!(file, "{PACKAGES}/")?;
        give_file(&file, self.owner)
    }

    /// Puts the packages that it was created with where commands find them; whether there were any.
    pub fn unpack(&mut self, installation: Option<Installation>) -> bool {
        let to = self.root.join(PACKAGES);
        let done = fs::rename(self.folder.path().join(TAKEN).join(PACKAGES), &to).is_ok();
        self.keep_packages(installation.filter(|_| done));
        done
    }

    /// Says which installation the packages are; with `None` they are none that could be used again.
    pub fn keep_packages(&mut self, installation: Option<Installation>) {
        self.folder.keep(self.root.join(PACKAGES), installation);
    }

    /// Which installation the packages are. They are none from here on, until somebody says so again.
    pub fn take_installation(&mut self) -> Option<Installation> {
        self.folder.take_installation()
    }

    /// A path beside the project, for a socket that commands cannot reach.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// Changes the text of a file of the project; `None` leaves it. What is no plain text file stays.
    ///
    /// # Errors
    /// The file system's.
    pub fn rewrite(&self, path: &str, change: impl FnOnce(&str) -> Option<String>) -> io::Result<()> {
        match self.text(path).and_then(|text| change(&text).filter(|new| *new != text)) {
            Some(text) => self.write(path, &text).map(drop),
            None => Ok(()),
        }
    }

    /// The text of a file of the project as it is on disk, if it is one.
    pub fn text(&self, path: &str) -> Option<String> {
        let found = self.find(path).ok()??;
        self.read(path, &found).ok()
    }

    /// The project's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A private folder beside it.
    pub fn temp(&self) -> &Path {
        &self.temp
    }

    /// To be held until a command has ended: before, nothing is removed.
    pub fn command(&self) -> Held {
        self.folder.command()
    }

    /// A folder of the project, or why it is none.
    ///
    /// # Errors
    /// What is wrong with it, to be read behind its name.
    pub fn folder(&self, path: &str) -> Result<PathBuf, &'static str> {
        if path.is_empty() {
            return Ok(self.root.clone());
        }
        match self.find(path) {
            Ok(Some(found)) if found.is_dir() => Ok(self.root.join(path)),
            Ok(Some(found)) if found.is_symlink() => Err("is a link, not a folder"),
            Ok(Some(_)) => Err("is a file, not a folder"),
            Ok(None) => Err("does not exist in the project"),
            Err(_) => Err("cannot be used"),
        }
    }

    /// Makes the folder what the store has. No command may be running.
    ///
    /// # Errors
    /// The file system's.
    pub fn update(&mut self, project: &Project) -> io::Result<()> {
        self.absent = BTreeMap::new();
        for (path, file) in project.files() {
            if file.text().is_none() {
                self.absent.insert(Arc::clone(path), "it is binary or too large in the project");
            } else if !has_short_names(path) {
                self.absent.insert(Arc::clone(path), "a name in its path is longer than 255 bytes");
            }
        }
        // First what is gone: a folder may stand where a file was.
        let gone: Vec<Arc<str>> = self
            .known
            .keys()
            .filter(|path| project.get(path).and_then(|f| f.text()).is_none())
            .cloned()
            .collect();
        for path in gone {
            if self.find(&path)?.is_some_and(|found| !found.is_dir()) {
                fs::remove_file(self.root.join(&*path))?;
            }
            self.known.remove(&path);
        }
        // What lies in a folder comes behind it.
        for path in self.folders.iter().rev().filter(|path| !project.is_known_folder(path)) {
            if self.find(path)?.is_some_and(|found| found.is_dir()) {
                // A command may have put something into it.
                let _ = fs::remove_dir(self.root.join(&**path));
            }
        }
        for (path, file, text) in project.texts().filter(|(path, ..)| has_short_names(path)) {
            let same = self.known.get(path).filter(|known| known.text == *text);
            let stamp = match (same, self.find(path)?) {
                (Some(known), Some(found)) if known.stamp == Stamp::of(&found) => known.stamp,
                _ => self.write(path, text)?,
            };
            let known = Known { text: Arc::clone(text), updated_at: file.updated_at, stamp };
            self.known.insert(Arc::clone(path), known);
        }
        self.folders = project.folders().filter(|path| has_short_names(path)).cloned().collect();
        for path in &self.folders {
            self.make_folders(path)?;
        }
        Ok(())
    }

    /// Files of the project that commands do not find, and why.
    pub fn absent(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.absent.iter().map(|(path, reason)| (&**path, *reason))
    }

    /// What stands at a path of the project, if every folder on the way is one.
    fn find(&self, path: &str) -> io::Result<Option<Metadata>> {
        let mut at = self.root.clone();
        let mut found = None;
        for name in path.split('/') {
            if found.is_some_and(|found: Metadata| !found.is_dir()) {
                return Ok(None);
            }
            at.push(name);
            found = match fs::symlink_metadata(&at) {
                Ok(found) => Some(found),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            };
        }
        Ok(found)
    }

    /// Writes a file anew, so that no link to it is written through.
    fn write(&self, path: &str, text: &str) -> io::Result<Stamp> {
        let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
        let at = self.make_folders(folders)?.join(name);
        match fs::symlink_metadata(&at) {
            Ok(found) if found.is_dir() => self.folder.discard(&at)?,
            Ok(_) => fs::remove_file(&at)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let mut file = new_file(&at, text.starts_with("#!"))?;
        file.write_all(text.as_bytes())?;
        give_file(&file, self.owner)?;
        Ok(Stamp::of(&file.metadata()?))
    }

    /// A folder of the project and all on the way to it, in place of whatever stands there.
    fn make_folders(&self, path: &str) -> io::Result<PathBuf> {
        let mut at = self.root.clone();
        for folder in path.split('/').filter(|folder| !folder.is_empty()) {
            at.push(folder);
            match fs::symlink_metadata(&at) {
                Ok(found) if found.is_dir() => continue,
                Ok(_) => fs::remove_file(&at)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            private_folder(&at, 0o755)?;
            give(&at, self.owner)?;
        }
        Ok(at)
    }
}

fn has_short_names(path: &str) -> bool {
    path.split('/').all(|name| name.len() <= MAX_NAME_BYTES)
}

fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

#[cfg(unix)]
fn private_folder(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    DirBuilder::new().mode(mode).create(path)
}

#[cfg(unix)]
fn new_file(path: &Path, executable: bool) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mode = if executable { 0o755 } else { 0o644 };
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}

#[cfg(unix)]
fn give(path: &Path, owner: Option<u32>) -> io::Result<()> {
    owner.map_or(Ok(()), |owner| std::os::unix::fs::lchown(path, Some(owner), Some(owner)))
}

#[cfg(unix)]
fn give_file(file: &File, owner: Option<u32>) -> io::Result<()> {
    owner.map_or(Ok(()), |owner| std::os::unix::fs::fchown(file, Some(owner), Some(owner)))
}

/// Who owns a folder, if that is not root.
#[cfg(unix)]
fn owner_of(path: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;
    fs::symlink_metadata(path).ok().map(|found| found.uid()).filter(|&owner| owner != 0)
}

/// For root: a user id that no account and no other workspace has. Commands of two projects must
/// not be able to touch each other.
#[cfg(unix)]
fn unused_user() -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;
    /// Above what distributions give to accounts, containers and systemd's dynamic users.
    const FIRST: u32 = 0x7000_0000;
    const COUNT: u32 = 0x0100_0000;
    /// `nobody`, the one other user that exists where user ids are few (rootless containers).
    const NOBODY: u32 = 65_534;
    // The owner of this process, without a system call of our own.
    let root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    if !root {
        return None;
    }
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let exists = |user: u32| {
        map.lines().any(|line| {
            let mut numbers = line.split_whitespace().map(str::parse::<u64>);
            let (Some(Ok(first)), _, Some(Ok(count))) = (numbers.next(), numbers.next(), numbers.next())
            else {
                return false;
            };
            (first..first.saturating_add(count)).contains(&u64::from(user))
        })
    };
    let user = FIRST + (random() % u64::from(COUNT)) as u32;
    Some(if exists(user) { user } else { NOBODY })
}

#[cfg(not(unix))]
mod elsewhere {
    use super::*;
    pub(super) fn private_folder(path: &Path, _mode: u32) -> io::Result<()> {
        DirBuilder::new().create(path)
    }
    pub(super) fn new_file(path: &Path, _executable: bool) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).open(path)
    }
    pub(super) fn give(_path: &Path, _owner: Option<u32>) -> io::Result<()> {
        Ok(())
    }
    pub(super) fn give_file(_file: &File, _owner: Option<u32>) -> io::Result<()> {
        Ok(())
    }
    pub(super) fn unused_user() -> Option<u32> {
        None
    }
    pub(super) fn owner_of(_path: &Path) -> Option<u32> {
        None
    }
}
#[cfg(not(unix))]
use elsewhere::{give, give_file, new_file, owner_of, private_folder, unused_user};

#[cfg(test)]
#[path = "materialise/tests.rs"]
mod tests;
