//! What a run leaves for those who look into a failure: breadcrumbs in Sentry's format, and spans
//! for the trace. A recorder, not a reporter: Node owns DSN, transport and flush, and captures a
//! failure once. No text of the conversation and no secret goes in here.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use sentry::protocol::{Breadcrumb, Map};
use serde_json::{Value, json};

use crate::error::{CoreError, ErrorCode};
use crate::event::{Event, Events};

/// How many breadcrumbs are kept; the newest stay (Sentry's own default is 100).
const MAX_BREADCRUMBS: usize = 100;

/// The recorder of one run. Clones share it.
#[derive(Debug, Clone)]
pub struct Telemetry {
    breadcrumbs: Arc<Mutex<VecDeque<Breadcrumb>>>,
    events: Events,
}

impl Telemetry {
    /// A recorder whose spans travel with `events`.
    pub fn new(events: Events) -> Self {
        Self { breadcrumbs: Arc::default(), events }
    }

    /// Notes that something happened: `category` is the room (`model`, `tool`, `store`, `run`),
    /// `data` an object of numbers and names.
    pub fn breadcrumb(&self, category: &str, message: impl Into<String>, data: Value) {
        let data: Map<String, Value> = match data {
            Value::Object(object) => object.into_iter().collect(),
            _ => Map::new(),
        };
        let crumb = Breadcrumb {
            ty: "default".to_owned(),
            category: Some(category.to_owned()),
            message: Some(message.into()),
            data,
            ..Breadcrumb::default()
        };
        let mut crumbs = self.breadcrumbs.lock().unwrap_or_else(PoisonError::into_inner);
        if crumbs.len() == MAX_BREADCRUMBS {
            crumbs.pop_front();
        }
        crumbs.push_back(crumb);
    }

    /// Notes an error that did not end the run, or that is about to.
    pub fn error(&self, category: &str, error: &CoreError) {
        self.breadcrumb(category, error.code.name(), json!({ "status": error.status }));
    }

    /// All breadcrumbs so far, as Sentry reads them.
    pub fn breadcrumbs(&self) -> Vec<Breadcrumb> {
        self.breadcrumbs.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Ends a span that began at `start`.
    pub fn span(&self, name: String, start: SystemTime, attributes: Value, error: Option<ErrorCode>) {
        self.events.push(Event::Span {
            name,
            start: epoch_ms(start),
            end: epoch_ms(SystemTime::now()),
            attributes,
            error,
        });
    }
}

/// Milliseconds since 1970.
pub fn epoch_ms(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64() * 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Deltas;

    #[test]
    fn the_newest_breadcrumbs_stay_and_read_as_sentry_wants_them() {
        let telemetry = Telemetry::new(Events::new(Deltas::Coalesced));
        for n in 0..MAX_BREADCRUMBS + 5 {
            telemetry.breadcrumb("model", format!("turn {n}"), json!({ "n": n }));
        }
        let crumbs = telemetry.breadcrumbs();
        assert_eq!(crumbs.len(), MAX_BREADCRUMBS);
        let first = serde_json::to_value(&crumbs[0]).unwrap();
        assert_eq!(first["message"], "turn 5");
        assert_eq!(first["category"], "model");
        assert!(first["timestamp"].is_number());
    }
}
