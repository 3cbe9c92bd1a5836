//! Streams one message into the store. Text is pushed without waiting; a task of its own writes the
//! newest text when [`Pace`] allows it, at most one write at a time, and the final text exactly.
//!
//! The writer must never lose the final text and never write after the message's status is final.
//! Where the deployment can, only what is new of the text is sent.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::fit;
use super::functions::{
    Change, ChangeOutcome, FailureNote, FinishedTurn, MessageStore, StoredCall, TurnChange, Written,
};
use super::pace::{Next, Pace};
use crate::error::{CoreError, ErrorCode, Result};
use crate::event::{Event, Events, MessageStatus, WriteKind};
use crate::http;

/// How long the final write is tried before the run fails: longer than a deployment's restart.
const FINAL_BUDGET: Duration = Duration::from_secs(90);
/// How often a run without anything to write says that it is alive: a fifth of the lease that the
/// deployment gives.
const RENEW_INTERVAL: Duration = Duration::from_secs(60);

/// How long the first text after a silence waits for what comes with it: of a turn that arrives at once,
/// text and calls are one write, not two behind each other.
const GATHER: Duration = Duration::from_millis(2);
/// How long a change of the project is tried before its call fails: as long as the final write.
pub const CHANGE_BUDGET: Duration = FINAL_BUDGET;
/// Bytes of changes in one write: a mutation takes 16 MiB of arguments
/// (docs.convex.dev/production/state/limits), and JSON may need more than one byte for a character.
const CHANGES_BYTES: usize = 4 << 20;

/// A change that a call waits for. `None` is answered if it must go on its own.
#[derive(Debug)]
struct Waiting {
    change: TurnChange,
    answer: oneshot::Sender<Option<Result<Change>>>,
    /// When it was tried in vain first.
    failing: Option<Instant>,
}

impl Waiting {
    /// Whoever asked may be gone by now.
    fn answer(self, result: Option<Result<Change>>) {
        drop(self.answer.send(result));
    }
}

/// What must be written.
#[derive(Debug, Default)]
struct Pending {
    text: String,
    /// The text differs from what was written last.
    text_dirty: bool,
    /// The text up to here is as it was when it was written last.
    unchanged: usize,
    calls: Vec<StoredCall>,
    /// Indexes into `calls` of those not yet written in their present form.
    calls_dirty: Vec<usize>,
    turns: Vec<FinishedTurn>,
    changes: VecDeque<Waiting>,
    /// Changes must go on their own: the deployment does not take them with the record of their turn.
    apart: bool,
    /// Bytes of all turns, written or not.
    turn_bytes: usize,
    /// How many turns and results have been recorded.
    boundaries: u64,
    finish: Option<(MessageStatus, Option<FailureNote>)>,
    outcome: Option<Outcome>,
}

impl Pending {
    fn call_bytes(&self) -> usize {
        self.calls.iter().map(call_bytes).sum()
    }

    /// The changes of the next write, once all turns are on their way: a change never goes before the
    /// record of its turn.
    fn take_changes(&mut self) -> Vec<Waiting> {
        // A call that was stopped meanwhile changes nothing any more.
        self.changes.retain(|waiting| !waiting.answer.is_closed());
        if !self.turns.is_empty() {
            return Vec::new();
        }
        let mut bytes = 0;
        let fit = self.changes.iter().take_while(|waiting| {
            bytes += waiting.change.bytes();
            bytes <= CHANGES_BYTES
        });
        let count = fit.count().max(1).min(self.changes.len());
        self.changes.drain(..count).collect()
    }

    /// Up to where the text is stored, if there is no room for all of it.
    fn cut(&self) -> Option<usize> {
        fit::text_end(&self.text, self.call_bytes() + self.turn_bytes)
    }
}

/// How writing ended.
#[derive(Debug, Clone)]
enum Outcome {
    /// The final status is stored.
    Finished,
    /// Somebody else gave the message a final status.
    Superseded(MessageStatus),
    /// The store refused in a way that does not pass, or a newer attempt has taken over.
    Failed(CoreError),
}

/// Where the changes of a run's calls go: into the write that records their turn, so that neither is
/// without the other, whatever dies.
#[derive(Debug, Clone)]
pub struct Outbox {
    shared: Arc<Shared>,
    recorded: watch::Receiver<u64>,
}

impl Outbox {
    /// Makes a change with the next write; what the store says of it. `None`: it must go on its own,
    /// and the turn that it belongs to is recorded. If the store takes no more, the run is ending and
    /// this never completes. Dropped before it was sent, it is not made.
    pub async fn change(&self, change: TurnChange) -> Option<Result<Change>> {
        let (answer, answered) = oneshot::channel();
        {
            let mut pending = self.shared.lock();
            if pending.apart {
                drop(answer.send(None));
            } else {
                pending.changes.push_back(Waiting { change, answer, failing: None });
            }
        }
        self.shared.changed.notify_one();
        match answered.await {
            Ok(None) => {
                recorded(&self.shared, &self.recorded).await;
                None
            }
            Ok(result) => result,
            Err(_) => std::future::pending().await,
        }
    }
}

/// Completes once all that is recorded by now is stored; never, if the store takes no more.
fn recorded(shared: &Shared, recorded: &watch::Receiver<u64>) -> impl Future<Output = ()> + Send + 'static {
    // What was said until now, whenever the caller begins to wait.
    let boundary = shared.lock().boundaries;
    let mut recorded = recorded.clone();
    async move {
        if recorded.wait_for(|acknowledged| *acknowledged >= boundary).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[derive(Debug, Default)]
struct Shared {
    pending: Mutex<Pending>,
    changed: Notify,
    ended: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writer of one message. Dropping it stops writing at once.
#[derive(Debug)]
pub struct StreamWriter {
    shared: Arc<Shared>,
    /// The last boundary that the store has acknowledged.
    recorded: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

impl Drop for StreamWriter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl StreamWriter {
    /// Starts the task that writes to `store`. The message has `text`, `calls` and `turns` of an
    /// earlier attempt, and beyond `text` perhaps more, which the first write takes away.
    pub fn spawn(
        store: MessageStore,
        events: Events,
        text: String,
        calls: Vec<StoredCall>,
        turns: &[FinishedTurn],
    ) -> Self {
        let resumed = !text.is_empty() || !calls.is_empty();
        let turn_bytes = turns.iter().map(|turn| turn.data.to_string().len()).sum();
        let apart = !store.is_numbered();
        let pending = Pending { text, text_dirty: resumed, calls, turn_bytes, apart, ..Pending::default() };
        let shared = Arc::new(Shared { pending: Mutex::new(pending), ..Shared::default() });
        let (acknowledged, recorded) = watch::channel(0);
        let driver = Driver {
            shared: Arc::clone(&shared),
            can_append: store.is_numbered(),
            // A new attempt's message is empty; what a resumed one has beyond `text` is not known.
            stored: (!resumed).then_some(Stored::default()),
            store,
            events,
            acknowledged,
            pace: Pace::default(),
            interval: Duration::ZERO,
        };
        Self { shared, recorded, task: tokio::spawn(driver.run()) }
    }

    /// Adds text. Never waits.
    pub fn push(&self, delta: &str) {
        let mut pending = self.shared.lock();
        pending.text.push_str(delta);
        let was_dirty = std::mem::replace(&mut pending.text_dirty, true);
        drop(pending);
        if !was_dirty {
            self.shared.changed.notify_one();
        }
    }

    /// Takes text back to its first `bytes` bytes: a turn is asked again.
    pub fn reset_to(&self, bytes: usize) {
        let mut pending = self.shared.lock();
        pending.text.truncate(bytes);
        pending.unchanged = pending.unchanged.min(bytes);
        pending.text_dirty = true;
        drop(pending);
        self.shared.changed.notify_one();
    }

    /// The text so far.
    pub fn text(&self) -> String {
        self.shared.lock().text.clone()
    }

    /// The text so far as it fits into the message.
    pub fn stored_text(&self) -> String {
        let pending = self.shared.lock();
        fit::text(&pending.text, pending.cut())
    }

    /// Records a finished turn and the calls that are about to run, with the text before them.
    pub fn calls(&self, calls: impl IntoIterator<Item = StoredCall>, mut turn: FinishedTurn) {
        let mut pending = self.shared.lock();
        for mut call in calls {
            let room = fit::MAX_CALLS_BYTES.saturating_sub(pending.call_bytes());
            call.args = fit::args(call.args, room);
            let index = pending.calls.len();
            pending.calls.push(call);
            pending.calls_dirty.push(index);
        }
        turn.data = fit::turn(turn.data, pending.turn_bytes);
        pending.turn_bytes += turn.data.to_string().len();
        pending.turns.push(turn);
        pending.boundaries += 1;
        drop(pending);
        self.shared.changed.notify_one();
    }

    /// Records the result of the call stored as `id`.
    pub fn result(&self, id: &str, result: &str) {
        let mut pending = self.shared.lock();
        if let Some(index) = pending.calls.iter().position(|call| call.id == id) {
            let room = fit::MAX_CALLS_BYTES.saturating_sub(pending.call_bytes());
            pending.calls[index].result = Some(json!(fit::result(result, room)));
            if !pending.calls_dirty.contains(&index) {
                pending.calls_dirty.push(index);
            }
            pending.boundaries += 1;
        }
        drop(pending);
        self.shared.changed.notify_one();
    }

    /// Completes once all calls and results recorded so far are stored. If the store takes no more, the run is
    /// ending and this never completes.
    pub fn recorded(&self) -> impl Future<Output = ()> + Send + 'static {
        recorded(&self.shared, &self.recorded)
    }

    /// Where the changes of the run's calls go.
    pub fn outbox(&self) -> Outbox {
        Outbox { shared: Arc::clone(&self.shared), recorded: self.recorded.clone() }
    }

    /// Completes when writing ended without having been asked to: with the status that somebody
    /// else set, or with the error of the store.
    pub async fn interrupted(&self) -> Result<MessageStatus> {
        match self.outcome().await {
            Outcome::Superseded(status) => Ok(status),
            Outcome::Failed(error) => Err(error),
            // Only after `finish`, which the caller of this is not waiting beside.
            Outcome::Finished => std::future::pending().await,
        }
    }

    /// Writes what is left and the final status; waits until the store has acknowledged it.
    /// Returns the status that the message has: another one if somebody else was first.
    ///
    /// # Errors
    /// `STORE_*` when the store did not take it within [`FINAL_BUDGET`].
    pub async fn finish(&self, status: MessageStatus, error: Option<FailureNote>) -> Result<MessageStatus> {
        self.shared.lock().finish = Some((status, error));
        self.shared.changed.notify_one();
        match self.outcome().await {
            Outcome::Finished => Ok(status),
            Outcome::Superseded(status) => Ok(status),
            Outcome::Failed(error) => Err(error),
        }
    }

    async fn outcome(&self) -> Outcome {
        loop {
            let ended = self.shared.ended.notified();
            tokio::pin!(ended);
            // Registered before the check, so that an end in between is not missed.
            ended.as_mut().enable();
            if let Some(outcome) = self.shared.lock().outcome.clone() {
                return outcome;
            }
            ended.await;
        }
    }
}

/// How much of the text the store is known to have.
#[derive(Debug, Clone, Copy, Default)]
struct Stored {
    bytes: usize,
    /// What is stored in UTF-16 units, as the store counts.
    units: usize,
    /// Where the text was cut, if it was.
    cut: Option<usize>,
}

/// One write as it is sent.
struct Job {
    text: JobText,
    text_bytes: usize,
    cut: Option<usize>,
    calls: Vec<StoredCall>,
    turn: Option<FinishedTurn>,
    changes: Vec<Waiting>,
    boundary: u64,
    kind: WriteKind,
    finish: Option<(MessageStatus, Option<FailureNote>)>,
    document_bytes: u64,
}

/// The text of a write.
enum JobText {
    /// Nothing new.
    None,
    /// What is new behind `Stored`.
    Tail(Stored, String),
    /// All of it.
    Whole(String),
}

struct Driver {
    shared: Arc<Shared>,
    store: MessageStore,
    events: Events,
    acknowledged: watch::Sender<u64>,
    pace: Pace,
    interval: Duration,
    can_append: bool,
    /// `None` after a write whose outcome is not known.
    stored: Option<Stored>,
}

impl Driver {
    async fn run(mut self) {
        let outcome = self.write_all().await;
        self.shared.lock().outcome = Some(outcome);
        self.shared.ended.notify_waiters();
    }

    async fn write_all(&mut self) -> Outcome {
        let mut finishing: Option<(Instant, u32)> = None;
        let mut was_idle = false;
        loop {
            let now = Instant::now();
            let (dirty, boundary, finish) = {
                let pending = self.shared.lock();
                let finish = pending.finish.is_some();
                let calls = !pending.calls_dirty.is_empty()
                    || !pending.turns.is_empty()
                    || !pending.changes.is_empty();
                (pending.text_dirty || calls || finish, calls || finish, finish)
            };
            match self.pace.next(now, dirty, boundary) {
                Next::Idle => {
                    was_idle = true;
                    tokio::select! {
                        () = self.shared.changed.notified() => {}
                        () = tokio::time::sleep(RENEW_INTERVAL), if self.store.is_numbered() => {
                            // A renewal that fails is made up for by the next one.
                            if let Ok(written) = self.store.renew().await
                                && let Some(outcome) = refused(&written)
                            {
                                return outcome;
                            }
                        }
                    }
                    continue;
                }
                Next::WaitUntil(at) => {
                    was_idle = false;
                    tokio::select! {
                        () = self.shared.changed.notified() => {}
                        () = tokio::time::sleep_until(at) => {}
                    }
                    continue;
                }
                Next::Write if was_idle && !boundary => {
                    was_idle = false;
                    tokio::select! {
                        () = self.shared.changed.notified() => {}
                        () = tokio::time::sleep(GATHER) => {}
                    }
                    continue;
                }
                Next::Write => {}
            }
            let mut job = self.take();
            self.pace.started(now, job.document_bytes);
            let written = self.send(&job).await;
            let ms = now.elapsed().as_secs_f64() * 1_000.0;
            match written {
                Ok(mut written) => {
                    self.pace.acknowledged(Instant::now());
                    // A repeated final write finds the status that the lost one set.
                    if job.finish.as_ref().is_some_and(|(status, _)| written.status == *status) {
                        self.events.push(Event::Write { kind: job.kind, bytes: job.text_bytes, ms });
                        return Outcome::Finished;
                    }
                    if let Some(outcome) = refused(&written) {
                        return outcome;
                    }
                    if written.length.is_some() {
                        // The stored text is not what it was thought to be: all of it goes next.
                        self.stored = None;
                        self.put_back(&mut job);
                        continue;
                    }
                    self.events.push(Event::Write { kind: job.kind, bytes: job.text_bytes, ms });
                    self.acknowledge(&job);
                    let mut outcomes = written.changes.take().unwrap_or_default().into_iter();
                    for waiting in job.changes.drain(..) {
                        waiting.answer(outcomes.next().map(ChangeOutcome::into_result));
                    }
                }
                // The deployment does not take them, or one of them spoils the others: each on its own.
                Err(error) if !job.changes.is_empty() && !error.retryable() => {
                    self.pace.acknowledged(Instant::now());
                    if error.code == ErrorCode::StoreFunctionMissing {
                        self.shared.lock().apart = true;
                    }
                    job.changes.drain(..).for_each(|waiting| waiting.answer(None));
                    self.put_back(&mut job);
                }
                Err(error)
                    if error.code == ErrorCode::StoreFunctionMissing
                        && matches!(job.text, JobText::Tail(..)) =>
                {
                    // An older deployment: it takes the whole text.
                    self.pace.acknowledged(Instant::now());
                    self.can_append = false;
                    self.put_back(&mut job);
                }
                Err(error) if error.retryable() => {
                    self.pace.failed();
                    self.stored = None;
                    for mut waiting in std::mem::take(&mut job.changes) {
                        if waiting.failing.get_or_insert(now).elapsed() > CHANGE_BUDGET {
                            waiting.answer(Some(Err(error.clone())));
                        } else {
                            job.changes.push(waiting);
                        }
                    }
                    self.put_back(&mut job);
                    if finish {
                        let (since, tries) = finishing.get_or_insert((now, 0));
                        *tries += 1;
                        if since.elapsed() > FINAL_BUDGET {
                            return Outcome::Failed(error);
                        }
                        let asked = Duration::from_millis(error.retry_after_ms.unwrap_or(0));
                        let first = Duration::from_millis(200);
                        let pause = http::backoff(*tries, first, Duration::from_secs(3), http::random());
                        tokio::time::sleep(pause.max(asked.min(Duration::from_secs(10)))).await;
                    }
                }
                Err(error) => return Outcome::Failed(error),
            }
            self.tell_pace();
        }
    }

    /// Notes what the store has after an acknowledged write.
    fn acknowledge(&mut self, job: &Job) {
        match &job.text {
            JobText::None => {}
            JobText::Tail(from, text) => {
                let units = from.units + utf16_len(text);
                self.stored = Some(Stored { bytes: from.bytes + text.len(), units, cut: from.cut });
            }
            JobText::Whole(text) => {
                let bytes = job.cut.unwrap_or(text.len());
                self.stored = Some(Stored { bytes, units: utf16_len(text), cut: job.cut });
            }
        }
        if job.boundary > *self.acknowledged.borrow() {
            self.acknowledged.send_replace(job.boundary);
        }
    }

    fn tell_pace(&mut self) {
        let (interval, reason) = self.pace.interval();
        let known = std::mem::replace(&mut self.interval, interval);
        // Small drifts of the round trip are no news.
        if !known.is_zero() && known.abs_diff(interval) > known / 4 {
            let interval_ms = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
            self.events.push(Event::Pace { interval_ms, reason: reason.to_owned() });
        }
    }

    /// Takes what is to be written now: calls first, since the final write closes the message.
    fn take(&self) -> Job {
        let mut pending = self.shared.lock();
        let dirty = std::mem::take(&mut pending.calls_dirty);
        let calls: Vec<StoredCall> =
            dirty.iter().filter_map(|&index| pending.calls.get(index).cloned()).collect();
        // One turn a write; a second one waits for the next, which follows at once.
        let turn = (!pending.turns.is_empty()).then(|| pending.turns.remove(0));
        let changes = pending.take_changes();
        let is_boundary = !calls.is_empty() || turn.is_some() || !changes.is_empty();
        let finish = if is_boundary { None } else { pending.finish.clone() };
        let kind = match (&finish, is_boundary) {
            (Some(_), _) => WriteKind::Final,
            (None, true) => WriteKind::Boundary,
            (None, false) => WriteKind::Timer,
        };
        let boundary = pending.boundaries - pending.turns.len() as u64;
        let text_dirty = std::mem::replace(&mut pending.text_dirty, false);
        let unchanged = std::mem::replace(&mut pending.unchanged, usize::MAX);
        let cut = pending.cut();
        let base = self.stored.filter(|stored| {
            self.can_append && stored.cut == cut && stored.bytes <= unchanged.min(pending.text.len())
        });
        // Behind a cut nothing is new.
        let tail = |base: &Stored| match cut {
            Some(_) => String::new(),
            None => pending.text[base.bytes..].to_owned(),
        };
        let failed = finish.as_ref().is_some_and(|(_, error)| error.is_some());
        let text = match (base, kind) {
            (Some(_), WriteKind::Timer) if cut.is_some() => JobText::None,
            (Some(base), WriteKind::Timer) => JobText::Tail(base, tail(&base)),
            (Some(base), WriteKind::Final) if !failed => JobText::Tail(base, tail(&base)),
            (Some(_), WriteKind::Boundary) if !text_dirty || cut.is_some() => JobText::None,
            _ => JobText::Whole(fit::text(&pending.text, cut)),
        };
        let call_bytes = pending.call_bytes() + pending.turn_bytes;
        let text_bytes = cut.map_or(pending.text.len(), |end| end + fit::CUT.len());
        Job {
            text,
            text_bytes,
            cut,
            calls,
            turn,
            changes,
            boundary,
            kind,
            finish,
            document_bytes: (text_bytes + call_bytes) as u64,
        }
    }

    /// The write was lost: what it held is to be written again, unless it is newer by now.
    fn put_back(&self, job: &mut Job) {
        let mut pending = self.shared.lock();
        for waiting in job.changes.drain(..).rev() {
            pending.changes.push_front(waiting);
        }
        pending.text_dirty = true;
        pending.unchanged = 0;
        for call in &job.calls {
            if let Some(index) = pending.calls.iter().position(|c| c.id == call.id)
                && !pending.calls_dirty.contains(&index)
            {
                pending.calls_dirty.push(index);
            }
        }
        if let Some(turn) = &job.turn {
            pending.turns.insert(0, turn.clone());
        }
    }

    async fn send(&self, job: &Job) -> Result<Written> {
        let status = job.finish.as_ref().map(|(status, _)| *status);
        let error = job.finish.as_ref().and_then(|(_, error)| error.as_ref());
        match (&job.text, job.kind) {
            (text, WriteKind::Boundary) => {
                let content = match text {
                    JobText::Whole(text) => Some(text.as_str()),
                    _ => None,
                };
                let changes: Vec<&TurnChange> = job.changes.iter().map(|waiting| &waiting.change).collect();
                self.store.save_calls(content, &job.calls, job.turn.as_ref(), &changes).await
            }
            (JobText::Tail(from, text), _) => self.store.append(from.units, text, status).await,
            (JobText::Whole(text), _) => match status {
                Some(status) => self.store.finish(text, status, error).await,
                None => self.store.stream(text).await,
            },
            // Only a boundary goes without text.
            (JobText::None, _) => self.store.renew().await,
        }
    }
}

/// What a refusal means for the writer; `None` if it was none.
fn refused(written: &Written) -> Option<Outcome> {
    if written.applied {
        return None;
    }
    if written.status.is_final() {
        return Some(Outcome::Superseded(written.status));
    }
    let taken_over = || CoreError::new(ErrorCode::Superseded, "a newer attempt works on the message");
    written.superseded.then(|| Outcome::Failed(taken_over()))
}

fn utf16_len(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

fn call_bytes(call: &StoredCall) -> usize {
    let value = |value: &Value| match value {
        Value::String(text) => text.len(),
        Value::Null => 0,
        other => other.to_string().len(),
    };
    call.name.len() + call.id.len() + value(&call.args) + call.result.as_ref().map_or(0, value)
}
