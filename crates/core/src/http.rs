//! The one HTTP client: TLS by rustls with ring, the system's trust store, proxies from the
//! environment (never for loopback). Knows nothing of providers or stores.

use std::error::Error as _;
use std::sync::Once;
use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, RETRY_AFTER};
use url::Url;

use crate::config::is_loopback;
use crate::error::{CoreError, ErrorCode, Result};

/// What kind of transport failure a request ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Name not found, connection refused, or broken before an answer.
    Connect,
    /// No connection in time.
    ConnectTimeout,
    /// The TLS handshake failed.
    Tls,
    /// No answer in time.
    Timeout,
    /// The connection broke while the answer was on its way.
    Broken,
}

/// Builds the client of one run for `url`'s host.
///
/// Connections are pooled for the run and closed with it, so nothing outlives the run in a
/// process that is kept alive. Redirects are not followed: a key must not travel to another host.
///
/// # Errors
/// `INTERNAL` when no TLS backend can be set up.
pub fn client(url: &Url, connect_timeout: Duration) -> Result<reqwest::Client> {
    static PROVIDER: Once = Once::new();
    // An error means that the process has a provider already, which serves as well.
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    let mut builder = reqwest::Client::builder()
        .connect_timeout(connect_timeout)
        .tcp_nodelay(true)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("polaris-agent/", env!("CARGO_PKG_VERSION")));
    if is_loopback(url) {
        builder = builder.no_proxy();
    }
    if url.scheme() == "http" {
        // No redirects: TLS is never used, and reading the trust store takes milliseconds.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|e| {
        CoreError::new(ErrorCode::Internal, "the HTTP client could not be set up").with_cause(&e)
    })
}

/// Sorts a transport error into its kind.
pub fn classify(error: &reqwest::Error) -> Failure {
    let mut source = error.source();
    while let Some(inner) = source {
        if inner.downcast_ref::<rustls::Error>().is_some() {
            return Failure::Tls;
        }
        // rustls arrives wrapped in an io::Error, whose source() skips the wrapped error itself.
        if let Some(io) = inner.downcast_ref::<std::io::Error>()
            && io.get_ref().is_some_and(|e| e.downcast_ref::<rustls::Error>().is_some())
        {
            return Failure::Tls;
        }
        source = inner.source();
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

/// The wait that a `Retry-After` header asks for: seconds, or an HTTP date.
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds.max(0.0)).ok();
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// The pause before try `n` (from 1) after a failure: `base · 2ⁿ⁻¹`, at most `max`, of which the
/// upper half is random, so that many runs do not come back at the same moment.
pub fn backoff(n: u32, base: Duration, max: Duration, random: f64) -> Duration {
    let full = base.saturating_mul(1_u32 << (n.clamp(1, 16) - 1)).min(max);
    full.mul_f64(0.5 + 0.5 * random.clamp(0.0, 1.0))
}

/// A random number in 0..1 that needs no generator state: the standard library's hash keys are
/// random per call.
pub fn random() -> f64 {
    use std::hash::{BuildHasher as _, RandomState};
    let bits = RandomState::new().hash_one(0_u8) >> 11;
    bits as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(value: &str, now: SystemTime) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, value.parse().unwrap());
        retry_after(&headers, now)
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Wed, 21 Oct 2026 07:28:00 GMT").unwrap();
        assert_eq!(after("7", now), Some(Duration::from_secs(7)));
        assert_eq!(after(" 0.5 ", now), Some(Duration::from_millis(500)));
        assert_eq!(after("Wed, 21 Oct 2026 07:28:09 GMT", now), Some(Duration::from_secs(9)));
        assert_eq!(after("Wed, 21 Oct 2026 07:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(after("-3", now), Some(Duration::ZERO));
        assert_eq!(after("soon", now), None);
        assert_eq!(after("NaN", now), Some(Duration::ZERO));
    }

    #[test]
    fn backoff_doubles_up_to_its_bound_and_keeps_half_fixed() {
        let pause = |n, random| backoff(n, Duration::from_millis(500), Duration::from_secs(8), random);
        assert_eq!(pause(1, 1.0), Duration::from_millis(500));
        assert_eq!(pause(1, 0.0), Duration::from_millis(250));
        assert_eq!(pause(3, 1.0), Duration::from_secs(2));
        assert_eq!(pause(30, 1.0), Duration::from_secs(8));
    }

    #[test]
    fn random_stays_in_its_range_and_differs() {
        let values: Vec<f64> = (0..64).map(|_| random()).collect();
        assert!(values.iter().all(|v| (0.0..1.0).contains(v)));
        assert!(values.windows(2).any(|w| w[0] != w[1]));
    }
}
