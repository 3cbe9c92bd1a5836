//! What the model reads of a command: both streams, without what only a terminal understands, and
//! how it ended. The texts are a contract with prompts and stored conversations. Pure.

use std::fmt::Write as _;

use crate::confine::{Ended, Limit, Limits, Output, signal_name};
use crate::event::OutputStream;
use crate::tool::{Printed as Listener, cap};

/// Bytes of a result that the model and the store get, at most.
pub const MAX_RESULT_BYTES: usize = 32 << 10;

/// The output of the commands of one chain.
#[derive(Debug, Default)]
pub struct Transcript {
    stdout: Printed,
    stderr: Printed,
}

#[derive(Debug, Default)]
struct Printed {
    kept: Vec<u8>,
    bytes: u64,
}

impl Transcript {
    /// Adds what a command printed.
    pub fn push(&mut self, output: &Output) {
        self.stdout.kept.extend_from_slice(&output.stdout);
        self.stdout.bytes += output.report.stdout.bytes;
        self.stderr.kept.extend_from_slice(&output.stderr);
        self.stderr.bytes += output.report.stderr.bytes;
    }

    /// What was printed so far, in bytes: of a chain, all commands share the limits.
    pub fn bytes(&self) -> (u64, u64) {
        (self.stdout.bytes, self.stderr.bytes)
    }

    /// Both streams in one text.
    pub fn text(&self, stream_bytes: u64) -> String {
        let mut text = self.stdout.text(stream_bytes);
        let errors = self.stderr.text(stream_bytes);
        if !errors.is_empty() {
            if !text.is_empty() {
                text.push_str("\n\n--- stderr ---\n");
            }
            text.push_str(&errors);
        }
        text
    }
}

impl Printed {
    fn text(&self, stream_bytes: u64) -> String {
        let cut = self.bytes > self.kept.len() as u64;
        let mut kept = self.kept.as_slice();
        if cut {
            // At a line end if one is near, and never inside a character.
            let near = kept.len().saturating_sub(1_024);
            kept = match kept[near..].iter().rposition(|&byte| byte == b'\n') {
                Some(line) => &kept[..near + line],
                None => &kept[..kept.len() - unfinished(kept)],
            };
        }
        let mut text = plain(&String::from_utf8_lossy(kept)).trim().to_owned();
        if cut {
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "\n\n[Output truncated: {} bytes exceeded {stream_bytes} byte limit]",
                self.bytes
            );
        }
        text
    }
}

/// What is printed, as it comes: handed on in whole lines, as text without control sequences.
pub struct Aloud<'a> {
    to: &'a Listener<'a>,
    /// Of standard output, and of standard error: a line that has not ended.
    lines: [Vec<u8>; 2],
}

impl<'a> Aloud<'a> {
    /// Nothing is printed yet.
    pub fn new(to: &'a Listener<'a>) -> Self {
        Self { to, lines: Default::default() }
    }

    /// Takes what has come.
    pub fn push(&mut self, stream: OutputStream, bytes: &[u8]) {
        /// A line that is longer does not wait for its end, bytes.
        const LONG: usize = 8 << 10;
        let line = &mut self.lines[stream as usize];
        line.extend_from_slice(bytes);
        let whole = match memchr::memrchr(b'\n', line) {
            Some(end) => end + 1,
            None if line.len() > LONG => line.len() - unfinished(line),
            None => return,
        };
        let rest = line.split_off(whole);
        self.say(stream, rest);
    }

    /// Says what is left.
    pub fn end(mut self) {
        self.say(OutputStream::Stdout, Vec::new());
        self.say(OutputStream::Stderr, Vec::new());
    }

    fn say(&mut self, stream: OutputStream, rest: Vec<u8>) {
        let line = std::mem::replace(&mut self.lines[stream as usize], rest);
        let text = plain(&String::from_utf8_lossy(&line));
        if !text.is_empty() {
            (self.to)(stream, &text);
        }
    }
}

/// Bytes at the end that begin a character without finishing it.
fn unfinished(bytes: &[u8]) -> usize {
    let tail = &bytes[bytes.len().saturating_sub(3)..];
    match std::str::from_utf8(tail) {
        Err(error) if error.error_len().is_none() => tail.len() - error.valid_up_to(),
        _ => 0,
    }
}

/// Text without control sequences: colours, cursor movements, titles, and what rewrites a line.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_sequence(&mut chars),
            // The one-character forms of the same.
            '\u{9b}' => skip_parameters(&mut chars),
            '\r' => {
                if chars.peek() != Some(&'\n') {
                    out.push('\n');
                }
            }
            '\n' | '\t' => out.push(c),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Behind an escape character (ECMA-48).
fn skip_sequence(chars: &mut Chars<'_>) {
    match chars.next() {
        Some('[') => skip_parameters(chars),
        // Strings: they end with BEL or ESC \.
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while let Some(c) = chars.next() {
                if c == '\u{7}' || (c == '\u{1b}' && chars.next_if_eq(&'\\').is_some()) {
                    break;
                }
            }
        }
        Some('(' | ')' | '#' | '%' | ' ') => drop(chars.next()),
        _ => {}
    }
}

fn skip_parameters(chars: &mut Chars<'_>) {
    while let Some(c) = chars.next_if(|c| ('\u{20}'..='\u{7e}').contains(c)) {
        if ('\u{40}'..='\u{7e}').contains(&c) {
            break;
        }
    }
}

/// The text for the model; `Err` tells of a failure.
pub fn tell(ended: &Ended, transcript: &Transcript, limits: &Limits) -> Result<String, String> {
    let printed = transcript.text(limits.stream_bytes);
    let bounded = |text: String| cap::head_and_tail(text, MAX_RESULT_BYTES);
    let failed = |what: String| {
        let text = if printed.is_empty() { what } else { format!("{what}\n{printed}") };
        Err(bounded(text))
    };
    const MB: u64 = 1 << 20;
    match ended {
        Ended::Exited { code: 0 } if printed.is_empty() => {
            Ok("Command completed successfully (no output)".to_owned())
        }
        Ended::Exited { code: 0 } => Ok(bounded(printed)),
        Ended::Exited { code } => failed(format!("Command failed with exit code {code}:")),
        Ended::Signalled { signal: 25 } => failed(format!(
            "Command wrote a file beyond the limit of {} MB and was stopped:",
            limits.file_bytes / MB
        )),
        Ended::Signalled { signal: 24 } => {
            failed("Command used more processor time than allowed and was stopped:".to_owned())
        }
        Ended::Signalled { signal } => failed(format!("Command was killed by {}:", signal_name(*signal))),
        Ended::Stopped { limit: Limit::Time } => failed(format!(
            "Command timed out after {} seconds. Consider breaking the operation into smaller steps.",
            limits.wall_ms.div_ceil(1_000)
        )),
        Ended::Stopped { limit: Limit::Output } => failed(
            "Command output exceeded 1MB limit. Consider using more specific commands or filtering output."
                .to_owned(),
        ),
        Ended::Stopped { limit: Limit::Memory } => failed(format!(
            "Command used more memory than the limit of {} MB and was stopped:",
            limits.memory_bytes / MB
        )),
        Ended::Stopped { limit: Limit::Disk } => failed(format!(
            "Command filled more disk than the limit of {} MB or {} files and was stopped:",
            limits.disk_bytes / MB,
            limits.disk_files
        )),
        Ended::Cancelled => failed("Command was cancelled:".to_owned()),
        Ended::NotStarted { reason } => Err(format!("Command could not be started: {reason}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::confine::Report;
    use polaris_sandbox::Stream;

    fn transcript(stdout: &[u8], stderr: &[u8], more: u64) -> Transcript {
        let stream = |kept: &[u8], more| Stream { bytes: kept.len() as u64 + more, kept: kept.len() as u64 };
        let report = Report {
            ended: Ended::Cancelled,
            stdout: stream(stdout, more),
            stderr: stream(stderr, 0),
            ms: 0,
        };
        let mut transcript = Transcript::default();
        transcript.push(&Output { stdout: stdout.to_vec(), stderr: stderr.to_vec(), report });
        transcript
    }

    fn told(ended: Ended, stdout: &str, stderr: &str) -> Result<String, String> {
        tell(&ended, &transcript(stdout.as_bytes(), stderr.as_bytes(), 0), &Limits::default())
    }

    #[test]
    fn both_streams_are_kept_whatever_the_end() {
        let both = "out\n\n--- stderr ---\nerr";
        assert_eq!(told(Ended::Exited { code: 0 }, "out\n", "err\n"), Ok(both.to_owned()));
        assert_eq!(told(Ended::Exited { code: 0 }, "", "err"), Ok("err".to_owned()));
        assert_eq!(
            told(Ended::Exited { code: 0 }, "", ""),
            Ok("Command completed successfully (no output)".to_owned())
        );
        for (ended, text) in [
            (Ended::Exited { code: 3 }, "Command failed with exit code 3:"),
            (Ended::Signalled { signal: 11 }, "Command was killed by SIGSEGV:"),
            (
                Ended::Stopped { limit: Limit::Time },
                "Command timed out after 30 seconds. Consider breaking the operation into smaller steps.",
            ),
            (
                Ended::Stopped { limit: Limit::Output },
                "Command output exceeded 1MB limit. Consider using more specific commands or filtering output.",
            ),
            (
                Ended::Stopped { limit: Limit::Memory },
                "Command used more memory than the limit of 2048 MB and was stopped:",
            ),
        ] {
            assert_eq!(told(ended.clone(), "out", "err"), Err(format!("{text}\n{both}")), "{ended:?}");
            assert_eq!(told(ended, "", ""), Err(text.to_owned()));
        }
    }

    #[test]
    fn a_command_that_prints_timed_out_is_an_ordinary_failure() {
        assert_eq!(
            told(Ended::Exited { code: 1 }, "timed out", ""),
            Err("Command failed with exit code 1:\ntimed out".to_owned())
        );
    }

    #[test]
    fn a_cut_stream_says_how_much_there_was_and_splits_no_character() {
        let text = transcript("aé".as_bytes(), b"", 0).text(524_288);
        assert_eq!(text, "aé");
        let text = transcript(&"aé".as_bytes()[..2], b"", 10).text(524_288);
        assert_eq!(text, "a\n\n[Output truncated: 12 bytes exceeded 524288 byte limit]");
        let text = transcript(b"one\ntwo", b"", 1).text(524_288);
        assert_eq!(text, "one\n\n[Output truncated: 8 bytes exceeded 524288 byte limit]");
    }

    #[test]
    fn what_only_a_terminal_understands_is_left_out() {
        for (printed, expected) in [
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}x", "x"),
            ("\u{1b}]8;;https://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("safe\rhidden\r\nnext", "safe\nhidden\nnext"),
            ("a\u{8}\u{0}b\u{9b}2Jc", "abc"),
            ("\u{1b}(Bplain\u{1b}", "plain"),
            ("tab\tstays", "tab\tstays"),
        ] {
            assert_eq!(plain(printed), expected, "{printed:?}");
        }
    }

    #[test]
    fn what_is_printed_comes_in_whole_lines_and_plain() {
        let said = std::sync::Mutex::new(Vec::new());
        let hear = |stream, text: &str| said.lock().unwrap().push((stream, text.to_owned()));
        let take = || std::mem::take(&mut *said.lock().unwrap());
        let mut aloud = Aloud::new(&hear);
        let (out, err) = (OutputStream::Stdout, OutputStream::Stderr);
        aloud.push(out, b"one\ntw");
        assert_eq!(take(), [(out, "one\n".to_owned())]);
        aloud.push(err, b"\x1b[31mred\x1b[0m\n");
        aloud.push(out, b"o");
        assert_eq!(take(), [(err, "red\n".to_owned())]);
        aloud.push(out, "é".repeat(8 << 10).as_bytes());
        aloud.push(out, &"é".as_bytes()[..1]);
        assert_eq!(take().len(), 1, "a long line does not wait for its end");
        aloud.push(out, &"é".as_bytes()[1..]);
        aloud.end();
        assert_eq!(take(), [(out, "é".to_owned())], "no character is cut");
    }

    #[test]
    fn invalid_utf8_is_made_visible() {
        assert_eq!(transcript(b"a\xffb", b"", 0).text(9), "a\u{fffd}b");
    }

    #[test]
    fn the_model_gets_head_and_tail_of_a_long_output() {
        let lines: String = (0..20_000).map(|n| format!("line {n}\n")).collect();
        let text = told(Ended::Exited { code: 0 }, &lines, "").unwrap();
        assert!(
            text.len() < MAX_RESULT_BYTES + 100
                && text.starts_with("line 0\n")
                && text.ends_with("line 19999")
        );
        assert!(text.contains("bytes left out"), "{text}");
    }
}
