//! How deep a parser may have to go into a text, at most, by one look at its characters. A text that
//! nests too deep for the stack would end the process, so it is not parsed at all. Pure.

/// Levels that [`STACK_BYTES`] is enough for. Real code stays below a hundred.
pub const MAX_DEPTH: usize = 4_000;

/// The stack of a thread that parses. Only what is used of it becomes memory. Measured with the tests
/// below: a level takes up to 20 KB in a debug build.
pub const STACK_BYTES: usize = 192 << 20;

/// No parse of `text` goes deeper than this. Brackets nest, and so do operators in a row: each counts
/// until its statement or list item ends.
pub fn estimate(text: &str) -> usize {
    let bytes = text.as_bytes();
    // Of each open bracket, the operators in front of it.
    let mut open: Vec<usize> = Vec::new();
    let mut operators = 0;
    let mut total = 0;
    let mut deepest = 0;
    let mut elses = 0;
    let mut at = 0;
    // What stood last on the line, blanks aside.
    let mut last = b';';
    while at < bytes.len() {
        let byte = bytes[at];
        match byte {
            b'(' | b'[' | b'{' => {
                open.push(operators);
                total += operators + 1;
                operators = 0;
            }
            b')' | b']' | b'}' => {
                operators = open.pop().unwrap_or(0);
                total = total.saturating_sub(operators + 1);
                // What follows may hang on it: a call, a branch, the body of a loop.
                operators += 1;
            }
            b';' | b',' => operators = 0,
            b'\n' | b'\r' => {
                let next = bytes[at..].iter().find(|b| !b.is_ascii_whitespace());
                let goes_on = is_operator(last) || next.is_none_or(|&b| is_operator(b));
                if !goes_on {
                    operators = 0;
                }
            }
            b if is_operator(b) => operators += 1,
            b if is_word(b) => {
                let end = bytes[at..].iter().position(|&b| !is_word(b)).map_or(bytes.len(), |n| at + n);
                if is_word(last) {
                    operators += 1;
                }
                if &bytes[at..end] == b"else" {
                    elses += 1;
                }
                last = byte;
                at = end;
                deepest = deepest.max(total + operators);
                continue;
            }
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            last = byte;
        }
        deepest = deepest.max(total + operators);
        at += 1;
    }
    deepest + elses
}

fn is_operator(byte: u8) -> bool {
    matches!(
        byte,
        b'+' | b'-'
            | b'*'
            | b'/'
            | b'%'
            | b'&'
            | b'|'
            | b'^'
            | b'!'
            | b'~'
            | b'<'
            | b'>'
            | b'='
            | b'?'
            | b':'
            | b'.'
            | b'@'
            | b'`'
    )
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_code_is_shallow() {
        let code = "import a from 'a'\nexport const b = (c) => {\n  return <p>{c.d}</p>\n}\n".repeat(500);
        assert!(estimate(&code) < 40, "{}", estimate(&code));
    }

    /// Each of these is as deep as it is long. The deepest that is let through must fit the stack.
    #[test]
    fn the_deepest_that_is_parsed_fits_the_stack() {
        let deep = [
            ("(", "1", ")"),
            ("[", "", "]"),
            ("{", "", "}"),
            ("!", "a", ""),
            ("a+", "a", ""),
            ("a=>", "a", ""),
            ("a?b:", "a", ""),
            ("a.", "a", ""),
            ("f(", "", ")"),
            ("typeof ", "a", ""),
            ("if(a){}else ", "b", ""),
            ("if(a)", "b", ""),
            ("<a>", "", "</a>"),
            ("`${", "a", "}`"),
            ("function f(){", "", "}"),
            ("class A{m(){", "", "}}"),
            ("type A=(", "1", ")"),
            ("x as A<", "B", ">"),
            ("new ", "A", ""),
            ("a=", "a", ""),
            ("a**", "a", ""),
            ("label:", "a", ""),
            ("await ", "a", ""),
            ("for(;;)", "a", ""),
            ("while(1)", "a", ""),
            ("do ", "a", " while(1)"),
            ("({a:", "1", "})"),
            ("[a]=", "a", ""),
        ];
        for (left, middle, right) in deep {
            let text = |n: usize| format!("{}{middle}{}", left.repeat(n), right.repeat(n));
            // The longest that is let through.
            let (mut low, mut high) = (1, MAX_DEPTH * 2);
            while low < high {
                let n = low.midpoint(high + 1);
                if estimate(&text(n)) <= MAX_DEPTH { low = n } else { high = n - 1 }
            }
            assert!(low < MAX_DEPTH * 2, "{left:?} is not counted");
            let text = text(low);
            let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
            let parse = thread.spawn(move || drop(super::super::extract::extract("a.tsx", &text, 0)));
            parse.unwrap().join().unwrap();
        }
    }
}
