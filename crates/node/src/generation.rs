//! The plan of a project generation, asked from JavaScript.

use polaris_core::error::{CoreError, ErrorCode};
use polaris_core::job::generate_project::{GenerationState, PlanName, next as next_action};
use serde::de::DeserializeOwned;

use crate::error::Failure;
use crate::run::json;

pub(crate) fn next(generation_id: &str, plan: &str, state: &str) -> Result<String, Failure> {
    let plan: PlanName = read("plan", &format!("{plan:?}"))?;
    let state: GenerationState = read("state", state)?;
    json(&next_action(generation_id, plan, state).map_err(Failure::from)?)
}

fn read<T: DeserializeOwned>(what: &str, json: &str) -> Result<T, Failure> {
    serde_json::from_str(json)
        .map_err(|error| Failure::from(CoreError::new(ErrorCode::PayloadInvalid, format!("{what}: {error}"))))
}
