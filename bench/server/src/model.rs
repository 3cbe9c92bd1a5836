//! Answers of the model, made once and kept: a request costs a look-up and the writes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use memchr::memmem;

use crate::http::{LAST_CHUNK, chunk, stream_head};
use crate::scenario::Scenario;
use crate::wire::Wire;

/// Events in one write where the answer comes as fast as it is read.
const EVENTS_PER_WRITE: usize = 64;

/// An answer as the pieces that go out in one write each; the first begins with the head.
pub type Writes = Arc<[Bytes]>;

/// The answers that were asked for so far.
#[derive(Debug, Default)]
pub struct Answers(Mutex<HashMap<(Scenario, Wire, usize), Writes>>);

impl Answers {
    /// The answer to a request with `body`.
    pub fn get(&self, scenario: Scenario, wire: Wire, body: &[u8]) -> Writes {
        let results = memmem::find_iter(body, wire.result_marker()).count();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(
            known.entry((scenario, wire, results)).or_insert_with(|| writes(scenario, wire, results).into()),
        )
    }
}

/// One write is one chunk, but for the scenario where each event is one.
fn writes(scenario: Scenario, wire: Wire, results: usize) -> Vec<Bytes> {
    let events = wire.events(&scenario.turn(results));
    let total = [&events.open, &events.deltas, &events.close].into_iter().flatten().map(String::len).sum();
    let framed = |events: &[String]| match scenario {
        Scenario::Chunked(_) => events.iter().map(|event| chunk(event)).collect(),
        _ if events.is_empty() => String::new(),
        _ => chunk(&events.concat()),
    };
    let per_write = if matches!(scenario, Scenario::Paced { .. }) { 1 } else { EVENTS_PER_WRITE };
    let mut writes: Vec<String> = events.deltas.chunks(per_write).map(framed).collect();
    if let Some(first) = writes.first_mut() {
        first.insert_str(0, &format!("{}{}", stream_head(total), framed(&events.open)));
    }
    if let Some(last) = writes.last_mut() {
        last.push_str(&framed(&events.close));
        last.push_str(LAST_CHUNK);
    }
    writes.into_iter().map(Bytes::from).collect()
}
