//! The log of a generation's project, written in order and without making anyone wait.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;

use super::Context;
use crate::config::StoreConfig;
use crate::error::Result;
use crate::http::Keep;
use crate::store::convex::Convex;
use crate::store::functions::{LogKind, ProjectLog};
use crate::telemetry::epoch_ms;

/// How long the end of a run may take to be noted in the log.
const LOG_BUDGET: Duration = Duration::from_secs(5);

/// Writes lines of the log in their order, without making anyone wait. A line that cannot be written
/// is lost: the log is a comfort, the files are the work.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) log: Arc<ProjectLog>,
    lines: Mutex<Option<mpsc::UnboundedSender<(LogKind, String, u64)>>>,
    task: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

impl Log {
    pub(super) fn new(context: &Context, project_id: &str) -> Result<Self> {
        Self::over(context, project_id, StoreConfig::from_env(&context.env)?)
    }

    /// The log of a run whose process waits for other runs afterwards, and may be frozen meanwhile.
    pub(super) fn before_a_wait(context: &Context, project_id: &str) -> Result<Self> {
        let mut store = StoreConfig::from_env(&context.env)?;
        store.network.keep = Keep::Run;
        Self::over(context, project_id, store)
    }

    fn over(context: &Context, project_id: &str, store: StoreConfig) -> Result<Self> {
        let log = Arc::new(ProjectLog::new(Convex::new(store)?, project_id));
        let (lines, mut receiver) = mpsc::unbounded_channel::<(LogKind, String, u64)>();
        let task = tokio::spawn({
            let (log, telemetry) = (Arc::clone(&log), context.telemetry.clone());
            async move {
                while let Some((kind, message, at)) = receiver.recv().await {
                    if let Err(error) = log.append(kind, &message, at).await {
                        telemetry.error("store", &error);
                    }
                }
            }
        });
        Ok(Self { log, lines: Mutex::new(Some(lines)), task: Mutex::new(Some(task)) })
    }

    /// A time for the next line.
    pub(super) fn now(&self) -> u64 {
        self.log.next_time(epoch_ms(SystemTime::now()) as u64)
    }

    pub(super) fn say(&self, kind: LogKind, message: String) {
        let at = self.now();
        if let Some(lines) = self.lines.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            // The receiver lives as long as the log.
            let _ = lines.send((kind, message, at));
        }
    }

    /// Waits until everything that was said is written.
    pub(super) async fn close(&self) {
        drop(self.lines.lock().unwrap_or_else(PoisonError::into_inner).take());
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            let abort = task.abort_handle();
            if tokio::time::timeout(LOG_BUDGET, task).await.is_err() {
                abort.abort();
            }
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}
