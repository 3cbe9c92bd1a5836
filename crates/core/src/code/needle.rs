//! Finds a plain text in any case of its ASCII letters. What of it has no letters is found bytes at a
//! time, and only around that the letters are compared; a text of letters alone is for the regular
//! expression engine. Pure.

use memchr::memmem::Finder;
use regex::bytes::{Regex, RegexBuilder};

/// A text to find.
#[derive(Debug)]
pub struct Needle {
    /// In lower case.
    text: Box<[u8]>,
    how: How,
}

#[derive(Debug)]
enum How {
    /// The longest part without letters, and where it stands in the text.
    Anchor {
        finder: Box<Finder<'static>>,
        at: usize,
    },
    Engine(Box<Regex>),
}

impl Needle {
    /// A needle; `None` for an empty text, and for one that is not ASCII.
    pub fn new(text: &str) -> Option<Self> {
        if text.is_empty() || !text.is_ascii() {
            return None;
        }
        let text = text.to_ascii_lowercase().into_bytes().into_boxed_slice();
        let (at, length) = longest_without_letters(&text);
        let anchor = &text[at..at + length];
        // A blank or a dot alone is everywhere.
        let how = if length > 1 || anchor.iter().any(u8::is_ascii_digit) {
            How::Anchor { finder: Box::new(Finder::new(anchor).into_owned()), at }
        } else {
            let escaped = regex::escape(std::str::from_utf8(&text).ok()?);
            let engine = RegexBuilder::new(&escaped).case_insensitive(true).unicode(false).build();
            How::Engine(Box::new(engine.ok()?))
        };
        Some(Self { text, how })
    }

    /// Where the text stands in `hay`, from the byte `from` on.
    pub fn find(&self, hay: &[u8], from: usize) -> Option<usize> {
        match &self.how {
            _ if from > hay.len() => None,
            How::Engine(regex) => Some(regex.find_at(hay, from)?.start()),
            How::Anchor { finder, at } => {
                let mut next = from.checked_add(*at)?;
                loop {
                    let found = next + finder.find(hay.get(next..)?)?;
                    let start = found - at;
                    let end = start + self.text.len();
                    if hay.get(start..end).is_some_and(|there| there.eq_ignore_ascii_case(&self.text)) {
                        return Some(start);
                    }
                    next = found + 1;
                }
            }
        }
    }

    /// Whether the text stands in `hay`.
    pub fn is_in(&self, hay: &str) -> bool {
        self.find(hay.as_bytes(), 0).is_some()
    }

    /// The same for a short text, where setting out costs more than looking.
    pub fn is_in_short(&self, hay: &str) -> bool {
        let hay = hay.as_bytes();
        let first = self.text[0];
        hay.len() >= self.text.len()
            && hay
                .windows(self.text.len())
                .any(|there| there[0].to_ascii_lowercase() == first && there.eq_ignore_ascii_case(&self.text))
    }
}

/// The place and length of the longest part without letters.
fn longest_without_letters(text: &[u8]) -> (usize, usize) {
    let (mut best, mut start) = ((0, 0), 0);
    for at in 0..=text.len() {
        if at == text.len() || text[at].is_ascii_alphabetic() {
            if at - start > best.1 {
                best = (start, at - start);
            }
            start = at + 1;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn case_does_not_count_and_every_place_is_found() {
        for (needle, hay, places) in [
            ("Marker-5-End", "marker-5-en MARKER-5-END\nmarker-5-end", vec![12, 25]),
            ("compute", "recompute Compute", vec![2, 10]),
            ("5", "1525", vec![1, 3]),
            ("--a", "---A", vec![1]),
            ("a b", "a B A b", vec![0, 4]),
        ] {
            let needle = Needle::new(needle).unwrap();
            let mut found = Vec::new();
            let mut from = 0;
            while let Some(at) = needle.find(hay.as_bytes(), from) {
                found.push(at);
                from = at + 1;
            }
            assert_eq!(found, places);
            assert!(needle.is_in(hay) && needle.is_in_short(hay));
        }
        assert!(Needle::new("").is_none() && Needle::new("é").is_none());
        assert_eq!(Needle::new("a-1").unwrap().find(b"a-1", 4), None);
    }

    proptest! {
        #[test]
        fn as_looking_at_every_place(needle in "[aB1\\-. ]{1,4}", hay in "[abAB1\\-. é]{0,40}") {
            let found = Needle::new(&needle).unwrap();
            let expected = hay.to_ascii_lowercase().find(&needle.to_ascii_lowercase());
            prop_assert_eq!(found.find(hay.as_bytes(), 0), expected);
            prop_assert_eq!(found.is_in_short(&hay), expected.is_some());
        }
    }
}
