//! Firecrawl's scrape call: a URL goes there, its page comes back as Markdown. Whom it may be sent to
//! is [`super::policy`]'s to say. Source: Firecrawl's API, version 2, `POST /v2/scrape`.

use std::time::{Duration, SystemTime};

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::config::ScrapeConfig;
use crate::error::Result;
use crate::http::{self, Failure};

/// Time to connect to the service.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Tries of one page; the service's own clients make three where a gateway answers for it.
const TRIES: u32 = 3;
/// The pause before the second try; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause between two tries.
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// The longest answer that is read.
const MAX_ANSWER_BYTES: usize = 8 << 20;
/// So much of the service's own words is shown.
const MAX_REASON_CHARS: usize = 200;
/// By what Firecrawl tells its callers apart.
const ORIGIN: &str = concat!("polaris-agent@", env!("CARGO_PKG_VERSION"));

/// A page as the service gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Its text.
    pub markdown: String,
    /// Every URL that the service names as the page's own.
    pub came_from: Vec<String>,
}

/// The service.
#[derive(Debug, Clone)]
pub struct Firecrawl {
    http: reqwest::Client,
    config: ScrapeConfig,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    success: bool,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Data {
    #[serde(default)]
    markdown: Option<String>,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    /// The page behind all redirects.
    #[serde(default)]
    url: Option<String>,
    /// The URL that was asked for; in older versions, the page behind all redirects.
    #[serde(default, rename = "sourceURL")]
    source_url: Option<String>,
    #[serde(default)]
    status_code: Option<u16>,
}

/// A try that failed, and whether another may do better.
struct Failed {
    reason: String,
    again: bool,
    wait: Option<Duration>,
}

impl From<String> for Failed {
    fn from(reason: String) -> Self {
        Self { reason, again: false, wait: None }
    }
}

impl Firecrawl {
    /// A client for the service that `config` names.
    ///
    /// # Errors
    /// As [`http::client`].
    pub fn new(config: ScrapeConfig) -> Result<Self> {
        Ok(Self { http: http::client(&config.base_url, &config.network, CONNECT_TIMEOUT)?, config })
    }

    /// The page at `url`, which the service has `limit` for.
    ///
    /// # Errors
    /// Why not, in one line.
    pub async fn scrape(&self, url: &Url, limit: Duration) -> Result<Page, String> {
        let mut tries = 1;
        loop {
            match self.once(url, limit).await {
                Ok(page) => return Ok(page),
                Err(failed) if failed.again && tries < TRIES => {
                    let pause = http::backoff(tries, FIRST_PAUSE, MAX_PAUSE, http::random());
                    tokio::time::sleep(failed.wait.unwrap_or(pause)).await;
                    tries += 1;
                }
                Err(failed) => return Err(failed.reason),
            }
        }
    }

    async fn once(&self, url: &Url, limit: Duration) -> Result<Page, Failed> {
        let mut endpoint = self.config.base_url.clone();
        endpoint.set_path(&format!("{}/v2/scrape", endpoint.path().trim_end_matches('/')));
        let timeout = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        let body = json!({ "url": url, "formats": ["markdown"], "origin": ORIGIN, "timeout": timeout });
        let mut response = self
            .http
            .post(endpoint)
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, format!("Bearer {}", self.config.api_key.reveal()))
            .body(body.to_string())
            .send()
            .await
            .map_err(|error| self.transport(&error))?;
        let status = response.status().as_u16();
        let wait = http::retry_after(response.headers(), SystemTime::now());
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.transport(&error))? {
            if answer.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(format!("the page is larger than {MAX_ANSWER_BYTES} bytes").into());
            }
            answer.extend_from_slice(&chunk);
        }
        let answer: Option<Answer> = serde_json::from_slice(&answer).ok();
        let said = answer.as_ref().and_then(|answer| answer.error.as_deref());
        let said = said.map(|said| format!(": {}", self.quote(said))).unwrap_or_default();
        if status != 200 {
            let reason = format!("{} answered {status}{said}", self.host());
            return Err(Failed { reason, again: matches!(status, 429 | 502..=504), wait });
        }
        let Some(answer) = answer else {
            return Err(format!("{} does not answer like Firecrawl", self.host()).into());
        };
        let Some(data) = answer.data.filter(|_| answer.success) else {
            return Err(format!("{} could not scrape it{said}", self.host()).into());
        };
        let Metadata { url, source_url, status_code } = data.metadata;
        if let Some(status) = status_code.filter(|status| *status >= 400) {
            return Err(format!("its server answered {status}").into());
        }
        let markdown = data.markdown.unwrap_or_default();
        if markdown.trim().is_empty() {
            return Err("the page is empty".to_owned().into());
        }
        Ok(Page { markdown, came_from: url.into_iter().chain(source_url).collect() })
    }

    fn host(&self) -> &str {
        self.config.base_url.host_str().unwrap_or_default()
    }

    fn transport(&self, error: &reqwest::Error) -> Failed {
        let (what, again) = match http::classify(error) {
            Failure::Tls(why) => (why.text(), false),
            Failure::ConnectTimeout => ("no connection in time to", true),
            Failure::Connect => ("no connection to", true),
            Failure::Timeout => ("no answer in time from", true),
            Failure::Broken => ("the connection broke with", true),
        };
        Failed { reason: format!("{what} {}", self.host()), again, wait: None }
    }

    /// The service's words in one short line, without the key, which some repeat.
    fn quote(&self, text: &str) -> String {
        let text = text.replace(self.config.api_key.reveal(), "[key]");
        text.lines().next().unwrap_or_default().chars().take(MAX_REASON_CHARS).collect()
    }
}
