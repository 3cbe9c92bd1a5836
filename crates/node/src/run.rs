//! The handle of a run, as JavaScript holds it.

use std::collections::BTreeMap;
use std::sync::Arc;

use napi::bindgen_prelude::{PromiseRaw, within_runtime_if_available};
use napi::{Env, Result};
use napi_derive::napi;
use polaris_core::cancel::CancelReason;
use polaris_core::config::Env as RunEnv;
use polaris_core::error::{CoreError, ErrorCode};
use polaris_core::job::{Run, RunSpec};
use serde::Serialize;
use tokio::sync::Mutex;

use crate::error::Failure;
use crate::live::Counted;

/// Starts a run and returns at once. `spec` is a `RunSpec` as JSON; one that cannot be read is
/// thrown. `variables` is `process.env` as JSON: a worker thread of Node has its own, and reading the
/// process's from here while the main thread sets one would be a race.
#[napi(catch_unwind)]
pub fn start_run(env: &Env, spec: String, variables: String) -> Result<NativeRun> {
    let spec = RunSpec::from_json(&spec).map_err(|error| Failure::from(error).into_js(env))?;
    let variables = read_variables(&variables).map_err(|failure| failure.into_js(env))?;
    let run = within_runtime_if_available(|| {
        let run = Arc::new(Run::start(spec, variables));
        let counted = Counted::run();
        // Owns the run until its end; who drops the handle cancels it, see below.
        tokio::spawn({
            let run = Arc::clone(&run);
            async move {
                let _ = run.result().await;
                drop(counted);
            }
        });
        run
    });
    Ok(NativeRun { run, pulling: Arc::default(), _counted: Counted::handle() })
}

/// A run under way.
///
/// When it is collected, or its worker thread ends, the run is cancelled and nothing more is
/// written: nobody is left to hear of it. `npm/src` keeps it reachable while a promise is open.
#[napi]
pub struct NativeRun {
    run: Arc<Run>,
    /// The queue of events has one receiver at a time; further calls wait for their turn.
    pulling: Arc<Mutex<()>>,
    _counted: Counted,
}

impl Drop for NativeRun {
    fn drop(&mut self) {
        self.run.cancel(CancelReason::Dropped);
    }
}

#[napi]
impl NativeRun {
    /// The next events as a JSON array, `null` once there will be no more.
    #[napi(catch_unwind, ts_return_type = "Promise<string | null>")]
    pub fn next_batch<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Option<String>>> {
        let (run, pulling) = (Arc::clone(&self.run), Arc::clone(&self.pulling));
        let batch = async move {
            let _turn = pulling.lock().await;
            Ok(run.next_batch().await.map(|events| json(&events)).transpose())
        };
        env.spawn_future_with_callback(batch, |env, batch| batch.map_err(|failure| failure.into_js(env)))
    }

    /// Asks the run to stop; the first reason counts. `reason` is a `CancelReason`.
    #[napi(catch_unwind)]
    pub fn cancel(&self, env: &Env, reason: String) -> Result<()> {
        let reason: CancelReason = serde_json::from_value(reason.as_str().into()).map_err(|_| {
            let message = format!("cancel: {reason:?} is no reason; use \"cancelled\" or \"timeout\"");
            Failure::from(CoreError::new(ErrorCode::ConfigInvalid, message)).into_js(env)
        })?;
        self.run.cancel(reason);
        Ok(())
    }

    /// How the run ended: a `RunResult` as JSON, or a rejection with what it ended with.
    #[napi(catch_unwind, ts_return_type = "Promise<string>")]
    pub fn result<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, String>> {
        let run = Arc::clone(&self.run);
        let result = async move {
            Ok(match run.result().await {
                Ok(result) => json(&result),
                Err(error) => Err(Failure::of_run(error, run.telemetry())),
            })
        };
        env.spawn_future_with_callback(result, |env, result| result.map_err(|failure| failure.into_js(env)))
    }
}

fn read_variables(json: &str) -> std::result::Result<RunEnv, Failure> {
    let variables: BTreeMap<String, String> = serde_json::from_str(json)
        .map_err(|error| Failure::internal("the environment cannot be read as JSON", &error))?;
    Ok(variables.into_iter().collect())
}

pub(crate) fn json<T: Serialize>(value: &T) -> std::result::Result<String, Failure> {
    serde_json::to_string(value)
        .map_err(|error| Failure::internal("an answer of the core cannot be written as JSON", &error))
}
