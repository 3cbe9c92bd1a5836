//! What a run is told: variables of the environment name keys, URLs and models; options of the
//! task file name behaviour. Both are checked here, once, before anything is sent anywhere.

mod model;
mod options;
mod services;
#[cfg(test)]
mod tests;
pub mod tools;

use std::collections::BTreeMap;

use url::Url;

pub use self::model::*;
pub use self::options::*;
pub use self::services::*;
use crate::error::{CoreError, ErrorCode, Result};

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

/// The variable by which Node is told of more certificates; the core follows it.
pub(crate) const EXTRA_CA: &str = "NODE_EXTRA_CA_CERTS";

/// Whether the core looks at the variable `name` (at `PATH` for the Node that commands use). A run is given
/// no others: they may be somebody else's secrets.
pub fn is_variable(name: &str) -> bool {
    const PREFIXES: [&str; 6] =
        ["POLARIS_", "OPENROUTER_", "CEREBRAS_", "CONVEX_", "FIRECRAWL_", "NEXT_PUBLIC_"];
    const PROXY: &[u8] = b"_PROXY";
    let is_proxy =
        || name.as_bytes().last_chunk::<{ PROXY.len() }>().is_some_and(|end| end.eq_ignore_ascii_case(PROXY));
    PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || is_proxy() || [EXTRA_CA, "PATH"].contains(&name)
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
