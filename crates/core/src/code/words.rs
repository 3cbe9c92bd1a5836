//! Which files of a project have which words: an inverted index, so that a look for words reads a list
//! of them and not every text. Made once, and kept current by reading the files that changed. Pure.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use memchr::memmem::Finder;
use rustc_hash::FxSeededState;

use super::index;
use crate::workspace::snapshot::Project;

/// Shorter words, in bytes, say too little.
pub(super) const MIN_WORD: usize = 3;
/// Behind and before each word of a list.
const END: u8 = b'\n';
/// So many files may have changed before all are read anew; more for a large project.
const MAX_FRESH: usize = 64;
/// A project's part that may have changed before all are read anew.
const FRESH_SHARE: usize = 16;
/// No file at this place any more.
const GONE: u32 = u32::MAX;

/// The words of a project at one moment. Files go by their place among the project's texts.
#[derive(Debug)]
pub struct Words {
    project: Arc<Project>,
    base: Arc<Base>,
    /// The place of each of the base's files, or [`GONE`].
    places: Vec<u32>,
    /// What is not in the base.
    fresh: Vec<Fresh>,
    /// Path and text by place.
    texts: Vec<(Arc<str>, Arc<str>)>,
}

/// The words of a project as it was when all were read.
#[derive(Debug, Default)]
struct Base {
    /// Path and revision, by path.
    files: Vec<(Arc<str>, u64)>,
    words: List,
    /// The files of each word, one word behind the other.
    files_of: Vec<u32>,
    /// Where the files of each word end.
    ends_of: Vec<u32>,
}

/// A file that was read by itself.
#[derive(Debug, Clone)]
struct Fresh {
    place: u32,
    revision: u64,
    words: Arc<List>,
}

/// Words in lower case, each once and in lines.
#[derive(Debug, Default)]
struct List {
    text: Vec<u8>,
    /// Where the line of each ends.
    ends: Vec<u32>,
}

impl List {
    fn push(&mut self, word: &str) {
        if self.text.is_empty() {
            self.text.push(END);
        }
        self.text.extend_from_slice(word.as_bytes());
        // Bounded by a project's text.
        self.ends.push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
        self.text.push(END);
    }

    /// The numbers of the words that have this part.
    fn having(&self, part: &Finder<'_>) -> impl Iterator<Item = usize> {
        let mut from = 0;
        std::iter::from_fn(move || {
            let found = from + part.find(self.text.get(from..)?)?;
            // The part may begin with the end of the line before.
            let word = self.ends.partition_point(|&end| (end as usize) <= found);
            // Where the next word's line begins: its part may take this one's end.
            from = *self.ends.get(word)? as usize;
            Some(word)
        })
    }
}

/// A part of a word: at its beginning, at its end, or anywhere.
#[derive(Debug, Clone)]
pub struct Part(Finder<'static>);

impl Part {
    /// A part of a word in lower case; `None` if it is too short, or no word.
    pub fn new(text: &str, begins: bool, ends: bool) -> Option<Self> {
        let lower = text.to_lowercase();
        if lower.len() < MIN_WORD || !lower.chars().all(is_in_word) {
            return None;
        }
        let end = |is_there: bool| std::iter::repeat_n(END, usize::from(is_there));
        let part: Vec<u8> = end(begins).chain(lower.bytes()).chain(end(ends)).collect();
        Some(Self(Finder::new(&part).into_owned()))
    }

    /// What a text has in its words if it has this plain text, in any case.
    pub fn all_of(plain: &str) -> Vec<Self> {
        let mut parts = Vec::new();
        // Upper and lower case are told apart by more than ASCII elsewhere.
        if !plain.is_ascii() {
            return parts;
        }
        let mut at = 0;
        for word in plain.split(|c| !is_in_word(c)) {
            let end = at + word.len();
            parts.extend(Self::new(word, at > 0, end < plain.len()));
            at = end + 1;
        }
        parts
    }
}

impl Words {
    /// The words of `project`; of `before`, what has not changed.
    fn new(project: Arc<Project>, before: Option<&Self>) -> Self {
        let texts: Vec<(Arc<str>, Arc<str>)> =
            project.texts().map(|(path, _, text)| (Arc::clone(path), Arc::clone(text))).collect();
        let kept = before.and_then(|before| before.kept(&project));
        let (base, places, fresh) = kept.unwrap_or_else(|| {
            let base = Arc::new(Base::new(&project));
            let places = (0..base.files.len()).map(place).collect();
            (base, places, Vec::new())
        });
        Self { project, base, places, fresh, texts }
    }

    /// The same base for another moment, with what it does not have; `None` if that is too much.
    fn kept(&self, project: &Project) -> Option<(Arc<Base>, Vec<u32>, Vec<Fresh>)> {
        let most = MAX_FRESH.max(self.base.files.len() / FRESH_SHARE);
        let known: HashMap<u64, &Fresh> = self.fresh.iter().map(|fresh| (fresh.revision, fresh)).collect();
        let mut places = vec![GONE; self.base.files.len()];
        let mut fresh = Vec::new();
        let mut at = 0;
        // Both are sorted by path.
        for (n, (path, file, text)) in project.texts().enumerate() {
            while self.base.files.get(at).is_some_and(|(known, _)| known < path) {
                at += 1;
            }
            let revision = file.revision;
            if self.base.files.get(at).is_some_and(|known| known.0 == *path && known.1 == revision) {
                places[at] = place(n);
                continue;
            }
            if fresh.len() == most {
                return None;
            }
            let words = match known.get(&revision) {
                Some(known) => Arc::clone(&known.words),
                None => Arc::new(List::of_text(text)),
            };
            fresh.push(Fresh { place: place(n), revision, words });
        }
        Some((Arc::clone(&self.base), places, fresh))
    }

    /// Path and text of each file, sorted by path.
    pub fn texts(&self) -> &[(Arc<str>, Arc<str>)] {
        &self.texts
    }

    /// Tells the place of each file that has a word with this part, some more than once.
    pub fn having(&self, Part(part): &Part, mut tell: impl FnMut(usize)) {
        for word in self.base.words.having(part) {
            let begin = word.checked_sub(1).map_or(0, |before| self.base.ends_of[before]);
            for &file in &self.base.files_of[begin as usize..self.base.ends_of[word] as usize] {
                let place = self.places[file as usize];
                if place != GONE {
                    tell(place as usize);
                }
            }
        }
        for Fresh { place, words, .. } in &self.fresh {
            if part.find(&words.text).is_some() {
                tell(*place as usize);
            }
        }
    }

    /// The files that have all of the parts, by path; all files for none.
    pub fn having_all(&self, parts: &[Part]) -> Vec<(&Arc<str>, &Arc<str>)> {
        let mut counts = vec![0_u32; self.texts.len()];
        for (n, part) in (0..).zip(parts) {
            self.having(part, |at| {
                if counts[at] == n {
                    counts[at] += 1;
                }
            });
        }
        let has_all = |(_, count): &(_, u32)| *count as usize == parts.len();
        self.texts.iter().zip(counts).filter(has_all).map(|((path, text), _)| (path, text)).collect()
    }
}

/// A project has 50,000 rows at most.
fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(GONE)
}

impl List {
    fn of_text(text: &str) -> Self {
        let mut list = Self::default();
        let mut known = std::collections::HashSet::new();
        for_each_word(text, |word| {
            if known.insert(word.to_owned()) {
                list.push(word);
            }
        });
        list
    }
}

impl Base {
    fn new(project: &Project) -> Self {
        // Whoever wrote the texts must not be able to say which words collide.
        let seed = RandomState::new().hash_one(0) as usize;
        let mut numbers: HashMap<Box<str>, u32, FxSeededState> =
            HashMap::with_hasher(FxSeededState::with_seed(seed));
        let mut words = List::default();
        let mut files = Vec::new();
        // Of each word, the file that it was last seen in, and in how many it is.
        let mut last: Vec<(u32, u32)> = Vec::new();
        let mut pairs: Vec<(u32, u32)> = Vec::new();
        for (n, (path, file, text)) in project.texts().enumerate() {
            let n = place(n);
            files.push((Arc::clone(path), file.revision));
            for_each_word(text, |word| {
                let number = match numbers.get(word) {
                    Some(&number) => number,
                    None => {
                        let number = place(last.len());
                        numbers.insert(word.into(), number);
                        words.push(word);
                        last.push((GONE, 0));
                        number
                    }
                };
                let (seen, count) = &mut last[number as usize];
                if *seen != n {
                    (*seen, *count) = (n, *count + 1);
                    pairs.push((number, n));
                }
            });
        }
        // By word: each where those of the words before it end.
        let mut end = 0;
        let mut next: Vec<u32> = Vec::with_capacity(last.len());
        let mut ends_of = Vec::with_capacity(last.len());
        for (_, count) in last {
            next.push(end);
            end += count;
            ends_of.push(end);
        }
        let mut files_of = vec![0; pairs.len()];
        for (word, file) in pairs {
            let at = &mut next[word as usize];
            files_of[*at as usize] = file;
            *at += 1;
        }
        Self { files, words, files_of, ends_of }
    }
}

fn is_in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// The words of a text as they stand, those that are long enough.
pub(super) fn identifiers(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c| !is_in_word(c)).filter(|word| word.len() >= MIN_WORD)
}

/// Tells each word that is long enough, in lower case.
fn for_each_word(text: &str, mut tell: impl FnMut(&str)) {
    let mut lower = String::new();
    for word in identifiers(text) {
        let is_lower = word.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
        if is_lower {
            tell(word);
        } else if word.is_ascii() {
            lower.clear();
            lower.push_str(word);
            lower.make_ascii_lowercase();
            tell(&lower);
        } else {
            tell(&word.to_lowercase());
        }
    }
}

/// The words of a project that changes: whoever asks brings them up to date.
#[derive(Debug, Default)]
pub struct Shelf {
    latest: Mutex<Option<Arc<Words>>>,
    /// Looks that would have been quicker with them.
    missed: AtomicUsize,
}

impl Shelf {
    /// The words of `project`.
    pub fn words(&self, project: &Arc<Project>) -> Arc<Words> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        match &*latest {
            Some(words) if Arc::ptr_eq(&words.project, project) => Arc::clone(words),
            before => {
                let words = Arc::new(Words::new(Arc::clone(project), before.as_deref()));
                *latest = Some(Arc::clone(&words));
                words
            }
        }
    }

    /// The words of `project`, if they have been asked for before. Whoever misses them often gets them
    /// the next time: to make them takes as long as some searches of all texts.
    pub fn known_words(self: &Arc<Self>, project: &Arc<Project>) -> Option<Arc<Words>> {
        /// The look that has them made.
        const ENOUGH: usize = 2;
        // Somebody makes them just now: it is quicker to search without.
        let is_known = self.latest.try_lock().ok().map(|latest| latest.is_some());
        if is_known == Some(true) {
            return Some(self.words(project));
        }
        if is_known == Some(false) && self.missed.fetch_add(1, Ordering::Relaxed) + 1 == ENOUGH {
            let (shelf, project) = (Arc::clone(self), Arc::clone(project));
            // If no thread can be started, the next ones search without.
            drop(index::builder().spawn(move || drop(shelf.words(&project))));
        }
        None
    }
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
