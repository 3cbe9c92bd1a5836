//! The tokio runtime that all runs of this process share, worker threads of Node included.

use napi_derive::module_init;
use tokio::runtime::Builder;

/// Threads that drive runs. A run waits for the network nearly all of its time, and what computes for
/// longer goes to the blocking threads; a second one cost a tenth more CPU with 200 streams in the
/// process (`npm run bench -- concurrent`), because tasks that wake each other sat on both.
const WORKER_THREADS: usize = 1;
/// Threads for file reads and name look-ups. Tokio's default is 512, each with its own stack.
const BLOCKING_THREADS: usize = 8;

/// Runs once per process, when the library is loaded. If the system refuses the threads, napi's own
/// runtime takes over; so it does when all Node environments have ended and a new one starts.
#[module_init]
fn init() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_name("polaris-worker")
        .enable_all()
        .build();
    if let Ok(runtime) = runtime {
        napi::bindgen_prelude::create_custom_tokio_runtime(runtime);
    }
}
