//! The URLs that a text names. Pure.
//!
//! A URL begins with `http://` or `https://` and goes on to the next blank, quotation mark, backtick
//! or angle bracket. Punctuation at its end belongs to the sentence, and so does a closing bracket
//! that was not opened inside the URL. The same URL twice is one.

use url::Url;

/// A URL of the text; `Err` says why it cannot be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// As it stands in the text.
    pub text: String,
    /// What it is.
    pub url: Result<Url, String>,
}

const SCHEMES: [&str; 2] = ["https://", "http://"];
/// What ends a URL beside blanks: RFC 3986 allows none of these in one.
const ENDS: [char; 9] = ['"', '<', '>', '`', '“', '”', '„', '«', '»'];
const PUNCTUATION: [char; 15] =
    ['.', ',', ';', ':', '!', '?', '\'', '*', '_', '…', '’', '。', '，', '、', '！'];
const BRACKETS: [(char, char); 3] = [('(', ')'), ('[', ']'), ('{', '}')];

/// The URLs of `text`, in their order, each once.
pub fn find(text: &str) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    let mut rest = text;
    while let Some(start) = SCHEMES.iter().filter_map(|scheme| rest.find(scheme)).min() {
        rest = &rest[start..];
        let end = rest.find(|c: char| c.is_whitespace() || ENDS.contains(&c)).unwrap_or(rest.len());
        let (url, after) = rest.split_at(end);
        rest = after;
        let text = trim(url);
        let url = Url::parse(text).map_err(|error| format!("it is not a URL: {error}"));
        // `https://` alone is a scheme that somebody writes about.
        if SCHEMES.contains(&text) || SCHEMES.iter().any(|scheme| scheme.strip_suffix('/') == Some(text)) {
            continue;
        }
        let known = |other: &Found| match (&other.url, &url) {
            (Ok(one), Ok(other)) => one == other,
            _ => other.text == text,
        };
        if !found.iter().any(known) {
            found.push(Found { text: text.to_owned(), url });
        }
    }
    found
}

/// Without the punctuation and the brackets that belong to the sentence.
fn trim(mut url: &str) -> &str {
    while let Some(last) = url.chars().next_back() {
        let unopened = |(open, close): &(char, char)| {
            last == *close && url.matches(*open).count() < url.matches(*close).count()
        };
        if !PUNCTUATION.contains(&last) && !BRACKETS.iter().any(unopened) {
            break;
        }
        url = &url[..url.len() - last.len_utf8()];
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        find(text).into_iter().map(|found| found.text).collect()
    }

    #[test]
    fn punctuation_of_the_sentence_is_not_part_of_a_url() {
        for (text, expected) in [
            ("Read https://a.example/x.", "https://a.example/x"),
            ("(see https://a.example/x)", "https://a.example/x"),
            ("https://a.example/x?q=1, please", "https://a.example/x?q=1"),
            ("[here](https://a.example/x).", "https://a.example/x"),
            ("<https://a.example/x>", "https://a.example/x"),
            ("\"https://a.example/x\"!", "https://a.example/x"),
            ("`https://a.example/x`", "https://a.example/x"),
            ("**https://a.example/x**", "https://a.example/x"),
            ("https://a.example/Rust_(language)", "https://a.example/Rust_(language)"),
            ("(https://a.example/Rust_(language)).", "https://a.example/Rust_(language)"),
            ("https://a.example/list[1]", "https://a.example/list[1]"),
            ("„https://a.example/ä“", "https://a.example/ä"),
            ("https://a.example。", "https://a.example"),
            ("https://a.example/#top", "https://a.example/#top"),
            ("https://a.example/a,b;c", "https://a.example/a,b;c"),
        ] {
            assert_eq!(texts(text), [expected], "{text}");
        }
    }

    #[test]
    fn urls_keep_their_order_and_come_once() {
        let text = "http://b.example/ then https://a.example, again http://b.example and HTTPS://C.example";
        assert_eq!(texts(text), ["http://b.example/", "https://a.example"]);
        assert_eq!(texts("no URL: https:// nor http:/x, ftp://a.example"), [""; 0]);
    }

    #[test]
    fn what_is_no_url_says_why() {
        let found = find("try https://[::1 and http://:80/");
        assert_eq!(found.len(), 2);
        for found in found {
            assert!(found.url.as_ref().is_err_and(|why| why.starts_with("it is not a URL: ")), "{found:?}");
        }
    }
}
