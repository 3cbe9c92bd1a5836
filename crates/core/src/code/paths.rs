//! The paths of a project side by side in memory: a look through all of them reads one stretch of it.
//! Pure.

use std::ops::Range;

use super::glob::{InTwo, Pattern};
use crate::workspace::snapshot::Project;

/// The paths of a project's files, sorted: names, and which of them stand in a row in one folder. What a
/// look through all of them reads lies side by side.
#[derive(Debug, Default)]
pub struct Paths {
    folders: Vec<Folder>,
    /// Their paths, one behind the other: empty, or with the `/` behind it.
    folder_paths: String,
    /// Of each file, the last bytes of the path.
    tails: Vec<Bytes>,
    /// The first bytes of the name.
    heads: Vec<Bytes>,
    /// Where the name ends.
    name_ends: Vec<u32>,
    /// The names, one behind the other.
    names: String,
    /// What an answer must say if these are not all files.
    shortfall: Option<String>,
}

#[derive(Debug)]
struct Folder {
    /// Where its path ends.
    path_end: u32,
    /// Behind the last of its files.
    end: u32,
}

/// The paths that match a pattern.
#[derive(Debug, PartialEq, Eq)]
pub struct Matches {
    /// How many there are.
    pub total: usize,
    /// The first of them.
    pub first: Vec<String>,
}

impl Paths {
    /// The paths of `project`.
    pub fn new(project: &Project) -> Self {
        let mut paths =
            Self { shortfall: project.shortfall().filter(|_| project.is_cut()), ..Self::default() };
        let mut last = None;
        for (path, _) in project.files() {
            let (folder, name) = path.split_at(path.rfind('/').map_or(0, |slash| slash + 1));
            if last != Some(folder) {
                last = Some(folder);
                paths.folder_paths.push_str(folder);
                paths.folders.push(Folder { path_end: offset(paths.folder_paths.len()), end: 0 });
            }
            paths.names.push_str(name);
            paths.name_ends.push(offset(paths.names.len()));
            paths.heads.push(Known::first_of(name).bytes);
            paths.tails.push(Known::last_of(path).bytes);
            if let Some(folder) = paths.folders.last_mut() {
                folder.end = offset(paths.tails.len());
            }
        }
        paths
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tails.is_empty()
    }

    /// What an answer must say if these are not all files.
    pub fn shortfall(&self) -> Option<&str> {
        self.shortfall.as_deref()
    }

    /// How many match, and the first `most` of them.
    pub fn matching(&self, pattern: &Pattern, most: usize) -> Matches {
        let wanted = Wanted::new(pattern);
        let mut matches = Matches { total: 0, first: Vec::new() };
        let mut whole = String::new();
        let (mut number, mut in_folder) = (0, None);
        // Most paths end in another way, or their names begin so: that is seen without a look elsewhere.
        let known = self.tails.iter().zip(&self.heads).zip(0_u32..);
        let may_be = known.filter(|&((&tail, &head), _)| wanted.tail.is_in(tail) && wanted.head.is_in(head));
        for (_, file) in may_be {
            while self.folders.get(number).is_some_and(|folder| folder.end <= file) {
                (number, in_folder) = (number + 1, None);
            }
            let folder = self.folder(number);
            let is_there = *in_folder
                .get_or_insert_with(|| pattern.in_two().is_none_or(|in_two| in_two.matches_folder(folder)));
            if !is_there {
                continue;
            }
            let name = self.name(file as usize);
            let does_match = match pattern.in_two() {
                _ if wanted.is_all => name.len() >= wanted.least,
                Some(in_two) => in_two.matches_name(part(&self.names, name.clone())),
                None => {
                    whole.clear();
                    whole.push_str(folder);
                    whole.push_str(part(&self.names, name.clone()));
                    pattern.matches(&whole)
                }
            };
            if does_match {
                matches.total += 1;
                if matches.first.len() < most {
                    matches.first.push(format!("{folder}{}", part(&self.names, name)));
                }
            }
        }
        matches
    }

    fn folder(&self, number: usize) -> &str {
        let end = |number: usize| self.folders.get(number).map_or(0, |folder| folder.path_end as usize);
        part(&self.folder_paths, number.checked_sub(1).map_or(0, end)..end(number))
    }

    /// Where it stands in `names`.
    fn name(&self, at: usize) -> Range<usize> {
        let end = |at: usize| self.name_ends.get(at).map_or(0, |&end| end as usize);
        at.checked_sub(1).map_or(0, end)..end(at)
    }
}

/// What the few bytes that are kept of each path must be.
struct Wanted {
    head: Known,
    tail: Known,
    /// Those bytes, and the length of the name, decide.
    is_all: bool,
    /// Bytes of the shortest name.
    least: usize,
}

impl Wanted {
    fn new(pattern: &Pattern) -> Self {
        if let Some((first, last)) = pattern.in_two().and_then(InTwo::around_one_star) {
            let (head, tail) = (Known::first_of(first), Known::last_of(last));
            let is_all = head.is_all_of(first) && tail.is_all_of(last);
            return Self { head, tail, is_all, least: first.len() + last.len() };
        }
        let tail = Known::last_of(pattern.ending().unwrap_or_default());
        Self { head: Known::first_of(""), tail, is_all: false, least: 0 }
    }
}

/// As many bytes of a text as are kept of it.
type Bytes = u64;

/// Bytes of a text, and which of them there are.
#[derive(Clone, Copy)]
struct Known {
    bytes: Bytes,
    mask: Bytes,
}

impl Known {
    fn first_of(text: &str) -> Self {
        Self::of(text.bytes())
    }

    /// The last one in front.
    fn last_of(text: &str) -> Self {
        Self::of(text.bytes().rev())
    }

    fn of(bytes: impl Iterator<Item = u8>) -> Self {
        bytes.zip((0..Bytes::BITS).step_by(8)).fold(Self { bytes: 0, mask: 0 }, |known, (byte, shift)| Self {
            bytes: known.bytes | Bytes::from(byte) << shift,
            mask: known.mask | 0xFF << shift,
        })
    }

    fn is_all_of(self, text: &str) -> bool {
        self.mask.count_ones() as usize == 8 * text.len()
    }

    fn is_in(self, bytes: Bytes) -> bool {
        bytes & self.mask == self.bytes
    }
}

/// 50,000 paths of 1,024 bytes at most.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn part(text: &str, range: Range<usize>) -> &str {
    text.get(range).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_048))]
        #[test]
        fn as_looking_at_every_path(
            pattern in "!?(\\*|\\*\\*/|\\?|a|b|/|\\.ts|x|Ä|aaaaaaaab|\\{a,b\\}){1,6}",
            paths in prop::collection::btree_set("(a|b|/|Ä|x|aaaaaaaab|\\.ts){1,8}", 1..20),
        ) {
            let pattern = Pattern::new(&pattern).unwrap();
            let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
            let known = Paths::new(&Project::of(&paths));
            let expected: Vec<&str> = paths.into_iter().filter(|path| pattern.matches(path)).collect();
            let found = known.matching(&pattern, 3);
            prop_assert_eq!(found.total, expected.len());
            prop_assert_eq!(found.first, expected.into_iter().take(3).collect::<Vec<_>>());
        }
    }
}
