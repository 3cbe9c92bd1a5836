//! One cancellation for a whole run: a token that every await watches, and the reason it was
//! cancelled for. The first reason wins.

use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use ts_rs::TS;

/// Why a run is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum CancelReason {
    /// A person or the runner cancelled the run: the message becomes `cancelled`.
    Cancelled,
    /// The runner's time limit passed: the message becomes `failed`.
    Timeout,
    /// The message reached a final status elsewhere: nothing more may be written.
    Superseded,
    /// The handle was dropped (worker thread ended): stop at once and write nothing.
    Dropped,
}

/// The cancellation of one run. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    token: CancellationToken,
    reason: Arc<OnceLock<CancelReason>>,
}

impl Cancel {
    /// A cancellation that has not happened.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the run to stop. Later reasons are ignored.
    pub fn cancel(&self, reason: CancelReason) {
        if self.reason.set(reason).is_ok() {
            self.token.cancel();
        }
    }

    /// Completes once the run is asked to stop, with the reason.
    pub async fn cancelled(&self) -> CancelReason {
        self.token.cancelled().await;
        self.reason().unwrap_or(CancelReason::Cancelled)
    }

    /// The reason, once there is one.
    pub fn reason(&self) -> Option<CancelReason> {
        self.reason.get().copied()
    }

    /// The token, for code that takes tokio's own type (tools).
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_wins_and_late_listeners_still_hear_it() {
        let cancel = Cancel::new();
        cancel.cancel(CancelReason::Timeout);
        cancel.cancel(CancelReason::Cancelled);
        assert_eq!(cancel.cancelled().await, CancelReason::Timeout);
    }
}
