//! Counts of what is alive in this process, for tests and for those who look for a leak.

use std::sync::atomic::{AtomicU32, Ordering};

use napi_derive::napi;

static HANDLES: AtomicU32 = AtomicU32::new(0);
static RUNS: AtomicU32 = AtomicU32::new(0);

/// What is alive in this process, over all its worker threads.
#[napi(object)]
pub struct Diagnostics {
    /// Handles that JavaScript still holds or has not collected yet.
    pub handles: u32,
    /// Runs that have not ended.
    pub runs: u32,
}

/// Counts what is alive.
#[napi(catch_unwind)]
pub fn diagnostics() -> Diagnostics {
    Diagnostics { handles: HANDLES.load(Ordering::Relaxed), runs: RUNS.load(Ordering::Relaxed) }
}

/// Counts one thing for as long as it exists.
pub(crate) struct Counted(&'static AtomicU32);

impl Counted {
    pub(crate) fn handle() -> Self {
        Self::new(&HANDLES)
    }

    pub(crate) fn run() -> Self {
        Self::new(&RUNS)
    }

    fn new(counter: &'static AtomicU32) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(counter)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
