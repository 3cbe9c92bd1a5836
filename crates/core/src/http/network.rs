//! The way to the outside as a run's environment describes it: proxies, and certificates to trust
//! beyond the system's. Read from the run's variables, because a worker thread of Node has its own.

use std::path::Path;

use reqwest::{Certificate, NoProxy, Proxy};

use crate::config::{EXTRA_CA, Env};
use crate::error::{CoreError, ErrorCode, Result};

/// For how long a run's connections are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Keep {
    /// Until they have been idle for a few seconds; the next run may use them.
    #[default]
    Process,
    /// They close with the run: the process may be frozen right after it.
    Run,
}

/// How requests leave this machine.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Network {
    /// For how long connections are kept.
    pub keep: Keep,
    https_proxy: Option<Setting>,
    http_proxy: Option<Setting>,
    no_proxy: Option<String>,
    extra_ca: Option<String>,
}

/// A value, and the variable that gave it.
#[derive(Clone, PartialEq, Eq)]
struct Setting {
    name: &'static str,
    value: String,
}

/// Which are set, never their values: a proxy's URL may carry a password.
impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = [&self.https_proxy, &self.http_proxy].into_iter().flatten().map(|setting| setting.name);
        f.debug_struct("Network")
            .field("keep", &self.keep)
            .field("proxies", &names.collect::<Vec<_>>())
            .field("extra_ca", &self.extra_ca)
            .finish()
    }
}

impl Network {
    /// What `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY` (also in lower case) and
    /// `NODE_EXTRA_CA_CERTS` say.
    pub fn from_env(env: &Env) -> Self {
        let first = |names: &[&'static str]| {
            let set = names.iter().find_map(|name| Some((*name, env.get(name)?)));
            set.map(|(name, value)| Setting { name, value: value.to_owned() })
        };
        Self {
            keep: Keep::default(),
            https_proxy: first(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]),
            http_proxy: first(&["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]),
            no_proxy: env.get("NO_PROXY").or_else(|| env.get("no_proxy")).map(str::to_owned),
            extra_ca: env.get(EXTRA_CA).map(str::to_owned),
        }
    }

    /// Whether a request without TLS may go through a proxy with TLS.
    pub(super) fn has_https_proxy(&self) -> bool {
        self.http_proxy.as_ref().is_some_and(|proxy| proxy.value.starts_with("https:"))
    }

    pub(super) fn proxies(&self) -> Result<Vec<Proxy>> {
        let except = self.no_proxy.as_deref().and_then(NoProxy::from_string);
        type Make = fn(&str) -> reqwest::Result<Proxy>;
        let settings: [(_, Make); 2] =
            [(&self.https_proxy, |url| Proxy::https(url)), (&self.http_proxy, |url| Proxy::http(url))];
        let mut proxies = Vec::new();
        for (setting, make) in settings {
            let Some(Setting { name, value }) = setting else { continue };
            let proxy = make(value).map_err(|_| {
                CoreError::new(
                    ErrorCode::ConfigInvalid,
                    format!("{name} is not the URL of a proxy, such as http://proxy.example:3128"),
                )
            })?;
            proxies.push(proxy.no_proxy(except.clone()));
        }
        Ok(proxies)
    }

    pub(super) fn extra_certificates(&self) -> Result<Vec<Certificate>> {
        let Some(file) = &self.extra_ca else { return Ok(Vec::new()) };
        let invalid = |why: &str| {
            CoreError::new(ErrorCode::ConfigInvalid, format!("{EXTRA_CA} names {file}, which {why}"))
        };
        let pem =
            std::fs::read(Path::new(file)).map_err(|error| invalid("cannot be read").with_cause(&error))?;
        let certificates = Certificate::from_pem_bundle(&pem)
            .map_err(|error| invalid("holds no certificates in PEM format").with_cause(&error))?;
        if certificates.is_empty() {
            return Err(invalid("holds no certificates in PEM format"));
        }
        Ok(certificates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(vars: &[(&str, &str)]) -> Network {
        Network::from_env(&vars.iter().copied().collect())
    }

    #[test]
    fn a_proxy_that_is_no_url_is_refused_by_the_name_of_its_variable() {
        let error = network(&[("https_proxy", "http://[")]).proxies().unwrap_err();
        assert_eq!(error.code, ErrorCode::ConfigInvalid);
        assert!(error.message.starts_with("https_proxy "), "{}", error.message);
        assert_eq!(network(&[("ALL_PROXY", "http://127.0.0.1:1")]).proxies().unwrap().len(), 2);
    }

    #[test]
    fn what_is_printed_of_a_network_has_no_password_in_it() {
        let text = format!("{:?}", network(&[("HTTPS_PROXY", "http://user:hunter2@proxy:1")]));
        assert!(text.contains("HTTPS_PROXY") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn a_certificate_file_that_is_none_is_refused_with_its_name() {
        for file in ["/nowhere/ca.pem", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")] {
            let error = network(&[(EXTRA_CA, file)]).extra_certificates().unwrap_err();
            assert_eq!(error.code, ErrorCode::ConfigInvalid);
            assert!(error.message.contains(file), "{}", error.message);
        }
    }
}
