//! Stops a model that goes in circles: the same call with the same result, again and again. Pure.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// From this repetition on, the result carries a hint.
pub const HINT_AT: u32 = 3;

/// What the model is told.
pub const HINT: &str = "\n\n[You have made this call with the same arguments and got the same result three times in a row. \
Making it again will not change the result: go on with what you know, or try something else.]";

/// What follows a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Go,
    /// The model is told.
    Hint,
    /// The run ends.
    Break,
}

/// Watches the calls of a run, in order.
#[derive(Debug, Default)]
pub struct Breaker {
    last: Option<u64>,
    times: u32,
}

impl Breaker {
    /// Notes a call and its result.
    pub fn note(&mut self, name: &str, args: &str, result: &str) -> Verdict {
        let mut hasher = DefaultHasher::new();
        (name, args, result).hash(&mut hasher);
        let call = hasher.finish();
        if self.last == Some(call) {
            self.times += 1;
        } else {
            (self.last, self.times) = (Some(call), 1);
        }
        match self.times {
            n if n < HINT_AT => Verdict::Go,
            HINT_AT => Verdict::Hint,
            _ => Verdict::Break,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_in_a_row_are_a_hint_and_the_fourth_is_the_end() {
        let mut breaker = Breaker::default();
        let verdicts = [(); 4].map(|()| breaker.note("t", "{}", "r"));
        assert_eq!(verdicts, [Verdict::Go, Verdict::Go, Verdict::Hint, Verdict::Break]);
    }

    #[test]
    fn anything_else_in_between_begins_anew() {
        let mut breaker = Breaker::default();
        for n in 0..10 {
            assert_eq!(breaker.note("t", "{}", &n.to_string()), Verdict::Go);
            assert_eq!(breaker.note("t", "{\"a\":1}", "r"), Verdict::Go);
        }
    }
}
