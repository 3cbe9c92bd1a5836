//! The store, and the service that reads pages of the web.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use url::Url;

use super::{Env, Secret, parse_url};
use crate::error::{CoreError, ErrorCode, Result};
use crate::http::Network;

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
