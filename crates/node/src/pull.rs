//! How JavaScript pulls a run's events. It asks with the number of a promise; the task that stands here
//! for it waits for events, not for being asked, so that to ask wakes no thread.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use polaris_core::event::{Event, Ready};
use polaris_core::job::Run;
use tokio::sync::Notify;

use crate::mailbox::{Answer, Mailbox};
use crate::run::json;

/// The asking side. When it is dropped, the task ends.
pub(crate) struct Puller {
    run: Arc<Run>,
    mailbox: Mailbox,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    asked: Mutex<Asked>,
    changed: Notify,
}

#[derive(Default)]
struct Asked {
    /// Promises that wait, the first in turn first.
    promises: VecDeque<u32>,
    /// Events are there and nobody has asked for them: the task waits for that.
    idle: bool,
    /// Nobody will ask any more.
    gone: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the task if it waits for a change.
    fn wake(&self, mut asked: MutexGuard<'_, Asked>) {
        let was_idle = std::mem::take(&mut asked.idle);
        drop(asked);
        if was_idle {
            self.changed.notify_one();
        }
    }
}

impl Drop for Puller {
    fn drop(&mut self) {
        let mut asked = self.shared.lock();
        asked.gone = true;
        self.shared.wake(asked);
    }
}

impl Puller {
    /// Must be called inside the runtime.
    pub(crate) fn new(run: &Arc<Run>, mailbox: &Mailbox) -> Self {
        let shared = Arc::<Shared>::default();
        tokio::spawn(serve(Arc::clone(run), mailbox.share(), Arc::clone(&shared)));
        Self { run: Arc::clone(run), mailbox: mailbox.share(), shared }
    }

    /// Settles the promise `number` with the next events as a JSON array, with null at the end.
    pub(crate) fn ask(&self, number: u32) {
        let mut asked = self.shared.lock();
        // Whoever asks behind another waits for it.
        let ready = if asked.promises.is_empty() { self.run.take_ready() } else { None };
        match ready {
            Some(batch) => self.mailbox.settle(number, written(batch)),
            None => {
                asked.promises.push_back(number);
                self.shared.wake(asked);
            }
        }
    }
}

async fn serve(run: Arc<Run>, mailbox: Mailbox, shared: Arc<Shared>) {
    loop {
        let ready = run.ready().await;
        let first = {
            let mut asked = shared.lock();
            if asked.gone {
                return;
            }
            let first = asked.promises.front().copied();
            asked.idle = first.is_none();
            first
        };
        let Some(number) = first else {
            shared.changed.notified().await;
            continue;
        };
        // While its number stays in front, whoever asks stands behind it; nobody waits for the writing.
        let Some(batch) = run.take_ready() else { continue };
        let is_end = batch.is_none();
        let answer = written(batch);
        let mut asked = shared.lock();
        asked.promises.pop_front();
        match ready {
            Ready::Urgent => mailbox.settle(number, answer),
            Ready::Due => mailbox.settle_soon(number, answer),
        }
        if is_end {
            // From now on, whoever asks is answered at once.
            for number in asked.promises.drain(..) {
                mailbox.settle(number, Ok(None));
            }
            return;
        }
    }
}

fn written(batch: Option<Vec<Event>>) -> Answer {
    batch.map(|events| json(&events)).transpose()
}
