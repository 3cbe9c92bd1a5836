//! What a run is told: variables of the environment name keys, URLs and models; options of the
//! task file name behaviour. Both are checked here, once, before anything is sent anywhere.

pub mod tools;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use ts_rs::TS;
use url::Url;

use self::tools::ToolChoice;
use crate::error::{CoreError, ErrorCode, Result};
use crate::http::Network;

/// Default provider of the primary model: OpenRouter's OpenAI-compatible endpoint
/// (<https://openrouter.ai/docs/api-reference/overview>).
pub const OPENROUTER_BASE_URL: &str = "https://openrouter.ai/api/v1";
/// Default primary model.
pub const PRIMARY_MODEL: &str = "moonshotai/kimi-k2.5";
/// Default provider of the fallback model (<https://inference-docs.cerebras.ai>).
pub const CEREBRAS_BASE_URL: &str = "https://api.cerebras.ai/v1";
/// Default fallback model.
pub const FALLBACK_MODEL: &str = "zai-glm-4.7";
/// Default for `HTTP-Referer`, by which OpenRouter attributes requests to an app.
pub const DEFAULT_APP_URL: &str = "http://localhost:3000";
/// `X-Title` sent to OpenRouter.
pub const APP_TITLE: &str = "Polaris IDE";

/// The environment of a run, as a snapshot. An empty value counts as unset.
#[derive(Clone, Default)]
pub struct Env(BTreeMap<String, String>);

/// Names only: values may be secrets.
impl std::fmt::Debug for Env {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Env {
    /// The environment of this process, now.
    pub fn from_process() -> Self {
        Self(
            std::env::vars_os()
                .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
                .collect(),
        )
    }

    /// The value of `name`, without surrounding blanks; `None` if unset or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// The value of `name`, or an error that names it and says what it is for.
    pub fn require(&self, name: &str, purpose: &str) -> Result<&str> {
        self.get(name)
            .ok_or_else(|| CoreError::new(ErrorCode::ConfigMissing, format!("{name} is not set: {purpose}")))
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Env {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(iter: I) -> Self {
        Self(iter.into_iter().map(|(k, v)| (k.into(), v.into())).collect())
    }
}

/// A secret: readable by the code that sends it, never printed.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself. Call this only where it goes on the wire.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Which wire protocol a provider speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// OpenAI-compatible chat completions.
    #[default]
    OpenaiChat,
    /// Anthropic Messages.
    Anthropic,
}

impl Protocol {
    /// The names as configuration spells them.
    pub const NAMES: [(&'static str, Protocol); 2] =
        [("openai-chat", Protocol::OpenaiChat), ("anthropic", Protocol::Anthropic)];

    /// The protocol called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, protocol)| protocol)
    }
}

/// Which part a model plays in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum ModelRole {
    /// Asked first.
    Primary,
    /// Asked when the primary model fails in a way that another provider may not.
    Fallback,
}

/// What differs between the two roles.
struct RoleDefaults {
    base_url: &'static str,
    model: &'static str,
    base_url_var: &'static str,
    model_var: &'static str,
    key_var: &'static str,
    protocol_var: &'static str,
}

const PRIMARY: RoleDefaults = RoleDefaults {
    base_url: OPENROUTER_BASE_URL,
    model: PRIMARY_MODEL,
    base_url_var: "POLARIS_PRIMARY_BASE_URL",
    model_var: "POLARIS_PRIMARY_MODEL",
    key_var: "POLARIS_PRIMARY_API_KEY",
    protocol_var: "POLARIS_PRIMARY_PROTOCOL",
};

const FALLBACK: RoleDefaults = RoleDefaults {
    base_url: CEREBRAS_BASE_URL,
    model: FALLBACK_MODEL,
    base_url_var: "POLARIS_FALLBACK_BASE_URL",
    model_var: "POLARIS_FALLBACK_MODEL",
    key_var: "POLARIS_FALLBACK_API_KEY",
    protocol_var: "POLARIS_FALLBACK_PROTOCOL",
};

/// The providers whose keys have a variable of their own. A provider's key goes to its host only.
const PROVIDER_KEYS: [(&str, &str); 2] =
    [("openrouter.ai", "OPENROUTER_API_KEY"), ("api.cerebras.ai", "CEREBRAS_API_KEY")];

/// Where a model answers, and how it is addressed.
#[derive(Debug, Clone)]
pub struct ModelConfig {
    /// Base URL without a trailing slash; the protocol's path is appended.
    pub base_url: Url,
    /// The model's name as the provider spells it.
    pub model: String,
    /// The key; `None` for a loopback server.
    pub api_key: Option<Secret>,
    /// The wire protocol.
    pub protocol: Protocol,
    /// Headers beyond the protocol's own, e.g. OpenRouter's attribution.
    pub headers: Vec<(String, String)>,
    /// Fields of the request body beyond the protocol's own.
    pub body: Map<String, Value>,
    /// The way there.
    pub network: Network,
}

impl ModelConfig {
    /// The primary model, from `POLARIS_PRIMARY_*`, else OpenRouter with `OPENROUTER_API_KEY`.
    ///
    /// # Errors
    /// `CONFIG_MISSING` and `CONFIG_INVALID` name the variable.
    pub fn primary(env: &Env, options: &ModelOptions) -> Result<Self> {
        let (config, key_name) = Self::read(env, &PRIMARY, options)?;
        match config.api_key {
            None if !is_loopback(&config.base_url) => {
                let host = config.base_url.host_str().unwrap_or_default();
                Err(CoreError::new(
                    ErrorCode::ConfigMissing,
                    format!(
                        "{key_name} is not set: {host} needs a key (a loopback POLARIS_PRIMARY_BASE_URL needs none)"
                    ),
                ))
            }
            _ => Ok(config),
        }
    }

    /// The fallback model, from `POLARIS_FALLBACK_*`, else Cerebras with `CEREBRAS_API_KEY`.
    /// Without a key there is no fallback.
    ///
    /// # Errors
    /// `CONFIG_MISSING` and `CONFIG_INVALID` name the variable.
    pub fn fallback(env: &Env, options: &ModelOptions) -> Result<Option<Self>> {
        let (config, _) = Self::read(env, &FALLBACK, options)?;
        Ok(Some(config).filter(|config| config.api_key.is_some() || is_loopback(&config.base_url)))
    }

    /// What the provider is called: a name for those that are known, else the host.
    pub fn provider(&self) -> &str {
        match self.base_url.host_str().unwrap_or_default() {
            "openrouter.ai" => "openrouter",
            "api.cerebras.ai" => "cerebras",
            host => host,
        }
    }

    /// The configuration, and the name of the variable that would hold its key.
    fn read(env: &Env, role: &RoleDefaults, options: &ModelOptions) -> Result<(Self, &'static str)> {
        let base_url = parse_url(role.base_url_var, env.get(role.base_url_var).unwrap_or(role.base_url))?;
        let host = base_url.host_str().unwrap_or_default();
        let protocol = match env.get(role.protocol_var) {
            None => Protocol::default(),
            Some(name) => Protocol::from_name(name).ok_or_else(|| {
                let known = Protocol::NAMES.map(|(name, _)| name).join(" or ");
                CoreError::new(
                    ErrorCode::ConfigInvalid,
                    format!("{} is {name:?}: use {known}", role.protocol_var),
                )
            })?,
        };
        let model = match env.get(role.model_var) {
            Some(model) => model,
            None if base_url.as_str() == role.base_url => role.model,
            None => {
                let name = role.model_var;
                return Err(CoreError::new(
                    ErrorCode::ConfigMissing,
                    format!("{name} is not set: {host} must be told which model to use"),
                ));
            }
        };
        let provider_key =
            PROVIDER_KEYS.into_iter().find(|(provider, _)| *provider == host).map(|(_, name)| name);
        let key = env.get(role.key_var).or_else(|| provider_key.and_then(|name| env.get(name)));
        let mut headers = Vec::new();
        let mut body = Map::new();
        let off = options.reasoning == ReasoningOption::Off && protocol == Protocol::OpenaiChat;
        match host {
            "openrouter.ai" => {
                let app_url = env.get("NEXT_PUBLIC_APP_URL").unwrap_or(DEFAULT_APP_URL);
                headers.push(("HTTP-Referer".to_owned(), app_url.to_owned()));
                headers.push(("X-Title".to_owned(), APP_TITLE.to_owned()));
                if off {
                    body.insert("reasoning".to_owned(), json!({ "enabled": false }));
                }
            }
            // It reasons by default and can spend the whole limit on that.
            "api.cerebras.ai" if off => drop(body.insert("reasoning_effort".to_owned(), json!("none"))),
            _ => {}
        }
        headers.extend(options.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        body.extend(options.body.clone());
        let config = Self {
            model: model.to_owned(),
            api_key: key.map(Secret::new),
            protocol,
            headers,
            body,
            network: Network::from_env(env),
            base_url: base_url.clone(),
        };
        Ok((config, provider_key.unwrap_or(role.key_var)))
    }
}

/// What a task file says of one model beyond the environment.
#[derive(Debug, Clone, Default, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[ts(optional_fields)]
pub struct ModelOptions {
    /// Headers to add to each request. Keys belong into the environment.
    #[ts(as = "Option<BTreeMap<String, String>>")]
    pub headers: BTreeMap<String, String>,
    /// Fields to add to the request body, e.g. OpenRouter's `models` or `provider`.
    #[ts(type = "Record<string, unknown>", optional)]
    pub body: Map<String, Value>,
    /// Whether a model that reasons by default is asked not to. Default `off`.
    #[ts(as = "Option<ReasoningOption>")]
    pub reasoning: ReasoningOption,
}

impl ModelOptions {
    fn check(&self, role: &str) -> Result<()> {
        for (name, value) in &self.headers {
            let invalid = |why: &str| {
                Err(CoreError::new(
                    ErrorCode::ConfigInvalid,
                    format!("options.models.{role}.headers[{name:?}] {why}"),
                ))
            };
            if ["authorization", "x-api-key"].contains(&name.to_ascii_lowercase().as_str()) {
                return invalid("is a key: set the variable of the provider instead");
            }
            if reqwest::header::HeaderName::try_from(name.as_str()).is_err()
                || reqwest::header::HeaderValue::try_from(value.as_str()).is_err()
            {
                return invalid("is not a valid HTTP header");
            }
        }
        Ok(())
    }
}

/// Whether a model may reason where the provider lets one choose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum ReasoningOption {
    /// It is asked not to.
    #[default]
    Off,
    /// The provider's default.
    Default,
}

/// What a task file says of the two models.
#[derive(Debug, Clone, Default, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[ts(optional_fields)]
pub struct Models {
    /// Of the primary model.
    #[ts(as = "Option<ModelOptions>")]
    pub primary: ModelOptions,
    /// Of the fallback model.
    #[ts(as = "Option<ModelOptions>")]
    pub fallback: ModelOptions,
}

/// Where the store answers.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// The deployment's URL.
    pub url: Url,
    /// The key that the server functions compare.
    pub internal_key: Secret,
    /// The module of the functions that the core calls, where it is not `system`.
    pub module: Option<String>,
    /// The way there.
    pub network: Network,
}

impl StoreConfig {
    /// The path of one of the core's functions in this deployment.
    pub fn path(&self, path: &'static str) -> Cow<'static, str> {
        match (&self.module, path.strip_prefix("system:")) {
            (Some(module), Some(name)) => Cow::Owned(format!("{module}:{name}")),
            _ => Cow::Borrowed(path),
        }
    }

    /// The Convex deployment, from `CONVEX_URL` or `NEXT_PUBLIC_CONVEX_URL`, and its key.
    ///
    /// # Errors
    /// `CONFIG_MISSING` and `CONFIG_INVALID` name the variable.
    pub fn from_env(env: &Env) -> Result<Self> {
        let (name, url) = match (env.get("CONVEX_URL"), env.get("NEXT_PUBLIC_CONVEX_URL")) {
            (Some(url), _) => ("CONVEX_URL", url),
            (None, Some(url)) => ("NEXT_PUBLIC_CONVEX_URL", url),
            (None, None) => {
                return Err(CoreError::new(
                    ErrorCode::ConfigMissing,
                    "CONVEX_URL (or NEXT_PUBLIC_CONVEX_URL) is not set: it names the Convex deployment",
                ));
            }
        };
        let url = parse_url(name, url)?;
        let key = env.require(
            "POLARIS_CONVEX_INTERNAL_KEY",
            "it opens the server functions of the Convex deployment",
        )?;
        let module = match env.get(MODULE_VARIABLE) {
            Some(module) if !module.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '/')) => {
                return Err(CoreError::new(
                    ErrorCode::ConfigInvalid,
                    format!("{MODULE_VARIABLE} must be the path of a Convex module without its extension"),
                ));
            }
            module => module.map(str::to_owned),
        };
        Ok(Self { url, internal_key: Secret::new(key), module, network: Network::from_env(env) })
    }
}

/// Firecrawl's service (<https://docs.firecrawl.dev/api-reference/v2-introduction>).
pub const FIRECRAWL_URL: &str = "https://api.firecrawl.dev";

/// Where pages of the web come from.
#[derive(Debug, Clone)]
pub struct ScrapeConfig {
    /// The service's URL.
    pub base_url: Url,
    /// Its key.
    pub api_key: Secret,
    /// The way there.
    pub network: Network,
    /// Whether pages of this machine may be asked for, as tests do.
    pub allow_loopback: bool,
}

impl ScrapeConfig {
    /// Firecrawl, from `FIRECRAWL_API_KEY` and `FIRECRAWL_API_URL`; `None` without a key.
    /// `POLARIS_SCRAPE_ALLOW_LOOPBACK` is the operator's word for tests.
    ///
    /// # Errors
    /// `CONFIG_INVALID` names the variable.
    pub fn from_env(env: &Env) -> Result<Option<Self>> {
        const ALLOW: &str = "POLARIS_SCRAPE_ALLOW_LOOPBACK";
        let Some(key) = env.get("FIRECRAWL_API_KEY") else { return Ok(None) };
        let base_url = parse_url("FIRECRAWL_API_URL", env.get("FIRECRAWL_API_URL").unwrap_or(FIRECRAWL_URL))?;
        let allow_loopback = match env.get(ALLOW) {
            None | Some("false" | "0") => false,
            Some("true" | "1") => true,
            Some(other) => {
                let message = format!("{ALLOW} is {other:?}: use true or false");
                return Err(CoreError::new(ErrorCode::ConfigInvalid, message));
            }
        };
        let network = Network::from_env(env);
        Ok(Some(Self { base_url, api_key: Secret::new(key), network, allow_loopback }))
    }
}

/// Bounds of what a prompt's URLs may bring.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[ts(optional_fields)]
pub struct ScrapeLimits {
    /// URLs of a prompt that are asked for, the first ones. Default 5.
    #[ts(as = "Option<u32>")]
    pub max_urls: u32,
    /// Time for one page, repeated tries included, ms. Default 30,000.
    #[ts(as = "Option<u32>")]
    pub page_ms: u32,
    /// Bytes of one page that the model gets, its head. Default 64 KiB.
    #[ts(as = "Option<u32>")]
    pub max_page_bytes: u32,
    /// Bytes of all pages that the model gets. Default 128 KiB.
    #[ts(as = "Option<u32>")]
    pub max_total_bytes: u32,
}

impl Default for ScrapeLimits {
    fn default() -> Self {
        Self { max_urls: 5, page_ms: 30_000, max_page_bytes: 64 << 10, max_total_bytes: 128 << 10 }
    }
}

/// Names the module of the core's functions in apps that have another one called `system`.
const MODULE_VARIABLE: &str = "POLARIS_CONVEX_MODULE";

/// Parses the value of the variable `name` as an http(s) URL without credentials.
fn parse_url(name: &str, value: &str) -> Result<Url> {
    let invalid = |why: &str| CoreError::new(ErrorCode::ConfigInvalid, format!("{name} {why}"));
    let url = Url::parse(value.trim_end_matches('/')).map_err(|e| invalid(&format!("is not a URL: {e}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(invalid("must begin with http:// or https:// and name a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("must not hold a user name or password: use the variable for the key"));
    }
    Ok(url)
}

/// Whether `url` points at this machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn model(vars: &[(&str, &str)]) -> Result<ModelConfig> {
        ModelConfig::primary(&vars.iter().copied().collect(), &ModelOptions::default())
    }

    #[test]
    fn openrouter_is_the_default_and_needs_its_key() {
        let error = model(&[("OPENROUTER_API_KEY", "  ")]).unwrap_err();
        assert_eq!(error.code, ErrorCode::ConfigMissing);
        assert!(error.message.starts_with("OPENROUTER_API_KEY is not set"), "{error}");
        let config = model(&[("OPENROUTER_API_KEY", "k")]).unwrap();
        assert_eq!(config.base_url.as_str(), OPENROUTER_BASE_URL);
        assert_eq!(config.model, PRIMARY_MODEL);
        assert_eq!(config.headers[0], ("HTTP-Referer".to_owned(), DEFAULT_APP_URL.to_owned()));
    }

    #[test]
    fn a_loopback_server_needs_no_key_and_gets_no_openrouter_key() {
        for url in ["http://127.0.0.1:11434/v1/", "http://localhost:1234/v1", "http://[::1]:8000/v1"] {
            let vars = [
                ("POLARIS_PRIMARY_BASE_URL", url),
                ("POLARIS_PRIMARY_MODEL", "m"),
                ("OPENROUTER_API_KEY", "k"),
            ];
            let config = model(&vars).unwrap();
            assert!(config.api_key.is_none(), "{url}");
            assert!(config.headers.is_empty());
        }
    }

    #[test]
    fn another_host_never_gets_the_openrouter_key() {
        let error = model(&[
            ("POLARIS_PRIMARY_BASE_URL", "https://example.com/v1"),
            ("POLARIS_PRIMARY_MODEL", "m"),
            ("OPENROUTER_API_KEY", "k"),
        ])
        .unwrap_err();
        assert!(error.message.contains("POLARIS_PRIMARY_API_KEY"), "{error}");
    }

    #[test]
    fn a_url_that_cannot_be_used_is_refused_by_the_variables_name() {
        for url in ["not a url", "ftp://h/v1", "https://user:pw@h/v1", "http://"] {
            let error = model(&[("POLARIS_PRIMARY_BASE_URL", url)]).unwrap_err();
            assert_eq!(error.code, ErrorCode::ConfigInvalid, "{url}");
            assert!(error.message.starts_with("POLARIS_PRIMARY_BASE_URL "), "{error}");
            assert!(!error.message.contains("pw"), "{error}");
        }
    }

    #[test]
    fn the_store_takes_the_public_url_when_there_is_no_own_one() {
        let env = [
            ("NEXT_PUBLIC_CONVEX_URL", "http://127.0.0.1:1"),
            ("CONVEX_URL", ""),
            ("POLARIS_CONVEX_INTERNAL_KEY", "k"),
        ];
        let config = StoreConfig::from_env(&env.into_iter().collect()).unwrap();
        assert_eq!(config.url.as_str(), "http://127.0.0.1:1/");
        assert_eq!(config.path("system:beginMessage"), "system:beginMessage");
        let error = StoreConfig::from_env(&Env::default()).unwrap_err();
        assert!(error.message.contains("CONVEX_URL"), "{error}");
        let error =
            StoreConfig::from_env(&[("CONVEX_URL", "http://127.0.0.1:1")].into_iter().collect()).unwrap_err();
        assert!(error.message.starts_with("POLARIS_CONVEX_INTERNAL_KEY is not set"), "{error}");
    }

    #[test]
    fn the_functions_may_stand_in_another_module() {
        let env = |module| {
            [
                ("CONVEX_URL", "http://127.0.0.1:1"),
                ("POLARIS_CONVEX_INTERNAL_KEY", "k"),
                ("POLARIS_CONVEX_MODULE", module),
            ]
            .into_iter()
            .collect::<Env>()
        };
        let config = StoreConfig::from_env(&env("polaris/system")).unwrap();
        assert_eq!(config.path("system:beginMessage"), "polaris/system:beginMessage");
        let error = StoreConfig::from_env(&env("a:b")).unwrap_err();
        assert!(error.message.starts_with("POLARIS_CONVEX_MODULE "), "{error}");
    }

    #[test]
    fn a_provider_that_is_not_the_default_must_be_told_the_model() {
        for name in ["", "  "] {
            let vars =
                [("POLARIS_PRIMARY_BASE_URL", "http://127.0.0.1:1/v1"), ("POLARIS_PRIMARY_MODEL", name)];
            let error = model(&vars).unwrap_err();
            assert!(error.message.starts_with("POLARIS_PRIMARY_MODEL is not set"), "{error}");
        }
        let error =
            model(&[("POLARIS_PRIMARY_PROTOCOL", "gopher"), ("OPENROUTER_API_KEY", "k")]).unwrap_err();
        assert_eq!(error.message, "POLARIS_PRIMARY_PROTOCOL is \"gopher\": use openai-chat or anthropic");
    }

    #[test]
    fn without_its_key_there_is_no_fallback() {
        let fallback = |vars: &[(&str, &str)]| {
            ModelConfig::fallback(&vars.iter().copied().collect(), &ModelOptions::default())
        };
        assert!(fallback(&[]).unwrap().is_none());
        assert!(
            fallback(&[("OPENROUTER_API_KEY", "k")]).unwrap().is_none(),
            "another provider's key is none"
        );
        let config = fallback(&[("CEREBRAS_API_KEY", "k")]).unwrap().unwrap();
        assert_eq!((config.base_url.as_str(), config.model.as_str()), (CEREBRAS_BASE_URL, FALLBACK_MODEL));
        assert_eq!(config.body["reasoning_effort"], "none", "it reasons by default");
        let loopback =
            [("POLARIS_FALLBACK_BASE_URL", "http://127.0.0.1:1/v1"), ("POLARIS_FALLBACK_MODEL", "m")];
        assert!(fallback(&loopback).unwrap().is_some());
        assert!(fallback(&[("POLARIS_FALLBACK_BASE_URL", "nope")]).is_err());
    }

    #[test]
    fn headers_and_fields_of_the_task_file_are_added_and_win() {
        let options: ModelOptions = serde_json::from_value(json!({
            "headers": { "X-Team": "a" }, "body": { "models": ["m2"], "reasoning": { "effort": "low" } },
        }))
        .unwrap();
        let config =
            ModelConfig::primary(&[("OPENROUTER_API_KEY", "k")].into_iter().collect(), &options).unwrap();
        assert!(config.headers.contains(&("X-Team".to_owned(), "a".to_owned())));
        assert_eq!(config.body["reasoning"], json!({ "effort": "low" }));
        for (name, value) in [("Authorization", "x"), ("a b", "x"), ("a", "x\ny")] {
            let models = Models {
                primary: ModelOptions {
                    headers: [(name.to_owned(), value.to_owned())].into(),
                    ..ModelOptions::default()
                },
                ..Models::default()
            };
            let error = RunOptions { models, ..RunOptions::default() }.check().unwrap_err();
            assert!(error.message.starts_with("options.models.primary.headers"), "{error}");
        }
    }

    #[test]
    fn a_secret_is_never_printed() {
        let env = [("POLARIS_PRIMARY_API_KEY", "sk-canary")].into_iter().collect();
        assert!(!format!("{:?}", ModelConfig::primary(&env, &ModelOptions::default())).contains("sk-canary"));
    }

    #[test]
    fn a_limit_of_zero_is_refused_by_name() {
        let options =
            RunOptions { limits: Limits { max_steps: 0, ..Limits::default() }, ..RunOptions::default() };
        assert_eq!(options.check().unwrap_err().message, "options.limits.maxSteps must be at least 1");
    }
}
