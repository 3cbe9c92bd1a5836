//! Any bytes, in any pieces, are the same events, or the same error.
#![no_main]

#[path = "pieces.rs"]
mod pieces;

use libfuzzer_sys::fuzz_target;
use polaris_core::model::sse::{SseDecoder, SseItem};

/// Small, so that the limit is met.
const MAX_BYTES: usize = 512;

fuzz_target!(|input: &[u8]| {
    let (pieces, bytes) = pieces::split(input);
    assert_eq!(decode(&pieces), decode(&[bytes]));
});

fn decode(pieces: &[&[u8]]) -> (Vec<(Vec<u8>, Vec<u8>)>, bool) {
    let mut events = Vec::new();
    let mut sink = |item: SseItem<'_>| {
        if let SseItem::Event { name, data } = item {
            events.push((name.to_vec(), data.to_vec()));
        }
        Ok(())
    };
    let mut decoder = SseDecoder::new(MAX_BYTES);
    let read = pieces.iter().try_for_each(|piece| decoder.push(piece, &mut sink));
    let whole = read.and_then(|()| decoder.finish(&mut sink)).is_ok();
    (events, whole)
}
