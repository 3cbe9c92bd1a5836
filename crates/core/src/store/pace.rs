//! When the next write of a streaming message may go out. Pure: time comes in as an argument.
//!
//! At most one write is in flight; timer writes begin at least [`STREAM_INTERVAL`] apart, further
//! when the deployment is slow, the document large, or writes fail. A boundary write does not wait
//! for the interval, only for the write in flight.

use std::time::Duration;

use tokio::time::Instant;

/// The shortest distance between the beginnings of two timer writes.
pub const STREAM_INTERVAL: Duration = Duration::from_millis(100);
/// Bytes of document that a message may write per second: a deployment of Convex's smallest class
/// takes 4 MiB/s in total, each write counts the whole document, and other messages write too.
pub const DOCUMENT_BYTES_PER_SECOND: u64 = 256 << 10;
/// The widest interval after failures.
pub const MAX_INTERVAL: Duration = Duration::from_secs(5);

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing to write, or a write is in flight: wait for a change.
    Idle,
    /// Wait until then, or for a change.
    WaitUntil(Instant),
    /// Write now.
    Write,
}

/// The pace of one message.
#[derive(Debug)]
pub struct Pace {
    last_start: Option<Instant>,
    in_flight: bool,
    round_trip: Duration,
    document_bytes: u64,
    penalty: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { last_start: None, in_flight: false, round_trip: Duration::ZERO, document_bytes: 0, penalty: 1 }
    }
}

impl Pace {
    /// The distance that the next timer write keeps from the last one, and what set it.
    pub fn interval(&self) -> (Duration, &'static str) {
        let size =
            Duration::from_millis(self.document_bytes.saturating_mul(1_000) / DOCUMENT_BYTES_PER_SECOND);
        let candidates =
            [(STREAM_INTERVAL, "normal"), (self.round_trip * 2, "slow store"), (size, "large document")];
        let (mut interval, mut reason) = candidates[0];
        for (candidate, why) in candidates {
            if candidate > interval {
                (interval, reason) = (candidate, why);
            }
        }
        if self.penalty > 1 {
            let widened = interval.saturating_mul(self.penalty).min(MAX_INTERVAL);
            return (widened.max(interval), "failed writes");
        }
        (interval, reason)
    }

    /// What to do at `now`, if there is something to write (`dirty`), and if it must not wait
    /// for the interval (`boundary`).
    pub fn next(&self, now: Instant, dirty: bool, boundary: bool) -> Next {
        if self.in_flight || !dirty {
            return Next::Idle;
        }
        // After a failure, a boundary waits as well: repeating at once would only add load.
        if boundary && self.penalty == 1 {
            return Next::Write;
        }
        match self.last_start {
            Some(last) if last + self.interval().0 > now => Next::WaitUntil(last + self.interval().0),
            _ => Next::Write,
        }
    }

    /// A write begins; the document is about `bytes` large with it.
    pub fn started(&mut self, now: Instant, bytes: u64) {
        self.in_flight = true;
        self.last_start = Some(now);
        self.document_bytes = bytes;
    }

    /// The write in flight was acknowledged.
    pub fn acknowledged(&mut self, now: Instant) {
        self.in_flight = false;
        self.penalty = (self.penalty / 2).max(1);
        let sample = self.last_start.map_or(Duration::ZERO, |start| now - start);
        // A smoothed value, so that one slow answer does not set the pace.
        self.round_trip = if self.round_trip.is_zero() { sample } else { (self.round_trip * 3 + sample) / 4 };
    }

    /// The write in flight failed in a way that passes.
    pub fn failed(&mut self) {
        self.in_flight = false;
        self.penalty = (self.penalty * 2).min(64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn timer_writes_are_100_ms_apart_and_one_is_in_flight() {
        let t0 = Instant::now();
        let mut pace = Pace::default();
        assert_eq!(pace.next(t0, false, true), Next::Idle, "nothing to write");
        assert_eq!(pace.next(t0, true, false), Next::Write, "the first text goes at once");
        pace.started(t0, 10);
        assert_eq!(pace.next(t0 + ms(500), true, true), Next::Idle, "one write in flight");
        pace.acknowledged(t0 + ms(20));
        assert_eq!(pace.next(t0 + ms(20), true, false), Next::WaitUntil(t0 + ms(100)));
        assert_eq!(pace.next(t0 + ms(20), true, true), Next::Write, "a boundary does not wait");
        assert_eq!(pace.next(t0 + ms(100), true, false), Next::Write);
    }

    #[test]
    fn up_to_50_ms_and_25_kb_the_interval_is_exactly_100_ms() {
        let t0 = Instant::now();
        for bytes in (0..=25_000).step_by(500) {
            let mut pace = Pace::default();
            for round_trip in 0..=50 {
                pace.started(t0, bytes);
                pace.acknowledged(t0 + ms(round_trip));
                assert_eq!(pace.interval(), (ms(100), "normal"), "{round_trip} ms, {bytes} bytes");
            }
        }
        let mut pace = Pace::default();
        pace.started(t0, 0);
        pace.acknowledged(t0 + ms(51));
        assert_eq!(pace.interval(), (ms(102), "slow store"));
        pace.started(t0, 28_000);
        assert_eq!(pace.interval().1, "large document");
    }

    #[test]
    fn a_slow_store_and_a_large_document_widen_the_interval() {
        let t0 = Instant::now();
        let mut pace = Pace::default();
        pace.started(t0, 1_000);
        pace.acknowledged(t0 + ms(200));
        assert_eq!(pace.interval(), (ms(400), "slow store"));
        pace.started(t0, 256 << 10);
        pace.acknowledged(t0 + ms(200));
        assert_eq!(pace.interval(), (ms(1_000), "large document"));
    }

    #[test]
    fn failures_widen_and_success_narrows_again() {
        let t0 = Instant::now();
        let mut pace = Pace::default();
        pace.started(t0, 0);
        pace.failed();
        pace.started(t0, 0);
        pace.failed();
        assert_eq!(pace.interval(), (ms(400), "failed writes"));
        assert_eq!(pace.next(t0 + ms(1), true, true), Next::WaitUntil(t0 + ms(400)), "a boundary waits too");
        for _ in 0..20 {
            pace.failed();
        }
        assert_eq!(pace.interval().0, MAX_INTERVAL);
        for _ in 0..8 {
            pace.started(t0, 0);
            pace.acknowledged(t0);
        }
        assert_eq!(pace.interval(), (STREAM_INTERVAL, "normal"));
    }
}
