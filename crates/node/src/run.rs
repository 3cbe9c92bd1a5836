//! The handle of a run, as JavaScript holds it.

use std::sync::Arc;

use napi::bindgen_prelude::{Either, Null, Object, Undefined, within_runtime_if_available};
use napi::{Env, Result};
use napi_derive::napi;
use polaris_core::cancel::CancelReason;
use polaris_core::code::server::PATH_VARIABLE;
use polaris_core::error::{CoreError, ErrorCode};
use polaris_core::job::{Run, RunResult, RunSpec};
use polaris_core::tool::own::OwnToolAnswer;
use serde::Serialize;
use tokio::sync::Mutex;

use crate::error::Failure;
use crate::live::Counted;
use crate::mailbox::Mailbox;
use crate::pull::Puller;
use crate::variables;

/// Starts a run and returns at once; its promises settle through `mailbox`. `spec` is a `RunSpec` as
/// JSON; one that cannot be read is thrown. `environment` is `process.env`; `typescript` is the language
/// server's file where that names none.
#[napi(catch_unwind)]
pub fn start_run(
    env: &Env,
    mailbox: &Mailbox,
    spec: String,
    environment: Object<'_>,
    typescript: Option<String>,
) -> Result<NativeRun> {
    let spec = RunSpec::from_json(&spec).map_err(|error| Failure::from(error).into_js(env))?;
    let variables = variables::read(&environment)?
        .into_iter()
        .chain(typescript.map(|file| (PATH_VARIABLE.to_owned(), file)))
        .collect();
    let (run, puller) = within_runtime_if_available(|| {
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
        let puller = Puller::new(&run, mailbox);
        (run, puller)
    });
    Ok(NativeRun {
        run,
        puller,
        mailbox: mailbox.share(),
        pulling_calls: Arc::default(),
        _counted: Counted::handle(),
    })
}

/// A run under way.
///
/// When it is collected, or its worker thread ends, the run is cancelled and nothing more is
/// written: nobody is left to hear of it. `npm/src` keeps it reachable while a promise is open.
#[napi]
pub struct NativeRun {
    run: Arc<Run>,
    puller: Puller,
    mailbox: Mailbox,
    /// The queue of calls has one receiver at a time; further ones wait for their turn.
    pulling_calls: Arc<Mutex<()>>,
    _counted: Counted,
}

impl Drop for NativeRun {
    fn drop(&mut self) {
        self.run.cancel(CancelReason::Dropped);
    }
}

#[napi]
impl NativeRun {
    /// The next events as a JSON array, `null` once there will be no more: the promise `number` settles
    /// with them, but for the rest of a run that is over. Where nobody else waits (`alone`), that is
    /// returned at once; everything else gives `undefined`.
    #[napi(catch_unwind, ts_return_type = "string | null | undefined")]
    pub fn next_batch(
        &self,
        env: &Env,
        number: u32,
        alone: bool,
    ) -> Result<Either<Either<String, Null>, Undefined>> {
        // To look is to take.
        let rest = if alone { self.run.rest_of_events() } else { None };
        match rest {
            None => {
                self.puller.ask(number);
                Ok(Either::B(()))
            }
            Some(None) => Ok(Either::A(Either::B(Null))),
            Some(Some(events)) => {
                let events = json(&events).map_err(|failure| failure.into_js(env))?;
                Ok(Either::A(Either::A(events)))
            }
        }
    }

    /// Settles the promise `number` with what is new of the calls of one's own tools, an array of
    /// `OwnToolMessage` as JSON; `null` once there will be no more.
    #[napi(catch_unwind)]
    pub fn next_own_calls(&self, number: u32) {
        let (run, pulling) = (Arc::clone(&self.run), Arc::clone(&self.pulling_calls));
        self.mailbox.promise(number, async move {
            let _turn = pulling.lock().await;
            run.next_own_calls().await.map(|calls| json(&calls)).transpose()
        });
    }

    /// Answers a call of one of one's own tools: `kind` is `text`, `failed`, `fatal` or `unavailable`,
    /// `bytes` how long the text is in full. Whether somebody still waited for it.
    #[napi(catch_unwind)]
    pub fn answer_own_call(
        &self,
        env: &Env,
        id: u32,
        kind: String,
        text: String,
        bytes: f64,
    ) -> Result<bool> {
        let answer = match kind.as_str() {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a length")]
            "text" => OwnToolAnswer::Text { text, bytes: bytes as usize },
            "failed" => OwnToolAnswer::Failed(text),
            "fatal" => OwnToolAnswer::Fatal { message: text, retryable: false },
            "unavailable" => OwnToolAnswer::Fatal { message: text, retryable: true },
            other => {
                let error = CoreError::new(ErrorCode::Internal, format!("{other:?} is no kind of answer"));
                return Err(Failure::from(error).into_js(env));
            }
        };
        Ok(self.run.answer_own_call(id, answer))
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

    /// How the run ended: a `RunResult` as JSON, or an error with what it ended with. Of a run that is
    /// over, it is returned; otherwise this gives `undefined`, and the promise `number` settles with it.
    #[napi(catch_unwind, ts_return_type = "string | undefined")]
    pub fn result(&self, env: &Env, number: u32) -> Result<Either<String, Undefined>> {
        if let Some(result) = self.run.result_now() {
            return written(result, &self.run).map(Either::A).map_err(|failure| failure.into_js(env));
        }
        let run = Arc::clone(&self.run);
        self.mailbox.promise(number, async move { written(run.result().await, &run).map(Some) });
        Ok(Either::B(()))
    }
}

fn written(
    result: std::result::Result<RunResult, CoreError>,
    run: &Run,
) -> std::result::Result<String, Failure> {
    match result {
        Ok(result) => json(&result),
        Err(error) => Err(Failure::of_run(error, run.telemetry())),
    }
}

pub(crate) fn json<T: Serialize>(value: &T) -> std::result::Result<String, Failure> {
    serde_json::to_string(value)
        .map_err(|error| Failure::internal("an answer of the core cannot be written as JSON", &error))
}
