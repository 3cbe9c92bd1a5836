//! What follows a turn that failed: the same model again, the fallback, or the end of the attempt.
//! Pure; the table is the policy.

use std::time::Duration;

use crate::error::{CoreError, ErrorCode};
use crate::http::backoff;

/// The pause before a turn is asked again; it doubles.
pub const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause that is chosen here.
pub const MAX_PAUSE: Duration = Duration::from_secs(8);
/// The time that one turn may spend waiting, `Retry-After` included. What asks for more goes to the
/// fallback, or ends the attempt: the runner repeats it later without holding a worker.
pub const WAIT_BUDGET: Duration = Duration::from_secs(60);

/// What may help after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// The same request again, then another provider.
    Again,
    /// Another provider only: this one will say the same again.
    Elsewhere,
    /// Nothing.
    None,
}

/// The table.
pub const fn remedy(code: ErrorCode) -> Remedy {
    use ErrorCode::*;
    match code {
        ModelRateLimited
        | ModelUnavailable
        | ModelConnect
        | ModelConnectTimeout
        | ModelFirstByteTimeout
        | ModelStalled
        | ModelStreamCut
        | ModelProtocol
        | ModelError
        | EmptyAnswer
        | ToolNotCalled => Remedy::Again,
        // A turn that took its whole time once will take it again.
        ModelAuth
        | ModelPayment
        | ModelBadRequest
        | ModelTls
        | TlsCertificateExpired
        | TlsWrongHost
        | TlsUnknownIssuer
        | ModelTurnTimeout => Remedy::Elsewhere,
        // The other model's window may be smaller, and what was withheld or too large stays so.
        _ => Remedy::None,
    }
}

/// Where a turn stands when it fails.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// How often this model has been asked again in this turn.
    pub retries: u32,
    /// How often it may be.
    pub max_retries: u32,
    /// How long this turn has waited.
    pub waited: Duration,
    /// Whether another model can take over.
    pub has_fallback: bool,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Ask the same model after this pause.
    Again(Duration),
    /// Ask the fallback at once.
    Fallback,
    /// Give up.
    End,
}

/// Decides; `random` (0..1) spreads the pauses.
pub fn decide(error: &CoreError, standing: Standing, random: f64) -> Decision {
    let elsewhere = if standing.has_fallback { Decision::Fallback } else { Decision::End };
    match remedy(error.code) {
        Remedy::None => Decision::End,
        Remedy::Elsewhere => elsewhere,
        Remedy::Again if standing.retries >= standing.max_retries => elsewhere,
        Remedy::Again => {
            let asked = Duration::from_millis(error.retry_after_ms.unwrap_or(0));
            let pause = backoff(standing.retries + 1, FIRST_PAUSE, MAX_PAUSE, random).max(asked);
            if standing.waited + pause > WAIT_BUDGET { elsewhere } else { Decision::Again(pause) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(retries: u32, has_fallback: bool) -> Standing {
        Standing { retries, max_retries: 2, waited: Duration::ZERO, has_fallback }
    }

    fn after(seconds: u64) -> CoreError {
        CoreError { retry_after_ms: Some(seconds * 1_000), ..CoreError::new(ErrorCode::ModelRateLimited, "") }
    }

    #[test]
    fn the_policy_as_a_table() {
        use ErrorCode::*;
        for code in ErrorCode::ALL {
            let error = CoreError::new(code, "");
            let got = [(0, true), (2, true), (0, false), (2, false)]
                .map(|(n, f)| decide(&error, standing(n, f), 1.0));
            let again = Decision::Again(FIRST_PAUSE);
            let expected = match code {
                ModelRateLimited
                | ModelUnavailable
                | ModelConnect
                | ModelConnectTimeout
                | ModelFirstByteTimeout
                | ModelStalled
                | ModelStreamCut
                | ModelProtocol
                | ModelError
                | EmptyAnswer
                | ToolNotCalled => [again, Decision::Fallback, again, Decision::End],
                ModelAuth
                | ModelPayment
                | ModelBadRequest
                | ModelTls
                | TlsCertificateExpired
                | TlsWrongHost
                | TlsUnknownIssuer
                | ModelTurnTimeout => [Decision::Fallback, Decision::Fallback, Decision::End, Decision::End],
                _ => [Decision::End; 4],
            };
            assert_eq!(got, expected, "{code:?}");
        }
    }

    #[test]
    fn retry_after_is_honoured_within_the_budget() {
        assert_eq!(decide(&after(7), standing(0, true), 0.5), Decision::Again(Duration::from_secs(7)));
        assert_eq!(decide(&after(61), standing(0, true), 0.5), Decision::Fallback);
        assert_eq!(decide(&after(61), standing(0, false), 0.5), Decision::End);
        let waited = Standing { waited: Duration::from_secs(55), ..standing(1, false) };
        assert_eq!(decide(&after(7), waited, 0.5), Decision::End, "all waits of a turn count");
    }

    #[test]
    fn what_a_runner_may_repeat_is_what_may_pass() {
        // Only what a later attempt can change is worth a later attempt.
        for code in ErrorCode::ALL {
            if remedy(code) == Remedy::Again {
                assert!(code.retryable(), "{code:?}");
            }
        }
    }
}
