//! File patterns as their documentation says, and as people write them: `*`, `?`, `**/`, `[a-z]`,
//! `[!a]`, `{a,b}`; brackets and braces are also tried as they stand, so that `src/[id]/*.tsx` finds
//! the route of that name. A pattern without `/` is for the name, at any depth. Pure.

use regex::Regex;

use super::wild::Wild;

/// Longer patterns are no patterns of files.
const MAX_PATTERN_BYTES: usize = 4_096;

/// A pattern that paths are compared with.
#[derive(Debug)]
pub struct Pattern {
    /// The pattern without what does not count.
    plain: String,
    readings: Vec<Reading>,
    excludes: bool,
    /// It is for the last name of a path only.
    names_only: bool,
    /// What every match begins and ends with; both are looked at before the readings.
    ends: (Box<str>, Box<str>),
    in_two: Option<InTwo>,
}

/// A pattern for folders, and one for names in them.
#[derive(Debug)]
pub struct InTwo {
    folder: Folders,
    name: Wild,
    /// What stands around the one `*` that is all there is to the name.
    around_one_star: Option<(Box<str>, Box<str>)>,
}

#[derive(Debug)]
enum Folders {
    /// These, and all below them: with nothing in it, all.
    Below(Box<str>),
    Like(Wild),
}

impl Folders {
    fn new(pattern: &str) -> Self {
        match pattern.strip_suffix("**/") {
            Some(above) if !above.contains(['*', '?']) && (above.is_empty() || above.ends_with('/')) => {
                Self::Below(above.into())
            }
            _ => Self::Like(Wild::new(pattern)),
        }
    }
}

impl InTwo {
    fn new(plain: &str, names_only: bool) -> Option<Self> {
        let (folder, name) = plain.split_at(plain.rfind('/').map_or(0, |slash| slash + 1));
        // This one is for any depth.
        if name == "**" {
            return None;
        }
        // As `ends` takes it, which sees a comma as one between braces.
        let is_plain = |text: &str| !text.contains(['*', '?', ',']);
        let around_one_star = name.split_once('*').filter(|(first, last)| is_plain(first) && is_plain(last));
        Some(Self {
            folder: if names_only { Folders::Below("".into()) } else { Folders::new(folder) },
            name: Wild::new(name),
            around_one_star: around_one_star.map(|(first, last)| (first.into(), last.into())),
        })
    }

    /// What names begin and end with, if nothing else is asked of them.
    pub fn around_one_star(&self) -> Option<(&str, &str)> {
        self.around_one_star.as_ref().map(|(first, last)| (&**first, &**last))
    }

    /// Whether the folder does not count.
    pub fn is_for_any_folder(&self) -> bool {
        matches!(&self.folder, Folders::Below(above) if above.is_empty())
    }

    /// Whether paths below `folder` may match: empty, or with the `/` behind it.
    pub fn matches_folder(&self, folder: &str) -> bool {
        match &self.folder {
            Folders::Below(above) => folder.starts_with(&**above),
            Folders::Like(wild) => wild.is_match(folder),
        }
    }

    /// Whether paths with this name match, in such a folder.
    pub fn matches_name(&self, name: &str) -> bool {
        self.name.is_match(name)
    }
}

/// What a pattern may mean.
#[derive(Debug)]
enum Reading {
    Wild(Wild),
    Regex(Regex),
}

impl Reading {
    fn is_match(&self, path: &str) -> bool {
        match self {
            Self::Wild(wild) => wild.is_match(path),
            Self::Regex(regex) => regex.is_match(path),
        }
    }
}

impl Pattern {
    /// Reads a pattern. A bracket without its partner stands for itself.
    ///
    /// # Errors
    /// For the model: what is wrong with it.
    pub fn new(pattern: &str) -> Result<Self, String> {
        if pattern.len() > MAX_PATTERN_BYTES {
            return Err(format!("the pattern is longer than {MAX_PATTERN_BYTES} bytes"));
        }
        let (excludes, rest) = match pattern.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, pattern),
        };
        let mut plain = rest;
        while let Some(shorter) = plain.strip_prefix("./").or_else(|| plain.strip_prefix('/')) {
            plain = shorter;
        }
        let names_only = !rest.contains('/');
        let ends = ends(plain);
        let of =
            |readings, in_two| Self { plain: plain.to_owned(), readings, excludes, names_only, ends, in_two };
        if !plain.contains(['[', ']', '{', '}']) {
            let in_two = if excludes { None } else { InTwo::new(plain, names_only) };
            return Ok(of(vec![Reading::Wild(Wild::new(plain))], in_two));
        }
        let unbalanced = unbalanced(plain);
        let literal = translated(plain, |_| true);
        // Of `src/[id]/*.{ts,tsx}`, the brackets are meant as they stand, and the braces are not.
        let bytes = plain.as_bytes();
        let is_bracket = |at: usize| matches!(bytes[at], b'[' | b']');
        let half = translated(plain, |at| is_bracket(at) || unbalanced.contains(&at));
        let glob = translated(plain, |at| unbalanced.contains(&at));
        // A reading that makes no sense, such as `[z-a]`, is none; the literal one always does.
        let mut readings: Vec<Regex> = Regex::new(&literal).into_iter().collect();
        readings.extend((half != literal).then(|| Regex::new(&half)).transpose().ok().flatten());
        readings.extend((glob != half).then(|| Regex::new(&glob)).transpose().ok().flatten());
        if readings.is_empty() {
            return Err("the pattern is too complex".to_owned());
        }
        Ok(of(readings.into_iter().map(Reading::Regex).collect(), None))
    }

    /// Whether a normalised path matches.
    pub fn matches(&self, path: &str) -> bool {
        self.is_found(path) != self.excludes
    }

    fn is_found(&self, path: &str) -> bool {
        let (first, last) = &self.ends;
        if !path.ends_with(&**last) {
            return false;
        }
        let part = match self.names_only {
            true => &path[memchr::memrchr(b'/', path.as_bytes()).map_or(0, |at| at + 1)..],
            false => path,
        };
        (part.starts_with(&**first) && self.readings.iter().any(|reading| reading.is_match(part)))
            || self.plain == path
    }

    /// The same in two patterns, if it can be taken so.
    pub fn in_two(&self) -> Option<&InTwo> {
        self.in_two.as_ref()
    }

    /// What every path that matches ends with; `None` if it excludes paths.
    pub fn ending(&self) -> Option<&str> {
        (!self.excludes).then_some(&*self.ends.1)
    }

    /// Whether it takes so little time that no thread is worth it.
    pub fn is_quick(&self) -> bool {
        self.readings.len() == 1
    }

    /// Whether it asks for `word` by name, and not only by chance.
    pub fn names(&self, word: &str) -> bool {
        !self.excludes && self.plain.contains(word)
    }

    /// Whether it names exactly this path.
    pub fn is(&self, path: &str) -> bool {
        !self.excludes
            && (self.plain == path || (self.names_only && path.rsplit('/').next() == Some(&self.plain)))
    }
}

/// What stands before the first and behind the last character that may mean something else.
fn ends(plain: &str) -> (Box<str>, Box<str>) {
    let special = |c: char| matches!(c, '*' | '?' | '[' | ']' | '{' | '}' | ',');
    let Some(first) = plain.find(special) else { return (plain.into(), plain.into()) };
    let last = plain.rfind(special).map_or(0, |at| at + 1);
    // Of `**/a`, the slash is one of no folder, too.
    let behind = &plain[last..];
    (plain[..first].into(), behind.strip_prefix('/').unwrap_or(behind).into())
}

/// The pattern as a regular expression; the brackets and braces at which `stands` says so stand for
/// themselves.
pub(super) fn translated(pattern: &str, stands: impl Fn(usize) -> bool) -> String {
    let mut out = String::from("^");
    let mut at = 0;
    let mut braces = 0;
    while let Some(c) = pattern[at..].chars().next() {
        let rest = &pattern[at..];
        let begins = at == 0 || pattern.as_bytes()[at - 1] == b'/';
        let width = match c {
            '*' if begins && rest.starts_with("**/") => {
                out.push_str("(?:.*/)?");
                3
            }
            '*' if begins && rest == "**" => {
                out.push_str(".+");
                2
            }
            '*' => {
                out.push_str("[^/]*");
                rest.len() - rest.trim_start_matches('*').len()
            }
            '?' => {
                out.push_str("[^/]");
                1
            }
            '[' if !stands(at) => {
                let (class, width) = class(rest);
                out.push_str(&class);
                width
            }
            '{' if !stands(at) => {
                braces += 1;
                out.push_str("(?:");
                1
            }
            '}' if braces > 0 && !stands(at) => {
                braces -= 1;
                out.push(')');
                1
            }
            ',' if braces > 0 => {
                out.push('|');
                1
            }
            c => {
                out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
                c.len_utf8()
            }
        };
        at += width;
    }
    out.push('$');
    out
}

/// A class such as `[a-z]` or `[!a]` as a regular expression, and its length in the pattern. It never
/// matches a separator.
fn class(pattern: &str) -> (String, usize) {
    let (negated, from) = if pattern[1..].starts_with('!') { ("^", 2) } else { ("", 1) };
    let first = pattern[from..].chars().next().map_or(0, char::len_utf8);
    let end = pattern[from + first..].find(']').map_or(pattern.len(), |end| from + first + end);
    let mut body = String::new();
    for (at, c) in pattern[from..end].char_indices() {
        let is_range = c == '-' && at > 0 && from + at + 1 < end;
        if !is_range && !c.is_alphanumeric() {
            body.push('\\');
        }
        body.push(c);
    }
    (format!("[[{negated}{body}]&&[^/]]"), end + 1)
}

/// The brackets and braces that have no partner.
fn unbalanced(pattern: &str) -> Vec<usize> {
    let (mut lonely, mut braces) = (Vec::new(), Vec::new());
    let bytes = pattern.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'[' => {
                // A class has something in it, and does not go over a `/`.
                let body = at + 1 + usize::from(bytes.get(at + 1) == Some(&b'!'));
                let end =
                    (body + 1..bytes.len()).take_while(|&n| bytes[n - 1] != b'/').find(|&n| bytes[n] == b']');
                match end {
                    Some(end) if bytes[at..end].iter().all(|&b| b != b'/') => at = end,
                    _ => lonely.push(at),
                }
            }
            b']' => lonely.push(at),
            b'{' => braces.push(at),
            b'}' if braces.pop().is_none() => lonely.push(at),
            _ => {}
        }
        at += 1;
    }
    lonely.extend(braces);
    lonely
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'p>(pattern: &str, paths: &[&'p str]) -> Vec<&'p str> {
        let pattern = Pattern::new(pattern).unwrap();
        paths.iter().copied().filter(|path| pattern.matches(path)).collect()
    }

    const PATHS: [&str; 13] = [
        "package.json",
        "src/a.ts",
        "src/b.ts",
        "src/d/e.ts",
        "src/[id]/page.tsx",
        "app/[...slug]/page.tsx",
        "app/(group)/page.tsx",
        "packages/x/package.json",
        "src/{x}.ts",
        "src/a[0.ts",
        "c.ts",
        "src/Ä.ts",
        "src/a.tsx",
    ];

    #[test]
    fn stars_and_question_marks() {
        assert_eq!(
            found("src/*.ts", &PATHS),
            ["src/a.ts", "src/b.ts", "src/{x}.ts", "src/a[0.ts", "src/Ä.ts"]
        );
        assert_eq!(found("src/**/*.ts", &PATHS).len(), 6, "zero directories, too");
        assert_eq!(found("src/?.ts", &PATHS), ["src/a.ts", "src/b.ts", "src/Ä.ts"]);
        assert!(found("src?a.ts", &PATHS).is_empty(), "a question mark is no separator");
        assert_eq!(found("**/package.json", &PATHS), ["package.json", "packages/x/package.json"]);
        assert_eq!(found("src/**", &PATHS).len(), 8);
    }

    #[test]
    fn a_pattern_without_a_slash_is_for_the_name_at_any_depth() {
        assert_eq!(found("package.json", &PATHS), ["package.json", "packages/x/package.json"]);
        assert_eq!(found("/package.json", &PATHS), ["package.json"]);
        assert_eq!(found("./c.ts", &PATHS), ["c.ts"]);
        assert_eq!(found("*.tsx", &PATHS).len(), 4);
        assert_eq!(found("page.tsx", &PATHS).len(), 3);
    }

    #[test]
    fn brackets_and_braces_are_read_both_ways() {
        assert_eq!(found("src/[ab].ts", &PATHS), ["src/a.ts", "src/b.ts"]);
        assert_eq!(found("src/[a-c].ts", &PATHS), ["src/a.ts", "src/b.ts"]);
        assert_eq!(found("src/[!a].ts", &PATHS), ["src/b.ts", "src/Ä.ts"]);
        assert_eq!(found("src/{a,d/e}.ts", &PATHS), ["src/a.ts", "src/d/e.ts"]);
        assert_eq!(found("src/[id]/*.tsx", &PATHS), ["src/[id]/page.tsx"]);
        assert_eq!(found("app/[...slug]/*.{ts,tsx}", &PATHS), ["app/[...slug]/page.tsx"]);
        assert_eq!(found("app/[...slug]/page.tsx", &PATHS), ["app/[...slug]/page.tsx"]);
        assert_eq!(found("app/(group)/page.tsx", &PATHS), ["app/(group)/page.tsx"]);
        assert_eq!(found("src/{x}.ts", &PATHS), ["src/{x}.ts"]);
    }

    #[test]
    fn what_has_no_partner_stands_for_itself() {
        assert_eq!(found("src/a[0.ts", &PATHS), ["src/a[0.ts"]);
        assert_eq!(found("src/a[*", &PATHS), ["src/a[0.ts"]);
        for pattern in [
            "[", "]", "{", "}", "[]", "[!]", "{a", "a}", "{{a}", "[[a]", "\\", "", "{a,[b}", "**a", "a**b",
            "[z-a]",
        ] {
            drop(found(pattern, &PATHS));
        }
    }

    #[test]
    fn an_exclamation_mark_excludes_and_case_counts() {
        assert_eq!(found("!src/**", &PATHS).len(), 5);
        assert!(found("SRC/*.ts", &PATHS).is_empty());
    }

    #[test]
    fn a_pattern_that_is_too_long_or_makes_no_sense_is_refused() {
        assert!(Pattern::new(&"a".repeat(5_000)).is_err());
        assert!(Pattern::new(&"{".repeat(2_000)).is_ok());
    }
}
