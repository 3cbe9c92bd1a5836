//! What real servers and gateways add to the two protocols, leave out of them, or get wrong.
#![allow(clippy::unwrap_used)]

mod support;

use polaris_core::config::Protocol;
use polaris_core::model::{FinishReason, Turn, Usage, replay};
use serde_json::{Value, json};
use support::model::{event, finish as finish_event, text};

fn read(protocol: Protocol, body: &str) -> Turn {
    let whole = replay(protocol, &[body.as_bytes()]).unwrap();
    for size in [1, 7] {
        let parts: Vec<&[u8]> = body.as_bytes().chunks(size).collect();
        assert_eq!(replay(protocol, &parts).unwrap(), whole, "in pieces of {size}");
    }
    whole
}

fn chat(body: &str) -> Turn {
    read(Protocol::OpenaiChat, body)
}

fn anthropic(events: &[Value]) -> Turn {
    read(Protocol::Anthropic, &events.iter().map(event).collect::<String>())
}

fn delta(fields: &Value) -> String {
    choice(json!({ "index": 0, "delta": fields }))
}

fn choice(choice: Value) -> String {
    event(&json!({ "choices": [choice] }))
}

fn tool(call: &Value) -> String {
    delta(&json!({ "tool_calls": [call] }))
}

fn answer(turn: &Turn) -> (&str, Option<FinishReason>, bool) {
    (turn.text.as_str(), turn.finish, turn.error.is_some())
}

/// Names and arguments of the calls.
fn calls(turn: &Turn) -> Value {
    turn.tool_calls.iter().map(|call| json!([call.name, call.args])).collect()
}

const WHOLE: (&str, Option<FinishReason>, bool) = ("ab", Some(FinishReason::Stop), false);

#[test]
fn a_field_of_another_type_does_not_cost_the_text_beside_it() {
    for odd in [
        json!({ "choices": [{ "index": "0", "delta": { "content": "b" } }] }),
        json!({ "choices": [{ "index": -1, "delta": { "content": "b" } }] }),
        json!({ "choices": [{ "index": 0.0, "delta": { "content": "b" } }] }),
        json!({ "choices": { "index": 0, "delta": { "content": "b" } } }),
        json!({ "choices": [null, { "delta": { "content": "b", "tool_calls": {} } }] }),
        json!({ "choices": [{ "delta": { "content": "b", "tool_calls": [null], "refusal": false } }] }),
        json!({ "choices": [{ "delta": { "content": "b", "reasoning_details": "x", "reasoning": true } }] }),
        json!({ "choices": [{ "delta": { "content": ["b"] }, "finish_reason": false }] }),
        json!({ "choices": [{ "delta": { "content": { "type": "text", "text": "b" } } }] }),
        json!({ "choices": [{ "delta": "b" }] }),
        json!({ "choices": [{ "delta": { "content": "b" } }], "usage": "none", "model": 7, "object": {} }),
        json!({ "choices": [{ "delta": { "content": "b" } }], "usage": { "prompt_tokens": "x", "cost": {} } }),
        json!({ "choices": [{ "delta": { "content": "b" } }], "x_groq": "req_1" }),
        json!({ "choices": [{ "message": { "content": "b" }, "delta": { "content": "b" } }] }),
    ] {
        let turn = chat(&(text("a") + &event(&odd) + &finish_event("stop")));
        assert_eq!(answer(&turn), WHOLE, "{odd}");
    }
    for quiet in [
        json!(null),
        json!({}),
        json!({ "choices": null, "usage": null, "error": null }),
        json!({ "choices": [] }),
        json!({ "choices": [{ "delta": null }] }),
        json!({ "choices": [{ "delta": [] }] }),
        json!({ "choices": [{}] }),
        json!({ "type": "ping" }),
        json!({ "metrics": { "latency": 3 } }),
        json!({ "choices": [{ "delta": { "role": "assistant" } }], "error": { "code": null, "message": "" } }),
    ] {
        let turn = chat(&(text("a") + &event(&quiet) + &text("b") + &finish_event("stop")));
        assert_eq!(answer(&turn), WHOLE, "{quiet}");
    }
}

#[test]
fn what_is_nearly_json_is_read() {
    let bodies = [
        // Numbers that Python writes.
        text("a") + "data: {\"choices\":[{\"delta\":{\"content\":\"b\"},\"logprobs\":[-Infinity,NaN]}]}\n\n",
        // A field twice: the last counts, as in every parser that builds an object.
        "data: {\"choices\":[{\"delta\":{\"content\":\"x\",\"content\":\"ab\"}}]}\n\n".to_owned(),
        // Events with no blank line between them.
        text("a").trim_end().to_owned() + "\n" + &text("b"),
    ];
    for body in bodies {
        assert_eq!(answer(&chat(&(body.clone() + &finish_event("stop")))), WHOLE, "{body}");
    }
    let turn = chat(&(finish_event("stop").trim_end().to_owned() + "\ndata: [DONE]\n\n"));
    assert!(turn.done && turn.error.is_none());
    // A character whose halves come in two events, as servers do that cut text by UTF-16 units.
    let halves = "data: {\"choices\":[{\"delta\":{\"content\":\"a\\ud83d\"}}]}\n\n\
                  data: {\"choices\":[{\"delta\":{\"content\":\"\\ude00b\"}}]}\n\n";
    assert_eq!(chat(&(halves.to_owned() + &finish_event("stop"))).text, "a😀b");
}

#[test]
fn the_closing_word_is_known_in_every_spelling() {
    for done in ["[DONE]", " [DONE] ", "[done]", "\"[DONE]\"", "DONE"] {
        let turn = chat(&format!("{}data:{done}\n\n", finish_event("stop")));
        assert!(turn.done && turn.error.is_none(), "{done}");
    }
}

#[test]
fn an_answer_that_comes_whole_is_read_once() {
    let whole =
        choice(json!({ "message": { "role": "assistant", "content": "ab" }, "finish_reason": "stop" }));
    assert_eq!(answer(&chat(&whole)), WHOLE);
    assert_eq!(answer(&chat(&(text("ab") + &whole))), WHOLE, "a repetition behind its deltas");
}

#[test]
fn tokens_and_cost_are_found_under_every_name() {
    let usage = |input, output, cached, cache_write, reasoning, cost| Usage {
        input,
        output,
        cached,
        cache_write,
        reasoning,
        cost,
    };
    let cases = [
        (
            json!({ "prompt_tokens": 9, "completion_tokens": 2, "cost": { "request_cost": 0.5, "total_cost": 0.75 } }),
            usage(9, 2, 0, 0, 0, 0.75),
        ),
        (json!({ "prompt_tokens": "9", "completion_tokens": 2.0 }), usage(9, 2, 0, 0, 0, 0.0)),
        (
            json!({ "prompt_tokens": 9, "completion_tokens": 2, "prompt_cache_hit_tokens": 4, "reasoning_tokens": 1 }),
            usage(9, 2, 4, 0, 1, 0.0),
        ),
        (
            json!({ "prompt_tokens": 9, "completion_tokens": 2, "cached_tokens": 4 }),
            usage(9, 2, 4, 0, 0, 0.0),
        ),
        (
            json!({ "prompt_tokens": 9, "completion_tokens": 2, "cost": 0.25,
                "prompt_tokens_details": { "cached_tokens": 4, "cache_write_tokens": 3 },
                "completion_tokens_details": { "reasoning_tokens": 1 } }),
            usage(9, 2, 4, 3, 1, 0.25),
        ),
        (
            json!({ "input_tokens": 9, "output_tokens": 2, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 3 }),
            usage(9, 2, 4, 3, 0, 0.0),
        ),
    ];
    for (wire, expected) in cases {
        let at_top = event(&json!({ "choices": [], "usage": wire }));
        let in_choice = choice(json!({ "delta": {}, "usage": wire }));
        let groq = event(&json!({ "choices": [], "x_groq": { "usage": wire } }));
        for place in [at_top, in_choice, groq] {
            let empty =
                event(&json!({ "choices": [], "usage": { "prompt_tokens": 0, "completion_tokens": 0 } }));
            let turn = chat(&(text("ab") + &finish_event("stop") + &place + &empty));
            assert_eq!((turn.usage, answer(&turn)), (Some(expected), WHOLE), "{place}");
        }
    }
}

#[test]
fn fragments_of_a_call_find_each_other_however_they_are_marked() {
    let whole = json!([["x", { "n": 12 }]]);
    let function = |name: Option<&str>, arguments: &str| json!({ "name": name, "arguments": arguments });
    let cases = [
        (
            "the name repeated, without index and id",
            vec![
                json!({ "function": function(Some("x"), "{\"n\":") }),
                json!({ "function": function(Some("x"), "12}") }),
            ],
        ),
        (
            "a new id on every fragment",
            vec![
                json!({ "index": 0, "id": "a", "function": function(Some("x"), "{\"n\":") }),
                json!({ "index": 0, "id": "b", "function": function(None, "12}") }),
            ],
        ),
        (
            "a new id on every fragment, without index",
            vec![
                json!({ "id": "a", "function": function(Some("x"), "{\"n\":") }),
                json!({ "id": "b", "function": function(None, "12}") }),
            ],
        ),
        (
            "the arguments before the name",
            vec![
                json!({ "function": { "arguments": "{\"n\":" } }),
                json!({ "function": function(Some("x"), "12}") }),
            ],
        ),
        (
            "the id last",
            vec![
                json!({ "index": 0, "function": function(Some("x"), "{\"n\":12}") }),
                json!({ "index": 0, "id": "a" }),
            ],
        ),
        (
            "a call announced with empty arguments",
            vec![
                json!({ "index": 0, "id": "a", "function": function(Some("x"), "{}") }),
                json!({ "index": 0, "function": function(None, "{\"n\":12}") }),
            ],
        ),
        (
            "the arguments once more at the end",
            vec![
                json!({ "index": 0, "id": "a", "function": function(Some("x"), "{\"n\":12}") }),
                json!({ "index": 0, "id": "a", "function": function(Some("x"), "{\"n\":12}") }),
            ],
        ),
        (
            "an empty call behind it",
            vec![
                json!({ "index": 0, "id": "a", "function": function(Some("x"), "{\"n\":12}") }),
                json!({ "index": 1, "id": "", "function": function(Some(""), "") }),
            ],
        ),
        (
            "an index that is a string, an id that is a number",
            vec![
                json!({ "index": "0", "id": 7, "function": function(Some("x"), "{\"n\":") }),
                json!({ "index": "0", "id": 7, "function": function(None, "12}") }),
            ],
        ),
    ];
    for (what, fragments) in cases {
        let body: String = fragments.iter().map(tool).collect();
        let turn = chat(&(body + &finish_event("tool_calls")));
        assert_eq!((calls(&turn), turn.error), (whole.clone(), None), "{what}");
    }
    let name = [
        json!({ "index": 0, "id": "a", "function": function(Some("read"), "") }),
        json!({ "index": 0, "function": function(Some("File"), "") }),
        json!({ "index": 0, "function": function(Some("readFile"), "{}") }),
    ];
    let turn = chat(&(name.iter().map(tool).collect::<String>() + &finish_event("tool_calls")));
    assert_eq!(calls(&turn), json!([["readFile", {}]]), "a name in pieces, and repeated");
}

#[test]
fn several_calls_stay_apart_however_they_are_marked() {
    let function = |name: &str, arguments: &str| json!({ "name": name, "arguments": arguments });
    let cases = [
        (
            "one index, no ids",
            vec![
                json!({ "index": 0, "id": "", "function": function("x", "{\"n\":1}") }),
                json!({ "index": 0, "id": "", "function": function("x", "{\"n\":2}") }),
            ],
        ),
        (
            "no index, no ids",
            vec![
                json!({ "function": function("x", "{\"n\":1}") }),
                json!({ "function": function("x", "{\"n\":2}") }),
            ],
        ),
        (
            "one index, interleaved by id",
            vec![
                json!({ "index": 0, "id": "a", "function": function("x", "{\"n\":") }),
                json!({ "index": 0, "id": "b", "function": function("x", "{\"n\":") }),
                json!({ "index": 0, "id": "a", "function": { "arguments": "1}" } }),
                json!({ "index": 0, "id": "b", "function": { "arguments": "2}" } }),
            ],
        ),
        (
            "indexes with a gap, backwards",
            vec![
                json!({ "index": 7, "id": "a", "function": function("x", "{\"n\":") }),
                json!({ "index": 3, "id": "b", "function": function("x", "{\"n\":2}") }),
                json!({ "index": 7, "function": { "arguments": "1}" } }),
            ],
        ),
    ];
    for (what, fragments) in cases {
        let body: String = fragments.iter().map(tool).collect();
        let turn = chat(&(body + &finish_event("tool_calls")));
        assert_eq!(calls(&turn), json!([["x", { "n": 1 }], ["x", { "n": 2 }]]), "{what}");
    }
}

#[test]
fn a_call_in_the_old_form_is_one() {
    let body = delta(&json!({ "function_call": { "name": "x", "arguments": "{\"n\"" } }))
        + &delta(&json!({ "function_call": { "arguments": ":1}" } }))
        + &finish_event("function_call");
    let turn = chat(&body);
    assert_eq!((calls(&turn), turn.finish), (json!([["x", { "n": 1 }]]), Some(FinishReason::ToolCalls)));
}

#[test]
fn arguments_that_are_cut_are_never_made_whole() {
    for cut in
        ["{\"n\":", "{}{\"n\":", "{\"n\":1}{\"n\":", "{\"n\":1}{\"n\":2}", "{} trailing", "\"{\\\"n\\\":"]
    {
        let call = json!({ "index": 0, "id": "a", "function": { "name": "x", "arguments": cut } });
        let turn = chat(&(tool(&call) + &finish_event("length")));
        assert_eq!((turn.tool_calls[0].object(), turn.tool_calls[0].raw_args.as_str()), (None, cut));
    }
    for (odd, object) in [("[]", json!({})), ("\"{\\\"n\\\":1}\"", json!({ "n": 1 })), (" \n", json!({}))] {
        let call = json!({ "index": 0, "id": "a", "function": { "name": "x", "arguments": odd } });
        assert_eq!(chat(&tool(&call)).tool_calls[0].object(), Some(object), "{odd}");
    }
}

#[test]
fn an_error_is_one_in_every_shape_and_keeps_the_text_before_it() {
    let cases = [
        (json!({ "error": { "message": "m", "code": 502 }, "choices": [] }), Some("502")),
        (json!({ "error": "m" }), None),
        (json!([{ "error": { "code": 503, "message": "m", "status": "UNAVAILABLE" } }]), Some("503")),
        (
            json!({ "type": "error", "error": { "type": "overloaded_error", "message": "m" } }),
            Some("overloaded_error"),
        ),
        (json!({ "code": 400, "message": "m", "type": "Bad Request" }), Some("400")),
        (json!({ "detail": "m" }), None),
        (json!({ "base_resp": { "status_code": 1002, "status_msg": "m" }, "choices": null }), Some("1002")),
        (
            json!({ "choices": [{ "delta": {}, "error": { "code": 502, "message": "m" }, "finish_reason": "error" }] }),
            Some("502"),
        ),
    ];
    for (data, code) in cases {
        let turn = chat(&(text("ab") + &event(&data)));
        let error = turn.error.unwrap();
        assert_eq!(
            (turn.text.as_str(), error.code.as_deref(), error.message.as_str()),
            ("ab", code, "m"),
            "{data}"
        );
    }
    for reason in ["insufficient_system_resource", "network_error", "abort", "MALFORMED_FUNCTION_CALL"] {
        let turn = chat(&(text("ab") + &finish_event(reason)));
        assert_eq!(turn.error.unwrap().code.as_deref(), Some(reason), "half an answer is no success");
    }
}

#[test]
fn a_body_that_is_no_stream_says_what_it_is() {
    let json = chat("{\"error\":{\"code\":401,\"message\":\"no key\"}}").error.unwrap();
    assert_eq!((json.code.as_deref(), json.message.as_str()), (Some("401"), "no key"));
    let page = chat("\n<!doctype html><title>502 Bad Gateway</title>").error.unwrap();
    assert!(page.message.contains("not an event stream") && page.message.contains("502"), "{}", page.message);
    for empty in ["", "\n\n", "\u{feff}", ": ping\n\n"] {
        let turn = chat(empty);
        assert_eq!((turn.effective_finish(), turn.error), (None, None), "{empty:?} is a stream that was cut");
    }
}

#[test]
fn anthropic_events_are_read_however_gateways_number_and_name_them() {
    let start = |index: u32, block: Value| json!({ "type": "content_block_start", "index": index, "content_block": block });
    let part =
        |index: u32, delta: Value| json!({ "type": "content_block_delta", "index": index, "delta": delta });
    let stop = json!({ "type": "message_delta", "delta": { "stop_reason": "tool_use" } });
    let call = json!({ "type": "tool_use", "id": "t", "name": "x", "input": {} });
    // Fragments without a start, under another index, and a start that comes twice.
    let turn = anthropic(&[
        part(0, json!({ "type": "thinking_delta", "thinking": "h" })),
        part(0, json!({ "type": "thinking_delta", "thinking": "m" })),
        part(0, json!({ "type": "text_delta", "text": "ab" })),
        start(1, call.clone()),
        start(1, call.clone()),
        part(0, json!({ "type": "input_json_delta", "partial_json": "{\"n\":" })),
        part(1, json!({ "type": "input_json_delta", "partial_json": "1}" })),
        stop.clone(),
    ]);
    let reasoning = turn.reasoning.as_ref().unwrap();
    assert_eq!((reasoning.text.as_str(), reasoning.blocks.len()), ("hm", 1));
    assert_eq!((turn.text.as_str(), calls(&turn)), ("ab", json!([["x", { "n": 1 }]])));
    // The input of the provider's own tools is not that of the call before.
    let turn = anthropic(&[
        start(0, call),
        part(0, json!({ "type": "input_json_delta", "partial_json": "{\"n\":1}" })),
        start(1, json!({ "type": "server_tool_use", "id": "s", "name": "web_search", "input": {} })),
        part(1, json!({ "type": "input_json_delta", "partial_json": "{\"query\":1}" })),
        start(
            2,
            json!({ "type": "web_search_tool_result", "tool_use_id": "s", "content": [{ "text": "no" }] }),
        ),
        stop.clone(),
    ]);
    assert_eq!((turn.text.as_str(), calls(&turn)), ("", json!([["x", { "n": 1 }]])));
    // A call that is whole in the start of the message.
    let whole = json!([{ "type": "tool_use", "id": "t", "name": "x", "input": { "n": 1 } }]);
    let turn = anthropic(&[
        json!({ "type": "message_start", "message": { "content": whole, "stop_reason": "tool_use", "model": 4 } }),
        json!({ "type": "message_stop" }),
    ]);
    assert_eq!((calls(&turn), turn.finish), (json!([["x", { "n": 1 }]]), Some(FinishReason::ToolCalls)));
    // The kind only in the name of the event.
    let body = "event: content_block_delta\ndata: {\"index\":0,\"delta\":{\"text\":\"ab\"}}\n\n\
                event: message_delta\ndata: {\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":\"3\"}}\n\n";
    let turn = read(Protocol::Anthropic, body);
    assert_eq!((answer(&turn), turn.usage.unwrap().output), (WHOLE, 3));
}

#[test]
fn an_error_of_a_gateway_is_one_between_anthropic_events() {
    let text =
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": "ab" } });
    for (data, code) in [
        (json!({ "error": { "code": 502, "message": "m" } }), Some("502")),
        (json!({ "type": "error", "message": "m" }), Some("error")),
        (json!({ "message": "m" }), None),
    ] {
        let turn = anthropic(&[text.clone(), data.clone()]);
        let error = turn.error.unwrap();
        assert_eq!((turn.text.as_str(), error.message.as_str()), ("ab", "m"), "{data}");
        assert_eq!(error.code.as_deref(), code, "{data}");
    }
    let turn = anthropic(&[
        json!({ "type": "ping" }),
        json!({ "type": "vendor_metrics", "message": { "n": 1 } }),
        text,
    ]);
    assert_eq!((turn.text.as_str(), turn.error), ("ab", None));
}
