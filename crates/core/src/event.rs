//! What a run tells the outside while it works, and the queue it travels in.
//!
//! Pushing never waits and never fails: where events pile up, neighbouring deltas are merged, and
//! none is dropped. The receiver pulls batches.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::Instant;
use ts_rs::TS;

use crate::config::Deltas;
use crate::error::ErrorCode;

/// How long text waits to be handed over, at most, when deltas are coalesced.
pub const BATCH_INTERVAL: Duration = Duration::from_millis(100);
/// Runs of one process hand over at the same moments, this many in an interval: with 200 runs, the host's
/// thread is woken 40 times a second instead of 2,000 times.
const PHASES: u32 = 4;
/// From this many waiting events on, deltas are merged in every mode.
const PILE: usize = 4_096;

/// The status of a message in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum MessageStatus {
    /// A run works on it, or will.
    Processing,
    /// The answer is whole.
    Completed,
    /// The run ended with an error; the text is what there was.
    Failed,
    /// A person or the runner stopped it; the text is what there was.
    Cancelled,
}

impl MessageStatus {
    /// Whether nothing may change the message any more.
    pub fn is_final(self) -> bool {
        self != Self::Processing
    }
}

/// Why a turn ended, in one vocabulary for all providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum FinishReason {
    /// The model was done.
    Stop,
    /// The model wants tools to run.
    ToolCalls,
    /// The output token limit cut it.
    Length,
    /// The provider withheld the rest.
    ContentFilter,
    /// A reason that this version does not know.
    Other,
}

/// Tokens of a turn, as far as the provider reports them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Tokens of the request.
    #[ts(type = "number")]
    pub input: u64,
    /// Tokens of the answer, reasoning included.
    #[ts(type = "number")]
    pub output: u64,
    /// Read from the provider's cache: of `input`, with Anthropic Messages beside it.
    #[ts(type = "number")]
    pub cached: u64,
    /// Written to the provider's cache: of `input`, with Anthropic Messages beside it.
    #[ts(type = "number")]
    pub cache_write: u64,
    /// Of `output`: reasoning.
    #[ts(type = "number")]
    pub reasoning: u64,
    /// Cost in the provider's currency (OpenRouter: US dollars); 0 where it is not reported.
    pub cost: f64,
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.input += other.input;
        self.output += other.output;
        self.cached += other.cached;
        self.cache_write += other.cache_write;
        self.reasoning += other.reasoning;
        self.cost += other.cost;
    }
}

/// Why a write of the message went out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum WriteKind {
    /// The interval had passed.
    Timer,
    /// A tool call begins or has ended.
    Boundary,
    /// The run is over.
    Final,
}

/// Where a command prints to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Something that happened in a run. Times are milliseconds; `step` counts turns from 1.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Event {
    /// A model is asked for a turn.
    TurnStart {
        /// The turn.
        step: u32,
        /// The model's name.
        model: String,
    },
    /// The first text of the run has come.
    FirstText {
        /// Since the run began.
        ms: f64,
    },
    /// Visible text.
    Text {
        /// What is new.
        text: String,
    },
    /// Reasoning of the model; not part of the answer.
    Reasoning {
        /// What is new.
        text: String,
    },
    /// A turn is asked again: text beyond `bytes` UTF-8 bytes of the answer no longer counts.
    Reset {
        /// The length of the text that stays, in UTF-8 bytes.
        #[ts(type = "number")]
        bytes: usize,
    },
    /// A turn failed and is asked again after a pause.
    Retry {
        /// The turn.
        step: u32,
        /// What went wrong.
        code: ErrorCode,
        /// The same as a sentence.
        message: String,
        /// The pause.
        #[ts(type = "number")]
        delay_ms: u64,
    },
    /// The other model takes over, for the rest of the run.
    Fallback {
        /// The turn.
        step: u32,
        /// What the primary model failed with.
        code: ErrorCode,
        /// The model that takes over.
        model: String,
    },
    /// The model calls a tool.
    ToolCall {
        /// The turn.
        step: u32,
        /// The id under which the call is stored.
        id: String,
        /// The tool.
        name: String,
        /// Its arguments.
        #[ts(type = "unknown")]
        args: Value,
    },
    /// A tool that still works has printed something. Its result holds this again, shortened.
    ToolOutput {
        /// The turn.
        step: u32,
        /// The id under which the call is stored.
        id: String,
        /// Where it was printed to.
        stream: OutputStream,
        /// What is new: whole lines without control sequences, as far as it has lines.
        text: String,
    },
    /// A tool has answered.
    ToolResult {
        /// The turn.
        step: u32,
        /// The id under which the call is stored.
        id: String,
        /// The tool.
        name: String,
        /// What the model gets to read.
        result: String,
        /// Its length in UTF-8 bytes.
        #[ts(type = "number")]
        bytes: usize,
        /// Whether the result tells of a failure.
        is_error: bool,
        /// How long it ran.
        ms: f64,
    },
    /// A turn is over.
    TurnEnd {
        /// The turn.
        step: u32,
        /// Why it ended.
        finish: FinishReason,
        /// Its tokens, where the provider reports them.
        usage: Option<Usage>,
    },
    /// A write of the message was acknowledged.
    Write {
        /// Why it went out.
        kind: WriteKind,
        /// UTF-8 bytes of text in it.
        #[ts(type = "number")]
        bytes: usize,
        /// Its round trip.
        ms: f64,
    },
    /// The interval between timer writes changed.
    Pace {
        /// The new interval.
        #[ts(type = "number")]
        interval_ms: u64,
        /// Why.
        reason: String,
    },
    /// The message reached its final status.
    Status {
        /// Which.
        status: MessageStatus,
    },
    /// A piece of work, for the trace of the run.
    Span {
        /// After the OpenTelemetry conventions for generative AI, e.g. `chat kimi-k2.5`.
        name: String,
        /// Begin, milliseconds since 1970.
        start: f64,
        /// End, milliseconds since 1970.
        end: f64,
        /// Attributes.
        #[ts(type = "Record<string, string | number | boolean | string[]>")]
        attributes: Value,
        /// The error's code, if it failed.
        error: Option<ErrorCode>,
    },
}

impl Event {
    /// Whether it is handed over at once. All others wait for the next interval: a turn with three calls
    /// has ten of them, and each hand-over wakes the host's thread.
    fn is_urgent(&self) -> bool {
        matches!(self, Self::FirstText { .. } | Self::Status { .. })
    }

    /// Joins `next` to this event if both are deltas of one kind.
    fn absorb(&mut self, next: &Event) -> bool {
        match (self, next) {
            (Self::Text { text }, Self::Text { text: more })
            | (Self::Reasoning { text }, Self::Reasoning { text: more }) => {
                text.push_str(more);
                true
            }
            (
                Self::ToolOutput { id, stream, text, .. },
                Self::ToolOutput { id: next_id, stream: next_stream, text: more, .. },
            ) if id == next_id && stream == next_stream => {
                text.push_str(more);
                true
            }
            _ => false,
        }
    }
}

#[derive(Debug)]
struct Queue {
    events: VecDeque<Event>,
    urgent: bool,
    closed: bool,
    clock: Clock,
    /// When what waits is handed over.
    due: Instant,
}

/// When a run hands over: every interval, at moments that it shares with a part of the other runs.
#[derive(Debug)]
struct Clock {
    start: Instant,
}

impl Clock {
    fn new() -> Self {
        static START: OnceLock<Instant> = OnceLock::new();
        static RUNS: AtomicU32 = AtomicU32::new(0);
        let phase = RUNS.fetch_add(1, Ordering::Relaxed) % PHASES;
        Self { start: *START.get_or_init(Instant::now) + BATCH_INTERVAL / PHASES * phase }
    }

    /// The first moment after `now`.
    fn next(&self, now: Instant) -> Instant {
        let since = now.saturating_duration_since(self.start);
        let passed = since.as_nanos() % BATCH_INTERVAL.as_nanos();
        now + BATCH_INTERVAL - Duration::from_nanos(u64::try_from(passed).unwrap_or(0))
    }
}

/// The queue of one run. Clones share it.
#[derive(Debug, Clone)]
pub struct Events {
    queue: Arc<Mutex<Queue>>,
    changed: Arc<Notify>,
    deltas: Deltas,
}

impl Events {
    /// An empty queue.
    pub fn new(deltas: Deltas) -> Self {
        let clock = Clock::new();
        let due = clock.next(Instant::now());
        let queue = Queue { events: VecDeque::new(), urgent: false, closed: false, clock, due };
        Self { queue: Arc::new(Mutex::new(queue)), changed: Arc::default(), deltas }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an event. Never waits.
    pub fn push(&self, event: Event) {
        let mut queue = self.lock();
        if queue.closed {
            return;
        }
        let merge = self.deltas == Deltas::Coalesced || queue.events.len() >= PILE;
        let was_empty = queue.events.is_empty();
        let urgent = event.is_urgent();
        queue.urgent |= urgent;
        let absorbed = merge && queue.events.back_mut().is_some_and(|last| last.absorb(&event));
        if !absorbed {
            queue.events.push_back(event);
        }
        drop(queue);
        if was_empty || urgent {
            self.changed.notify_one();
        }
    }

    /// Adds the first text of the run, `ms` after its beginning: both are handed over at once.
    pub fn push_first_text(&self, ms: f64, delta: &str) {
        let mut queue = self.lock();
        if queue.closed {
            return;
        }
        queue.events.push_back(Event::FirstText { ms });
        queue.events.push_back(Event::Text { text: delta.to_owned() });
        queue.urgent = true;
        drop(queue);
        self.changed.notify_one();
    }

    /// Adds a text delta without building an event where it can be merged.
    pub fn push_text(&self, delta: &str) {
        let mut queue = self.lock();
        if self.deltas == Deltas::Coalesced
            && let Some(Event::Text { text }) = queue.events.back_mut()
        {
            text.push_str(delta);
            return;
        }
        drop(queue);
        self.push(Event::Text { text: delta.to_owned() });
    }

    /// Adds a reasoning delta, likewise.
    pub fn push_reasoning(&self, delta: &str) {
        let mut queue = self.lock();
        if self.deltas == Deltas::Coalesced
            && let Some(Event::Reasoning { text }) = queue.events.back_mut()
        {
            text.push_str(delta);
            return;
        }
        drop(queue);
        self.push(Event::Reasoning { text: delta.to_owned() });
    }

    /// No more events: the receiver gets what is left, then `None`.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// Once there will be no more events, what is left of them, behind it `None`, as
    /// [`Self::next_batch`] gives it; nothing while there may be more.
    pub fn rest(&self) -> Option<Option<Vec<Event>>> {
        let mut queue = self.lock();
        queue.closed.then(|| queue.take())
    }

    /// The next events, or `None` at the end. One receiver at a time.
    pub async fn next_batch(&self) -> Option<Vec<Event>> {
        loop {
            self.ready().await;
            if let Some(batch) = self.take_ready() {
                return batch;
            }
        }
    }

    /// What [`Self::next_batch`] gives, where it does not wait.
    pub fn take_ready(&self) -> Option<Option<Vec<Event>>> {
        let mut queue = self.lock();
        matches!(queue.wait(self.deltas), Wait::No(_)).then(|| queue.take())
    }

    /// Waits until [`Self::next_batch`] does not, and says what it has waited for. One receiver at a time.
    pub async fn ready(&self) -> Ready {
        loop {
            let wait = self.lock().wait(self.deltas);
            match wait {
                Wait::No(ready) => return ready,
                Wait::ForMore => self.changed.notified().await,
                Wait::Until(due) => {
                    tokio::select! {
                        () = self.changed.notified() => {}
                        () = tokio::time::sleep_until(due) => {}
                    }
                }
            }
        }
    }
}

/// Why a batch is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ready {
    /// Somebody waits for it.
    Urgent,
    /// The moment has come that the run shares with others.
    Due,
}

/// What the receiver waits for.
enum Wait {
    No(Ready),
    Until(Instant),
    ForMore,
}

impl Queue {
    fn wait(&self, deltas: Deltas) -> Wait {
        if self.closed {
            Wait::No(Ready::Urgent)
        } else if self.events.is_empty() {
            Wait::ForMore
        } else if self.urgent || deltas == Deltas::Each {
            Wait::No(Ready::Urgent)
        } else if self.due <= Instant::now() {
            Wait::No(Ready::Due)
        } else {
            Wait::Until(self.due)
        }
    }

    /// Hands over what waits; `None`: there will be no more.
    fn take(&mut self) -> Option<Vec<Event>> {
        if self.events.is_empty() {
            return None;
        }
        self.urgent = false;
        self.due = self.clock.next(Instant::now());
        Some(std::mem::take(&mut self.events).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Event {
        Event::Text { text: text.to_owned() }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_text_does_not_wait_and_brings_what_came_before() {
        let events = Events::new(Deltas::Coalesced);
        let start = Instant::now();
        events.push(Event::TurnStart { step: 1, model: "m".to_owned() });
        let receiver = tokio::spawn({
            let events = events.clone();
            async move { events.next_batch().await }
        });
        tokio::task::yield_now().await;
        assert!(!receiver.is_finished(), "nobody needs to know at once that a turn begins");
        events.push_first_text(1.0, "a");
        let batch = receiver.await.unwrap().unwrap();
        assert!(matches!(batch.as_slice(), [_, Event::FirstText { .. }, Event::Text { .. }]), "{batch:?}");
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn text_alone_comes_at_most_every_100_ms_and_whole() {
        let events = Events::new(Deltas::Coalesced);
        events.push_first_text(1.0, "a");
        assert_eq!(events.next_batch().await.unwrap().len(), 2);
        let start = Instant::now();
        events.push(text("b"));
        events.push_text("c");
        assert_eq!(events.next_batch().await, Some(vec![text("bc")]));
        assert!(start.elapsed() <= BATCH_INTERVAL);
        for _ in 0..3 {
            let last = Instant::now();
            events.push(text("d"));
            events.next_batch().await;
            assert_eq!(last.elapsed(), BATCH_INTERVAL);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn runs_hand_over_at_moments_that_they_share() {
        let moments = async {
            let mut moments = std::collections::HashSet::new();
            for n in 0..20 {
                let events = Events::new(Deltas::Coalesced);
                tokio::time::advance(Duration::from_millis(n * 7)).await;
                for _ in 0..2 {
                    events.push(text("a"));
                    events.next_batch().await;
                }
                let ms = Instant::now().saturating_duration_since(events.lock().clock.start).as_millis();
                moments.insert(ms % BATCH_INTERVAL.as_millis());
            }
            moments
        };
        assert!(moments.await.len() <= 2, "a timer rings up to a millisecond late");
    }

    #[tokio::test(start_paused = true)]
    async fn an_urgent_event_takes_the_waiting_text_along() {
        let events = Events::new(Deltas::Coalesced);
        events.push(text("a"));
        events.next_batch().await;
        let start = Instant::now();
        events.push(text("b"));
        events.push(Event::Status { status: MessageStatus::Completed });
        let batch = events.next_batch().await.unwrap();
        assert_eq!((batch.len(), start.elapsed()), (2, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn each_delta_is_kept_apart_until_they_pile_up() {
        let events = Events::new(Deltas::Each);
        events.push(text("a"));
        events.push_text("b");
        assert_eq!(events.next_batch().await.unwrap().len(), 2);
        for _ in 0..PILE * 2 {
            events.push_text("x");
        }
        let batch = events.next_batch().await.unwrap();
        assert_eq!(batch.len(), PILE);
        let bytes: usize =
            batch.iter().map(|e| if let Event::Text { text } = e { text.len() } else { 0 }).sum();
        assert_eq!(bytes, PILE * 2, "none is dropped");
    }

    #[tokio::test(start_paused = true)]
    async fn after_close_the_rest_comes_and_then_the_end() {
        let events = Events::new(Deltas::Coalesced);
        events.push(text("a"));
        assert_eq!(events.rest(), None);
        events.close();
        events.push(text("late"));
        assert_eq!(events.next_batch().await, Some(vec![text("a")]));
        assert_eq!(events.next_batch().await, None);
        assert_eq!(events.next_batch().await, None);
        assert_eq!(events.rest(), Some(None));
    }

    #[tokio::test]
    async fn a_waiting_receiver_is_woken() {
        let events = Events::new(Deltas::Coalesced);
        let receiver = tokio::spawn({
            let events = events.clone();
            async move { events.next_batch().await }
        });
        tokio::task::yield_now().await;
        events.close();
        assert_eq!(receiver.await.unwrap(), None);
    }
}
