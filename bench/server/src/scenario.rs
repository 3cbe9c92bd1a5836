//! The scenarios, by name, and the text that each sends. `bench/peers/scenario.mjs` computes the same
//! text again to check what arrived; the two must agree.

use std::fmt::Write as _;
use std::time::Duration;

/// Turns with tool calls in the loop; one more answers with text alone.
pub const LOOP_TOOL_TURNS: usize = 9;
/// Tool calls of each of these turns.
pub const LOOP_CALLS: usize = 3;
/// Text deltas before the calls of a turn.
const LOOP_TEXT: usize = 20;
/// Text deltas of the last turn.
const LOOP_LAST_TEXT: usize = 200;
/// Characters of a fragment of tool arguments in the loop: about eleven fragments a call.
const LOOP_FRAGMENT_CHARS: usize = 6;

/// What a request is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scenario {
    /// `flat-N`: N text deltas as fast as they are read.
    Flat(usize),
    /// `chunked-N`: the same, but each event is an HTTP chunk of its own, as providers send them.
    Chunked(usize),
    /// `args-N`: one tool call whose content comes in N fragments; then, with its result, one word.
    Args(usize),
    /// `paced-RATE-N`: N text deltas, RATE a second, each in a write of its own.
    Paced {
        /// Deltas per second; divides 1,000.
        rate: usize,
        /// How many.
        deltas: usize,
    },
    /// `loop` or `loop-MS`: ten turns, nine of them with tool calls; MS before each answer.
    Loop {
        /// How long the model thinks.
        turn: Duration,
    },
    /// `first`: one word at once.
    First,
}

/// A tool call of a turn.
#[derive(Debug, PartialEq, Eq)]
pub struct Call {
    /// Its id.
    pub id: String,
    /// Its arguments, in the pieces in which they are sent.
    pub fragments: Vec<String>,
}

/// What one turn says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Text deltas, numbered from 0.
    pub text: usize,
    /// Tool calls after the text, all of `writeFile`.
    pub calls: Vec<Call>,
}

impl Scenario {
    /// The scenario called `name`.
    pub fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split('-');
        let kind = parts.next()?;
        let numbers = parts.map(|part| part.parse().ok()).collect::<Option<Vec<usize>>>()?;
        Some(match (kind, numbers.as_slice()) {
            ("flat", &[deltas]) => Self::Flat(deltas),
            ("chunked", &[deltas]) => Self::Chunked(deltas),
            ("args", &[fragments]) => Self::Args(fragments),
            ("paced", &[rate, deltas]) if (1..=1_000).contains(&rate) && 1_000 % rate == 0 => {
                Self::Paced { rate, deltas }
            }
            ("loop", &[]) => Self::Loop { turn: Duration::ZERO },
            ("loop", &[ms]) => Self::Loop { turn: Duration::from_millis(ms as u64) },
            ("first", &[]) => Self::First,
            _ => return None,
        })
    }

    /// How long the model takes before it answers.
    pub fn delay(self) -> Duration {
        match self {
            Self::Loop { turn } => turn,
            _ => Duration::ZERO,
        }
    }

    /// The turn that follows `results` tool results.
    pub fn turn(self, results: usize) -> Turn {
        match self {
            Self::Flat(text) | Self::Chunked(text) | Self::Paced { deltas: text, .. } => {
                Turn { text, calls: Vec::new() }
            }
            Self::First => Turn { text: 1, calls: Vec::new() },
            Self::Args(_) if results > 0 => Turn { text: 1, calls: Vec::new() },
            Self::Args(fragments) => {
                let mut pieces = vec![r#"{"path":"src/big.ts","content":""#.to_owned()];
                pieces.extend((0..fragments).map(delta));
                pieces.push(r#""}"#.to_owned());
                Turn { text: 0, calls: vec![Call { id: "call_0_0".to_owned(), fragments: pieces }] }
            }
            Self::Loop { .. } => {
                let step = results / LOOP_CALLS;
                if step >= LOOP_TOOL_TURNS {
                    return Turn { text: LOOP_LAST_TEXT, calls: Vec::new() };
                }
                let call = |n| Call { id: format!("call_{step}_{n}"), fragments: cut(&loop_args(step, n)) };
                Turn { text: LOOP_TEXT, calls: (0..LOOP_CALLS).map(call).collect() }
            }
        }
    }

    /// The numbers of tool results that its requests carry, in order.
    pub fn requests(self) -> Vec<usize> {
        match self {
            Self::Args(_) => vec![0, 1],
            Self::Loop { .. } => (0..=LOOP_TOOL_TURNS).map(|step| step * LOOP_CALLS).collect(),
            _ => vec![0],
        }
    }
}

/// Text delta `n`: 4 to 8 characters, each one different, so that nothing can be lost unseen.
pub fn delta(n: usize) -> String {
    let mut digits = String::new();
    let mut rest = n;
    loop {
        digits.insert(0, char::from(b"0123456789abcdefghijklmnopqrstuvwxyz"[rest % 36]));
        rest /= 36;
        if rest == 0 {
            break;
        }
    }
    let mut text = String::new();
    let width = 3 + n % 5;
    let _ = write!(text, "{digits:x>width$} ");
    text
}

fn loop_args(step: usize, n: usize) -> String {
    format!(r#"{{"path":"src/step-{step}/part-{n}.ts","content":"export const part = {n};\n"}}"#)
}

fn cut(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(LOOP_FRAGMENT_CHARS).map(|piece| piece.iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deltas_are_short_and_differ() {
        let all: std::collections::HashSet<String> = (0..20_000).map(delta).collect();
        assert_eq!(all.len(), 20_000);
        assert!(all.iter().all(|text| (4..=8).contains(&text.len())));
        assert_eq!(delta(37), "xxx11 ");
    }

    #[test]
    fn a_loop_is_nine_turns_with_calls_and_an_answer() {
        let scenario = Scenario::parse("loop").unwrap();
        let turns: Vec<Turn> = scenario.requests().into_iter().map(|n| scenario.turn(n)).collect();
        assert_eq!(turns.len(), 10);
        assert!(turns[..9].iter().all(|turn| turn.text == 20 && turn.calls.len() == 3));
        assert_eq!((turns[9].text, turns[9].calls.len()), (200, 0));
        let args = turns[2].calls[1].fragments.concat();
        assert_eq!(args, r#"{"path":"src/step-2/part-1.ts","content":"export const part = 1;\n"}"#);
        assert_eq!(turns[2].calls[1].fragments.len(), 12);
    }

    #[test]
    fn names_that_mean_nothing_are_refused() {
        for name in ["flat", "flat-x", "paced-300-5", "loop-1-2", "", "first-1"] {
            assert_eq!(Scenario::parse(name), None, "{name}");
        }
    }
}
