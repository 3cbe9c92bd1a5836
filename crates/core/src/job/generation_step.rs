//! The jobs of a project generation: the check of its input, one step of its plan, and its end in
//! the project's log. Which step comes when is [`super::generate_project`]'s to say.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use serde::Deserialize;
use serde_json::Value;
use ts_rs::TS;

use super::generate_project::{
    PlanName, PlanPrompts, REPAIR_STEP, STEPS, Step, description_problem, find_step,
};
use super::generation_log::Log;
use super::inspection::{Inspection, inspect};
use super::process_message::stopped;
use super::repair::{self, Repair};
use super::{Context, RunResult, payload};
use crate::agent::{Agent, Answer, CallRecord, Output, TurnRecord};
use crate::config::Commit;
use crate::error::{CoreError, ErrorCode, Result};
use crate::event::MessageStatus;
use crate::model::ChatMessage;
use crate::store::functions::LogKind;
use crate::tool::registry::Registry;
use crate::workspace::ProjectFiles;
use crate::workspace::convex::ConvexFiles;
use crate::workspace::staged::StagedFiles;
use crate::workspace::watched::{Rule, WatchedFiles};

/// The payload of job `generation-validate`.
#[derive(Debug, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct GenerationValidatePayload {
    /// The project to fill.
    pub project_id: String,
    /// What it is to be.
    pub description: String,
}

/// The payload of job `generation-step`.
#[derive(Debug, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct GenerationStepPayload {
    /// The project to fill.
    pub project_id: String,
    /// What it is to be.
    pub description: String,
    /// The step's name.
    pub step: String,
    /// Whose prompts are followed.
    #[serde(default)]
    #[ts(as = "Option<PlanName>", optional)]
    pub plan: PlanName,
}

/// The payload of job `generation-end`.
#[derive(Debug, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct GenerationEndPayload {
    /// The project.
    pub project_id: String,
    /// How it ended, other than well.
    pub outcome: GenerationOutcome,
    /// Why, in one line.
    #[serde(default)]
    #[ts(optional)]
    pub reason: Option<String>,
}

/// How a generation ended, other than well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum GenerationOutcome {
    /// Somebody stopped it; finished files stay.
    Cancelled,
    /// It failed; finished files stay.
    Failed,
}

/// Checks the input of a generation.
pub(super) async fn validate(context: &Context, payload: Value) -> Result<RunResult> {
    let payload: GenerationValidatePayload = payload::read(payload)?;
    let log = Log::before_a_wait(context, &payload.project_id)?;
    // Without a project there is nobody to generate for, and no log either.
    let begin = log.log.begin_generation(log.now());
    context.until_cancelled(begin).await.map_err(stopped)??;
    let problem = description_problem(&payload.description);
    match &problem {
        Some(problem) => log.say(LogKind::Error, format!("Validation failed: {problem}")),
        None => log.say(LogKind::Step, "Completed validate-input".to_owned()),
    }
    log.close().await;
    match problem {
        None => Ok(RunResult::idle(MessageStatus::Completed)),
        Some(problem) => {
            let mut letters = problem.chars();
            let sentence =
                letters.next().map(|first| first.to_uppercase().collect::<String>() + letters.as_str());
            Err(CoreError::new(ErrorCode::PayloadInvalid, sentence.unwrap_or_default()))
        }
    }
}

/// Notes how a generation ended.
pub(super) async fn end(context: &Context, payload: Value) -> Result<RunResult> {
    let payload: GenerationEndPayload = payload::read(payload)?;
    let log = Log::before_a_wait(context, &payload.project_id)?;
    let reason = payload.reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    match payload.outcome {
        GenerationOutcome::Cancelled => log.say(LogKind::Info, format!("Generation cancelled{reason}")),
        GenerationOutcome::Failed => log.say(LogKind::Error, format!("Generation failed{reason}")),
    }
    log.close().await;
    Ok(RunResult::idle(MessageStatus::Completed))
}

/// Counts the calls of each turn in the log.
pub(super) struct StepOutput<'a> {
    pub(super) log: &'a Log,
    pub(super) step: &'a str,
}

impl Output for StepOutput<'_> {
    fn text(&self, _delta: &str) {}
    fn reset_to(&self, _bytes: usize) {}
    fn turn(&self, _turn: &TurnRecord, calls: &[CallRecord]) {
        if !calls.is_empty() {
            self.log.say(LogKind::Info, format!("{} emitted {} tool call(s)", self.step, calls.len()));
        }
        let cut = calls.iter().filter(|call| call.args.is_none()).count();
        if cut > 0 {
            let step = self.step;
            let line = format!("{step} goes on: {cut} tool call(s) were cut off and not run");
            self.log.say(LogKind::Info, line);
        }
    }
    fn result(&self, _id: &str, _result: &str) {}
    fn recorded(&self) -> BoxFuture<'_, ()> {
        ready(()).boxed()
    }
}

/// What a step has done.
#[derive(Default)]
pub(super) struct Done {
    pub(super) answer: Answer,
    /// Paths of the files that it wrote.
    pub(super) written: Vec<String>,
    /// Of the step that repairs.
    pub(super) repair: Option<(Repair, Option<Inspection>)>,
}

/// Runs one step: a conversation of its own over the project's files.
pub(super) async fn run(context: &Context, payload: Value) -> Result<RunResult> {
    let payload: GenerationStepPayload = payload::read(payload)?;
    let id = payload.step.as_str();
    let step = if id == REPAIR_STEP { None } else { Some(find_step(id)?) };
    if let Some(problem) = description_problem(&payload.description) {
        return Err(CoreError::new(ErrorCode::PayloadInvalid, problem));
    }
    let log = Log::new(context, &payload.project_id)?;
    // Waited for: a project that is gone costs no model call.
    let first = format!("Starting {id}");
    let begin = log.log.append(LogKind::Step, &first, log.now());
    match context.until_cancelled(begin).await {
        Ok(Err(error)) if error.code == ErrorCode::ProjectNotFound => return Err(error),
        Ok(Err(error)) => context.telemetry.error("store", &error),
        Ok(Ok(())) => {}
        Err(reason) => return Err(stopped(reason)),
    }
    let body = async {
        match step {
            Some(step) => generate(context, step, &payload, &log).await,
            None => repair::run(context, &payload, &log).await,
        }
    };
    let result = match context.until_cancelled(body).await {
        Ok(Ok(Done { answer, written, repair })) => {
            log.say(LogKind::Step, format!("Completed {id}"));
            let (repair, inspection) = match repair {
                Some((repair, inspection)) => (Some(repair), inspection),
                // The files as everybody sees them, staged ones included by now.
                None if context.options.inspect.0 => {
                    let store = log.log.files();
                    (None, context.until_cancelled(inspect(context, &store)).await.unwrap_or(None))
                }
                None => (None, None),
            };
            if step.is_none_or(is_last)
                && let Some(inspection) = &inspection
            {
                inspection.lines().into_iter().for_each(|line| log.say(LogKind::Info, line));
            }
            Ok(RunResult {
                written: Some(written),
                inspection,
                repair,
                ..RunResult::answered(MessageStatus::Completed, &answer)
            })
        }
        Ok(Err(error)) => {
            if !error.retryable() || context.options.attempt.is_last() {
                log.say(LogKind::Error, format!("{id} failed: {error}"));
            }
            Err(error)
        }
        Err(reason) => Err(stopped(reason)),
    };
    log.close().await;
    result
}

/// One of the nine.
async fn generate(
    context: &Context,
    step: &'static Step,
    payload: &GenerationStepPayload,
    log: &Log,
) -> Result<Done> {
    let store = log.log.files();
    let mut files: Arc<dyn ProjectFiles> = Arc::new(ConvexFiles::new(store.clone()));
    let staged = match context.options.commit {
        Commit::Streaming => None,
        Commit::Atomic => Some(Arc::new(StagedFiles::new(Arc::clone(&files)))),
    };
    if let Some(staged) = &staged {
        files = Arc::clone(staged) as _;
    }
    let rule = if step.first_tool == "listFiles" { Rule::ReadOnly } else { Rule::Free };
    let files = Arc::new(WatchedFiles::new(files, rule));
    let answer = answer(context, step, payload, &files, log).await?;
    if let Some(staged) = &staged {
        staged.commit(&store).await?;
    }
    Ok(Done { answer, written: files.written(), repair: None })
}

/// Whether the project is whole after this step.
fn is_last(step: &Step) -> bool {
    STEPS.last().is_some_and(|last| last.id == step.id)
}

/// The prompts of the plan, or those that replace it.
pub(super) async fn prompts(context: &Context, plan: PlanName) -> Result<PlanPrompts> {
    match &context.options.prompts.plan {
        Some(prompt) => PlanPrompts::parse(&prompt.load("options.prompts.plan").await?),
        None => PlanPrompts::parse(plan.shipped()),
    }
}

async fn answer(
    context: &Context,
    step: &'static Step,
    payload: &GenerationStepPayload,
    files: &Arc<WatchedFiles>,
    log: &Log,
) -> Result<Answer> {
    let options = &context.options;
    let prompts = prompts(context, payload.plan).await?;
    let mut limits = options.limits.clone();
    limits.max_steps = step.max_steps;
    let files: Arc<dyn ProjectFiles> = Arc::clone(files) as _;
    let offered = Registry::for_project(&files, limits.max_tool_result_bytes as usize);
    let tools = context.tools(offered, Some(&payload.project_id), None)?;
    let models = context.models()?;
    let agent = Agent {
        first_tool: Some(step.first_tool),
        // A step has done its part when its turns are used up: the next one builds on what is there.
        may_use_up_steps: true,
        limits: &limits,
        ..context.agent(&models, &tools)
    };
    let messages = vec![
        ChatMessage::System(prompts.system.clone()),
        ChatMessage::User(prompts.request(step, &payload.description)),
    ];
    agent.run(messages, None, &StepOutput { log, step: step.id }).await
}
