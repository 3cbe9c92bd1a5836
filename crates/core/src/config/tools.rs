//! Which tools a run has: the entries of the option `tools`.

use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use ts_rs::TS;

use crate::error::{CoreError, ErrorCode, Result};

/// The entry that stands for all tools that the job offers by default.
pub const ALL: &str = "*";
/// Begins an entry that drops a tool again.
pub const DROP: char = '!';
/// The longest name of a tool, in characters
/// (<https://platform.openai.com/docs/api-reference/chat/create#chat-create-tools>).
const MAX_NAME: usize = 64;

/// An entry of the option `tools`, read in order: the name of a tool of the job; `"*"`, all that it
/// offers by default; `"!name"`, all so far but this one; or a tool of one's own, made by
/// `defineTool`.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
#[serde(untagged)]
pub enum ToolChoice {
    /// A tool of the job, `*`, or `!` and a name.
    Name(String),
    /// A tool of one's own.
    Own(Box<OwnToolSpec>),
}

// By hand, since `untagged` cannot say which field is wrong.
impl<'de> Deserialize<'de> for ToolChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Entry;
        impl<'de> Visitor<'de> for Entry {
            type Value = ToolChoice;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the name of a tool, or what defineTool returns")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> std::result::Result<ToolChoice, E> {
                Ok(ToolChoice::Name(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<ToolChoice, A::Error> {
                OwnToolSpec::deserialize(MapAccessDeserializer::new(map))
                    .map(|spec| ToolChoice::Own(Box::new(spec)))
            }
        }
        deserializer.deserialize_any(Entry)
    }
}

/// What the core knows of a tool that the host runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[ts(optional_fields)]
pub struct OwnToolSpec {
    /// What the model calls it: letters, digits, `_` and `-`, at most 64.
    pub name: String,
    /// What it does and when to use it, for the model.
    pub description: String,
    /// JSON schema of its arguments, an object.
    #[ts(type = "Record<string, unknown>")]
    pub parameters: Value,
    /// Whether it takes the place of the job's tool of the same name. Default false: such a name is
    /// refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<bool>,
    /// Whether it changes nothing: then it may run beside other calls that only read, and again after
    /// a crash. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
    /// Whether a second call with the same arguments and key changes nothing more: then it runs again
    /// when a worker died while it ran. Default false: the model is told that the outcome is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotent: Option<bool>,
    /// Time for one call, ms, instead of `limits.toolMs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u32>,
    /// Bytes of a result that the model and the store get, where fewer than
    /// `limits.maxToolResultBytes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_result_bytes: Option<u32>,
}

impl OwnToolSpec {
    /// The time for one call, if it has one of its own.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout_ms.map(|ms| Duration::from_millis(ms.into()))
    }

    /// Checks what types alone cannot.
    ///
    /// # Errors
    /// `CONFIG_INVALID` names the tool and the field.
    pub fn check(&self) -> Result<()> {
        let Self { name, description, parameters, .. } = self;
        let why = if name.is_empty()
            || name.chars().count() > MAX_NAME
            || !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        {
            format!("a name is 1 to {MAX_NAME} letters, digits, _ or -")
        } else if description.trim().is_empty() {
            "description is blank: the model chooses tools by it".to_owned()
        } else if parameters.get("type").and_then(Value::as_str) != Some("object") {
            "parameters must be the JSON schema of an object".to_owned()
        } else if self.timeout_ms == Some(0) {
            "timeoutMs must be at least 1".to_owned()
        } else if self.max_result_bytes == Some(0) {
            "maxResultBytes must be at least 1".to_owned()
        } else {
            return Ok(());
        };
        Err(CoreError::new(ErrorCode::ConfigInvalid, format!("options.tools: {name:?}: {why}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn own(change: Value) -> OwnToolSpec {
        let mut spec = json!({ "name": "a", "description": "Does a.", "parameters": { "type": "object" } });
        for (key, value) in change.as_object().unwrap() {
            spec[key] = value.clone();
        }
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn an_entry_is_a_name_or_a_tool_and_a_wrong_one_says_which_field() {
        let read = |value: Value| serde_json::from_value::<ToolChoice>(value);
        assert_eq!(read(json!("readFile")).unwrap(), ToolChoice::Name("readFile".into()));
        assert!(matches!(read(json!(own(json!({})))).unwrap(), ToolChoice::Own(_)));
        for (value, says) in [
            (json!(7), "the name of a tool, or what defineTool returns"),
            (json!({ "name": "a" }), "missing field `description`"),
            (json!({ "name": "a", "descripton": "" }), "unknown field `descripton`"),
        ] {
            let error = read(value).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn what_no_model_could_call_is_refused_by_its_name() {
        assert!(own(json!({})).check().is_ok());
        for change in [
            json!({ "name": "" }),
            json!({ "name": "a b" }),
            json!({ "name": "x".repeat(65) }),
            json!({ "description": " " }),
            json!({ "parameters": {} }),
            json!({ "parameters": [] }),
            json!({ "timeoutMs": 0 }),
            json!({ "maxResultBytes": 0 }),
        ] {
            let error = own(change.clone()).check().unwrap_err();
            assert!(error.message.starts_with("options.tools: \""), "{change}: {error}");
        }
    }
}
