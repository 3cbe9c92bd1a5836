//! The one way out of a command that installs packages: to the registry that the operator names, and
//! there to packages alone. Only `GET` and `HEAD` are asked, no body and no header of the command
//! travels, and what the registry needs to know of us is added here, where no command sees it.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, LOCATION};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use memchr::memmem;
use reqwest::Client;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use url::Url;

use crate::config::{Env, Secret};
use crate::http::{self, Failure, Network};

/// The registry's URL. Without it, packages cannot be installed.
pub const VARIABLE: &str = "POLARIS_NPM_REGISTRY";
/// A token that the registry wants, if it wants one.
pub const TOKEN_VARIABLE: &str = "POLARIS_NPM_REGISTRY_TOKEN";
/// Where a command believes the registry to be. No such server exists: each TCP connection of the
/// command leads here, whatever its address.
const INSIDE: &str = "127.0.0.1:4873";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Silence of the registry within an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections of one command at a time; npm opens 15 (its `maxsockets`). More wait.
const MAX_CONNECTIONS: usize = 32;
/// Bytes of one answer. The largest packages of the public registry have some 150 MB.
const MAX_ANSWER_BYTES: u64 = 512 << 20;
/// Bytes of all answers to one command: what it may put on disk.
const MAX_BYTES: u64 = 2 << 30;
/// Bytes of a path: a name has at most 214, a version 256.
const MAX_PATH_BYTES: usize = 1_024;
/// Redirects that are followed, to the registry itself.
const MAX_REDIRECTS: usize = 3;

/// The registry that the operator names.
#[derive(Debug, Clone)]
pub struct Registry {
    base: Url,
    token: Option<Secret>,
    network: Network,
}

type Body = UnsyncBoxBody<Bytes, io::Error>;
type Chunks = BoxStream<'static, io::Result<Bytes>>;

impl Registry {
    /// The one that the environment names, if it names one.
    ///
    /// # Errors
    /// What is wrong with the variable.
    pub fn from_env(env: &Env) -> Result<Option<Self>, String> {
        let Some(value) = env.get(VARIABLE) else { return Ok(None) };
        let wrong = |why: &str| format!("{VARIABLE} {why}");
        // Not the value: it may hold a password.
        let mut base = Url::parse(value).map_err(|_| wrong("is not a URL"))?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(wrong("must begin with http:// or https://"));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(wrong(&format!("holds a user or password; a token goes into {TOKEN_VARIABLE}")));
        }
        base.set_query(None);
        base.set_fragment(None);
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let token = env.get(TOKEN_VARIABLE).map(Secret::new);
        Ok(Some(Self { base, token, network: Network::from_env(env) }))
    }

    /// Its URL, with a slash at the end.
    pub fn url(&self) -> &str {
        self.base.as_str()
    }

    /// The URL under which a confined command asks it.
    pub fn url_inside(&self) -> String {
        format!("http://{INSIDE}{}", self.base.path())
    }

    /// Answers whoever connects, until this is dropped.
    ///
    /// # Errors
    /// What makes HTTP impossible here.
    pub async fn serve(&self, listener: &UnixListener) -> Result<Infallible, String> {
        let client = http::client(&self.base, &self.network, CONNECT_TIMEOUT).map_err(|e| e.to_string())?;
        let asked = Arc::new(Asked { registry: self.clone(), client, read: Arc::default() });
        let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        // Aborts all when it is dropped.
        let mut connections = JoinSet::new();
        loop {
            // Never closed.
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else { continue };
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                // Out of descriptors, for one: connections end, and with them the lack.
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                }
            };
            while connections.try_join_next().is_some() {}
            let asked = Arc::clone(&asked);
            connections.spawn(async move {
                converse(asked, stream).await;
                drop(permit);
            });
        }
    }
}

/// One connection of a command.
async fn converse(asked: Arc<Asked>, stream: UnixStream) {
    let service = hyper::service::service_fn(move |request| {
        let asked = Arc::clone(&asked);
        async move { Ok::<_, Infallible>(asked.answer(request).await.unwrap_or_else(Refusal::response)) }
    });
    // What a command sends that is no HTTP ends its connection, and nothing else.
    let _ = hyper::server::conn::http1::Builder::new()
        .max_buf_size(64 << 10)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// What every connection needs.
struct Asked {
    registry: Registry,
    client: Client,
    /// Bytes of all answers so far.
    read: Arc<AtomicU64>,
}

/// An answer of ours in place of the registry's. Package managers print its text.
struct Refusal(StatusCode, String);

impl Refusal {
    fn response(self) -> Response<Body> {
        let text = serde_json::json!({ "error": self.1 }).to_string();
        let mut response = Response::new(Full::from(text).map_err(|never| match never {}).boxed_unsync());
        *response.status_mut() = self.0;
        response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(JSON));
        response
    }
}

const SILENT: &str = "the registry does not answer in time";
const JSON: &str = "application/json";
/// How npm asks for the short form of a package's data (its `corgiDoc`).
const SHORT: &str = "application/vnd.npm.install-v1+json";

impl Asked {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
        let forbidden = |why: &str| Refusal(StatusCode::FORBIDDEN, why.to_owned());
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return Err(Refusal(
                StatusCode::METHOD_NOT_ALLOWED,
                "packages can be read here, nothing can be sent to the registry".to_owned(),
            ));
        }
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        if host != INSIDE || request.uri().authority().is_some() {
            return Err(forbidden("only the configured package registry can be reached from here"));
        }
        let path = package_path(self.registry.base.path(), request.uri().path())
            .ok_or_else(|| forbidden("only packages can be read from the registry"))?;
        let wanted = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
        let short = wanted.is_some_and(|accept| accept.contains(SHORT));
        let accept = if short { format!("{SHORT}; q=1.0, {JSON}; q=0.8, */*") } else { "*/*".to_owned() };
        let answer = self.ask(request.method(), path, &accept).await?;
        self.hand_on(answer)
    }

    /// Asks the registry, and where it says to ask it elsewhere on itself.
    async fn ask(&self, method: &Method, path: &str, accept: &str) -> Result<reqwest::Response, Refusal> {
        let gateway = |why: String| Refusal(StatusCode::BAD_GATEWAY, why);
        let base = &self.registry.base;
        let mut url = base.clone();
        url.set_path(path);
        for _ in 0..=MAX_REDIRECTS {
            let mut request = self
                .client
                .request(method.clone(), url.clone())
                .header(ACCEPT, accept)
                // Read on the way, see `Replace`.
                .header(ACCEPT_ENCODING, "identity");
            if let Some(token) = &self.registry.token {
                request = request.bearer_auth(token.reveal());
            }
            let answer = tokio::time::timeout(READ_TIMEOUT, request.send())
                .await
                .map_err(|_| gateway(SILENT.to_owned()))?
                .map_err(|error| gateway(unreachable(&error)))?;
            if !answer.status().is_redirection() {
                return Ok(answer);
            }
            let to = answer.headers().get(LOCATION).and_then(|to| to.to_str().ok());
            let to = to.and_then(|to| url.join(to).ok()).ok_or_else(|| {
                gateway("the registry answers with a redirect that leads nowhere".to_owned())
            })?;
            if to.origin() != base.origin() {
                let host = to.host_str().unwrap_or_default();
                return Err(gateway(format!("the registry sends to {host}, which is not the registry")));
            }
            url = to;
        }
        Err(gateway("the registry answers with one redirect after the other".to_owned()))
    }

    /// The registry's answer, its own URLs replaced by those of the inside.
    fn hand_on(&self, answer: reqwest::Response) -> Result<Response<Body>, Refusal> {
        let status = answer.status();
        let kind = answer.headers().get(CONTENT_TYPE).cloned();
        let is_json =
            kind.as_ref().and_then(|kind| kind.to_str().ok()).is_some_and(|kind| kind.contains("json"));
        let length = answer.content_length();
        if length.is_some_and(|length| length > MAX_ANSWER_BYTES) {
            return Err(Refusal(StatusCode::BAD_GATEWAY, "the registry's answer is too large".to_owned()));
        }
        let mut response = Response::builder().status(status);
        if let Some(kind) = kind {
            response = response.header(CONTENT_TYPE, kind);
        }
        if let Some(length) = length.filter(|_| !is_json) {
            response = response.header(CONTENT_LENGTH, length);
        }
        let chunks = answer.bytes_stream().map_err(|_| io::Error::other("cut off")).boxed();
        let chunks = bounded(chunks, Arc::clone(&self.read));
        let chunks = match is_json {
            true => replaced(chunks, Replace::new(self.registry.url(), &self.registry.url_inside())),
            false => chunks,
        };
        let body = StreamBody::new(chunks.map_ok(Frame::data)).boxed_unsync();
        response.body(body).map_err(|error| Refusal(StatusCode::BAD_GATEWAY, error.to_string()))
    }
}

/// Why the registry could not be asked. Names no URL: a proxy's may hold a password.
fn unreachable(error: &reqwest::Error) -> String {
    match http::classify(error) {
        Failure::Tls(why) => format!("{} the registry", why.text()),
        _ if error.is_timeout() => SILENT.to_owned(),
        _ => "the registry cannot be reached".to_owned(),
    }
}

/// A path that names a package, its data or its archive; `None`: anything else. `base` is the
/// registry's own path.
fn package_path<'a>(base: &str, path: &'a str) -> Option<&'a str> {
    let below = path.strip_prefix(base)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~@+!'()*".contains(c);
    let segment = |name: &str| {
        // A scope's slash may be written so; nothing else needs an escape, and `%2e%2e` leads up.
        let name = name.replace("%2f", "").replace("%2F", "").replace("%40", "");
        !name.is_empty() && name.chars().all(plain) && name.chars().any(|c| c != '.')
    };
    // Below `-` are the registry's services: search, accounts, tokens.
    let is_service = below.split('/').next() == Some("-");
    (path.len() <= MAX_PATH_BYTES && !is_service && below.split('/').all(segment)).then_some(path)
}

/// Ends a body that is too long, or silent; `all` counts the bytes of all bodies.
fn bounded(chunks: Chunks, all: Arc<AtomicU64>) -> Chunks {
    futures::stream::try_unfold((chunks, all, 0), |(mut chunks, all, read)| async move {
        let next = tokio::time::timeout(READ_TIMEOUT, chunks.try_next());
        let next = next.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        let Some(chunk) = next else { return Ok(None) };
        let bytes = chunk.len() as u64;
        let read = read + bytes;
        if read > MAX_ANSWER_BYTES || all.fetch_add(bytes, Ordering::Relaxed) + bytes > MAX_BYTES {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        Ok(Some((chunk, (chunks, all, read))))
    })
    .boxed()
}

fn replaced(chunks: Chunks, replace: Replace) -> Chunks {
    let chunks = chunks.map_ok(Some).chain(futures::stream::once(async { Ok(None) }));
    let chunks = chunks.scan(replace, |replace, chunk| {
        futures::future::ready(Some(chunk.map(|chunk| match chunk {
            Some(chunk) => replace.push(&chunk),
            None => replace.end(),
        })))
    });
    chunks.try_filter(|chunk| futures::future::ready(!chunk.is_empty())).map_ok(Bytes::from).boxed()
}

/// Replaces one text by another in a stream, however that is cut.
#[derive(Debug)]
struct Replace {
    from: Vec<u8>,
    to: Vec<u8>,
    /// What may be the beginning of `from`.
    rest: Vec<u8>,
}

impl Replace {
    fn new(from: &str, to: &str) -> Self {
        Self { from: from.into(), to: to.into(), rest: Vec::new() }
    }

    fn push(&mut self, chunk: &[u8]) -> Vec<u8> {
        let mut text = std::mem::take(&mut self.rest);
        text.extend_from_slice(chunk);
        let mut out = Vec::with_capacity(text.len());
        let mut begin = 0;
        for at in memmem::find_iter(&text, &self.from) {
            out.extend_from_slice(&text[begin..at]);
            out.extend_from_slice(&self.to);
            begin = at + self.from.len();
        }
        let tail = &text[begin..];
        let longest = tail.len().min(self.from.len().saturating_sub(1));
        let kept = (1..=longest).rev().find(|&length| self.from.starts_with(&tail[tail.len() - length..]));
        let (done, rest) = tail.split_at(tail.len() - kept.unwrap_or(0));
        out.extend_from_slice(done);
        self.rest = rest.to_vec();
        out
    }

    fn end(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn from_env(variables: &[(&str, &str)]) -> Result<Option<Registry>, String> {
        Registry::from_env(&variables.iter().copied().collect())
    }

    #[test]
    fn a_registry_is_a_url_without_secrets() {
        assert!(from_env(&[]).unwrap().is_none());
        let registry = from_env(&[(VARIABLE, "https://npm.example/api/npm")]).unwrap().unwrap();
        assert_eq!(registry.url(), "https://npm.example/api/npm/");
        assert_eq!(registry.url_inside(), "http://127.0.0.1:4873/api/npm/");
        for (value, expected) in [
            ("npm.example", "POLARIS_NPM_REGISTRY is not a URL"),
            ("ftp://npm.example", "POLARIS_NPM_REGISTRY must begin with http:// or https://"),
            (
                "https://me:canary@npm.example",
                "POLARIS_NPM_REGISTRY holds a user or password; a token goes into POLARIS_NPM_REGISTRY_TOKEN",
            ),
        ] {
            assert_eq!(from_env(&[(VARIABLE, value)]).unwrap_err(), expected);
        }
        let registry = from_env(&[(VARIABLE, "http://x"), (TOKEN_VARIABLE, "canary")]).unwrap();
        assert!(!format!("{registry:?}").contains("canary"));
    }

    #[test]
    fn only_packages_are_asked_for() {
        for path in [
            "/left-pad",
            "/left-pad/1.3.0",
            "/left-pad/-/left-pad-1.3.0.tgz",
            "/@types%2fnode",
            "/@types/node",
            "/@types/node/-/node-20.0.0-beta.1+x.tgz",
        ] {
            assert_eq!(package_path("/", path), Some(path));
        }
        for path in [
            "/",
            "",
            "/-/whoami",
            "/-/npm/v1/tokens",
            "/../x",
            "/a/..",
            "/%2e%2e/admin",
            "/a//b",
            "/a/%0d%0aX:y",
            "/a b",
            "/a?x",
            "/a;b",
            "//evil.example/x",
        ] {
            assert_eq!(package_path("/", path), None, "{path}");
        }
        assert_eq!(package_path("/api/npm/", "/api/npm/x"), Some("/api/npm/x"));
        for path in ["/x", "/api/other/x", "/api/npm/-/user", "/api/npm/../x"] {
            assert_eq!(package_path("/api/npm/", path), None, "{path}");
        }
        assert_eq!(package_path("/", &format!("/{}", "a".repeat(2_000))), None);
    }

    proptest! {
        #[test]
        fn a_text_is_replaced_wherever_the_stream_is_cut(
            parts in prop::collection::vec("[ab]{0,5}|aab|aabaab", 0..8),
            cuts in prop::collection::vec(1_usize..5, 0..20),
        ) {
            let text = parts.concat();
            let mut replace = Replace::new("aab", "<>");
            let mut out = Vec::new();
            let mut rest = text.as_bytes();
            for cut in cuts {
                let (chunk, after) = rest.split_at(cut.min(rest.len()));
                out.extend(replace.push(chunk));
                rest = after;
            }
            out.extend(replace.push(rest));
            out.extend(replace.end());
            prop_assert_eq!(String::from_utf8(out).unwrap(), text.replace("aab", "<>"));
        }
    }
}
