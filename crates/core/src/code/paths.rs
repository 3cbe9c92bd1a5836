//! The paths of a project as patterns ask for them: sorted by how they end, with what decides most patterns
//! beside it. Pure.

use std::cell::LazyCell;
use std::ops::Range;

use super::glob::{InTwo, Pattern};
use crate::workspace::snapshot::Project;

/// The paths of a project's files. A look at those that end in one way reads one stretch of memory.
#[derive(Debug, Default)]
pub struct Paths {
    folders: Vec<Folder>,
    /// Their paths, one behind the other: empty, or with the `/` behind it.
    folder_paths: String,
    /// The files' names, one behind the other.
    names: String,
    /// Where each ends.
    name_ends: Vec<u32>,
    by_end: ByEnd,
    /// What an answer must say if these are not all files.
    shortfall: Option<String>,
}

/// Files that stand in a row in one folder; files are sorted by their paths.
#[derive(Debug)]
struct Folder {
    /// Where its path ends.
    path_end: u32,
    /// Behind the last of its files.
    end: u32,
}

/// The files, sorted by the last bytes of their paths.
#[derive(Debug, Default)]
struct ByEnd {
    /// Those bytes, the last one first.
    tails: Vec<Bytes>,
    /// The first bytes of the name.
    heads: Vec<Bytes>,
    /// Bytes of the name.
    lengths: Vec<u16>,
    /// Which file it is.
    files: Vec<u32>,
}

/// The paths that match a pattern.
#[derive(Debug, PartialEq, Eq)]
pub struct Matches<'p> {
    /// How many there are.
    pub total: usize,
    /// The first of them: the folder, with the `/` behind it, and the name.
    pub first: Vec<(&'p str, &'p str)>,
}

impl Paths {
    /// The paths of `project`.
    pub fn new(project: &Project) -> Self {
        let mut paths =
            Self { shortfall: project.shortfall().filter(|_| project.is_cut()), ..Self::default() };
        let (mut last, mut ends) = (None, Vec::new());
        for (path, _) in project.files() {
            let (folder, name) = path.split_at(path.rfind('/').map_or(0, |slash| slash + 1));
            if last != Some(folder) {
                last = Some(folder);
                paths.folder_paths.push_str(folder);
                paths.folders.push(Folder { path_end: offset(paths.folder_paths.len()), end: 0 });
            }
            paths.names.push_str(name);
            paths.name_ends.push(offset(paths.names.len()));
            let file = offset(ends.len());
            ends.push((Known::last_of(path).bytes, Known::first_of(name).bytes, name.len(), file));
            if let Some(folder) = paths.folders.last_mut() {
                folder.end = file + 1;
            }
        }
        ends.sort_unstable_by_key(|&(tail, _, _, file)| (tail, file));
        for (tail, head, length, file) in ends {
            paths.by_end.tails.push(tail);
            paths.by_end.heads.push(head);
            paths.by_end.lengths.push(u16::try_from(length).unwrap_or(u16::MAX));
            paths.by_end.files.push(file);
        }
        paths
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.name_ends.is_empty()
    }

    /// What an answer must say if these are not all files.
    pub fn shortfall(&self) -> Option<&str> {
        self.shortfall.as_deref()
    }

    /// How many match, and the first `most` of them.
    pub fn matching(&self, pattern: &Pattern, most: usize) -> Matches<'_> {
        let near = self.by_end.range(Known::last_of(pattern.ending().unwrap_or_default()));
        let mut found = match pattern.in_two() {
            Some(in_two) => self.matching_in_two(in_two, near),
            None => self.matching_whole(pattern, near),
        };
        let total = found.len();
        if total > most {
            found.select_nth_unstable(most);
            found.truncate(most);
        }
        found.sort_unstable();
        let mut number = 0;
        let first = found.into_iter().map(|file| {
            number = self.folder_of(file, number);
            (self.folder(number), self.name(file))
        });
        let first = first.collect();
        Matches { total, first }
    }

    /// Of those `near`, in any order.
    fn matching_in_two(&self, in_two: &InTwo, near: Range<usize>) -> Vec<u32> {
        let (first, last) = in_two.around_one_star().unwrap_or_default();
        let head = Known::first_of(first);
        // The bytes that are kept, and the length, decide.
        let least = (in_two.around_one_star().is_some()
            && head.is_all_of(first)
            && Known::last_of(last).is_all_of(last))
        .then_some(first.len() + last.len());
        let rows = LazyCell::new(|| self.rows_in(in_two));
        let does_match = |(at, &file): (usize, &u32)| {
            self.by_end.heads[at] & head.mask == head.bytes
                && (in_two.is_for_any_folder() || is_in(&rows, file))
                && match least {
                    Some(least) => usize::from(self.by_end.lengths[at]) >= least,
                    None => in_two.matches_name(self.name(file)),
                }
        };
        let mut found = Vec::with_capacity(near.len());
        let files = near.clone().zip(&self.by_end.files[near]);
        found.extend(files.filter(|&entry| does_match(entry)).map(|(_, &file)| file));
        found
    }

    /// Likewise.
    fn matching_whole(&self, pattern: &Pattern, near: Range<usize>) -> Vec<u32> {
        let mut files = self.by_end.files[near].to_vec();
        files.sort_unstable();
        let (mut number, mut whole) = (0, String::new());
        files.retain(|&file| {
            number = self.folder_of(file, number);
            whole.clear();
            whole.push_str(self.folder(number));
            whole.push_str(self.name(file));
            pattern.matches(&whole)
        });
        files
    }

    /// The files in the folders that match, in rows.
    fn rows_in(&self, in_two: &InTwo) -> Vec<Range<u32>> {
        let mut rows: Vec<Range<u32>> = Vec::new();
        let mut begin = 0;
        for (number, &Folder { end, .. }) in self.folders.iter().enumerate() {
            if in_two.matches_folder(self.folder(number)) {
                match rows.last_mut() {
                    Some(row) if row.end == begin => row.end = end,
                    _ => rows.push(begin..end),
                }
            }
            begin = end;
        }
        rows
    }

    /// The number of the file's folder, which is `least` or one behind it.
    fn folder_of(&self, file: u32, least: usize) -> usize {
        least + self.folders[least..].iter().take_while(|folder| folder.end <= file).count()
    }

    fn folder(&self, number: usize) -> &str {
        let end = |number: usize| self.folders.get(number).map_or(0, |folder| folder.path_end);
        part(&self.folder_paths, number.checked_sub(1).map_or(0, end), end(number))
    }

    fn name(&self, file: u32) -> &str {
        let end = |file: u32| self.name_ends.get(file as usize).map_or(0, |&end| end);
        part(&self.names, file.checked_sub(1).map_or(0, end), end(file))
    }
}

fn is_in(rows: &[Range<u32>], file: u32) -> bool {
    let at = rows.partition_point(|row| row.end <= file);
    rows.get(at).is_some_and(|row| row.start <= file)
}

impl ByEnd {
    /// Where those are that end so.
    fn range(&self, tail: Known) -> Range<usize> {
        let begin = self.tails.partition_point(|&known| known < tail.bytes);
        begin..begin + self.tails[begin..].partition_point(|&known| known <= tail.bytes | !tail.mask)
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

    /// The first one is the most significant.
    fn of(bytes: impl Iterator<Item = u8>) -> Self {
        let shifts = (0..Bytes::BITS).step_by(8).map(|behind| Bytes::BITS - 8 - behind);
        bytes.zip(shifts).fold(Self { bytes: 0, mask: 0 }, |known, (byte, shift)| Self {
            bytes: known.bytes | Bytes::from(byte) << shift,
            mask: known.mask | 0xFF << shift,
        })
    }

    fn is_all_of(self, text: &str) -> bool {
        self.mask.count_ones() as usize == 8 * text.len()
    }
}

/// 50,000 paths of 1,024 bytes at most.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn part(text: &str, begin: u32, end: u32) -> &str {
    text.get(begin as usize..end as usize).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_048))]
        #[test]
        fn as_looking_at_every_path(
            pattern in "!?(\\*|\\*\\*/|\\?|a|b|/|\\.ts|x|Ä|aaaaaaaab|,|\\{a,b\\}){1,6}",
            paths in prop::collection::btree_set("(a|b|/|Ä|x|aaaaaaaab|,|\\.ts){1,8}", 1..40),
        ) {
            let pattern = Pattern::new(&pattern).unwrap();
            let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
            let known = Paths::new(&Project::of(&paths));
            let expected: Vec<&str> = paths.into_iter().filter(|path| pattern.matches(path)).collect();
            let found = known.matching(&pattern, 3);
            prop_assert_eq!(found.total, expected.len());
            let first: Vec<String> = found.first.iter().map(|(folder, name)| format!("{folder}{name}")).collect();
            prop_assert_eq!(first, expected.into_iter().take(3).collect::<Vec<_>>());
        }
    }
}
