//! The two models of a run: where they answer, and how they are asked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use ts_rs::TS;
use url::Url;

use super::{Env, Secret, is_loopback, parse_url};
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
    pub(super) fn check(&self, role: &str) -> Result<()> {
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
