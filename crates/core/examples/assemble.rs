//! Prints what one recorded stream says, as JSON:
//! `cargo run -p polaris-core --example assemble -- --api openai-chat|anthropic FILE`.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

use polaris_core::config::Protocol;
use polaris_core::model::{Turn, replay};
use serde_json::{Value, json};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [flag, api, file] = arguments.as_slice() else {
        return usage();
    };
    let Some(protocol) = Protocol::from_name(api).filter(|_| flag == "--api") else { return usage() };
    let turn = std::fs::read(file)
        .map_err(|e| e.to_string())
        .and_then(|bytes| replay(protocol, &[&bytes]).map_err(|e| e.to_string()));
    match turn {
        Ok(turn) => {
            println!("{:#}", describe(&turn, protocol));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{file}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: assemble --api openai-chat|anthropic FILE");
    ExitCode::from(2)
}

fn describe(turn: &Turn, protocol: Protocol) -> Value {
    let calls = turn.tool_calls.iter().map(|call| match &call.args {
        Some(args) => json!({ "id": call.id, "name": call.name, "args": args }),
        None => json!({ "id": call.id, "name": call.name, "argsRaw": call.raw_args, "argsInvalid": true }),
    });
    let effective = turn.effective_finish();
    let failed = turn.finish_raw.as_deref() == Some("error")
        || (turn.error.is_some() && turn.finish.is_none() && protocol == Protocol::Anthropic);
    let finish = if failed { json!("error") } else { json!(turn.finish) };
    json!({
        "text": turn.text,
        "reasoning": turn.reasoning.as_ref().map(|r| &r.text).filter(|t| !t.is_empty()),
        "toolCalls": calls.collect::<Vec<_>>(),
        "finishReason": finish,
        "finishReasonRaw": turn.finish_raw,
        "effectiveFinishReason": effective,
        "usage": counts(turn, protocol),
        "error": turn.error.as_ref().map(|e| json!({ "code": e.code, "message": e.message })),
        "refusal": turn.refusal,
        "model": turn.model,
        "done": turn.done,
        "truncated": effective.is_none(),
    })
}

/// The counts under the names of the protocol: Anthropic counts what its cache saved beside the input.
fn counts(turn: &Turn, protocol: Protocol) -> Option<Value> {
    let usage = turn.usage?;
    let mut counts = json!(usage);
    if protocol == Protocol::Anthropic {
        counts["cacheRead"] = json!(usage.cached);
    }
    if let Some(total) = turn.total_tokens {
        counts["total"] = json!(total);
    }
    Some(counts)
}
