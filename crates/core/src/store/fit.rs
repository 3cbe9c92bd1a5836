//! Makes values fit into a Convex document: names, nesting, sizes. Pure. What does not fit is kept as
//! text or replaced by a note; a write that the deployment refuses would lose the whole message.
//! Source of the limits: <https://docs.convex.dev/production/state/limits>.

use serde_json::{Map, Value, json};

/// Levels of objects and arrays that a stored argument may have; a document may have 16 in all.
const MAX_DEPTH: usize = 10;
/// Elements of an array, below Convex's 8,192.
const MAX_ELEMENTS: usize = 8_000;
/// Fields of an object, below Convex's 1,024.
const MAX_FIELDS: usize = 1_000;
/// Bytes of a field's name, below Convex's 1,024.
const MAX_NAME_BYTES: usize = 1_000;
/// Bytes of one call's arguments. A document holds 1 MiB; the text and other calls want room too.
pub const MAX_ARGS_BYTES: usize = 128 << 10;
/// Bytes of all calls of a message together.
pub const MAX_CALLS_BYTES: usize = 640 << 10;
/// What is kept of a result for which there is no room.
const KEPT_BYTES: usize = 1 << 10;

/// Bytes of a message's text, calls and turns together: below Convex's 1 MiB for a document, with room
/// for the status, ids, a failure's note and the names of fields.
const MAX_MESSAGE_BYTES: usize = 960 << 10;
/// Bytes of all finished turns together that may carry what they reasoned.
const MAX_TURNS_BYTES: usize = 128 << 10;
/// The end of a text of which a message holds only the head.
pub const CUT: &str =
    "\n\n[… The answer goes on, but it is longer than a message can hold: only its beginning is kept. …]";

/// Up to where a text is stored beside calls and turns of `used` bytes; `None`: to its end. What is cut
/// is closed by [`CUT`].
pub fn text_end(text: &str, used: usize) -> Option<usize> {
    let room = MAX_MESSAGE_BYTES.saturating_sub(used);
    if text.len() <= room {
        return None;
    }
    let most = room.saturating_sub(CUT.len());
    Some((0..=most).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0))
}

/// A text as it is stored, with the end that [`text_end`] says.
pub fn text(text: &str, end: Option<usize>) -> String {
    end.map_or_else(|| text.to_owned(), |end| format!("{}{CUT}", &text[..end]))
}

/// A turn as it is stored, where the others have `used` bytes already. Without its reasoning, and with
/// nothing beside its calls, it can still be gone on behind.
pub fn turn(mut data: Value, used: usize) -> Value {
    let is_large = used + data.to_string().len() > MAX_TURNS_BYTES;
    let Some(fields) = data.as_object_mut() else { return data };
    // Blocks of a provider that the store would refuse, and with them the whole message.
    let is_refused = fields.get("reasoning").is_some_and(|given| value(given.clone(), 2) != *given);
    if is_large || is_refused {
        fields.remove("reasoning");
    }
    if is_large {
        for extra in fields.get_mut("extras").and_then(Value::as_array_mut).into_iter().flatten() {
            extra[1] = Value::String(String::new());
        }
    }
    data
}

/// Arguments as they are stored, where `room` bytes are left for them.
pub fn args(args: Value, room: usize) -> Value {
    let bytes = args.to_string().len();
    if bytes > room.min(MAX_ARGS_BYTES) && bytes > KEPT_BYTES {
        return json!({ "truncated": true, "bytes": bytes });
    }
    value(args, 0)
}

/// A result as it is stored, where `room` bytes are left for it.
pub fn result(text: &str, room: usize) -> String {
    if text.len() <= room.max(KEPT_BYTES) {
        return text.to_owned();
    }
    let end = (0..=KEPT_BYTES).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    format!("{}\n[… {} bytes are not stored: the message is full …]", &text[..end], text.len() - end)
}

fn value(value: Value, depth: usize) -> Value {
    match value {
        Value::Array(_) | Value::Object(_) if depth >= MAX_DEPTH => Value::String(value.to_string()),
        Value::Array(items) if items.len() > MAX_ELEMENTS => Value::String(Value::Array(items).to_string()),
        Value::Object(fields) if fields.len() > MAX_FIELDS => {
            Value::String(Value::Object(fields).to_string())
        }
        Value::Array(items) => items.into_iter().map(|item| self::value(item, depth + 1)).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(key, field)| (name(&key), self::value(field, depth + 1)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        other => other,
    }
}

/// A field's name in printable ASCII that does not begin with `$` or `_`: what Convex refuses is
/// percent-encoded.
fn name(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    for (at, byte) in key.bytes().enumerate() {
        let refused = !(0x20..0x7F).contains(&byte) || (at == 0 && matches!(byte, b'$' | b'_'));
        if refused {
            out.push_str(&format!("%{byte:02X}"));
        } else {
            out.push(char::from(byte));
        }
    }
    if out.is_empty() {
        out.push_str("%00");
    }
    out.truncate(MAX_NAME_BYTES);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ordinary_arguments_stay_as_they_are() {
        let value = json!({ "path": "src/a.ts", "content": "é", "n": 1.5, "list": [1, { "b": null }] });
        assert_eq!(args(value.clone(), 1_000), value);
    }

    #[test]
    fn names_that_convex_refuses_are_encoded() {
        assert_eq!(
            args(json!({ "$ref": 1, "_id": 2, "ключ": 3, "": 4, "a b": 5 }), 1_000),
            json!({
                "%24ref": 1, "%5Fid": 2, "%D0%BA%D0%BB%D1%8E%D1%87": 3, "%00": 4, "a b": 5,
            })
        );
    }

    #[test]
    fn what_is_too_deep_or_too_long_becomes_text() {
        let mut deep = json!(1);
        for _ in 0..30 {
            deep = json!({ "a": deep });
        }
        fn depth(value: &Value) -> usize {
            match value {
                Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
                Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
                _ => 0,
            }
        }
        assert_eq!(depth(&args(deep, MAX_ARGS_BYTES)), MAX_DEPTH);
        assert!(args(json!({ "list": vec![1; 9_000] }), MAX_ARGS_BYTES)["list"].is_string());
        let bytes = MAX_ARGS_BYTES + 100;
        assert_eq!(args(json!({ "content": "x".repeat(bytes) }), bytes * 2)["truncated"], true);
        let content = json!({ "content": "x".repeat(5_000) });
        assert_eq!(args(content.clone(), 6_000), content);
        assert_eq!(args(content, 4_000)["truncated"], true, "the message is full");
    }

    #[test]
    fn a_text_that_fits_is_whole_and_another_one_is_cut_between_characters() {
        let most = MAX_MESSAGE_BYTES - 1_000;
        assert_eq!(text_end(&"x".repeat(most), 1_000), None);
        for shift in 0..4 {
            let long = "x".repeat(shift) + &"😀".repeat(most / 4 + 1);
            let end = text_end(&long, 1_000);
            let stored = text(&long, end);
            assert!(stored.len() <= most && stored.len() > most - 8, "{}", stored.len());
            assert!(long.starts_with(stored.strip_suffix(CUT).unwrap()));
        }
        assert_eq!(text("abc", text_end("abc", MAX_MESSAGE_BYTES)), CUT);
    }

    #[test]
    fn turns_give_up_their_reasoning_before_they_fill_the_message() {
        let data = json!({ "step": 1, "reasoning": { "text": "x".repeat(8_000) } });
        assert_eq!(turn(data.clone(), 0), data);
        assert_eq!(turn(data, MAX_TURNS_BYTES), json!({ "step": 1 }));
        let signed = json!({ "step": 1, "extras": [["c", "x".repeat(4_000)]] });
        assert_eq!(turn(signed.clone(), 0), signed);
        assert_eq!(turn(signed, MAX_TURNS_BYTES), json!({ "step": 1, "extras": [["c", ""]] }));
        let refused = json!({ "step": 1, "reasoning": { "text": "", "blocks": [{ "$type": "x" }] } });
        assert_eq!(turn(refused, 0), json!({ "step": 1 }), "Convex would refuse the message for it");
    }

    #[test]
    fn a_full_message_keeps_the_head_of_a_result() {
        assert_eq!(result("abc", 0), "abc");
        let long = "é".repeat(5_000);
        assert_eq!(result(&long, 20_000), long);
        let kept = result(&long, 100);
        assert!(kept.len() < 1_200 && kept.contains("8976 bytes are not stored"), "{}", kept.len());
    }

    proptest! {
        #[test]
        fn any_name_becomes_one_that_convex_takes(key in any::<String>()) {
            let name = name(&key);
            prop_assert!(!name.is_empty() && name.len() <= MAX_NAME_BYTES);
            prop_assert!(name.bytes().all(|b| (0x20..0x7F).contains(&b)) && !name.starts_with(['$', '_']));
        }
    }
}
