//! A decoder for `text/event-stream` after the WHATWG rules: CR, LF and CRLF ends, a leading BOM,
//! comments, multi-line data, fields without a space after the colon.
//!
//! Pure: bytes in, events out, at any split. A line that lies whole in one chunk is never copied.
//! Source: <https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream>.

use crate::error::{CoreError, ErrorCode, Result};

/// What the decoder found, borrowed from its buffers for the duration of the call.
#[derive(Debug, PartialEq, Eq)]
pub enum SseItem<'a> {
    /// An event: its `event:` name (empty if none) and its data, lines joined by LF.
    Event {
        /// The name.
        name: &'a [u8],
        /// The data.
        data: &'a [u8],
    },
    /// A comment line. It proves that the connection lives, not that the model works.
    Comment,
}

/// The decoder's state between two chunks.
#[derive(Debug)]
pub struct SseDecoder {
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    /// The data of the event under way, each line followed by LF.
    data: Vec<u8>,
    name: Vec<u8>,
    /// The last byte was a CR: a LF right after it belongs to the same line end.
    after_cr: bool,
    /// How many bytes of a byte order mark have been seen; `None` once the start is past.
    bom: Option<usize>,
    max_bytes: usize,
}

const BOM: &[u8] = b"\xEF\xBB\xBF";

impl SseDecoder {
    /// A decoder that holds at most `max_bytes` of one line, and of one event.
    pub fn new(max_bytes: usize) -> Self {
        Self {
            line: Vec::new(),
            data: Vec::new(),
            name: Vec::new(),
            after_cr: false,
            bom: Some(0),
            max_bytes,
        }
    }

    /// Feeds bytes; `sink` is called for each event and comment that they complete.
    ///
    /// # Errors
    /// `ANSWER_TOO_LARGE` when a line or an event passes the bound, or what `sink` returned.
    pub fn push(&mut self, mut bytes: &[u8], sink: &mut impl FnMut(SseItem<'_>) -> Result<()>) -> Result<()> {
        while let (Some(seen), [first, rest @ ..]) = (self.bom, bytes) {
            if BOM[seen] == *first {
                self.bom = (seen + 1 < BOM.len()).then_some(seen + 1);
                bytes = rest;
            } else {
                self.bom = None;
                self.line.extend_from_slice(&BOM[..seen]);
            }
        }
        if self.after_cr && !bytes.is_empty() {
            self.after_cr = false;
            if bytes[0] == b'\n' {
                bytes = &bytes[1..];
            }
        }
        while let Some(end) = memchr::memchr2(b'\n', b'\r', bytes) {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            // Nearly every event: one line of data and a blank one, both here. Not copied.
            if self.line.is_empty()
                && self.data.is_empty()
                && bytes[end] == b'\n'
                && let Some(data) = line.strip_prefix(b"data: ")
                && let [b'\n', rest @ ..] = rest
            {
                if line.len() > self.max_bytes {
                    return Err(self.too_large("line"));
                }
                sink(SseItem::Event { name: &self.name, data })?;
                self.name.clear();
                bytes = rest;
                continue;
            }
            if self.line.is_empty() {
                self.line_done(line, sink)?;
            } else {
                self.line.extend_from_slice(line);
                let mut whole = std::mem::take(&mut self.line);
                self.line_done(&whole, sink)?;
                whole.clear();
                self.line = whole;
            }
            bytes = match (bytes[end], rest) {
                (b'\r', [b'\n', rest @ ..]) => rest,
                (b'\r', []) => {
                    self.after_cr = true;
                    rest
                }
                _ => rest,
            };
        }
        if self.line.len() + bytes.len() > self.max_bytes {
            return Err(self.too_large("line"));
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    /// The stream has ended: an event without its blank line counts (providers do that).
    ///
    /// # Errors
    /// What `sink` returned.
    pub fn finish(&mut self, sink: &mut impl FnMut(SseItem<'_>) -> Result<()>) -> Result<()> {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.line_done(&line, sink)?;
        }
        self.dispatch(sink)
    }

    fn line_done(&mut self, line: &[u8], sink: &mut impl FnMut(SseItem<'_>) -> Result<()>) -> Result<()> {
        // Here as well as where a line is kept: how it was cut into chunks must not matter.
        if line.len() > self.max_bytes {
            return Err(self.too_large("line"));
        }
        let Some(colon) = memchr::memchr(b':', line) else {
            // A blank line ends the event; `data` alone is an empty data line.
            return match line {
                b"" => self.dispatch(sink),
                b"data" => self.append(b""),
                _ => Ok(()),
            };
        };
        let value = &line[colon + 1..];
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &line[..colon] {
            b"" => sink(SseItem::Comment),
            b"data" => self.append(value),
            b"event" => {
                self.name.clear();
                self.name.extend_from_slice(&value[..value.len().min(128)]);
                Ok(())
            }
            // `id` and `retry` steer reconnecting, which a model stream never does.
            _ => Ok(()),
        }
    }

    fn append(&mut self, value: &[u8]) -> Result<()> {
        if self.data.len() + value.len() > self.max_bytes {
            return Err(self.too_large("event"));
        }
        self.data.extend_from_slice(value);
        self.data.push(b'\n');
        Ok(())
    }

    fn dispatch(&mut self, sink: &mut impl FnMut(SseItem<'_>) -> Result<()>) -> Result<()> {
        let result = match self.data.split_last() {
            Some((_, data)) => sink(SseItem::Event { name: &self.name, data }),
            None => Ok(()),
        };
        self.data.clear();
        self.name.clear();
        result
    }

    fn too_large(&self, what: &str) -> CoreError {
        let limit = self.max_bytes;
        CoreError::new(
            ErrorCode::AnswerTooLarge,
            format!("the provider sent a {what} of more than {limit} bytes"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(parts: &[&[u8]]) -> Vec<String> {
        let mut out = Vec::new();
        let mut sink = |item: SseItem<'_>| {
            out.push(match item {
                SseItem::Comment => ":".to_owned(),
                SseItem::Event { name, data } => {
                    format!("{}|{}", String::from_utf8_lossy(name), String::from_utf8_lossy(data))
                }
            });
            Ok(())
        };
        let mut decoder = SseDecoder::new(1 << 20);
        for part in parts {
            decoder.push(part, &mut sink).unwrap();
        }
        decoder.finish(&mut sink).unwrap();
        out
    }

    #[test]
    fn all_line_ends_and_field_forms_are_read() {
        let cases: &[(&str, &[&str])] = &[
            ("data: a\n\ndata: b\n\n", &["|a", "|b"]),
            ("data: a\r\n\r\ndata: b\r\n\r\n", &["|a", "|b"]),
            ("data: a\r\rdata: b\r\r", &["|a", "|b"]),
            ("\u{feff}data: a\n\n", &["|a"]),
            ("data:a\n\ndata:  b\n\n", &["|a", "| b"]),
            ("data: a\ndata: b\n\n", &["|a\nb"]),
            ("event: error\ndata: {}\n\n", &["error|{}"]),
            (": ping\n\ndata: a\n\n", &[":", "|a"]),
            ("id: 7\nretry: 10\ndata: a\n\n", &["|a"]),
            ("event: x\n\ndata: a\n\n", &["|a"]),
            ("data: a", &["|a"]),
            ("data: a\n", &["|a"]),
            ("data\n\n", &["|"]),
            ("datax: a\n\n", &[]),
            ("", &[]),
        ];
        for (input, expected) in cases {
            assert_eq!(decode(&[input.as_bytes()]), *expected, "{input:?}");
        }
    }

    #[test]
    fn an_endless_line_is_an_error_not_memory() {
        let mut decoder = SseDecoder::new(1_000);
        let mut push = || decoder.push(&[b'x'; 600], &mut |_| Ok(()));
        push().unwrap();
        assert_eq!(push().unwrap_err().code, ErrorCode::AnswerTooLarge);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_events(
            lines in prop::collection::vec("(data: ?[a-zé]{0,6}|event: e|: c|id: 1|)", 0..12),
            ends in prop::collection::vec(prop::sample::select(vec!["\n", "\r", "\r\n"]), 12),
            bom: bool,
            cuts in prop::collection::vec(0_usize..200, 0..8),
        ) {
            let mut text = String::from(if bom { "\u{feff}" } else { "" });
            for (line, end) in lines.iter().zip(&ends) {
                text += line;
                text += end;
            }
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let parts: Vec<&[u8]> = cuts.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            let whole = decode(&[bytes]);
            prop_assert_eq!(&decode(&parts), &whole);
            prop_assert_eq!(&decode(&single), &whole);
        }
    }
}
