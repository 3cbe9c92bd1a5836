//! The paths of a project side by side in memory: a look through all of them reads one stretch of it.
//! Pure.

use super::glob::Pattern;
use crate::workspace::snapshot::Project;

/// The paths of a project's files, sorted.
#[derive(Debug, Default)]
pub struct Paths {
    /// One behind the other.
    text: String,
    /// Where each ends.
    ends: Vec<u32>,
    /// What an answer must say if these are not all files.
    shortfall: Option<String>,
}

impl Paths {
    /// The paths of `project`.
    pub fn new(project: &Project) -> Self {
        let mut paths =
            Self { shortfall: project.shortfall().filter(|_| project.is_cut()), ..Self::default() };
        for (path, _) in project.files() {
            paths.text.push_str(path);
            // 50,000 paths of 1,024 bytes at most.
            paths.ends.push(u32::try_from(paths.text.len()).unwrap_or(u32::MAX));
        }
        paths
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// What an answer must say if these are not all files.
    pub fn shortfall(&self) -> Option<&str> {
        self.shortfall.as_deref()
    }

    /// Those that match, sorted.
    pub fn matching(&self, pattern: &Pattern) -> Vec<&str> {
        let mut start = 0;
        let mut found = Vec::new();
        for &end in &self.ends {
            let path = self.text.get(start..end as usize).unwrap_or_default();
            start = end as usize;
            if pattern.matches(path) {
                found.push(path);
            }
        }
        found
    }
}
