//! From what is stored of a message back to where an earlier attempt stopped. Pure.
//!
//! Finished turns are not asked again, and finished calls are not made again. What cannot be read
//! (a journal of another version) counts as not finished.

use serde_json::Value;

use crate::agent::{Answer, CONTINUE, OpenCall, Resume, TurnRecord};
use crate::model::{ChatMessage, ToolCall, UNSIGNED};
use crate::store::fit;
use crate::store::functions::{Begun, StoredCall};

/// Where to go on; `None` if nothing is finished.
pub(super) fn resume(begun: &Begun) -> Option<Resume> {
    // Of a text that was cut, only the turns before the cut are known.
    let content = begun.content.strip_suffix(fit::CUT).unwrap_or(&begun.content);
    let turns: Vec<TurnRecord> = begun
        .turns
        .iter()
        .map_while(|turn| serde_json::from_value(turn.data.clone()).ok())
        .take_while(|turn: &TurnRecord| content.is_char_boundary(turn.end))
        .collect();
    let last = turns.last()?;
    let mut resume = Resume {
        answer: Answer {
            text: content[..last.end].to_owned(),
            steps: last.step,
            tool_calls: 0,
            usage: last.usage,
            model: String::new(),
            used_fallback: last.used_fallback,
        },
        ids: begun.tool_calls.iter().map(|call| call.id.clone()).collect(),
        at: last.at,
        ..Resume::default()
    };
    let mut start = 0;
    for turn in &turns {
        let text = content.get(start..turn.end)?.to_owned();
        start = turn.end;
        // Only the provider that gave it wants it back.
        let extras = if turn.used_fallback == last.used_fallback { turn.extras.as_slice() } else { &[] };
        let open = turn.calls.iter().map(|(id, provider_id)| {
            let extra = extras.iter().find(|(of, _)| of == id);
            let extra = extra.map(|(_, kept)| if kept.is_empty() { UNSIGNED } else { kept }.to_owned());
            open(&begun.tool_calls, id, provider_id, extra)
        });
        let open: Vec<OpenCall> = open.collect::<Option<_>>()?;
        resume.answer.tool_calls += u32::try_from(open.len()).unwrap_or(u32::MAX);
        resume.messages.push(ChatMessage::Assistant {
            text,
            reasoning: turn.reasoning.clone(),
            tool_calls: open.iter().map(|open| open.call.clone()).collect(),
        });
        if open.is_empty() {
            // A turn without calls that is not the last one was cut, and is being continued.
            resume.messages.push(ChatMessage::User(CONTINUE.to_owned()));
        } else if turn.step == last.step {
            resume.open = open;
        } else {
            resume.messages.extend(open.into_iter().map(|open| ChatMessage::Tool {
                call_id: open.call.id,
                content: open.result.unwrap_or_default(),
            }));
        }
    }
    Some(resume)
}

fn open(stored: &[StoredCall], id: &str, provider_id: &str, extra: Option<String>) -> Option<OpenCall> {
    let call = stored.iter().find(|call| call.id == id)?;
    let result = call.result.as_ref().map(|result| match result {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    Some(OpenCall {
        call: ToolCall {
            id: provider_id.to_owned(),
            name: call.name.clone(),
            raw_args: call.args.to_string(),
            args: Some(call.args.clone()),
            extra,
        },
        id: id.to_owned(),
        result,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{MessageStatus, Usage};
    use crate::store::functions::FinishedTurn;
    use serde_json::json;

    fn record(step: u32, end: usize, calls: &[(&str, &str)]) -> FinishedTurn {
        let calls = calls.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        let record = TurnRecord {
            step,
            end,
            at: 0.0,
            calls,
            extras: Vec::new(),
            reasoning: None,
            usage: Usage::default(),
            used_fallback: false,
        };
        FinishedTurn { step, data: json!(record) }
    }

    fn begun(content: &str, turns: Vec<FinishedTurn>, calls: Value) -> Begun {
        Begun {
            state: "run".into(),
            status: MessageStatus::Processing,
            project_id: "p".into(),
            content: content.into(),
            tool_calls: serde_json::from_value(calls).unwrap(),
            seq: Some(1.0),
            turns,
        }
    }

    #[test]
    fn finished_turns_come_back_with_the_providers_ids_and_half_a_turn_does_not() {
        let calls = json!([
            { "id": "c", "name": "readFile", "args": { "path": "a" }, "result": "A" },
            { "id": "c#2", "name": "writeFile", "args": { "path": "b", "content": "B" } },
        ]);
        let turns = vec![record(1, 4, &[("c", "c")]), record(2, 9, &[("c#2", "c")])];
        let resume = resume(&begun("One. Two. and half a th", turns, calls)).unwrap();
        assert_eq!(
            (resume.answer.text.as_str(), resume.answer.steps, resume.answer.tool_calls),
            ("One. Two.", 2, 2)
        );
        assert_eq!(resume.messages.len(), 3);
        assert_eq!(resume.messages[1], ChatMessage::Tool { call_id: "c".into(), content: "A".into() });
        assert_eq!((resume.open[0].call.id.as_str(), resume.open[0].id.as_str()), ("c", "c#2"));
        assert_eq!(resume.open[0].result, None);
        assert!(resume.ids.contains("c#2"));
    }

    #[test]
    fn what_a_provider_wants_back_with_a_call_comes_back_for_that_provider_only() {
        let calls = json!([{ "id": "c", "name": "readFile", "args": {} }, { "id": "d", "name": "readFile", "args": {} }]);
        let turn = |used_fallback: bool| {
            let mut turn = record(1, 1, &[("c", "c"), ("d", "d")]);
            turn.data["extras"] = json!([["c", "{\"a\":1}"], ["d", ""]]);
            turn.data["usedFallback"] = json!(used_fallback);
            turn
        };
        let resumed = resume(&begun("x", vec![turn(false)], calls.clone())).unwrap();
        let extras: Vec<_> = resumed.open.iter().map(|open| open.call.extra.as_deref()).collect();
        assert_eq!(extras, [Some("{\"a\":1}"), Some(UNSIGNED)], "one was too large to keep");
        let mut second = record(2, 1, &[("c", "c")]);
        second.data["usedFallback"] = json!(true);
        let resumed = resume(&begun("x", vec![turn(false), second], calls)).unwrap();
        let ChatMessage::Assistant { tool_calls, .. } = &resumed.messages[0] else { panic!("{resumed:?}") };
        assert!(tool_calls.iter().all(|call| call.extra.is_none()), "the fallback did not give it");
    }

    #[test]
    fn nothing_finished_or_nothing_readable_begins_anew() {
        assert_eq!(resume(&begun("", vec![], json!([]))), None);
        let other = FinishedTurn { step: 1, data: json!({ "version": 9 }) };
        assert_eq!(resume(&begun("x", vec![other], json!([]))), None);
        assert_eq!(resume(&begun("é", vec![record(1, 1, &[])], json!([]))), None, "not a place in this text");
        assert_eq!(resume(&begun("x", vec![record(1, 1, &[("gone", "gone")])], json!([]))), None);
    }
}
