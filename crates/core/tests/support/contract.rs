//! The validators of the deployment's functions, as exported to `contract.json`: every call that a
//! test sees, and every answer that a stand-in gives, must fit them.

use std::sync::OnceLock;

use serde_json::Value;

fn functions() -> &'static Value {
    static CONTRACT: OnceLock<Value> = OnceLock::new();
    CONTRACT.get_or_init(|| {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/contract.json");
        serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
    })
}

/// The contract of `path`, e.g. `system:beginMessage`.
pub fn function(path: &str) -> &'static Value {
    let function = &functions()["functions"][path];
    assert!(function.is_object(), "the deployment has no function {path}");
    function
}

/// What of `value` does not fit `validator`, as `path: why`.
pub fn mismatch(validator: &Value, value: &Value, at: &str) -> Option<String> {
    let wrong = |what: &str| Some(format!("{at}: {value} is not {what}"));
    match validator["type"].as_str().unwrap() {
        "any" => None,
        "null" => (!value.is_null()).then(|| wrong("null")).flatten(),
        "string" | "id" => (!value.is_string()).then(|| wrong("a string")).flatten(),
        "number" => (!value.is_number()).then(|| wrong("a number")).flatten(),
        "boolean" => (!value.is_boolean()).then(|| wrong("a boolean")).flatten(),
        "literal" => (*value != validator["value"]).then(|| wrong(&validator["value"].to_string())).flatten(),
        "array" => match value.as_array() {
            Some(items) => items
                .iter()
                .enumerate()
                .find_map(|(n, item)| mismatch(&validator["value"], item, &format!("{at}[{n}]"))),
            None => wrong("an array"),
        },
        "union" => {
            let options = validator["value"].as_array().unwrap();
            let fits = options.iter().any(|option| mismatch(option, value, at).is_none());
            (!fits).then(|| wrong("any of its options")).flatten()
        }
        "object" => {
            let (fields, Some(object)) = (validator["value"].as_object().unwrap(), value.as_object()) else {
                return wrong("an object");
            };
            if let Some(extra) = object.keys().find(|key| !fields.contains_key(*key)) {
                return Some(format!("{at}.{extra} is not in the contract"));
            }
            fields.iter().find_map(|(name, field)| match object.get(name) {
                Some(value) => mismatch(&field["fieldType"], value, &format!("{at}.{name}")),
                None if field["optional"] == true => None,
                None => Some(format!("{at}.{name} is missing")),
            })
        }
        other => unreachable!("a validator of type {other}"),
    }
}

/// Fails the test if the value does not fit.
pub fn check(path: &str, part: &str, value: &Value) {
    if let Some(why) = mismatch(&function(path)[part], value, part) {
        panic!("{path} against the contract: {why}");
    }
}
