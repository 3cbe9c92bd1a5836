//! Streams one message into the store. Text is pushed without waiting; a task of its own writes the
//! newest text when [`Pace`] allows it, at most one write at a time, and the final text exactly.
//!
//! The writer must never lose the final text and never write after the message's status is final.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::functions::{MessageStore, StoredCall, Written};
use super::pace::{Next, Pace};
use crate::error::{CoreError, ErrorCode, Result};
use crate::event::{Event, Events, MessageStatus, WriteKind};
use crate::http;

/// How long the final write is tried before the run fails: longer than a deployment's restart.
const FINAL_BUDGET: Duration = Duration::from_secs(90);

/// What must be written.
#[derive(Debug, Default)]
struct Pending {
    text: String,
    /// The text differs from what was written last.
    text_dirty: bool,
    calls: Vec<StoredCall>,
    /// Indexes into `calls` of those not yet written in their present form.
    calls_dirty: Vec<usize>,
    finish: Option<MessageStatus>,
    outcome: Option<Outcome>,
}

/// How writing ended.
#[derive(Debug, Clone)]
enum Outcome {
    /// The final status is stored.
    Finished,
    /// Somebody else gave the message a final status.
    Superseded(MessageStatus),
    /// The store refused in a way that does not pass.
    Failed(CoreError),
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
    task: JoinHandle<()>,
}

impl Drop for StreamWriter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl StreamWriter {
    /// Starts the task that writes to `store`.
    pub fn spawn(store: MessageStore, events: Events) -> Self {
        let shared = Arc::new(Shared::default());
        let driver = Driver {
            shared: Arc::clone(&shared),
            store,
            events,
            pace: Pace::default(),
            interval: Duration::ZERO,
        };
        Self { shared, task: tokio::spawn(driver.run()) }
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
        pending.text_dirty = true;
        drop(pending);
        self.shared.changed.notify_one();
    }

    /// The text so far.
    pub fn text(&self) -> String {
        self.shared.lock().text.clone()
    }

    /// Records calls that are about to run, together with the text before them.
    pub fn calls(&self, calls: impl IntoIterator<Item = StoredCall>) {
        let mut pending = self.shared.lock();
        for call in calls {
            let index = pending.calls.len();
            pending.calls.push(call);
            pending.calls_dirty.push(index);
        }
        drop(pending);
        self.shared.changed.notify_one();
    }

    /// Records the result of the call stored as `id`.
    pub fn result(&self, id: &str, result: Value) {
        let mut pending = self.shared.lock();
        if let Some(index) = pending.calls.iter().position(|call| call.id == id) {
            pending.calls[index].result = Some(result);
            if !pending.calls_dirty.contains(&index) {
                pending.calls_dirty.push(index);
            }
        }
        drop(pending);
        self.shared.changed.notify_one();
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
    pub async fn finish(&self, status: MessageStatus) -> Result<MessageStatus> {
        self.shared.lock().finish = Some(status);
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

/// One write as it is sent.
struct Job {
    text: String,
    calls: Vec<StoredCall>,
    kind: WriteKind,
    status: Option<MessageStatus>,
    document_bytes: u64,
}

struct Driver {
    shared: Arc<Shared>,
    store: MessageStore,
    events: Events,
    pace: Pace,
    interval: Duration,
}

impl Driver {
    async fn run(mut self) {
        let outcome = self.write_all().await;
        self.shared.lock().outcome = Some(outcome);
        self.shared.ended.notify_waiters();
    }

    async fn write_all(&mut self) -> Outcome {
        let mut finishing: Option<(Instant, u32)> = None;
        loop {
            let now = Instant::now();
            let (dirty, boundary, finish) = {
                let pending = self.shared.lock();
                let finish = pending.finish.is_some();
                let calls = !pending.calls_dirty.is_empty();
                (pending.text_dirty || calls || finish, calls || finish, finish)
            };
            match self.pace.next(now, dirty, boundary) {
                Next::Idle => {
                    self.shared.changed.notified().await;
                    continue;
                }
                Next::WaitUntil(at) => {
                    tokio::select! {
                        () = self.shared.changed.notified() => {}
                        () = tokio::time::sleep_until(at) => {}
                    }
                    continue;
                }
                Next::Write => {}
            }
            let job = self.take();
            self.pace.started(now, job.document_bytes);
            let written = self.send(&job).await;
            let ms = now.elapsed().as_secs_f64() * 1_000.0;
            match written {
                Ok(written) => {
                    self.pace.acknowledged(Instant::now());
                    self.events.push(Event::Write { kind: job.kind, bytes: job.text.len(), ms });
                    match job.status {
                        // A repeated final write finds the status that the lost one set.
                        Some(status) if written.status == status => return Outcome::Finished,
                        _ if !written.applied => return Outcome::Superseded(written.status),
                        _ => {}
                    }
                }
                Err(error) if error.retryable() => {
                    self.pace.failed();
                    self.put_back(&job);
                    if finish {
                        let (since, tries) = finishing.get_or_insert((now, 0));
                        *tries += 1;
                        if since.elapsed() > FINAL_BUDGET {
                            return Outcome::Failed(error);
                        }
                        let asked = Duration::from_millis(error.retry_after_ms.unwrap_or(0));
                        let pause = http::backoff(
                            *tries,
                            Duration::from_millis(200),
                            Duration::from_secs(3),
                            http::random(),
                        );
                        tokio::time::sleep(pause.max(asked.min(Duration::from_secs(10)))).await;
                    }
                }
                Err(error) => return Outcome::Failed(error),
            }
            self.tell_pace();
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
        let status = pending.finish.filter(|_| calls.is_empty());
        let kind = match (status, calls.is_empty()) {
            (Some(_), _) => WriteKind::Final,
            (None, false) => WriteKind::Boundary,
            (None, true) => WriteKind::Timer,
        };
        pending.text_dirty = false;
        let call_bytes: usize = pending.calls.iter().map(call_bytes).sum();
        let text = pending.text.clone();
        let document_bytes = (text.len() + call_bytes) as u64;
        Job { text, calls, kind, status, document_bytes }
    }

    /// The write was lost: what it held is to be written again, unless it is newer by now.
    fn put_back(&self, job: &Job) {
        let mut pending = self.shared.lock();
        pending.text_dirty = true;
        for call in &job.calls {
            if let Some(index) = pending.calls.iter().position(|c| c.id == call.id)
                && !pending.calls_dirty.contains(&index)
            {
                pending.calls_dirty.push(index);
            }
        }
    }

    async fn send(&self, job: &Job) -> Result<Written> {
        match (job.status, job.calls.is_empty()) {
            (Some(status), _) => self.store.finish(&job.text, status).await,
            (None, false) => self.store.save_calls(&job.text, &job.calls).await,
            (None, true) => self.store.stream(&job.text).await,
        }
    }
}

fn call_bytes(call: &StoredCall) -> usize {
    let value = |value: &Value| match value {
        Value::String(text) => text.len(),
        Value::Null => 0,
        other => other.to_string().len(),
    };
    call.name.len() + call.id.len() + value(&call.args) + call.result.as_ref().map_or(0, value)
}

/// The error for a message that somebody else ended while a run was working on it.
pub fn superseded(status: MessageStatus) -> CoreError {
    CoreError::new(ErrorCode::Cancelled, format!("the message became {status:?} elsewhere").to_lowercase())
}
