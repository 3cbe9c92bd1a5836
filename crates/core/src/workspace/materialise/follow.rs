//! Keeping a folder that nobody else writes to equal to a set of texts: only what changed is touched,
//! and nothing on disk is looked at. For a reader of files, not for commands.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::sync::Arc;

use super::{Known, Workspace, has_short_names};

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Changed {
    Created,
    Written,
    Deleted,
}

impl Workspace {
    /// Makes the folder hold these files; what was changed in it, deletions first.
    ///
    /// # Errors
    /// The file system's. What is in the folder then is brought in order by the next call.
    pub fn follow(&mut self, files: &BTreeMap<Arc<str>, Arc<str>>) -> io::Result<Vec<(Arc<str>, Changed)>> {
        let mut changes = Vec::new();
        // First what is gone: a folder may stand where a file was, and the other way round.
        let gone: Vec<Arc<str>> =
            self.known.keys().filter(|path| !files.contains_key(*path)).cloned().collect();
        for path in gone {
            match fs::remove_file(self.root.join(&*path)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            self.known.remove(&path);
            changes.push((path, Changed::Deleted));
        }
        // A name that no disk takes is left out.
        for (path, text) in files.iter().filter(|(path, _)| has_short_names(path)) {
            let change = match self.known.get(path) {
                Some(known) if Arc::ptr_eq(&known.text, text) || known.text == *text => continue,
                Some(_) => Changed::Written,
                None => Changed::Created,
            };
            let stamp = self.write(path, text)?;
            let known = Known { text: Arc::clone(text), updated_at: 0.0, stamp };
            self.known.insert(Arc::clone(path), known);
            changes.push((Arc::clone(path), change));
        }
        Ok(changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::materialise::folder::Folders;

    fn texts(files: &[(&str, &str)]) -> BTreeMap<Arc<str>, Arc<str>> {
        files.iter().map(|(path, text)| ((*path).into(), (*text).into())).collect()
    }

    #[test]
    fn only_what_changed_is_written() {
        let mut folder = Workspace::create(Folders::default().hold()).unwrap();
        let mut follow = |files: &[(&str, &str)]| {
            let changes = folder.follow(&texts(files)).unwrap();
            let changes: Vec<_> = changes.iter().map(|(path, change)| (path.to_string(), *change)).collect();
            let read = |path: &str| std::fs::read_to_string(folder.root().join(path)).unwrap();
            assert!(files.iter().all(|(path, text)| read(path) == *text));
            changes
        };
        let change = |path: &str, change| (path.to_owned(), change);
        assert_eq!(
            follow(&[("a/b.ts", "1"), ("c.ts", "2")]),
            [change("a/b.ts", Changed::Created), change("c.ts", Changed::Created)]
        );
        assert_eq!(follow(&[("a/b.ts", "1"), ("c.ts", "2")]), []);
        assert_eq!(follow(&[("a/b.ts", "3"), ("c.ts", "2")]), [change("a/b.ts", Changed::Written)]);
        // A file where a folder was, and a folder where a file was.
        assert_eq!(
            follow(&[("a", "4"), ("c.ts/d.ts", "5")]),
            [
                change("a/b.ts", Changed::Deleted),
                change("c.ts", Changed::Deleted),
                change("a", Changed::Created),
                change("c.ts/d.ts", Changed::Created),
            ]
        );
        assert!(!folder.root().join("a/b.ts").exists());
        let long = "x".repeat(256);
        let changes = folder.follow(&texts(&[("a", "4"), ("c.ts/d.ts", "5"), (&long, "6")])).unwrap();
        assert_eq!(changes, []);
    }
}
