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
    /// The last bytes of each.
    tails: Vec<Tail>,
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
            paths.tails.push(tail(path).0);
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
        // Most paths end in another way: that is seen without a look at them.
        let (wanted, mask) = pattern.ending().map_or((0, 0), tail);
        let mut found = Vec::new();
        for (at, tail) in self.tails.iter().enumerate() {
            if tail & mask == wanted {
                let path = self.path(at);
                if pattern.matches(path) {
                    found.push(path);
                }
            }
        }
        found
    }

    fn path(&self, at: usize) -> &str {
        let begin = at.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        self.text.get(begin..self.ends[at] as usize).unwrap_or_default()
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
        #[test]
        fn as_looking_at_every_path(
            pattern in "!?(\\*|\\*\\*/|\\?|a|b|/|\\.ts|x|Ä|\\{a,b\\}){1,6}",
            paths in prop::collection::btree_set("(a|b|/|Ä|x|\\.ts){1,8}", 1..20),
        ) {
            let pattern = Pattern::new(&pattern).unwrap();
            let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
            let known = Paths::new(&Project::of(&paths));
            let expected: Vec<&str> = paths.into_iter().filter(|path| pattern.matches(path)).collect();
            prop_assert_eq!(known.matching(&pattern), expected);
        }
    }
}
