//! The tokio runtime that all runs of this process share, worker threads of Node included.

use napi_derive::module_init;
use tokio::runtime::Builder;

/// Threads that drive runs. A run waits for the network nearly all of its time; two keep one busy
/// decoder from delaying the others, and tokio's default (one per core) would only cost memory in
/// the containers that workers run in.
const WORKER_THREADS: usize = 2;
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
