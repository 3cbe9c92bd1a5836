//! Which files of a project have which words: an inverted index, so that a look for words reads a list
//! of them and not every text. Made once, and kept current by reading the files that changed; what it
//! does not hold, because there would be too much, is read at each look.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use memchr::memmem::Finder;

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
/// How much is held, for texts of nothing but different words: different ones, their bytes, and in how
/// many files they are. The generated project of 10,000 files (`bench/tools/project.ts`) has 130,000, 1.5 MB
/// and 730,000.
const MAX: Size = Size { words: 500_000, bytes: 16 << 20, pairs: 3_000_000 };
/// Parts of a plain text that are looked for; the longest say most.
const MAX_PARTS: usize = 8;
/// Time to make the words of a project, where nobody waits for them.
const MAKING: Duration = Duration::from_secs(10);
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
    /// The places from here on, whose words are not held.
    unread: usize,
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
    /// The first path that there was no room for.
    unread: Option<Arc<str>>,
}

/// How much is held.
#[derive(Debug, Clone, Copy)]
struct Size {
    words: usize,
    bytes: usize,
    pairs: usize,
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
        let mut parts: Vec<Self> = Vec::new();
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
        parts.sort_by(|Self(a), Self(b)| {
            b.needle().len().cmp(&a.needle().len()).then_with(|| a.needle().cmp(b.needle()))
        });
        parts.dedup_by(|Self(a), Self(b)| a.needle() == b.needle());
        parts.truncate(MAX_PARTS);
        parts
    }

    fn is_in(&self, text: &str) -> bool {
        let mut is_there = false;
        let mut line = Vec::new();
        for_each_word(text, |word| {
            line.clear();
            line.push(END);
            line.extend_from_slice(word.as_bytes());
            line.push(END);
            is_there |= self.0.find(&line).is_some();
        });
        is_there
    }
}

impl Words {
    /// All words of `project`, read anew; `None` if `stop` says so first.
    fn new(project: &Arc<Project>, stop: &mut dyn FnMut() -> bool) -> Option<Self> {
        let base = Arc::new(Base::new(project, MAX, stop)?);
        let places: Vec<u32> = (0..base.files.len()).map(place).collect();
        let unread = places.len();
        Some(Self { places, unread, ..Self::on(base, project) })
    }

    fn on(base: Arc<Base>, project: &Arc<Project>) -> Self {
        let texts = project.texts().map(|(path, _, text)| (Arc::clone(path), Arc::clone(text))).collect();
        Self { project: Arc::clone(project), base, places: Vec::new(), fresh: Vec::new(), unread: 0, texts }
    }

    /// The words of another moment, with what has changed read anew; `None` if that is too much.
    fn kept(&self, project: &Arc<Project>) -> Option<Self> {
        let most = MAX_FRESH.max(self.base.files.len() / FRESH_SHARE);
        let known: HashMap<u64, &Fresh> = self.fresh.iter().map(|fresh| (fresh.revision, fresh)).collect();
        let mut places = vec![GONE; self.base.files.len()];
        let (mut fresh, mut at, mut unread) = (Vec::new(), 0, 0);
        // Both are sorted by path.
        for (n, (path, file, text)) in project.texts().enumerate() {
            if self.base.unread.as_ref().is_some_and(|unread| unread <= path) {
                break;
            }
            unread = n + 1;
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
        Some(Self { places, fresh, unread, ..Self::on(Arc::clone(&self.base), project) })
    }

    /// Path and text of each file, sorted by path.
    pub fn texts(&self) -> &[(Arc<str>, Arc<str>)] {
        &self.texts
    }

    /// Tells the place of each file that has a word with this part, some more than once.
    pub fn having(&self, part: &Part, mut tell: impl FnMut(usize)) {
        self.held(part, &mut tell);
        for (at, (_, text)) in self.texts.iter().enumerate().skip(self.unread) {
            if part.is_in(text) {
                tell(at);
            }
        }
    }

    /// The same for the files whose words are held.
    fn held(&self, part: &Part, mut tell: impl FnMut(usize)) {
        for word in self.base.words.having(&part.0) {
            let begin = word.checked_sub(1).map_or(0, |before| self.base.ends_of[before]);
            for &file in &self.base.files_of[begin as usize..self.base.ends_of[word] as usize] {
                let place = self.places[file as usize];
                if place != GONE {
                    tell(place as usize);
                }
            }
        }
        for Fresh { place, words, .. } in &self.fresh {
            if part.0.find(&words.text).is_some() {
                tell(*place as usize);
            }
        }
    }

    /// The files that have all of the parts, by path, and those whose words are not held.
    pub fn having_all(&self, parts: &[Part]) -> Vec<(&Arc<str>, &Arc<str>)> {
        let mut counts = vec![0_u32; self.texts.len()];
        for (n, part) in (0..).zip(parts) {
            self.held(part, |at| {
                if counts[at] == n {
                    counts[at] += 1;
                }
            });
        }
        let all = self.texts.iter().zip(counts).enumerate();
        let has_all = all.filter(|(at, (_, count))| *at >= self.unread || *count as usize == parts.len());
        has_all.map(|(_, ((path, text), _))| (path, text)).collect()
    }
}

/// A project has 50,000 rows at most.
fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(GONE)
}

impl List {
    fn of_text(text: &str) -> Self {
        let mut list = Self::default();
        let mut known = HashSet::new();
        for_each_word(text, |word| {
            if known.insert(word.to_owned()) {
                list.push(word);
            }
        });
        list
    }
}

impl Base {
    fn new(project: &Project, max: Size, stop: &mut dyn FnMut() -> bool) -> Option<Self> {
        let mut base = Self::default();
        let mut numbers: HashMap<Box<str>, u32> = HashMap::new();
        // Of each word, the file that it was last seen in, and in how many it is.
        let mut last: Vec<(u32, u32)> = Vec::new();
        let mut pairs: Vec<(u32, u32)> = Vec::new();
        for (n, (path, file, text)) in project.texts().enumerate() {
            if n % 64 == 0 && stop() {
                return None;
            }
            let Size { words, bytes, pairs: most } = max;
            if last.len() >= words || base.words.text.len() >= bytes || pairs.len() >= most {
                base.unread = Some(Arc::clone(path));
                break;
            }
            let n = place(n);
            base.files.push((Arc::clone(path), file.revision));
            for_each_word(text, |word| {
                let number = match numbers.get(word) {
                    Some(&number) => number,
                    None => {
                        let number = place(last.len());
                        numbers.insert(word.into(), number);
                        base.words.push(word);
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
        drop(numbers);
        // By word: each where those of the words before it end.
        let mut end = 0;
        let mut next: Vec<u32> = Vec::with_capacity(last.len());
        let mut ends_of = Vec::with_capacity(last.len());
        for (_, count) in last {
            next.push(end);
            end += count;
            ends_of.push(end);
        }
        base.files_of = vec![0; pairs.len()];
        for (word, file) in pairs {
            let at = &mut next[word as usize];
            base.files_of[*at as usize] = file;
            *at += 1;
        }
        base.ends_of = ends_of;
        Some(base)
    }
}

pub(super) fn is_in_word(c: char) -> bool {
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

/// The words of a project that changes.
#[derive(Debug, Default)]
pub struct Shelf {
    latest: Mutex<Option<Arc<Words>>>,
    /// Looks that would have been quicker with them.
    missed: AtomicUsize,
    /// A thread makes them just now.
    is_making: AtomicBool,
}

impl Shelf {
    /// The words of `project`; `None` if `stop` says so before they are made.
    pub fn words(&self, project: &Arc<Project>, stop: &mut dyn FnMut() -> bool) -> Option<Arc<Words>> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(words) = brought_up(&mut latest, project) {
            return Some(words);
        }
        let words = Arc::new(Words::new(project, stop)?);
        *latest = Some(Arc::clone(&words));
        Some(words)
    }

    /// The words of `project` without waiting for them: to make them takes as long as some searches of
    /// all texts. Whoever misses them for the second time has them made for later.
    pub fn known_words(self: &Arc<Self>, project: &Arc<Project>) -> Option<Arc<Words>> {
        /// The look that has them made.
        const ENOUGH: usize = 2;
        // Somebody makes them just now.
        let mut latest = self.latest.try_lock().ok()?;
        if let Some(words) = brought_up(&mut latest, project) {
            return Some(words);
        }
        if latest.is_none() && self.missed.fetch_add(1, Ordering::Relaxed) + 1 < ENOUGH {
            return None;
        }
        drop(latest);
        if !self.is_making.swap(true, Ordering::Relaxed) {
            let (shelf, project) = (Arc::clone(self), Arc::clone(project));
            let make = move || {
                // Nobody waits for it: no longer than a search may take.
                let until = Instant::now() + MAKING;
                shelf.words(&project, &mut || Instant::now() >= until);
                shelf.is_making.store(false, Ordering::Relaxed);
            };
            // If no thread can be started, the next ones search without.
            if index::builder().spawn(make).is_err() {
                self.is_making.store(false, Ordering::Relaxed);
            }
        }
        None
    }
}

/// What is known, as of `project`; `None` if all would have to be read for it.
fn brought_up(latest: &mut Option<Arc<Words>>, project: &Arc<Project>) -> Option<Arc<Words>> {
    let known = latest.as_ref()?;
    if !Arc::ptr_eq(&known.project, project) {
        *latest = Some(Arc::new(known.kept(project)?));
    }
    latest.clone()
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
