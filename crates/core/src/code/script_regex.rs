//! JavaScript's regular expressions, read by engines that bound the work: a linear-time engine first;
//! for look-around and backreferences one that backtracks, with a limit. A pattern is meant for one
//! line at a time. Pure.

use regex::RegexBuilder;

use super::needle::Needle;

/// Longer patterns are refused.
const MAX_PATTERN_BYTES: usize = 10_000;
/// The size of a compiled pattern.
const SIZE_LIMIT: usize = 4 << 20;
/// Steps back that one search may take.
const BACKTRACK_LIMIT: usize = 200_000;
/// A pattern without these means itself.
const SPECIAL: &str = "\\^$.|?*+()[]{}";

/// A pattern that means itself: a plain text.
pub fn is_plain(pattern: &str) -> bool {
    !pattern.contains(|c: char| SPECIAL.contains(c))
}

/// A pattern, ready to search.
#[derive(Debug)]
pub enum ScriptRegex {
    /// Time grows with the text only. Of a plain text in any case, the needle says where to look.
    Linear(regex::Regex, Option<Needle>),
    /// Has look-around or backreferences.
    Backtracking(Box<fancy_regex::Regex>),
}

/// The search was given up: the pattern went back and forth too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMuchBacktracking;

impl ScriptRegex {
    /// Reads a pattern.
    ///
    /// # Errors
    /// For the model: what is wrong with it.
    pub fn new(pattern: &str, case_sensitive: bool) -> Result<Self, String> {
        if pattern.len() > MAX_PATTERN_BYTES {
            return Err(format!("the pattern is longer than {MAX_PATTERN_BYTES} bytes"));
        }
        let (translated, goes_back) = translate(pattern);
        if goes_back {
            let built = fancy_regex::RegexBuilder::new(&translated)
                .case_insensitive(!case_sensitive)
                .backtrack_limit(BACKTRACK_LIMIT)
                .delegate_size_limit(SIZE_LIMIT)
                .build();
            return built
                .map(|regex| Self::Backtracking(Box::new(regex)))
                .map_err(|e| reason(&e.to_string()));
        }
        let built = RegexBuilder::new(&translated)
            .case_insensitive(!case_sensitive)
            .multi_line(true)
            .crlf(true)
            .size_limit(SIZE_LIMIT)
            .build();
        let in_any_case = !case_sensitive && is_plain(pattern);
        let needle = in_any_case.then(|| Needle::new(pattern)).flatten();
        built.map(|regex| Self::Linear(regex, needle)).map_err(|e| reason(&e.to_string()))
    }

    /// Where in `text`, from `from` on, the first line with a match can be: no line before that byte's
    /// has one. `None`: no line has one.
    pub fn hint(&self, text: &str, from: usize) -> Option<usize> {
        match self {
            // The whole text is searched, lines and all; a match over line ends is only a hint.
            Self::Linear(_, Some(needle)) => needle.find(text.as_bytes(), from),
            Self::Linear(regex, None) => regex.find_at(text, from).map(|found| found.start()),
            Self::Backtracking(_) => (from <= text.len()).then_some(from),
        }
    }

    /// The starts of all matches in a line, of empty ones at most one.
    ///
    /// # Errors
    /// [`TooMuchBacktracking`].
    pub fn starts(&self, line: &str) -> Result<Vec<usize>, TooMuchBacktracking> {
        let mut found_empty = false;
        let mut keep = |start: usize, end: usize| {
            let keeps = start < end || !found_empty;
            found_empty |= start == end;
            keeps.then_some(start)
        };
        match self {
            Self::Linear(regex, _) => {
                Ok(regex.find_iter(line).filter_map(|found| keep(found.start(), found.end())).collect())
            }
            Self::Backtracking(regex) => {
                let mut starts = Vec::new();
                for found in regex.find_iter(line) {
                    let found = found.map_err(|_| TooMuchBacktracking)?;
                    starts.extend(keep(found.start(), found.end()));
                }
                Ok(starts)
            }
        }
    }
}

/// The last line of an engine's message: what is wrong, without the drawing above it.
fn reason(message: &str) -> String {
    let last = message.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or(message).trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// The pattern in the engines' syntax, and whether it needs the one that goes back.
fn translate(pattern: &str) -> (String, bool) {
    let chars: Vec<char> = pattern.chars().collect();
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut goes_back = false;
    let mut in_class = false;
    let groups = pattern.matches('(').count();
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        let next = chars.get(at + 1).copied();
        match c {
            '\\' => {
                let (text, width, back) = escape(&chars[at + 1..], in_class, groups);
                out.push_str(&text);
                goes_back |= back;
                at += 1 + width;
                continue;
            }
            '[' if !in_class => {
                in_class = true;
                match (next, chars.get(at + 2)) {
                    (Some(']'), _) => {
                        // Matches nothing.
                        out.push_str("[^\\s\\S]");
                        in_class = false;
                        at += 1;
                    }
                    (Some('^'), Some(']')) => {
                        out.push_str("[\\s\\S]");
                        in_class = false;
                        at += 2;
                    }
                    (Some('^'), _) => {
                        out.push_str("[^");
                        at += 1;
                    }
                    _ => out.push('['),
                }
            }
            // Only `]` ends a class; the engines' own set operations must not be read into it.
            '[' => out.push_str("\\["),
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(c);
            }
            '-' if in_class && next == Some('-') => out.push_str("\\-"),
            '(' if !in_class && next == Some('?') => {
                let ahead = chars.get(at + 2).copied();
                let behind = chars.get(at + 3).copied();
                goes_back |= matches!((ahead, behind), (Some('=' | '!'), _) | (Some('<'), Some('=' | '!')));
                out.push('(');
            }
            // A brace that repeats nothing stands for itself.
            '{' if !in_class && !is_repetition(&chars[at..]) => out.push_str("\\{"),
            '}' if !in_class && !out_has_open_repetition(&out) => out.push_str("\\}"),
            c => out.push(c),
        }
        at += 1;
    }
    (out, goes_back)
}

/// Whether `{…` is `{n}`, `{n,}` or `{n,m}`.
fn is_repetition(chars: &[char]) -> bool {
    let body: String = chars.iter().skip(1).take_while(|&&c| c != '}').collect();
    let closed = chars.len() > body.chars().count() + 1;
    let (from, to) = body.split_once(',').unwrap_or((&body, ""));
    let is_number = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    closed && !from.is_empty() && is_number(from) && is_number(to)
}

fn out_has_open_repetition(out: &str) -> bool {
    let tail = out.trim_end_matches(|c: char| c.is_ascii_digit() || c == ',');
    tail.ends_with('{') && !tail.ends_with("\\{")
}

/// What follows a backslash: its translation, how many characters it took, and whether it goes back.
fn escape(rest: &[char], in_class: bool, groups: usize) -> (String, usize, bool) {
    let Some(&c) = rest.first() else { return ("\\\\".to_owned(), 0, false) };
    let text = match c {
        'd' => "0-9",
        'w' => "0-9A-Za-z_",
        'D' if !in_class => return ("[^0-9]".to_owned(), 1, false),
        'W' if !in_class => return ("[^0-9A-Za-z_]".to_owned(), 1, false),
        'D' => return ("[^0-9]".to_owned(), 1, false),
        'W' => return ("[^0-9A-Za-z_]".to_owned(), 1, false),
        's' | 'S' | 'n' | 'r' | 't' | 'f' | 'v' => return (format!("\\{c}"), 1, false),
        'b' if in_class => return ("\\x08".to_owned(), 1, false),
        'b' => return ("(?-u:\\b)".to_owned(), 1, false),
        'B' if !in_class => return ("\\B".to_owned(), 1, false),
        '0' if !rest.get(1).is_some_and(char::is_ascii_digit) => return ("\\x00".to_owned(), 1, false),
        'c' => {
            let letter = rest.get(1).filter(|c| c.is_ascii_alphabetic());
            return match letter {
                Some(&letter) => (format!("\\x{:02x}", letter.to_ascii_uppercase() as u32 % 32), 2, false),
                None => ("\\\\".to_owned(), 0, false),
            };
        }
        'x' | 'u' => {
            let braced: String = match rest.get(1) {
                Some('{') if c == 'u' => rest[2..].iter().take_while(|c| c.is_ascii_hexdigit()).collect(),
                _ => String::new(),
            };
            if !braced.is_empty() && rest.get(2 + braced.len()) == Some(&'}') {
                return (format!("\\u{{{braced}}}"), 3 + braced.len(), false);
            }
            let digits = if c == 'x' { 2 } else { 4 };
            let hex: String = rest[1..].iter().take(digits).take_while(|c| c.is_ascii_hexdigit()).collect();
            if hex.len() == digits {
                return (format!("\\u{{{hex}}}"), 1 + digits, false);
            }
            return (c.to_string(), 1, false);
        }
        'p' | 'P' if rest.get(1) == Some(&'{') => return (format!("\\{c}"), 1, false),
        'k' if !in_class && rest.get(1) == Some(&'<') => return ("\\k".to_owned(), 1, true),
        '1'..='9' if !in_class => {
            let number: String = rest.iter().take_while(|c| c.is_ascii_digit()).collect();
            let refers = number.parse::<usize>().is_ok_and(|n| n <= groups);
            return if refers {
                (format!("\\{number}"), number.len(), true)
            } else {
                (number.clone(), number.len(), false)
            };
        }
        // Any other letter stands for itself, and any sign without its meaning.
        c if c.is_alphanumeric() || !c.is_ascii() || c.is_ascii_whitespace() => {
            return (c.to_string(), 1, false);
        }
        c => return (format!("\\{c}"), 1, false),
    };
    let text = if in_class { text.to_owned() } else { format!("[{text}]") };
    (text, 1, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts(pattern: &str, line: &str) -> Vec<usize> {
        ScriptRegex::new(pattern, false).unwrap().starts(line).unwrap()
    }

    #[test]
    fn the_syntax_is_javascripts() {
        for (pattern, line, expected) in [
            (r"\bfoo\b", "foo food FOO", vec![0, 9]),
            (r"a\/b", "a/b", vec![0]),
            (r"\d+", "a12 ٣", vec![1]),
            (r"[\w-]+", "a-b c", vec![0, 4]),
            (r"[^]x", "ax", vec![0]),
            (r"[]", "a", vec![]),
            (r"\u0041\x42\u{43}", "abc", vec![0]),
            (r"{", "a{b", vec![1]),
            (r"a{2}", "aaa", vec![0]),
            (r"a{,2}", "a{,2}", vec![0]),
            (r"}", "}", vec![0]),
            (r"[[]", "[", vec![0]),
            (r"[a&&b]", "&", vec![0]),
            (r"(?<year>\d{4})-\d\d", "on 2024-05", vec![3]),
            (r"\q\-\:", "q-:", vec![0]),
            (r"^a$", "a", vec![0]),
            (r"foo\(", "foo(", vec![0]),
            (r"\$\{", "${x}", vec![0]),
            (r"é", "É", vec![0]),
        ] {
            assert_eq!(starts(pattern, line), expected, "{pattern} in {line}");
        }
    }

    #[test]
    fn look_around_and_backreferences_work() {
        assert_eq!(starts(r"foo(?=bar)", "foo foobar"), [4]);
        assert_eq!(starts(r"(?<!x)y", "xy y"), [3]);
        assert_eq!(starts(r"(['`])a\1", "'a' 'a` `a`"), [0, 8]);
        assert_eq!(starts(r"(?<q>.)\k<q>", "abba"), [1]);
    }

    #[test]
    fn empty_matches_are_counted_once_a_line() {
        assert_eq!(starts("x*", "abc"), [0]);
        assert_eq!(starts("x*", "axxb"), [0, 1]);
    }

    #[test]
    fn a_pattern_that_explodes_elsewhere_is_linear_or_given_up() {
        let line = format!("{}!", "a".repeat(28));
        assert!(starts(r"^(a+)+$", &line).is_empty());
        let regex = ScriptRegex::new(r"^(?=a)(a|aa)+\1$", true).unwrap();
        assert_eq!(regex.starts(&format!("{}!", "a".repeat(60))), Err(TooMuchBacktracking));
    }

    #[test]
    fn a_bad_pattern_says_why() {
        for pattern in ["(", "a)", "[a", "*", "(?<", "a{1000}{1000}{1000}", r"(?=(", "(?z)"] {
            let why = ScriptRegex::new(pattern, true).unwrap_err();
            assert!(!why.is_empty() && !why.contains('\n'), "{pattern}: {why}");
        }
    }
}
