//! Prints the TypeScript of everything that crosses the bridge. `npm/src/generated.ts` is this
//! output; `npm run check` compares them.
#![allow(clippy::print_stdout)]

use polaris_core::cancel::CancelReason;
use polaris_core::code::inspect::{Problem, ProblemKind};
use polaris_core::config::tools::{OwnToolSpec, ToolChoice};
use polaris_core::config::{
    Attempt, Commit, Deltas, Limits, ModelOptions, Models, Prompt, Prompts, ReasoningOption, RunOptions,
    ScrapeLimits,
};
use polaris_core::error::ErrorCode;
use polaris_core::event::{Event, FinishReason, MessageStatus, OutputStream, Usage, WriteKind};
use polaris_core::job::agent::{AgentMessage, AgentPayload};
use polaris_core::job::demo_generate::DemoGeneratePayload;
use polaris_core::job::generate_project::{GenerationState, NextAction, PlanName, Verify};
use polaris_core::job::generation_step::{
    GenerationEndPayload, GenerationOutcome, GenerationStepPayload, GenerationValidatePayload,
};
use polaris_core::job::process_message::ProcessMessagePayload;
use polaris_core::job::{Inspection, JobName, Repair, RunResult, RunSpec};
use polaris_core::scrape::LeftOut;
use polaris_core::tool::own::OwnToolMessage;
use ts_rs::{Config, TS};

fn declare<T: TS>(config: &Config) {
    let docs = T::docs().unwrap_or_default();
    println!("\n{docs}export {}", T::decl(config));
}

fn main() {
    let config = Config::default();
    println!("// Generated from crates/core by `npm run types`. Do not edit.");
    declare::<ErrorCode>(&config);
    declare::<CancelReason>(&config);
    declare::<JobName>(&config);
    declare::<MessageStatus>(&config);
    declare::<WriteKind>(&config);
    declare::<FinishReason>(&config);
    declare::<OutputStream>(&config);
    declare::<Usage>(&config);
    declare::<Event>(&config);
    declare::<Deltas>(&config);
    declare::<Limits>(&config);
    declare::<Prompt>(&config);
    declare::<Prompts>(&config);
    declare::<Attempt>(&config);
    declare::<ReasoningOption>(&config);
    declare::<ModelOptions>(&config);
    declare::<Models>(&config);
    declare::<Commit>(&config);
    declare::<ScrapeLimits>(&config);
    declare::<OwnToolSpec>(&config);
    declare::<ToolChoice>(&config);
    declare::<OwnToolMessage>(&config);
    declare::<RunOptions>(&config);
    declare::<AgentMessage>(&config);
    declare::<AgentPayload>(&config);
    declare::<ProcessMessagePayload>(&config);
    declare::<PlanName>(&config);
    declare::<Verify>(&config);
    declare::<GenerationState>(&config);
    declare::<NextAction>(&config);
    declare::<GenerationValidatePayload>(&config);
    declare::<GenerationStepPayload>(&config);
    declare::<GenerationOutcome>(&config);
    declare::<GenerationEndPayload>(&config);
    declare::<DemoGeneratePayload>(&config);
    declare::<LeftOut>(&config);
    declare::<ProblemKind>(&config);
    declare::<Problem>(&config);
    declare::<Inspection>(&config);
    declare::<Repair>(&config);
    declare::<RunSpec>(&config);
    declare::<RunResult>(&config);
    println!("\n/** Every error code: whether a new attempt can help, and what to do. */");
    println!("export const ERROR_CODES = {{");
    for code in ErrorCode::ALL {
        println!("  {}: {{ retryable: {}, hint: {:?} }},", code.name(), code.retryable(), code.hint());
    }
    println!("}} as const satisfies Record<ErrorCode, {{ retryable: boolean; hint: string }}>;");
}
