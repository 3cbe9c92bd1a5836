//! What providers report as an error, in all the shapes that they give it.

use serde_json::Value;

use super::ProviderError;

/// Whether the value of an `error` field is one: `null`, `""`, `{}`, `[]` and `false` are not, nor is
/// an object whose fields are all empty.
pub(super) fn is_error(raw: &str) -> bool {
    match raw.trim() {
        "null" | "\"\"" | "{}" | "false" => false,
        raw => serde_json::from_str(raw).as_ref().map_or(true, says_something),
    }
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) => true,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => items.iter().any(says_something),
        Value::Object(fields) => fields.values().any(says_something),
    }
}

/// Reads what providers put into an error.
pub(super) fn provider_error(raw: &str) -> ProviderError {
    let Ok(value) = serde_json::from_str::<Value>(raw) else {
        return ProviderError { code: None, message: excerpt(raw) };
    };
    let inner = first(&value);
    let inner = ["error", "errors", "base_resp"]
        .iter()
        .find_map(|key| inner.get(key).filter(|inner| !inner.is_null()))
        .map_or(inner, first);
    let code =
        ["code", "type", "status_code", "error_code"].iter().find_map(|key| inner.get(key).and_then(text));
    let message = match inner {
        Value::String(message) => Some(message.clone()),
        _ => MESSAGE_FIELDS.iter().find_map(|key| inner.get(key).and_then(text)),
    };
    ProviderError { code, message: message.map_or_else(|| excerpt(raw), |m| excerpt(&m)) }
}

/// Under which names an error is put into words.
const MESSAGE_FIELDS: [&str; 7] = ["message", "detail", "error", "msg", "error_msg", "status_msg", "title"];

/// The error of a document that has nothing else: `{"error":…}`, `{"code":…,"message":…}`,
/// `{"detail":…}`, `{"type":"error",…}`. Pings and the telemetry of gateways are none.
pub(super) fn bare_error(raw: &str) -> Option<ProviderError> {
    let value = serde_json::from_str::<Value>(raw).ok()?;
    let fields = first(&value).as_object()?;
    let is_marked =
        ["type", "object", "status"].iter().any(|key| fields.get(*key).is_some_and(|v| v == "error"))
            || ["error", "errors"].iter().any(|key| fields.get(*key).is_some_and(says_something));
    let is_bare = !fields.contains_key("id")
        && !fields.contains_key("object")
        && MESSAGE_FIELDS.iter().any(|key| fields.get(*key).and_then(text).is_some());
    (is_marked || is_bare).then(|| provider_error(raw))
}

/// The value itself, or the first of a list of errors.
fn first(value: &Value) -> &Value {
    value.as_array().and_then(|items| items.first()).unwrap_or(value)
}

fn text(value: &Value) -> Option<String> {
    match first(value) {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(object) => {
            ["message", "msg"].iter().find_map(|key| object.get(*key)?.as_str()).map(str::to_owned)
        }
        _ => None,
    }
}

/// One line of at most 300 characters.
fn excerpt(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_read_in_every_shape() {
        let cases = [
            (r#"{"error":{"code":429,"message":"slow down"}}"#, Some("429"), "slow down"),
            (r#"{"error":{"code":null,"type":"t","message":"m"}}"#, Some("t"), "m"),
            (r#"{"error":"no such model"}"#, None, "no such model"),
            (r#"{"object":"error","message":"m","code":"1500"}"#, Some("1500"), "m"),
            (r#"{"detail":"Not Found"}"#, None, "Not Found"),
            (r#"{"detail":[{"loc":["body"],"msg":"field required"}]}"#, None, "field required"),
            (r#"[{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}]"#, Some("400"), "m"),
            (r#"{"errors":[{"code":10000,"message":"auth"}],"success":false}"#, Some("10000"), "auth"),
            (r#"{"base_resp":{"status_code":1004,"status_msg":"login fail"}}"#, Some("1004"), "login fail"),
            ("Bad  gateway\n", None, "Bad gateway"),
        ];
        for (raw, code, message) in cases {
            let error = provider_error(raw);
            assert_eq!((error.code.as_deref(), error.message.as_str()), (code, message), "{raw}");
        }
    }

    #[test]
    fn empty_error_fields_are_no_errors() {
        for raw in ["null", "\"\"", "{}", "false", "[]", "0", " \" \"", r#"{"code":null,"message":""}"#] {
            assert!(!is_error(raw), "{raw}");
        }
        for raw in ["true", "\"x\"", "500", r#"{"message":"m"}"#] {
            assert!(is_error(raw), "{raw}");
        }
    }

    #[test]
    fn what_is_no_error_stays_none() {
        for raw in [r#"{"type":"ping"}"#, r#"{"id":"x","message":"queued"}"#, "[]", r#"{"metrics":{"n":1}}"#]
        {
            assert_eq!(bare_error(raw), None, "{raw}");
        }
        for raw in [
            r#"{"code":400,"message":"m"}"#,
            r#"{"detail":"d"}"#,
            r#"{"type":"error","error":{"message":"m"}}"#,
        ] {
            assert!(bare_error(raw).is_some(), "{raw}");
        }
    }
}
