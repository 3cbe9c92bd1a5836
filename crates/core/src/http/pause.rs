//! How long to wait before a request is made again. Pure, but for the random number.

use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, RETRY_AFTER};

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
