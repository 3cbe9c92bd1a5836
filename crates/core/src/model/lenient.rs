//! The second reading of an event that the first one, strict and fast, refuses: what gateways get
//! wrong in JSON is mended, and fields of another type than the protocol's are brought to it or left
//! out, so that one odd field does not cost the text beside it.

use serde_json::{Map, Value};

/// What an event turned out to hold.
#[derive(Debug, PartialEq)]
pub(super) enum Document {
    /// The closing word of chat completions.
    Done,
    /// JSON.
    Json(Value),
    /// Neither; nothing follows.
    Unreadable(String),
}

/// Mends JSON. Its state is half a character that one event left to the next.
#[derive(Debug, Default)]
pub(super) struct Mender {
    /// A leading UTF-16 surrogate at the end of a string.
    half: Option<u16>,
}

impl Mender {
    /// The documents of an event: one, or several where a server left out the blank lines between
    /// its events.
    pub(super) fn documents(&mut self, text: &str) -> Vec<Document> {
        let (mended, half) = mend(text, self.half);
        if let Ok(value) = serde_json::from_str(&mended) {
            self.half = half;
            return vec![Document::Json(value)];
        }
        let mut found = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if is_done(line.as_bytes()) {
                found.push(Document::Done);
                continue;
            }
            let (mended, half) = mend(line, self.half);
            match serde_json::from_str(&mended) {
                Ok(value) => {
                    self.half = half;
                    found.push(Document::Json(value));
                }
                Err(_) => {
                    found.push(Document::Unreadable(line.to_owned()));
                    break;
                }
            }
        }
        found
    }
}

/// Whether this is the word that closes chat completions, however it is spelled.
pub(super) fn is_done(data: &[u8]) -> bool {
    data == b"[DONE]" || data.eq_ignore_ascii_case(b"[done]") || data == b"\"[DONE]\"" || data == b"DONE"
}

/// `text` with control characters in strings escaped, characters that were cut in two joined with the
/// `half` of the event before, and the numbers that Python writes but JSON does not know as `null`.
/// The second value is the half that ends a string here.
fn mend(text: &str, mut half: Option<u16>) -> (String, Option<u16>) {
    let mut out = String::with_capacity(text.len() + 16);
    let mut left = None;
    let mut rest = text;
    let mut in_string = false;
    let mut at_start = false;
    while let Some(c) = rest.chars().next() {
        if !in_string {
            if let Some(after) =
                ["NaN", "Infinity", "-Infinity"].iter().find_map(|word| rest.strip_prefix(word))
            {
                out.push_str("null");
                rest = after;
                continue;
            }
            in_string = c == '"';
            at_start = in_string;
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let was_start = std::mem::take(&mut at_start);
        match (c, surrogate(rest)) {
            ('\\', Some(unit @ 0xD800..=0xDBFF)) => {
                let after = &rest[6..];
                match surrogate(after) {
                    Some(0xDC00..=0xDFFF) => {
                        out.push_str(&rest[..12]);
                        rest = &after[6..];
                        continue;
                    }
                    _ if after.starts_with('"') => left = Some(unit),
                    _ => out.push_str("\\ufffd"),
                }
                rest = after;
            }
            ('\\', Some(unit)) => {
                match half.take().filter(|_| was_start) {
                    Some(first) => out.push_str(&format!("\\u{first:04x}\\u{unit:04x}")),
                    None => out.push_str("\\ufffd"),
                }
                rest = &rest[6..];
            }
            ('\\', None) => {
                let escaped = rest[1..].chars().next();
                match escaped {
                    Some('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' | 'u') => out.push('\\'),
                    // A backslash that escapes nothing is one.
                    _ => out.push_str("\\\\"),
                }
                rest = &rest[1..];
                if let Some(escaped) = escaped.filter(|c| !c.is_control()) {
                    out.push(escaped);
                    rest = &rest[escaped.len_utf8()..];
                }
            }
            (c, _) => {
                if c.is_ascii_control() {
                    out.push_str(&format!("\\u{:04x}", u32::from(c)));
                } else {
                    out.push(c);
                }
                in_string = c != '"';
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    (out, left)
}

/// The UTF-16 surrogate that `text` begins with as an escape.
fn surrogate(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let unit = u16::from_str_radix(digits, 16).ok()?;
    (0xD800..=0xDFFF).contains(&unit).then_some(unit)
}

/// Brings a chunk of a chat completion to the types of the protocol.
pub(super) fn chat_chunk(value: &mut Value) {
    // Google's servers send an error as a list of one.
    if let Some([only]) = value.as_array_mut().map(Vec::as_mut_slice) {
        *value = only.take();
    }
    let Some(chunk) = value.as_object_mut() else { return };
    texts(chunk, &["model", "object"]);
    object(chunk, "usage");
    object(chunk, "base_resp");
    if let Some(groq) = object(chunk, "x_groq") {
        object(groq, "usage");
    }
    for choice in objects(chunk, "choices") {
        index(choice);
        texts(choice, &["finish_reason"]);
        object(choice, "usage");
        if let Some(Value::String(text)) = choice.get("delta") {
            let delta = Map::from_iter([("content".to_owned(), text.clone().into())]);
            choice.insert("delta".to_owned(), delta.into());
        }
        for key in ["delta", "message"] {
            if let Some(delta) = object(choice, key) {
                chat_delta(delta);
            }
        }
    }
}

fn chat_delta(delta: &mut Map<String, Value>) {
    for key in ["content", "reasoning_content", "reasoning", "reasoning_text"] {
        content(delta, key);
    }
    list(delta, "reasoning_details");
    texts(delta, &["refusal"]);
    if let Some(function) = object(delta, "function_call") {
        chat_function(function);
    }
    for call in objects(delta, "tool_calls") {
        index(call);
        texts(call, &["id"]);
        if let Some(function) = object(call, "function") {
            chat_function(function);
        }
    }
}

fn chat_function(function: &mut Map<String, Value>) {
    texts(function, &["name"]);
    if let Some(arguments @ (Value::Number(_) | Value::Bool(_) | Value::Array(_))) =
        function.get_mut("arguments")
    {
        *arguments = arguments.to_string().into();
    }
}

/// Brings an event of Anthropic Messages to the types of the protocol.
pub(super) fn anthropic_event(value: &mut Value) {
    let Some(event) = value.as_object_mut() else { return };
    const BLOCK: [&str; 7] = ["type", "id", "name", "text", "thinking", "signature", "data"];
    texts(event, &["type"]);
    index(event);
    object(event, "usage");
    if let Some(message) = object(event, "message") {
        texts(message, &["model", "stop_reason"]);
        object(message, "usage");
        for block in objects(message, "content") {
            texts(block, &BLOCK);
        }
    }
    if let Some(block) = object(event, "content_block") {
        texts(block, &BLOCK);
    }
    if let Some(delta) = object(event, "delta") {
        if let Some(json @ Value::Object(_)) = delta.get_mut("partial_json") {
            *json = json.to_string().into();
        }
        texts(delta, &["type", "text", "thinking", "signature", "partial_json", "stop_reason"]);
    }
}

/// Strings and nothing stay, numbers become their digits, all else goes.
fn texts(fields: &mut Map<String, Value>, keys: &[&str]) {
    for &key in keys {
        match fields.get_mut(key) {
            None | Some(Value::String(_) | Value::Null) => {}
            Some(number @ Value::Number(_)) => *number = number.to_string().into(),
            Some(_) => drop(fields.remove(key)),
        }
    }
}

/// `index` as a small natural number, or none.
fn index(fields: &mut Map<String, Value>) {
    if let Some(value) = fields.get("index") {
        let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
        let number = number.filter(|n| n.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(n));
        let value = number.map_or(Value::Null, |n| (n as u32).into());
        fields.insert("index".to_owned(), value);
    }
}

/// The object at `key`; anything else there goes.
fn object<'m>(fields: &'m mut Map<String, Value>, key: &str) -> Option<&'m mut Map<String, Value>> {
    if !fields.get(key)?.is_object() {
        fields.remove(key);
    }
    fields.get_mut(key)?.as_object_mut()
}

/// A list of objects at `key`: a single one becomes a list, anything else goes.
fn list(fields: &mut Map<String, Value>, key: &str) {
    let list = match fields.remove(key) {
        Some(Value::Array(items)) => items.into_iter().filter(Value::is_object).collect(),
        Some(object @ Value::Object(_)) => vec![object],
        _ => return,
    };
    fields.insert(key.to_owned(), Value::Array(list));
}

/// The objects of the list at `key`, once it is one.
fn objects<'m>(
    fields: &'m mut Map<String, Value>,
    key: &str,
) -> impl Iterator<Item = &'m mut Map<String, Value>> {
    list(fields, key);
    fields.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

/// A string, an object, or a list of parts.
fn content(fields: &mut Map<String, Value>, key: &str) {
    match fields.get_mut(key) {
        Some(Value::Array(items)) => parts(items),
        Some(Value::Bool(_)) => drop(fields.remove(key)),
        Some(number @ Value::Number(_)) => *number = number.to_string().into(),
        _ => {}
    }
}

fn parts(items: &mut Vec<Value>) {
    for item in items.iter_mut() {
        match item {
            Value::String(text) => *item = text_part(text),
            Value::Object(part) => {
                texts(part, &["type", "text"]);
                match part.get_mut("thinking") {
                    Some(Value::Array(items)) => parts(items),
                    Some(thinking @ Value::String(_)) => {
                        *thinking = Value::Array(vec![text_part(thinking.as_str().unwrap_or_default())]);
                    }
                    _ => drop(part.remove("thinking")),
                }
            }
            _ => {}
        }
    }
    items.retain(Value::is_object);
}

fn text_part(text: &str) -> Value {
    serde_json::json!({ "type": "text", "text": text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(text: &str) -> Vec<Document> {
        Mender::default().documents(text)
    }

    #[test]
    fn what_is_nearly_json_is_read() {
        let cases = [
            ("{\"a\":NaN,\"b\":-Infinity}", json!({ "a": null, "b": null })),
            ("{\"a\":\"NaN\"}", json!({ "a": "NaN" })),
            ("{\"a\":\"x\ty\nz\"}", json!({ "a": "x\ty\nz" })),
            (r#"{"a":"\d\\d"}"#, json!({ "a": "\\d\\d" })),
            (r#"{"a":"\ud83d\ude00"}"#, json!({ "a": "😀" })),
            (r#"{"a":"\ud83d!","b":"\ude00"}"#, json!({ "a": "\u{fffd}!", "b": "\u{fffd}" })),
            (r#"{"a":1,"a":2}"#, json!({ "a": 2 })),
        ];
        for (text, value) in cases {
            assert_eq!(read(text), [Document::Json(value)], "{text}");
        }
    }

    #[test]
    fn a_character_cut_in_two_is_joined() {
        let mut mender = Mender::default();
        assert_eq!(mender.documents(r#"{"a":"x\ud83d"}"#), [Document::Json(json!({ "a": "x" }))]);
        assert_eq!(mender.documents(r#"{"a":"\ude00y"}"#), [Document::Json(json!({ "a": "😀y" }))]);
        assert_eq!(mender.documents(r#"{"a":"\ude00y"}"#), [Document::Json(json!({ "a": "\u{fffd}y" }))]);
    }

    #[test]
    fn events_without_blank_lines_between_them_are_several() {
        let one = Document::Json(json!({ "n": 1 }));
        assert_eq!(read("{\"n\":1}\n[DONE]"), [one, Document::Done]);
        let bad = Document::Unreadable("{\"n\":".to_owned());
        assert_eq!(read("{\"n\":1}\n{\"n\":\n{}"), [Document::Json(json!({ "n": 1 })), bad]);
    }

    proptest! {
        #[test]
        fn json_is_left_as_it_is(text in any::<String>()) {
            let value = json!({ "a": [text, 1.5, null] });
            prop_assert_eq!(read(&value.to_string()), [Document::Json(value)]);
        }

        #[test]
        fn no_text_panics(text in "[\\\\\"uNd8{}a-f0-9é\n\t]{0,40}") {
            read(&text);
        }
    }
}
