//! The jobs of a project generation: the check of its input, one step of its plan, and its end in
//! the project's log. Which step comes when is [`super::generate_project`]'s to say.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc;
use ts_rs::TS;

use super::generate_project::{PlanName, PlanPrompts, STEPS, Step, description_problem, find_step};
use super::inspection::inspect;
use super::process_message::stopped;
use super::{Context, RunResult, payload};
use crate::agent::{Agent, Answer, CallRecord, Output, TurnRecord};
use crate::config::{Commit, StoreConfig};
use crate::error::{CoreError, ErrorCode, Result};
use crate::event::MessageStatus;
use crate::http::Keep;
use crate::model::ChatMessage;
use crate::store::convex::Convex;
use crate::store::functions::{LogKind, ProjectLog};
use crate::telemetry::epoch_ms;
use crate::tool::registry::Registry;
use crate::workspace::ProjectFiles;
use crate::workspace::convex::ConvexFiles;
use crate::workspace::staged::StagedFiles;
use crate::workspace::watched::WatchedFiles;

/// How long the end of a run may take to be noted in the log.
const LOG_BUDGET: Duration = Duration::from_secs(5);

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

/// Writes lines of the log in their order, without making anyone wait. A line that cannot be written
/// is lost: the log is a comfort, the files are the work.
#[derive(Debug)]
struct Log {
    log: Arc<ProjectLog>,
    lines: Mutex<Option<mpsc::UnboundedSender<(LogKind, String, u64)>>>,
    task: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

impl Log {
    fn new(context: &Context, project_id: &str) -> Result<Self> {
        Self::over(context, project_id, StoreConfig::from_env(&context.env)?)
    }

    /// The log of a run whose process waits for other runs afterwards, and may be frozen meanwhile.
    fn before_a_wait(context: &Context, project_id: &str) -> Result<Self> {
        let mut store = StoreConfig::from_env(&context.env)?;
        store.network.keep = Keep::Run;
        Self::over(context, project_id, store)
    }

    fn over(context: &Context, project_id: &str, store: StoreConfig) -> Result<Self> {
        let log = Arc::new(ProjectLog::new(Convex::new(store)?, project_id));
        let (lines, mut receiver) = mpsc::unbounded_channel::<(LogKind, String, u64)>();
        let task = tokio::spawn({
            let (log, telemetry) = (Arc::clone(&log), context.telemetry.clone());
            async move {
                while let Some((kind, message, at)) = receiver.recv().await {
                    if let Err(error) = log.append(kind, &message, at).await {
                        telemetry.error("store", &error);
                    }
                }
            }
        });
        Ok(Self { log, lines: Mutex::new(Some(lines)), task: Mutex::new(Some(task)) })
    }

    /// A time for the next line.
    fn now(&self) -> u64 {
        self.log.next_time(epoch_ms(SystemTime::now()) as u64)
    }

    fn say(&self, kind: LogKind, message: String) {
        let at = self.now();
        if let Some(lines) = self.lines.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            // The receiver lives as long as the log.
            let _ = lines.send((kind, message, at));
        }
    }

    /// Waits until everything that was said is written.
    async fn close(&self) {
        drop(self.lines.lock().unwrap_or_else(PoisonError::into_inner).take());
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            let abort = task.abort_handle();
            if tokio::time::timeout(LOG_BUDGET, task).await.is_err() {
                abort.abort();
            }
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

/// Checks the input of a generation.
pub(super) async fn validate(context: &Context, payload: Value) -> Result<RunResult> {
    let payload: GenerationValidatePayload = payload::read(payload)?;
    let log = Log::before_a_wait(context, &payload.project_id)?;
    // Without a project there is nobody to generate for, and no log either.
    log.log.begin_generation(log.now()).await?;
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
struct StepOutput<'a> {
    log: &'a Log,
    step: &'static Step,
}

impl Output for StepOutput<'_> {
    fn text(&self, _delta: &str) {}
    fn reset_to(&self, _bytes: usize) {}
    fn turn(&self, _turn: &TurnRecord, calls: &[CallRecord]) {
        if !calls.is_empty() {
            self.log.say(LogKind::Info, format!("{} emitted {} tool call(s)", self.step.id, calls.len()));
        }
        let cut = calls.iter().filter(|call| call.args.is_none()).count();
        if cut > 0 {
            let step = self.step.id;
            let line = format!("{step} goes on: {cut} tool call(s) were cut off and not run");
            self.log.say(LogKind::Info, line);
        }
    }
    fn result(&self, _id: &str, _result: &str) {}
    fn recorded(&self) -> BoxFuture<'_, ()> {
        ready(()).boxed()
    }
}

/// Runs one step: a conversation of its own over the project's files.
pub(super) async fn run(context: &Context, payload: Value) -> Result<RunResult> {
    let payload: GenerationStepPayload = payload::read(payload)?;
    let step = find_step(&payload.step)?;
    if let Some(problem) = description_problem(&payload.description) {
        return Err(CoreError::new(ErrorCode::PayloadInvalid, problem));
    }
    let log = Log::new(context, &payload.project_id)?;
    // Waited for: a project that is gone costs no model call.
    let first = format!("Starting {}", step.id);
    let begin = log.log.append(LogKind::Step, &first, log.now());
    match context.until_cancelled(begin).await {
        Ok(Err(error)) if error.code == ErrorCode::ProjectNotFound => return Err(error),
        Ok(Err(error)) => context.telemetry.error("store", &error),
        Ok(Ok(())) => {}
        Err(reason) => return Err(stopped(reason)),
    }
    let store = log.log.files();
    let mut files: Arc<dyn ProjectFiles> = Arc::new(ConvexFiles::new(store.clone()));
    let staged = match context.options.commit {
        Commit::Streaming => None,
        Commit::Atomic => Some(Arc::new(StagedFiles::new(Arc::clone(&files)))),
    };
    if let Some(staged) = &staged {
        files = Arc::clone(staged) as _;
    }
    let files = Arc::new(WatchedFiles::new(files, step.first_tool == "listFiles"));
    let body = async {
        let answer = answer(context, step, &payload, &files, &log).await?;
        if let Some(staged) = &staged {
            staged.commit(&store).await?;
        }
        Ok::<_, CoreError>(answer)
    };
    let result = match context.until_cancelled(body).await {
        Ok(Ok(answer)) => {
            log.say(LogKind::Step, format!("Completed {}", step.id));
            let inspection = match context.options.inspect.0 {
                // The files as everybody sees them, staged ones included by now.
                true => context.until_cancelled(inspect(context, &store)).await.unwrap_or(None),
                false => None,
            };
            if is_last(step)
                && let Some(inspection) = &inspection
            {
                inspection.lines().into_iter().for_each(|line| log.say(LogKind::Info, line));
            }
            Ok(RunResult {
                written: Some(files.written()),
                inspection,
                ..RunResult::answered(MessageStatus::Completed, &answer)
            })
        }
        Ok(Err(error)) => {
            if !error.retryable() || context.options.attempt.is_last() {
                log.say(LogKind::Error, format!("{} failed: {error}", step.id));
            }
            Err(error)
        }
        Err(reason) => Err(stopped(reason)),
    };
    log.close().await;
    result
}

/// Whether the project is whole after this step.
fn is_last(step: &Step) -> bool {
    STEPS.last().is_some_and(|last| last.id == step.id)
}

async fn answer(
    context: &Context,
    step: &'static Step,
    payload: &GenerationStepPayload,
    files: &Arc<WatchedFiles>,
    log: &Log,
) -> Result<Answer> {
    let options = &context.options;
    let prompts = match &options.prompts.plan {
        Some(prompt) => PlanPrompts::parse(&prompt.load("options.prompts.plan").await?)?,
        None => PlanPrompts::parse(payload.plan.shipped())?,
    };
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
    agent.run(messages, None, &StepOutput { log, step }).await
}
