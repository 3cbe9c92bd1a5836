//! The paths of a project side by side in memory: a look through all of them reads one stretch of it.
//! Pure.

use super::glob::Pattern;
use crate::workspace::snapshot::Project;

/// The paths of a project's files, sorted: names, and which of them stand in a row in one folder.
#[derive(Debug, Default)]
pub struct Paths {
    folders: Vec<Folder>,
    /// One behind the other.
    names: String,
    /// Where each name ends.
    ends: Vec<u32>,
    /// The last bytes of each path.
    tails: Vec<Tail>,
    /// What an answer must say if these are not all files.
    shortfall: Option<String>,
}

#[derive(Debug)]
struct Folder {
    /// Empty, or with the `/` behind it.
    path: Box<str>,
    /// Behind the last of its files.
    end: usize,
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
        for (path, _) in project.files() {
            let (folder, name) = path.split_at(path.rfind('/').map_or(0, |slash| slash + 1));
            if paths.folders.last().is_none_or(|last| *last.path != *folder) {
                paths.folders.push(Folder { path: folder.into(), end: 0 });
            }
            paths.names.push_str(name);
            // 50,000 paths of 1,024 bytes at most.
            paths.ends.push(u32::try_from(paths.names.len()).unwrap_or(u32::MAX));
            paths.tails.push(tail(path).0);
            if let Some(last) = paths.folders.last_mut() {
                last.end = paths.ends.len();
            }
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

    /// How many match, and the first `most` of them.
    pub fn matching(&self, pattern: &Pattern, most: usize) -> Matches {
        // Most paths end in another way: that is seen without a look at them.
        let (wanted, mask) = pattern.ending().map_or((0, 0), tail);
        let in_two = pattern.in_two();
        let mut matches = Matches { total: 0, first: Vec::new() };
        let mut whole = String::new();
        let mut begin = 0;
        for Folder { path: folder, end } in &self.folders {
            let files = begin..*end;
            begin = *end;
            if in_two.is_some_and(|in_two| !in_two.matches_folder(folder)) {
                continue;
            }
            for at in files.filter(|&at| self.tails[at] & mask == wanted) {
                let name = self.name(at);
                let does_match = match in_two {
                    Some(in_two) => in_two.matches_name(name),
                    None => {
                        whole.clear();
                        whole.push_str(folder);
                        whole.push_str(name);
                        pattern.matches(&whole)
                    }
                };
                if does_match {
                    matches.total += 1;
                    if matches.first.len() < most {
                        matches.first.push(format!("{folder}{name}"));
                    }
                }
            }
        }
        matches
    }

    fn name(&self, at: usize) -> &str {
        let begin = at.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        self.names.get(begin..self.ends[at] as usize).unwrap_or_default()
    }
}

/// The last bytes of a text, the last one in front.
type Tail = u32;

/// The tail of a text, and which bits of it there are.
fn tail(text: &str) -> (Tail, Tail) {
    let last = text.bytes().rev().take(size_of::<Tail>());
    let first = Tail::BITS - 8;
    last.zip(0_u32..).fold((0, 0), |(tail, mask), (byte, n)| {
        let shift = first - 8 * n;
        (tail | Tail::from(byte) << shift, mask | 0xFF << shift)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::snapshot::Project;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_048))]
        #[test]
        fn as_looking_at_every_path(
            pattern in "!?(\\*|\\*\\*/|\\?|a|b|/|\\.ts|x|Ä|\\{a,b\\}){1,6}",
            paths in prop::collection::btree_set("(a|b|/|Ä|x|\\.ts){1,8}", 1..20),
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
