//! The attributes of spans, after the OpenTelemetry semantic conventions for generative AI (v1.37 and
//! later). Pure. No prompt and no answer is among them.

use serde_json::{Value, json};

use crate::error::ErrorCode;
use crate::model::client::ModelClient;
use crate::model::{ToolCall, Turn};

/// A turn that was asked of a model, whole or failed.
pub(super) fn chat(
    step: u32,
    model: &ModelClient,
    (max_tokens, temperature): (u32, f64),
    turn: &Turn,
    error: Option<ErrorCode>,
) -> Value {
    let mut attributes = json!({
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": model.provider(),
        "gen_ai.request.model": model.model(),
        "gen_ai.request.max_tokens": max_tokens,
        "gen_ai.request.temperature": temperature,
        "gen_ai.request.stream": true,
        "server.address": model.host(),
        "polaris.step": step,
    });
    let mut set = |name: &str, value: Value| attributes[name] = value;
    // What was never said is left out, not made up.
    if let Some(model) = &turn.model {
        set("gen_ai.response.model", json!(model));
    }
    if let Some(reason) = &turn.finish_raw {
        set("gen_ai.response.finish_reasons", json!([reason]));
    }
    if let Some(usage) = turn.usage {
        set("gen_ai.usage.input_tokens", json!(usage.input));
        set("gen_ai.usage.output_tokens", json!(usage.output));
        set("gen_ai.usage.cache_read.input_tokens", json!(usage.cached));
        set("gen_ai.usage.cache_creation.input_tokens", json!(usage.cache_write));
        set("gen_ai.usage.reasoning.output_tokens", json!(usage.reasoning));
        if usage.cost > 0.0 {
            set("polaris.usage.cost", json!(usage.cost));
        }
    }
    if let Some(code) = error {
        set("error.type", json!(code.name()));
    }
    attributes
}

/// A call of a tool that has ended.
pub(super) fn execute_tool(step: u32, call: &ToolCall, is_error: bool, result_bytes: usize) -> Value {
    json!({
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": call.name,
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": call.id,
        "polaris.step": step,
        "polaris.tool.is_error": is_error,
        "polaris.tool.result_bytes": result_bytes,
    })
}
