//! The jobs, and the handle by which a host starts one, pulls its events, stops it and learns how
//! it ended. Everything of a run lives in its handle: when the handle is gone, so is the run.

pub mod agent;
pub mod demo_generate;
pub mod generate_project;
mod generation_log;
pub mod generation_step;
mod inspection;
mod payload;
pub mod process_message;
mod repair;
mod resume;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;
use ts_rs::TS;

pub use self::inspection::Inspection;
pub use self::repair::Repair;
use crate::agent::{Agent, Answer, ModelSet};
use crate::cancel::{Cancel, CancelReason};
use crate::code::server::LanguageServer;
use crate::config::{Env, ModelConfig, RunOptions};
use crate::error::{CoreError, ErrorCode, Result};
use crate::event::{Event, Events, MessageStatus, Ready, Usage};
use crate::model::client::{ModelClient, millis};
use crate::scrape::LeftOut;
use crate::telemetry::Telemetry;
use crate::tool::command::ExecuteCommand;
use crate::tool::own::{About, OwnCalls, OwnToolAnswer, OwnToolMessage};
use crate::tool::registry::Registry;
use crate::workspace::materialise::folder::Folders;
use crate::workspace::snapshot::Snapshot;

/// How long the end of a run waits for its folders to be removed. What is left then is removed while
/// the process lives, or by the next one.
const FOLDERS_BUDGET: Duration = Duration::from_secs(5);

/// What to run.
#[derive(Debug, Clone, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunSpec {
    /// Which job.
    pub job: JobName,
    /// Its payload.
    #[ts(type = "unknown")]
    pub payload: Value,
    /// How it behaves.
    #[serde(default)]
    #[ts(as = "Option<RunOptions>", optional)]
    pub options: RunOptions,
    /// Set if the run was asked to stop before it began: it records its end and asks no model.
    #[serde(default)]
    #[ts(optional)]
    pub cancelled: Option<CancelReason>,
}

impl RunSpec {
    /// Reads a spec from JSON; an error names the field.
    ///
    /// # Errors
    /// `CONFIG_INVALID`.
    pub fn from_json(json: &str) -> Result<Self> {
        // To know the path costs more than to read the spec: it is looked for when it is needed.
        if let Ok(spec) = serde_json::from_str(json) {
            return Ok(spec);
        }
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let invalid = |at: &str, why: &serde_json::Error| {
            let why = why.to_string();
            let why = why.split(" at line ").next().unwrap_or_default();
            CoreError::new(ErrorCode::ConfigInvalid, format!("{at}: {why}"))
        };
        const WHOLE: &str = "the run's spec";
        let spec = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            let path = error.path().to_string();
            invalid(if path == "." { WHOLE } else { &path }, error.inner())
        })?;
        deserializer.end().map_err(|error| invalid(WHOLE, &error))?;
        Ok(spec)
    }
}

/// The jobs of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum JobName {
    /// Answers a message of a conversation in the store.
    ProcessMessage,
    /// The agent alone, without a store: messages in, answer out.
    Agent,
    /// Checks the input of a project generation.
    GenerationValidate,
    /// One step of a project generation.
    GenerationStep,
    /// Notes in the project's log how a generation ended.
    GenerationEnd,
    /// Answers a prompt once, with the pages that it names.
    DemoGenerate,
}

/// How a run ended, if not by an error.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RunResult {
    /// The message's status; `completed` or `cancelled`.
    pub status: MessageStatus,
    /// The message, for jobs that have one.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// The answer's text, for jobs without a store.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The project's files, for jobs that got them in the payload.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<std::collections::BTreeMap<String, String>>,
    /// Paths of the files that a generation step wrote.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written: Option<Vec<String>>,
    /// What is wrong with the project after a generation's step, unless inspection is off.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inspection: Option<Inspection>,
    /// What the extra step of a generation has repaired.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repair: Option<Repair>,
    /// What the provider of that model is called, for job `demo-generate`.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// URLs of the prompt whose pages the model did not get, for job `demo-generate`.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<Vec<LeftOut>>,
    /// Model turns.
    pub steps: u32,
    /// Tool calls.
    pub tool_calls: u32,
    /// Tokens.
    pub usage: Usage,
    /// The model that gave the last turn; empty if none was asked.
    pub model: String,
    /// Whether the fallback took over.
    pub used_fallback: bool,
}

impl RunResult {
    /// The result of a run that found nothing to do, or whose message somebody else ended.
    pub(crate) fn idle(status: MessageStatus) -> Self {
        Self::answered(status, &Answer::default())
    }

    pub(crate) fn answered(status: MessageStatus, answer: &Answer) -> Self {
        Self {
            status,
            message_id: None,
            text: None,
            files: None,
            written: None,
            inspection: None,
            repair: None,
            provider: None,
            left_out: None,
            steps: answer.steps,
            tool_calls: answer.tool_calls,
            usage: answer.usage,
            model: answer.model.clone(),
            used_fallback: answer.used_fallback,
        }
    }
}

/// What a job is given beside its payload.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) env: Env,
    pub(crate) options: RunOptions,
    pub(crate) cancel: Cancel,
    pub(crate) events: Events,
    pub(crate) telemetry: Telemetry,
    pub(crate) started: Instant,
    /// With the files of projects for commands.
    pub(crate) folders: Folders,
    /// Calls of tools that the host runs.
    pub(crate) own_calls: OwnCalls,
}

impl Context {
    /// The models that the environment and the options name.
    pub(crate) fn models(&self) -> Result<ModelSet> {
        let (models, limits) = (&self.options.models, &self.options.limits);
        let primary = ModelClient::new(ModelConfig::primary(&self.env, &models.primary)?, limits.clone())?;
        let fallback = ModelConfig::fallback(&self.env, &models.fallback)?;
        let fallback = fallback.map(|config| ModelClient::new(config, limits.clone())).transpose()?;
        Ok(ModelSet { primary, fallback })
    }

    /// What runs commands on these files within the bounds of the run.
    pub(crate) fn command(&self, files: &Arc<Snapshot>) -> ExecuteCommand {
        let limit = self.options.limits.command_ms;
        ExecuteCommand::new(Arc::clone(files), self.env.clone(), limit).counted_by(&self.folders)
    }

    /// The language server of this run; started when it is first needed.
    pub(crate) fn language_server(&self) -> Arc<LanguageServer> {
        Arc::new(LanguageServer::new(&self.env).counted_by(&self.folders))
    }

    /// Of the tools that the job offers, those that the options name, and the host's own. `work` is
    /// the same in every attempt.
    pub(crate) fn tools(
        &self,
        offered: Registry,
        project_id: Option<&str>,
        work: Option<&str>,
    ) -> Result<Registry> {
        let run_id = self.options.run_id.clone();
        let work = work.map(str::to_owned).or_else(|| run_id.clone());
        let about = About {
            project_id: project_id.map(str::to_owned),
            run_id,
            // Without an id there is no other attempt, but there may be another run at the same time.
            work: work.unwrap_or_else(|| format!("{:x}", crate::http::random().to_bits())),
        };
        let max = self.options.limits.max_tool_result_bytes as usize;
        offered.choose(self.options.tools.as_deref(), &self.own_calls, &about, max)
    }

    /// An agent with these models and tools, and the bounds and recorders of the run.
    pub(crate) fn agent<'a>(&'a self, models: &'a ModelSet, tools: &'a Registry) -> Agent<'a> {
        Agent {
            models,
            tools,
            first_tool: None,
            may_use_up_steps: false,
            limits: &self.options.limits,
            events: &self.events,
            telemetry: &self.telemetry,
            started: self.started,
        }
    }

    /// Runs `body` until it ends or the run is asked to stop. A stopped body is dropped at once:
    /// its sockets close and its tools end.
    pub(crate) async fn until_cancelled<T>(&self, body: impl Future<Output = T>) -> Result<T, CancelReason> {
        let mut body = pin!(body);
        let mut stopped = pin!(self.cancel.cancelled());
        let mut listening: Option<Waker> = None;
        poll_fn(move |context| {
            if let Some(reason) = self.cancel.reason() {
                return Poll::Ready(Err(reason));
            }
            // Each piece of an answer comes by here, and to look at the token takes a lock: who listens
            // already is woken by it.
            let is_heard = |known: &Waker| known.will_wake(context.waker());
            if !listening.as_ref().is_some_and(is_heard) {
                listening = Some(context.waker().clone());
                if let Poll::Ready(reason) = stopped.as_mut().poll(context) {
                    return Poll::Ready(Err(reason));
                }
            }
            body.as_mut().poll(context).map(Ok)
        })
        .await
    }
}

type Outcome = Result<RunResult>;

/// A run under way.
#[derive(Debug)]
pub struct Run {
    events: Events,
    cancel: Cancel,
    telemetry: Telemetry,
    outcome: watch::Receiver<Option<Outcome>>,
    own_calls: OwnCalls,
}

impl Drop for Run {
    fn drop(&mut self) {
        self.cancel.cancel(CancelReason::Dropped);
    }
}

impl Run {
    /// Starts `spec`. Must be called inside a tokio runtime; returns at once.
    pub fn start(spec: RunSpec, env: Env) -> Self {
        let events = Events::new(spec.options.deltas);
        let telemetry = Telemetry::new(events.clone());
        let cancel = Cancel::new();
        if let Some(reason) = spec.cancelled {
            cancel.cancel(reason);
        }
        let (sender, outcome) = watch::channel(None);
        let own_calls = OwnCalls::default();
        let context = Context {
            env,
            options: spec.options,
            cancel: cancel.clone(),
            events: events.clone(),
            telemetry: telemetry.clone(),
            started: Instant::now(),
            folders: Folders::default(),
            own_calls: own_calls.clone(),
        };
        let run_limit = millis(context.options.limits.run_ms);
        let end = Ending { events: events.clone(), own_calls: own_calls.clone(), sender: Some(sender) };
        tokio::spawn(async move {
            let limit = {
                let cancel = context.cancel.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(run_limit).await;
                    cancel.cancel(CancelReason::Timeout);
                })
            };
            let _limit = AbortOnDrop(limit);
            let body = async {
                context.options.check()?;
                // On the heap: a task is moved several times before it runs, as large as its largest job.
                match spec.job {
                    JobName::ProcessMessage => process_message::run(&context, spec.payload).boxed(),
                    JobName::Agent => agent::run(&context, spec.payload).boxed(),
                    JobName::GenerationValidate => generation_step::validate(&context, spec.payload).boxed(),
                    JobName::GenerationStep => generation_step::run(&context, spec.payload).boxed(),
                    JobName::GenerationEnd => generation_step::end(&context, spec.payload).boxed(),
                    JobName::DemoGenerate => demo_generate::run(&context, spec.payload).boxed(),
                }
                .await
            };
            // A panic ends this run only, with a report; the process and its other runs go on.
            let outcome = std::panic::AssertUnwindSafe(body).catch_unwind().await.unwrap_or_else(|panic| {
                let text = panic
                    .downcast_ref::<&str>()
                    .map(|text| (*text).to_owned())
                    .or_else(|| panic.downcast_ref::<String>().cloned())
                    .unwrap_or_default();
                Err(CoreError::new(ErrorCode::Internal, format!("the core panicked: {text}")))
            });
            // The process may be gone as soon as the run has ended.
            let _ = tokio::time::timeout(FOLDERS_BUDGET, context.folders.gone()).await;
            match &outcome {
                Ok(result) => context.events.push(Event::Status { status: result.status }),
                Err(error) => context.telemetry.error("run", error),
            }
            end.done(outcome);
        });
        Self { events, cancel, telemetry, outcome, own_calls }
    }

    /// The next events, or `None` once there will be no more.
    pub async fn next_batch(&self) -> Option<Vec<Event>> {
        self.events.next_batch().await
    }

    /// Waits until [`Self::next_batch`] does not, and says what it has waited for. One receiver at a time.
    pub async fn ready(&self) -> Ready {
        self.events.ready().await
    }

    /// What [`Self::next_batch`] would give, where it would not wait.
    pub fn take_ready(&self) -> Option<Option<Vec<Event>>> {
        self.events.take_ready()
    }

    /// What [`Self::next_batch`] would give, where it would not wait because the run is over.
    pub fn rest_of_events(&self) -> Option<Option<Vec<Event>>> {
        self.events.rest()
    }

    /// The next calls of the host's own tools, or `None` once there will be no more.
    pub async fn next_own_calls(&self) -> Option<Vec<OwnToolMessage>> {
        self.own_calls.next().await
    }

    /// Answers a call of one of the host's own tools. Whether somebody still waited for it.
    pub fn answer_own_call(&self, id: u32, answer: OwnToolAnswer) -> bool {
        self.own_calls.answer(id, answer)
    }

    /// Asks the run to stop. The first reason counts; after the end it does nothing.
    pub fn cancel(&self, reason: CancelReason) {
        self.cancel.cancel(reason);
    }

    /// How the run ended.
    ///
    /// # Errors
    /// What it ended with.
    pub async fn result(&self) -> Outcome {
        let mut outcome = self.outcome.clone();
        match outcome.wait_for(Option::is_some).await {
            Ok(value) => value.clone().unwrap_or_else(|| Err(lost())),
            Err(_) => Err(lost()),
        }
    }

    /// How the run ended, where it has.
    pub fn result_now(&self) -> Option<Outcome> {
        self.outcome.borrow().clone()
    }

    /// What is known about the way to a failure.
    pub fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }
}

fn lost() -> CoreError {
    CoreError::new(ErrorCode::Internal, "the run ended without a result")
}

/// Ends a task with its owner.
struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Closes the run's channels however the task ends, even if the runtime drops it.
struct Ending {
    events: Events,
    own_calls: OwnCalls,
    sender: Option<watch::Sender<Option<Outcome>>>,
}

impl Ending {
    fn done(mut self, outcome: Outcome) {
        if let Some(sender) = self.sender.take() {
            sender.send_replace(Some(outcome));
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        drop(self.sender.take());
        self.own_calls.close();
        self.events.close();
    }
}
