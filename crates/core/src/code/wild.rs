//! Patterns of `*`, `?` and `**/` alone, compared with paths without a regular expression: to compile one
//! takes longer than to look at a thousand paths. Pure.

/// A pattern in parts.
#[derive(Debug)]
pub(super) struct Wild(Vec<Part>);

#[derive(Debug)]
enum Part {
    /// These bytes.
    Text(Box<[u8]>),
    /// `?`: a character, but no `/`.
    One,
    /// `*`: any number of characters, but no `/`.
    Name,
    /// `**/`: any number of folders.
    Folders,
    /// `**/` before a name: all folders there are.
    AllFolders,
    /// `**` at the end: at least one character.
    Rest,
    /// `*` and text at the end: a name that ends so.
    NameEnd(Box<[u8]>),
}

impl Wild {
    /// Reads a pattern; all but its stars and question marks stands for itself.
    pub(super) fn new(pattern: &str) -> Self {
        let mut parts = Vec::new();
        let name = pattern.rfind('/').map_or(0, |slash| slash + 1);
        let mut at = 0;
        while at < pattern.len() {
            let rest = &pattern[at..];
            let begins = at == 0 || pattern.as_bytes()[at - 1] == b'/';
            let (part, width) = if begins && rest.starts_with("**/") {
                (if at + 3 == name && !rest.ends_with("**") { Part::AllFolders } else { Part::Folders }, 3)
            } else if begins && rest == "**" {
                (Part::Rest, 2)
            } else if rest.starts_with('*') {
                let stars = rest.len() - rest.trim_start_matches('*').len();
                match &rest[stars..] {
                    end if !end.contains(['*', '?', '/']) => {
                        (Part::NameEnd(end.as_bytes().into()), rest.len())
                    }
                    _ => (Part::Name, stars),
                }
            } else if rest.starts_with('?') {
                (Part::One, 1)
            } else {
                let end = rest.find(['*', '?']).unwrap_or(rest.len());
                (Part::Text(rest.as_bytes()[..end].into()), end)
            };
            parts.push(part);
            at += width;
        }
        Self(parts)
    }

    /// Whether the whole of `path` matches. Where a part does not fit, the last `*` takes a character
    /// more, and where that is no way on, the last `**/` a folder more: what stands before them has
    /// matched as early as it can, so no other choice leads further.
    pub(super) fn is_match(&self, path: &str) -> bool {
        let path = path.as_bytes();
        let (mut part, mut at) = (0, 0);
        // The part behind it, and how far it has come.
        let mut name: Option<(usize, usize)> = None;
        let mut folders: Option<(usize, usize)> = None;
        loop {
            let fits = match self.0.get(part) {
                None if at == path.len() => return true,
                None => false,
                Some(Part::Text(text)) => {
                    let fits = path[at..].starts_with(text);
                    at += if fits { text.len() } else { 0 };
                    fits
                }
                Some(Part::One) => {
                    let fits = at < path.len() && path[at] != b'/';
                    at += usize::from(fits);
                    while fits && at < path.len() && is_continuation(path[at]) {
                        at += 1;
                    }
                    fits
                }
                Some(Part::Name) => {
                    name = Some((part + 1, at));
                    true
                }
                Some(Part::Folders) => {
                    (name, folders) = (None, Some((part + 1, at)));
                    true
                }
                Some(Part::AllFolders) => {
                    (name, folders) = (None, None);
                    at += memchr::memrchr(b'/', &path[at..]).map_or(0, |slash| slash + 1);
                    true
                }
                Some(Part::NameEnd(end)) => {
                    // Another beginning of the name changes nothing.
                    name = None;
                    let fits = path[at..].ends_with(end) && memchr::memchr(b'/', &path[at..]).is_none();
                    at = if fits { path.len() } else { at };
                    fits
                }
                Some(Part::Rest) if at < path.len() => return true,
                Some(Part::Rest) => false,
            };
            if fits {
                part += 1;
                continue;
            }
            if let Some((next, from)) = name
                && from < path.len()
                && path[from] != b'/'
            {
                (part, at) = (next, from + 1);
                name = Some((part, at));
            } else if let Some((next, from)) = folders
                && let Some(slash) = memchr::memchr(b'/', &path[from..])
            {
                (part, at) = (next, from + slash + 1);
                (name, folders) = (None, Some((part, at)));
            } else {
                return false;
            }
        }
    }
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::glob::translated;
    use proptest::prelude::*;
    use regex::Regex;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]
        #[test]
        fn it_finds_what_the_regular_expression_finds(
            pattern in "(\\*|\\*\\*|\\?|\\*\\*/|/|a|b|Ä|a/b|\\.){0,8}",
            paths in prop::collection::vec("(a|b|Ä|/|\\.|ab){0,10}", 1..8),
        ) {
            let regex = Regex::new(&translated(&pattern, |_| true)).unwrap();
            let wild = Wild::new(&pattern);
            for path in &paths {
                prop_assert_eq!(wild.is_match(path), regex.is_match(path), "{} {}", &pattern, path);
            }
        }
    }

    #[test]
    fn many_stars_take_no_more_than_the_square_of_the_path() {
        let path = format!("{}b", "a/".repeat(2_000));
        assert!(!Wild::new(&"**/a*".repeat(500)).is_match(&path));
        assert!(!Wild::new(&"*a".repeat(500)).is_match(&"a".repeat(1_000).replace("aa", "ab")));
    }
}
