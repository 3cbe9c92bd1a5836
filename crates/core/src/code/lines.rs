//! Positions in a text as editors show them: lines and columns from 1, columns in UTF-16 units. A line
//! ends at LF, CR LF or CR, as in the language server protocol. Pure.

use memchr::memchr2_iter;

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// From 1, in UTF-16 units.
    pub column: usize,
}

/// Where the lines of a text begin.
#[derive(Debug)]
pub struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    /// The lines of `text`.
    pub fn new(text: &'t str) -> Self {
        let bytes = text.as_bytes();
        let ends = memchr2_iter(b'\n', b'\r', bytes)
            .filter(|&at| bytes[at] == b'\n' || bytes.get(at + 1) != Some(&b'\n'));
        Self { text, starts: std::iter::once(0).chain(ends.map(|at| at + 1)).collect() }
    }

    /// How many there are; a text that ends with a line end has an empty last line.
    pub fn count(&self) -> usize {
        self.starts.len()
    }

    /// The text of a line (from 1), without its end.
    pub fn text(&self, line: usize) -> &'t str {
        let Some(&start) = line.checked_sub(1).and_then(|n| self.starts.get(n)) else { return "" };
        let end = self.starts.get(line).copied().unwrap_or(self.text.len());
        let text = &self.text[start..end];
        if line == self.count() {
            return text;
        }
        text.strip_suffix("\r\n").or_else(|| text.strip_suffix(['\n', '\r'])).unwrap_or(text)
    }

    /// Where a line (from 1) begins.
    pub fn start(&self, line: usize) -> usize {
        line.checked_sub(1).and_then(|n| self.starts.get(n)).copied().unwrap_or(self.text.len())
    }

    /// The line (from 1) that holds the byte at `offset`.
    pub fn line_at(&self, offset: usize) -> usize {
        self.starts.partition_point(|&start| start <= offset)
    }

    /// The place of the byte at `offset`.
    pub fn position(&self, offset: usize) -> Position {
        let line = self.line_at(offset);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let before = self.text.get(start..offset).unwrap_or_default();
        Position { line, column: utf16_len(before) + 1 }
    }

    /// The byte at a place.
    ///
    /// # Errors
    /// For the model: which lines or columns there are.
    pub fn offset(&self, line: f64, column: f64) -> Result<usize, String> {
        let lines = self.count();
        let Some(line) = whole(line).filter(|&line| line <= lines) else {
            return Err(format!("`line` must be a whole number from 1 to {lines}"));
        };
        let text = self.text(line);
        let columns = utf16_len(text) + 1;
        let Some(column) = whole(column).filter(|&column| column <= columns) else {
            return Err(format!("`column` must be a whole number from 1 to {columns} in line {line}"));
        };
        let mut units = 1;
        // Inside a surrogate pair, the character is meant.
        let at = text.char_indices().find(|(_, c)| {
            units += c.len_utf16();
            units > column
        });
        Ok(self.starts[line - 1] + at.map_or(text.len(), |(at, _)| at))
    }
}

fn whole(value: f64) -> Option<usize> {
    (value >= 1.0 && value.fract() == 0.0 && value < 1e15).then_some(value as usize)
}

/// The length of a text in UTF-16 units.
pub fn utf16_len(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.encode_utf16().count() }
}

/// The text without blanks around it, and at most `max` UTF-16 units of it.
pub fn trimmed(text: &str, max: usize) -> &str {
    let text = text.trim();
    if text.len() <= max {
        return text;
    }
    let mut units = 0;
    let end = text.char_indices().find(|(_, c)| {
        units += c.len_utf16();
        units > max
    });
    &text[..end.map_or(text.len(), |(at, _)| at)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_end_at_lf_crlf_and_cr() {
        let lines = Lines::new("a\nb\r\nc\rd\n");
        let all: Vec<&str> = (1..=lines.count()).map(|n| lines.text(n)).collect();
        assert_eq!(all, ["a", "b", "c", "d", ""]);
        assert_eq!(lines.position(5), Position { line: 3, column: 1 });
        assert_eq!(Lines::new("").count(), 1);
    }

    #[test]
    fn columns_are_utf16_units() {
        let lines = Lines::new("é😀x\n");
        assert_eq!(lines.position("é😀".len()), Position { line: 1, column: 4 });
        assert_eq!(lines.offset(1.0, 4.0), Ok("é😀".len()));
        assert_eq!(lines.offset(1.0, 3.0), Ok("é".len()), "inside the pair");
        assert_eq!(lines.offset(1.0, 5.0), Ok("é😀x".len()));
    }

    #[test]
    fn a_place_that_is_not_there_names_the_valid_range() {
        let lines = Lines::new("ab\ncd");
        for (line, column, said) in [
            (3.0, 1.0, "`line` must be a whole number from 1 to 2"),
            (0.0, 1.0, "`line` must be a whole number from 1 to 2"),
            (1.5, 1.0, "`line` must be a whole number from 1 to 2"),
            (f64::NAN, 1.0, "`line` must be a whole number from 1 to 2"),
            (1.0, 4.0, "`column` must be a whole number from 1 to 3 in line 1"),
            (1.0, -1.0, "`column` must be a whole number from 1 to 3 in line 1"),
        ] {
            assert_eq!(lines.offset(line, column), Err(said.to_owned()), "{line}:{column}");
        }
    }

    #[test]
    fn long_lines_are_cut_at_a_character() {
        assert_eq!(trimmed("  ab  ", 80), "ab");
        assert_eq!(trimmed("a😀b", 2), "a");
    }

    proptest! {
        #[test]
        fn a_place_leads_back_to_its_byte(text in "[ab😀é\r\n]{0,40}") {
            let lines = Lines::new(&text);
            for (offset, c) in text.char_indices().filter(|(_, c)| !['\r', '\n'].contains(c)) {
                let Position { line, column } = lines.position(offset);
                prop_assert_eq!(lines.offset(line as f64, column as f64), Ok(offset), "{}", c);
            }
        }
    }
}
