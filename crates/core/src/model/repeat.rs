//! Events that differ from the one before in a single string: nearly all of a stream. What the whole
//! event means was found out by parsing one of them; of the next, only the string is read.
//!
//! Sound because JSON is: with the same bytes before and after a string at the same place, another
//! string gives the same document but for that string.

use std::borrow::Cow;

/// A parsed event with one string left out, and what that string is.
#[derive(Debug)]
pub(super) struct Template<T> {
    /// Up to and with the opening quote.
    before: Vec<u8>,
    /// From the closing quote on.
    after: Vec<u8>,
    what: Option<T>,
}

impl<T> Default for Template<T> {
    fn default() -> Self {
        Self { before: Vec::new(), after: Vec::new(), what: None }
    }
}

impl<T: Copy> Template<T> {
    /// Takes `data` as the pattern; `part` is the string in it that may differ, borrowed from it.
    pub(super) fn learn(&mut self, data: &[u8], part: &str, what: T) {
        self.what = None;
        let Some(start) = (part.as_ptr() as usize).checked_sub(data.as_ptr() as usize) else { return };
        let end = start + part.len();
        if start == 0 || data.get(start - 1) != Some(&b'"') || data.get(end) != Some(&b'"') {
            return;
        }
        self.before.clear();
        self.before.extend_from_slice(&data[..start]);
        self.after.clear();
        self.after.extend_from_slice(&data[end..]);
        self.what = Some(what);
    }

    /// The string of `data`, where `data` is the pattern but for it.
    pub(super) fn read<'d>(&self, data: &'d [u8]) -> Option<(T, Cow<'d, str>)> {
        let what = self.what?;
        let rest = data.strip_prefix(self.before.as_slice())?;
        let part = rest.strip_suffix(self.after.as_slice())?;
        if part.iter().all(|&byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
            return Some((what, Cow::Borrowed(std::str::from_utf8(part).ok()?)));
        }
        // With escapes: the JSON string from quote to quote, and nothing after it.
        let quoted = &data[self.before.len() - 1..=self.before.len() + part.len()];
        Some((what, Cow::Owned(serde_json::from_slice(quoted).ok()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn event(text: &str) -> String {
        json!({ "id": "x", "choices": [{ "delta": { "content": text }, "n": 1 }] }).to_string()
    }

    /// Where the string begins in [`event`].
    fn start(data: &str) -> usize {
        data.find("\"content\":\"").unwrap() + "\"content\":\"".len()
    }

    fn learned(text: &str) -> Template<()> {
        let data = event(text);
        let start = start(&data);
        let mut template = Template::default();
        template.learn(data.as_bytes(), &data[start..start + text.len()], ());
        template
    }

    #[test]
    fn what_is_not_the_pattern_is_not_read() {
        let template = learned("abc");
        let none = [
            "",
            "{}",
            &event("a").replace("\"x\"", "\"y\""),
            &event("a").replace('1', "2"),
            // A quote that ends the string early makes another document.
            &event("a").replace("\"a\"", "\"a\",\"b\":\"c\""),
            &event("a").replace("\"a\"", "\"a\\\""),
            &event("a")[..20],
        ];
        for data in none {
            assert!(template.read(data.as_bytes()).is_none(), "{data}");
        }
    }

    proptest! {
        #[test]
        fn a_string_is_read_as_a_parser_reads_it(first in "[a-z]{1,8}", text in any::<String>()) {
            let data = event(&text);
            let (_, read) = learned(&first).read(data.as_bytes()).unwrap();
            let parsed: Value = serde_json::from_str(&data).unwrap();
            prop_assert_eq!(&*read, parsed["choices"][0]["delta"]["content"].as_str().unwrap());
        }

        #[test]
        fn bytes_that_are_no_document_are_never_read_as_one(first in "[a-z]{1,8}", bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let pattern = event(&first);
            let start = start(&pattern);
            let data = [&pattern.as_bytes()[..start], &bytes, &pattern.as_bytes()[start + first.len()..]].concat();
            if let Some((_, read)) = learned(&first).read(&data) {
                let parsed: Value = serde_json::from_slice(&data).unwrap();
                prop_assert_eq!(&*read, parsed["choices"][0]["delta"]["content"].as_str().unwrap());
            }
        }
    }
}
