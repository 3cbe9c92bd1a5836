//! The Node addon: what `npm/src` calls. Glue only: it starts runs of `polaris-core`, hands over
//! their events as JSON, and turns their errors into JavaScript errors on the JavaScript thread.
//!
//! Rules of the bridge: strings of JSON cross it, not object trees (`process.env` is the one object); the
//! other side pulls, and what it has asked for is handed over for all runs in one call; every export
//! catches panics; nothing here waits on the JavaScript thread; all state belongs to one run, because the
//! process may go on to the next one.

mod error;
mod generation;
pub mod live;
pub mod mailbox;
mod pull;
pub mod run;
mod runtime;
mod variables;

use napi::{Env, Result};
use napi_derive::napi;

/// The version of this addon; the loader refuses one that is not the package's.
#[napi(catch_unwind)]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// What is next for a project generation: pure, asked between the steps. `state` is a
/// `GenerationState` as JSON, `plan` a `PlanName`; the answer is a `NextAction` as JSON.
#[napi(catch_unwind)]
pub fn generation_next(env: &Env, generation_id: String, plan: String, state: String) -> Result<String> {
    generation::next(&generation_id, &plan, &state).map_err(|failure| failure.into_js(env))
}
