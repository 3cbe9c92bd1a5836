//! How a run behaves: what a task file sets, with a default for everything.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::tools::ToolChoice;
use super::{Models, ScrapeLimits};
use crate::error::{CoreError, ErrorCode, Result};

/// How text deltas reach JavaScript.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum Deltas {
    /// Neighbouring deltas are joined; a batch of text alone comes at most every 100 ms.
    #[default]
    Coalesced,
    /// Each delta is an event of its own, handed over in batches as soon as it is there.
    Each,
}

/// Bounds of a run. Every one has a default; a value in the task file replaces it.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[ts(optional_fields)]
pub struct Limits {
    /// Model turns in a run, at most. Default 10.
    #[ts(as = "Option<u32>")]
    pub max_steps: u32,
    /// Output tokens of a turn, at most. Default 2,000.
    #[ts(as = "Option<u32>")]
    pub max_output_tokens: u32,
    /// Output tokens of a turn that is asked once more because the limit left nothing usable of it.
    /// Default 8,000, and at most four times `max_output_tokens`.
    #[ts(as = "Option<u32>")]
    pub max_raised_output_tokens: u32,
    /// How often an answer that the token limit cut is continued. Default 2.
    #[ts(as = "Option<u32>")]
    pub max_continuations: u32,
    /// Tokens of earlier messages that the model gets to see, estimated. Default 60,000.
    #[ts(as = "Option<u32>")]
    pub max_history_tokens: u32,
    /// Sampling temperature, 0 to 2. Default 0.7.
    #[ts(as = "Option<f64>")]
    pub temperature: f64,
    /// How often a turn is asked again after a passing failure, inside one attempt. Default 2.
    #[ts(as = "Option<u32>")]
    pub model_retries: u32,
    /// Time to connect to the provider, ms. Default 10,000.
    #[ts(as = "Option<u32>")]
    pub connect_ms: u32,
    /// Time to the first byte of an answer, ms. Default 120,000.
    #[ts(as = "Option<u32>")]
    pub first_byte_ms: u32,
    /// Time without data (comments do not count) after which a stream is given up, ms. Default 90,000.
    #[ts(as = "Option<u32>")]
    pub stall_ms: u32,
    /// Time for one turn, ms. Default 600,000.
    #[ts(as = "Option<u32>")]
    pub turn_ms: u32,
    /// Time for the whole run, ms; the runner's own limit should be longer. Default 3,300,000.
    #[ts(as = "Option<u32>")]
    pub run_ms: u32,
    /// Time for one tool call, ms. Default 30,000.
    #[ts(as = "Option<u32>")]
    pub tool_ms: u32,
    /// Time for the commands of one executeCommand call, ms. Default 30,000.
    #[ts(as = "Option<u32>")]
    pub command_ms: u32,
    /// Bytes of text, reasoning and tool arguments that one turn may bring. Default 4 MiB.
    #[ts(as = "Option<u32>")]
    pub max_answer_bytes: u32,
    /// Bytes of a tool result that the model and the store get. Default 64 KiB.
    #[ts(as = "Option<u32>")]
    pub max_tool_result_bytes: u32,
    /// Tool calls of one turn that run at the same time. Default 8.
    #[ts(as = "Option<u32>")]
    pub max_parallel_tools: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_steps: 10,
            max_output_tokens: 2_000,
            max_raised_output_tokens: 8_000,
            max_continuations: 2,
            max_history_tokens: 60_000,
            temperature: 0.7,
            model_retries: 2,
            connect_ms: 10_000,
            first_byte_ms: 120_000,
            stall_ms: 90_000,
            turn_ms: 600_000,
            run_ms: 3_300_000,
            tool_ms: 30_000,
            command_ms: 30_000,
            max_answer_bytes: 4 << 20,
            max_tool_result_bytes: 64 << 10,
            max_parallel_tools: 8,
        }
    }
}

impl Limits {
    fn check(&self) -> Result<()> {
        let positive = [
            ("maxSteps", self.max_steps),
            ("maxOutputTokens", self.max_output_tokens),
            ("connectMs", self.connect_ms),
            ("firstByteMs", self.first_byte_ms),
            ("stallMs", self.stall_ms),
            ("turnMs", self.turn_ms),
            ("runMs", self.run_ms),
            ("maxHistoryTokens", self.max_history_tokens),
            ("toolMs", self.tool_ms),
            ("commandMs", self.command_ms),
            ("maxAnswerBytes", self.max_answer_bytes),
            ("maxToolResultBytes", self.max_tool_result_bytes),
            ("maxParallelTools", self.max_parallel_tools),
        ];
        if let Some((name, _)) = positive.into_iter().find(|(_, value)| *value == 0) {
            return Err(CoreError::new(
                ErrorCode::ConfigInvalid,
                format!("options.limits.{name} must be at least 1"),
            ));
        }
        if !(0.0..=2.0).contains(&self.temperature) {
            return Err(CoreError::new(
                ErrorCode::ConfigInvalid,
                "options.limits.temperature must be between 0 and 2",
            ));
        }
        Ok(())
    }
}

/// A prompt: the bytes of a file, or a text given in the task file.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Prompt {
    /// A file, read at the start of each run and sent as it is.
    File(PathBuf),
    /// The prompt itself.
    Text(String),
}

impl Prompt {
    /// The prompt's text.
    ///
    /// # Errors
    /// `CONFIG_INVALID` when the file cannot be read as UTF-8 text or is blank.
    pub async fn load(&self, option: &str) -> Result<String> {
        let (text, what) = match self {
            Prompt::Text(text) => (text.clone(), String::from("the text")),
            Prompt::File(path) => {
                let path = path.clone();
                let what = path.display().to_string();
                let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(path)).await;
                let text = read
                    .map_err(|e| e.to_string())
                    .and_then(|r| r.map_err(|e| e.to_string()))
                    .map_err(|e| {
                        CoreError::new(ErrorCode::ConfigInvalid, format!("{option}: cannot read {what}: {e}"))
                    })?;
                (text, what)
            }
        };
        if text.trim().is_empty() {
            return Err(CoreError::new(ErrorCode::ConfigInvalid, format!("{option}: {what} is blank")));
        }
        Ok(text)
    }
}

/// The prompts of a job; a missing one is the default that ships with the package.
#[derive(Debug, Clone, Default, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[ts(optional_fields)]
pub struct Prompts {
    /// The system prompt.
    pub system: Option<Prompt>,
    /// All prompts of a project generation, in one file.
    pub plan: Option<Prompt>,
}

/// Which attempt of how many this is; the runner counts from 1.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Attempt {
    /// This attempt, from 1.
    pub number: u32,
    /// The last attempt that the runner will make.
    pub max: u32,
}

impl Default for Attempt {
    fn default() -> Self {
        Self { number: 1, max: 1 }
    }
}

impl Attempt {
    /// Whether the runner makes another attempt after a failure that may be retried.
    pub fn is_last(self) -> bool {
        self.number >= self.max
    }
}

/// A switch that is on by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Inspect(pub bool);

impl Default for Inspect {
    fn default() -> Self {
        Self(true)
    }
}

/// When the files of a generation's step become visible.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum Commit {
    /// Each as soon as it is written.
    #[default]
    Streaming,
    /// All of a step together at its end, or none.
    Atomic,
}

/// How a run behaves. Set in the task file; the environment names only keys, URLs and models.
#[derive(Debug, Clone, Default, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[ts(optional_fields)]
pub struct RunOptions {
    /// The tools that the model may call. Default: `["*"]`, all that the job offers.
    pub tools: Option<Vec<ToolChoice>>,
    /// Prompts that replace the job's own.
    #[ts(as = "Option<Prompts>")]
    pub prompts: Prompts,
    /// Headers, body fields and reasoning of the two models.
    #[ts(as = "Option<Models>")]
    pub models: Models,
    /// Bounds that replace the defaults.
    #[ts(as = "Option<Limits>")]
    pub limits: Limits,
    /// Whether the project is inspected after each step of a generation. It only reports. Default true.
    #[ts(as = "Option<bool>")]
    pub inspect: Inspect,
    /// When the files of a generation's step become visible. Default `streaming`.
    #[ts(as = "Option<Commit>")]
    pub commit: Commit,
    /// Bounds of what a prompt's URLs may bring.
    #[ts(as = "Option<ScrapeLimits>")]
    pub scrape: ScrapeLimits,
    /// How text deltas reach JavaScript.
    #[ts(as = "Option<Deltas>")]
    pub deltas: Deltas,
    /// The runner's attempt counter.
    #[ts(as = "Option<Attempt>")]
    pub attempt: Attempt,
    /// The runner's id for this run; stored with the message.
    pub run_id: Option<String>,
}

impl RunOptions {
    /// Checks what types alone cannot.
    ///
    /// # Errors
    /// `CONFIG_INVALID` names the option.
    pub fn check(&self) -> Result<()> {
        if self.attempt.number == 0 || self.attempt.max == 0 {
            return Err(CoreError::new(ErrorCode::ConfigInvalid, "options.attempt counts from 1"));
        }
        self.models.primary.check("primary")?;
        self.models.fallback.check("fallback")?;
        self.limits.check()
    }
}
