//! What a command changed on disk, as changes of the store: text files only, each with the version
//! that the command found. What stays out is listed with its reason. Never follows a link.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io::{self, Read as _};
use std::sync::Arc;

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::{Known, Stamp, Workspace};
use crate::workspace::path::normalise_file;
use crate::workspace::{Applied, FileChange, Outcome};

/// The largest file that is written back, bytes; a document of the store holds little more.
pub const MAX_FILE_BYTES: u64 = 1_000_000;
/// Files that one command can change.
pub const MAX_FILES: usize = 200;
/// Bytes that one command can change.
pub const MAX_BYTES: usize = 20_000_000;
/// Folders in each other that are looked into.
const MAX_DEPTH: usize = 64;
/// Files and folders that are looked at.
const MAX_ENTRIES: usize = 100_000;

/// Results of tools, not of people.
const IGNORED: [&str; 10] = [
    "node_modules",
    ".git",
    "dist",
    "build",
    ".next",
    "coverage",
    ".turbo",
    ".cache",
    ".pnp.cjs",
    ".pnp.loader.mjs",
];
/// What Yarn keeps for itself in `.yarn` (yarnpkg.com/getting-started/qa, "Which files should be
/// gitignored?").
const OF_YARN: [&str; 4] = ["cache", "unplugged", "install-state.gz", "build-state.yml"];

/// What a command did to the files.
#[derive(Debug, Default, PartialEq)]
pub struct Changes {
    /// For the store. Deletions come first: a folder may be where a file was.
    pub files: Vec<FileChange>,
    /// What stays out, and why.
    pub skipped: Vec<(String, &'static str)>,
    /// More than half of the files were deleted: these deletions are not among `files`.
    pub mass_deletion: usize,
}

impl Workspace {
    /// What is not as it was when [`Workspace::update`] wrote it. Nothing may be running.
    ///
    /// # Errors
    /// The file system's.
    pub fn changes(&self, allow_mass_deletion: bool) -> io::Result<Changes> {
        let mut changes = Changes::default();
        let ignored = self.ignored();
        let mut found = BTreeSet::new();
        let mut entries = 0;
        let mut open = vec![(String::new(), 0)];
        while let Some((folder, depth)) = open.pop() {
            let Ok(listing) = fs::read_dir(self.root.join(&folder)) else {
                changes.skip(&folder, "it cannot be read");
                continue;
            };
            for entry in listing.flatten() {
                entries += 1;
                if entries > MAX_ENTRIES {
                    changes.skip(&folder, "there are too many files");
                    open.clear();
                    break;
                }
                let path = entry.file_name().to_str().map(|name| match folder.as_str() {
                    "" => name.to_owned(),
                    folder => format!("{folder}/{name}"),
                });
                let Some(path) = path.filter(|path| normalise_file(path).as_deref() == Ok(path.as_str()))
                else {
                    changes.skip(&entry.file_name().to_string_lossy(), "its name is not allowed");
                    continue;
                };
                let Ok(at) = entry.metadata() else { continue };
                if is_ignored(&ignored, &path, at.is_dir()) {
                    continue;
                }
                if !at.is_dir() {
                    self.look_at(&path, &at, &mut changes);
                    found.insert(path);
                } else if depth < MAX_DEPTH {
                    open.push((path, depth + 1));
                } else {
                    changes.skip(&path, "too many folders in each other");
                }
            }
        }
        let mut deleted = Vec::new();
        for (path, known) in &self.known {
            if found.contains(&**path) {
                continue;
            }
            let at = match self.find(path) {
                Ok(at) => at,
                // A folder that the command has closed to its own user.
                Err(_) => {
                    changes.skip(path, "it cannot be read");
                    continue;
                }
            };
            match at {
                // In an ignored folder: a change counts, a deletion does not.
                Some(at) if !at.is_dir() => self.look_at(path, &at, &mut changes),
                _ if is_ignored(&ignored, path, false) => {}
                _ => deleted.push(FileChange {
                    path: path.to_string(),
                    base: Some(known.updated_at),
                    content: None,
                    line: None,
                }),
            }
        }
        changes.files.sort_by(|a, b| a.path.cmp(&b.path));
        if deleted.len() * 2 > self.known.len() && !allow_mass_deletion {
            changes.mass_deletion = deleted.len();
        } else {
            changes.files.splice(0..0, deleted);
        }
        changes.bound();
        changes.skipped.sort();
        Ok(changes)
    }

    fn look_at(&self, path: &str, at: &Metadata, changes: &mut Changes) {
        let known = self.known.get(path);
        if known.is_some_and(|known| known.stamp == Stamp::of(at)) {
            return;
        }
        match self.read(path, at) {
            Ok(text) if known.is_some_and(|known| *known.text == *text) => {}
            Ok(content) => changes.files.push(FileChange {
                path: path.to_owned(),
                base: known.map(|known| known.updated_at),
                content: Some(content),
                line: None,
            }),
            Err(reason) => changes.skip(path, reason),
        }
    }

    pub(super) fn read(&self, path: &str, at: &Metadata) -> Result<String, &'static str> {
        if let Some(reason) = self.absent.get(path) {
            return Err(reason);
        }
        if at.is_symlink() {
            return Err("it is a symbolic link");
        }
        if !at.is_file() {
            return Err("it is not a regular file");
        }
        if links(at) > 1 {
            return Err("it is a hard link");
        }
        if at.len() > MAX_FILE_BYTES {
            return Err("it is larger than 1 MB");
        }
        let mut bytes = Vec::new();
        let file = fs::File::open(self.root.join(path)).map_err(|_| "it cannot be read")?;
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|_| "it cannot be read")?;
        let text = String::from_utf8(bytes).map_err(|_| "it is binary")?;
        if text.contains('\0') { Err("it is binary") } else { Ok(text) }
    }

    /// What the store has taken is what the folder has from now on.
    pub fn settle(&mut self, changes: &[FileChange], applied: &Applied) {
        for (change, told) in changes.iter().zip(&applied.outcomes) {
            if told.outcome != Outcome::Applied {
                continue;
            }
            let Some(text) = &change.content else {
                self.known.remove(change.path.as_str());
                continue;
            };
            if let Ok(Some(at)) = self.find(&change.path) {
                let known = Known {
                    text: text.as_str().into(),
                    updated_at: applied.change.updated_at,
                    stamp: Stamp::of(&at),
                };
                self.known.insert(change.path.as_str().into(), known);
            }
        }
    }

    /// How many files the project has on disk.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The project's own list of what is not part of it.
    fn ignored(&self) -> Gitignore {
        let mut builder = GitignoreBuilder::new("");
        let text: Option<Arc<str>> = self.known.get(".gitignore").map(|known| Arc::clone(&known.text));
        for line in text.iter().flat_map(|text| text.lines()) {
            // A line that is no pattern ignores nothing.
            let _ = builder.add_line(None, line);
        }
        builder.build().unwrap_or_else(|_| Gitignore::empty())
    }
}

fn is_ignored(ignored: &Gitignore, path: &str, is_dir: bool) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let names = || path.split('/');
    let mut within = names().zip(names().skip(1));
    names().any(|name| IGNORED.contains(&name))
        || within.any(|(folder, name)| folder == ".yarn" && OF_YARN.contains(&name))
        || (!is_dir && name.ends_with(".log"))
        || ignored.matched_path_or_any_parents(path, is_dir).is_ignore()
}

#[cfg(unix)]
fn links(at: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(at)
}

#[cfg(not(unix))]
fn links(_at: &Metadata) -> u64 {
    1
}

impl Changes {
    fn skip(&mut self, path: &str, reason: &'static str) {
        self.skipped.push((path.to_owned(), reason));
    }

    /// Keeps within what one command may change.
    fn bound(&mut self) {
        let mut bytes = 0;
        let mut kept = Vec::new();
        for change in std::mem::take(&mut self.files) {
            bytes += change.content.as_ref().map_or(0, String::len);
            if kept.len() < MAX_FILES && bytes <= MAX_BYTES {
                kept.push(change);
            } else {
                self.skip(&change.path, "one command can change 200 files and 20 MB");
            }
        }
        self.files = kept;
    }
}
