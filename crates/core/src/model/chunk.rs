//! A chunk of a chat completion as it stands on the wire, with what providers add to it.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::Usage;

/// A string of the wire, borrowed where it has no escapes. `Option<Cow<str>>` alone would always copy.
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

#[derive(Deserialize)]
pub(super) struct Chunk<'a> {
    #[serde(borrow, default)]
    pub(super) choices: Option<Vec<Choice<'a>>>,
    #[serde(default)]
    pub(super) usage: Option<WireUsage>,
    #[serde(borrow, default)]
    pub(super) error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) model: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) x_groq: Option<Groq<'a>>,
    // Mistral and others report an error at the top: {"object":"error","message":…}.
    #[serde(borrow, default)]
    pub(super) object: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) message: Option<&'a RawValue>,
    /// How MiniMax says whether all is well.
    #[serde(default)]
    pub(super) base_resp: Option<BaseResponse>,
}

#[derive(Deserialize)]
pub(super) struct Groq<'a> {
    #[serde(default)]
    pub(super) usage: Option<WireUsage>,
    #[serde(borrow, default)]
    pub(super) error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct BaseResponse {
    #[serde(default)]
    status_code: Number,
}

impl BaseResponse {
    pub(super) fn is_error(&self) -> bool {
        self.status_code.0.is_some_and(|code| code != 0.0)
    }
}

#[derive(Deserialize)]
pub(super) struct Choice<'a> {
    #[serde(default)]
    pub(super) index: Option<u32>,
    #[serde(borrow, default)]
    pub(super) delta: Option<Delta<'a>>,
    /// The whole answer, where a server sends that instead of deltas, or beside them.
    #[serde(borrow, default)]
    pub(super) message: Option<Delta<'a>>,
    #[serde(borrow, default)]
    pub(super) finish_reason: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) error: Option<&'a RawValue>,
    /// Where Moonshot reports it.
    #[serde(default)]
    pub(super) usage: Option<WireUsage>,
}

#[derive(Deserialize)]
pub(super) struct Delta<'a> {
    #[serde(borrow, default)]
    pub(super) content: Option<Content<'a>>,
    #[serde(borrow, default)]
    pub(super) reasoning_content: Option<Content<'a>>,
    #[serde(borrow, default)]
    pub(super) reasoning: Option<Content<'a>>,
    /// The name that GitHub Copilot gives it.
    #[serde(borrow, default)]
    pub(super) reasoning_text: Option<Content<'a>>,
    #[serde(default)]
    pub(super) reasoning_details: Option<Vec<Value>>,
    #[serde(borrow, default)]
    pub(super) refusal: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) tool_calls: Option<Vec<CallDelta<'a>>>,
    /// The form of a call before there were several.
    #[serde(borrow, default)]
    pub(super) function_call: Option<FunctionDelta<'a>>,
}

#[derive(Deserialize)]
pub(super) struct CallDelta<'a> {
    #[serde(default)]
    pub(super) index: Option<u32>,
    #[serde(borrow, default)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) function: Option<FunctionDelta<'a>>,
    /// Gemini's signature of its thoughts.
    #[serde(borrow, default)]
    pub(super) extra_content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct FunctionDelta<'a> {
    #[serde(borrow, default)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) arguments: Option<Content<'a>>,
}

/// Token counts, under every name by which they come.
#[derive(Deserialize, Clone, Copy)]
pub(super) struct WireUsage {
    #[serde(default)]
    prompt_tokens: Number,
    #[serde(default)]
    completion_tokens: Number,
    #[serde(default)]
    total_tokens: Number,
    #[serde(default)]
    prompt_tokens_details: Option<Details>,
    #[serde(default)]
    completion_tokens_details: Option<Details>,
    #[serde(default)]
    cost: Number,
    // Gateways in front of Anthropic models.
    #[serde(default)]
    input_tokens: Number,
    #[serde(default)]
    output_tokens: Number,
    #[serde(default)]
    cache_read_input_tokens: Number,
    #[serde(default)]
    cache_creation_input_tokens: Number,
    // Moonshot and Together; Mistral; DeepSeek.
    #[serde(default)]
    cached_tokens: Number,
    #[serde(default)]
    num_cached_tokens: Number,
    #[serde(default)]
    prompt_cache_hit_tokens: Number,
    // Perplexity.
    #[serde(default)]
    reasoning_tokens: Number,
}

#[derive(Deserialize, Clone, Copy)]
struct Details {
    #[serde(default)]
    cached_tokens: Number,
    #[serde(default)]
    cache_write_tokens: Number,
    #[serde(default)]
    cache_creation_tokens: Number,
    #[serde(default)]
    reasoning_tokens: Number,
}

impl WireUsage {
    /// The provider's own sum.
    pub(super) fn total(self) -> Option<u64> {
        self.total_tokens.count()
    }
}

impl From<WireUsage> for Usage {
    fn from(wire: WireUsage) -> Self {
        let count = |numbers: &[Number]| numbers.iter().find_map(|n| n.count()).unwrap_or(0);
        let of =
            |details: Option<Details>, field: fn(Details) -> Number| details.map(field).unwrap_or_default();
        let prompt = wire.prompt_tokens_details;
        Self {
            input: count(&[wire.prompt_tokens, wire.input_tokens]),
            output: count(&[wire.completion_tokens, wire.output_tokens]),
            cached: count(&[
                of(prompt, |d| d.cached_tokens),
                wire.cached_tokens,
                wire.num_cached_tokens,
                wire.prompt_cache_hit_tokens,
                wire.cache_read_input_tokens,
            ]),
            reasoning: count(&[
                of(wire.completion_tokens_details, |d| d.reasoning_tokens),
                wire.reasoning_tokens,
            ]),
            cache_write: count(&[
                of(prompt, |d| d.cache_write_tokens),
                of(prompt, |d| d.cache_creation_tokens),
                wire.cache_creation_input_tokens,
            ]),
            cost: wire.cost.0.unwrap_or(0.0),
        }
    }
}

/// A finite number as providers write it: a number, its digits as a string, or (Perplexity's cost) an
/// object with the sum. Whatever else stands there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Number(pub(super) Option<f64>);

impl Number {
    /// It as a count of tokens; a negative one is none.
    pub(super) fn count(self) -> Option<u64> {
        self.0.filter(|n| *n >= 0.0).map(|n| n as u64)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberVisitor;
        impl<'de> Visitor<'de> for NumberVisitor {
            type Value = Number;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }
            fn visit_u64<E: de::Error>(self, v: u64) -> Result<Number, E> {
                Ok(Number(Some(v as f64)))
            }
            fn visit_i64<E: de::Error>(self, v: i64) -> Result<Number, E> {
                Ok(Number(Some(v as f64)))
            }
            fn visit_f64<E: de::Error>(self, v: f64) -> Result<Number, E> {
                Ok(Number(v.is_finite().then_some(v)))
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Result<Number, E> {
                Ok(Number(v.trim().parse().ok().filter(|n: &f64| n.is_finite())))
            }
            fn visit_bool<E: de::Error>(self, _: bool) -> Result<Number, E> {
                Ok(Number(None))
            }
            fn visit_unit<E: de::Error>(self) -> Result<Number, E> {
                Ok(Number(None))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Number, A::Error> {
                let mut sum = Number(None);
                while let Some(key) = map.next_key::<Cow<'_, str>>()? {
                    if key == "total_cost" {
                        sum = map.next_value()?;
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(sum)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Number, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Number(None))
            }
        }
        deserializer.deserialize_any(NumberVisitor)
    }
}

/// A field that is a string for most, an array of parts for Mistral, an object (tool arguments)
/// for Gemini-compatible servers.
pub(super) enum Content<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<Part>),
    Other(Value),
}

#[derive(Deserialize)]
pub(super) struct Part {
    #[serde(default, rename = "type")]
    pub(super) kind: Option<String>,
    #[serde(default)]
    pub(super) text: Option<String>,
    #[serde(default)]
    pub(super) thinking: Option<Vec<Part>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ContentVisitor<'a>(std::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for ContentVisitor<'a> {
            type Value = Content<'a>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, an array of parts or an object")
            }
            fn visit_borrowed_str<E: de::Error>(self, v: &'de str) -> Result<Self::Value, E> {
                Ok(Content::Text(Cow::Borrowed(v)))
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Result<Self::Value, E> {
                Ok(Content::Text(Cow::Owned(v.to_owned())))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(de::value::SeqAccessDeserializer::new(seq)).map(Content::Parts)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Value::deserialize(de::value::MapAccessDeserializer::new(map)).map(Content::Other)
            }
        }
        deserializer.deserialize_any(ContentVisitor(std::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_number_is_read_in_every_spelling() {
        let cases = [
            (json!(7), Some(7.0)),
            (json!(0.25), Some(0.25)),
            (json!("12"), Some(12.0)),
            (json!({ "input_cost": 1, "total_cost": 0.5 }), Some(0.5)),
            (json!({ "input_cost": 1 }), None),
            (json!("many"), None),
            (json!(null), None),
            (json!(true), None),
            (json!([1, 2]), None),
        ];
        for (value, number) in cases {
            assert_eq!(serde_json::from_value::<Number>(value.clone()).unwrap().0, number, "{value}");
            assert_eq!(serde_json::from_str::<Number>(&value.to_string()).unwrap().0, number, "{value}");
        }
    }
}
