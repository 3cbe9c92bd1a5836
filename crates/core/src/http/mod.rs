//! The one HTTP client: TLS by rustls with ring, the system's trust store, proxies from the
//! environment (never for loopback). Knows nothing of providers or stores.
//!
//! Runs of one process share their connections, so a run that follows another pays no handshake and
//! runs side by side share an HTTP/2 connection; each request has its own stream, and dropping it
//! resets that stream alone. Idle connections close by themselves after [`IDLE`].

mod network;
mod pause;

use std::error::Error as _;
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use rustls::CertificateError;
use url::Url;

pub use self::network::{Keep, Network};
pub use self::pause::{backoff, random, retry_after};
use crate::config::is_loopback;
use crate::error::{CoreError, ErrorCode, Result};

/// How long an unused connection is kept: shorter than the 5 s after which a Node server closes one
/// (`server.keepAliveTimeout`), so that a request does not meet a connection that is being closed.
const IDLE: Duration = Duration::from_secs(4);
/// How often an HTTP/2 connection with open streams is asked whether it lives, and how long it may
/// take to answer: the streams of a dead one fail instead of waiting for their stall limit.
const PING: Duration = Duration::from_secs(10);
/// Sets of connections that are kept: one per runtime, network and connect limit.
const KEPT_CLIENTS: usize = 8;

/// What kind of transport failure a request ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Name not found, connection refused, or broken before an answer.
    Connect,
    /// No connection in time.
    ConnectTimeout,
    /// The TLS handshake failed.
    Tls(TlsFailure),
    /// No answer in time.
    Timeout,
    /// The connection broke while the answer was on its way.
    Broken,
}

/// Why a TLS handshake failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsFailure {
    /// The certificate is not valid at this time.
    Expired,
    /// The certificate is for other hosts.
    WrongHost,
    /// Nobody whom this machine trusts has signed the certificate.
    UnknownIssuer,
    /// Anything else.
    Other,
}

impl TlsFailure {
    /// The code for it; `other` for what has none of its own.
    pub fn code(self, other: ErrorCode) -> ErrorCode {
        match self {
            Self::Expired => ErrorCode::TlsCertificateExpired,
            Self::WrongHost => ErrorCode::TlsWrongHost,
            Self::UnknownIssuer => ErrorCode::TlsUnknownIssuer,
            Self::Other => other,
        }
    }

    /// What happened, to be followed by the host's name.
    pub fn text(self) -> &'static str {
        match self {
            Self::Expired => "the certificate is not valid at this time, of",
            Self::WrongHost => "the certificate is for another host than",
            Self::UnknownIssuer => "the certificate is signed by nobody whom this machine trusts, of",
            Self::Other => "the TLS handshake failed with",
        }
    }
}

/// The client for `url`'s host. Must be called inside the runtime that will use it. Redirects are
/// not followed: a key must not travel to another host.
///
/// # Errors
/// `CONFIG_INVALID` names the variable of a proxy or certificate that cannot be used; `INTERNAL`
/// when no TLS backend can be set up.
pub fn client(url: &Url, network: &Network, connect_timeout: Duration) -> Result<reqwest::Client> {
    let route = Route { https: url.scheme() == "https", loopback: is_loopback(url) };
    if network.keep == Keep::Run {
        return build(route, network, connect_timeout);
    }
    // Connections are driven by the runtime that opened them.
    let runtime = tokio::runtime::Handle::current().id();
    let key = Key { runtime, route, network: network.clone(), connect_timeout };
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, client)) = kept.iter().find(|(known, _)| *known == key) {
        return Ok(client.clone());
    }
    let client = build(key.route, &key.network, connect_timeout)?;
    if kept.len() == KEPT_CLIENTS {
        kept.remove(0);
    }
    kept.push((key, client.clone()));
    Ok(client)
}

static KEPT: Mutex<Vec<(Key, reqwest::Client)>> = Mutex::new(Vec::new());

/// What makes two clients the same.
#[derive(PartialEq)]
struct Key {
    runtime: tokio::runtime::Id,
    route: Route,
    network: Network,
    connect_timeout: Duration,
}

#[derive(Clone, Copy, PartialEq)]
struct Route {
    https: bool,
    loopback: bool,
}

fn build(route: Route, network: &Network, connect_timeout: Duration) -> Result<reqwest::Client> {
    static PROVIDER: Once = Once::new();
    // An error means that the process has a provider already, which serves as well.
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    let mut builder = reqwest::Client::builder()
        .connect_timeout(connect_timeout)
        .tcp_nodelay(true)
        .pool_idle_timeout(IDLE)
        .http2_keep_alive_interval(PING)
        .http2_keep_alive_timeout(PING)
        // A long answer must not wait for window updates over a slow line.
        .http2_adaptive_window(true)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .user_agent(concat!("polaris-agent/", env!("CARGO_PKG_VERSION")));
    if !route.loopback {
        for proxy in network.proxies()? {
            builder = builder.proxy(proxy);
        }
    }
    builder = if route.https {
        builder.tls_certs_merge(network.extra_certificates()?)
    } else if network.has_https_proxy() {
        builder
    } else {
        // TLS is never used, and reading the trust store takes milliseconds.
        builder.tls_certs_only([])
    };
    builder.build().map_err(|e| {
        CoreError::new(ErrorCode::Internal, "the HTTP client could not be set up").with_cause(&e)
    })
}

/// Sorts a transport error into its kind.
pub fn classify(error: &reqwest::Error) -> Failure {
    if let Some(error) = error.source().and_then(tls_error) {
        return Failure::Tls(classify_tls(error));
    }
    match (error.is_connect(), error.is_timeout()) {
        (true, true) => Failure::ConnectTimeout,
        (true, false) => Failure::Connect,
        (false, true) => Failure::Timeout,
        // The pooled connection was closed under the request, or the server hung up on it.
        (false, false) if error.is_request() => Failure::Connect,
        (false, false) => Failure::Broken,
    }
}

/// The error of rustls in this chain. It arrives in an `io::Error`, or in several: the source of one is
/// the source of what it wraps, so what is wrapped has to be asked for.
fn tls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error
        .downcast_ref::<rustls::Error>()
        .or_else(|| wrapped.and_then(|error| tls_error(error)))
        .or_else(|| error.source().and_then(tls_error))
}

fn classify_tls(error: &rustls::Error) -> TlsFailure {
    use CertificateError as C;
    let rustls::Error::InvalidCertificate(why) = error else { return TlsFailure::Other };
    match why {
        C::Expired | C::ExpiredContext { .. } | C::NotValidYet | C::NotValidYetContext { .. } => {
            TlsFailure::Expired
        }
        C::NotValidForName | C::NotValidForNameContext { .. } => TlsFailure::WrongHost,
        C::UnknownIssuer => TlsFailure::UnknownIssuer,
        _ => TlsFailure::Other,
    }
}
