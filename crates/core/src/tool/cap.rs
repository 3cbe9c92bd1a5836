//! Bounds the size of a tool's result for the model and the store.

/// Keeps the head (three quarters) and the tail of `text` within `max` bytes, with a line between
/// them that says what was left out. Cut at line ends where there are any nearby.
pub fn head_and_tail(text: String, max: usize) -> String {
    let total = text.len();
    head_and_tail_of(text, total, max)
}

/// The same for a text of `total` bytes whose middle may be missing in `text` already, if `text` has
/// at least `max` bytes on each side of it.
pub fn head_and_tail_of(text: String, total: usize, max: usize) -> String {
    if text.len() <= max {
        return text;
    }
    let head = floor(&text, max / 4 * 3);
    let tail = ceil(&text, text.len() - max / 4);
    let head = text[..head].rfind('\n').filter(|&line| line > head / 2).map_or(head, |line| line + 1);
    let tail = text[tail..].find('\n').filter(|&line| line < max / 8).map_or(tail, |line| tail + line + 1);
    let left_out = total.max(text.len()) - (text.len() - tail) - head;
    format!(
        "{}\n[… {left_out} of {total} bytes left out …]\n{}",
        text[..head].trim_end_matches('\n'),
        &text[tail..]
    )
}

/// Keeps the head of `text` within `max` bytes, with a last line that gives shown and total bytes.
pub fn head(text: String, max: usize) -> String {
    if text.len() <= max {
        return text;
    }
    let end = floor(&text, max);
    let end = text[..end].rfind('\n').filter(|&line| line > end / 2).map_or(end, |line| line + 1);
    let shown = text[..end].trim_end_matches('\n');
    format!("{shown}\n[Truncated: the first {} of {} bytes are shown]", shown.len(), text.len())
}

/// The first `max` UTF-16 units of `text`, never half a surrogate pair, with `…` if it was cut.
pub fn preview(text: &str, max: usize) -> String {
    let mut units = 0;
    for (at, c) in text.char_indices() {
        units += c.len_utf16();
        if units > max {
            return format!("{}…", &text[..at]);
        }
    }
    text.to_owned()
}

fn floor(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

fn ceil(text: &str, at: usize) -> usize {
    (at..=text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_fits_stays_as_it_is() {
        assert_eq!(head_and_tail("abc".into(), 3), "abc");
        assert_eq!(head("abc".into(), 3), "abc");
        assert_eq!(preview("abc", 3), "abc");
    }

    #[test]
    fn a_cut_says_what_was_left_out() {
        let text = (0..100).map(|n| format!("line {n}\n")).collect::<String>();
        let cut = head_and_tail(text.clone(), 200);
        assert!(cut.starts_with("line 0\n") && cut.ends_with("line 99\n"), "{cut}");
        assert!(cut.contains(&format!("of {} bytes left out", text.len())), "{cut}");
        let cut = head(text.clone(), 20);
        assert_eq!(
            cut,
            format!("line 0\nline 1\n[Truncated: the first 13 of {} bytes are shown]", text.len())
        );
    }

    #[test]
    fn a_preview_never_splits_a_surrogate_pair() {
        assert_eq!(preview("a😀b", 2), "a…");
        assert_eq!(preview("a😀b", 3), "a😀…");
    }

    proptest! {
        #[test]
        fn any_text_is_cut_within_its_bound(text in "[a-zé😀\n]{0,400}", max in 8_usize..300) {
            prop_assert!(head_and_tail(text.clone(), max).len() <= max.max(text.len().min(max)) + 64);
            prop_assert!(head(text.clone(), max).len() <= max + 64);
        }
    }
}
