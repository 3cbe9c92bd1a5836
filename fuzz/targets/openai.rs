//! Any stream, in any pieces, is the same turn; what is no JSON is never taken for arguments.
#![no_main]

#[path = "pieces.rs"]
mod pieces;

use libfuzzer_sys::fuzz_target;
use polaris_core::config::Protocol;
use polaris_core::model::replay;

fuzz_target!(|input: &[u8]| {
    let (pieces, bytes) = pieces::split(input);
    let whole = replay(Protocol::OpenaiChat, &[bytes]).ok();
    assert_eq!(replay(Protocol::OpenaiChat, &pieces).ok(), whole);
    for call in whole.iter().flat_map(|turn| &turn.tool_calls) {
        if let Some(args) = &call.args {
            let raw = if call.raw_args.trim().is_empty() { "{}" } else { &call.raw_args };
            assert_eq!(serde_json::from_str::<serde_json::Value>(raw).ok().as_ref(), Some(args));
        }
    }
});
