//! What a run reads of `process.env`. It is asked here and not in JavaScript: there, a new process first
//! compiles the code that looks for our names, 0.3 ms of the time to its first token.

use napi::bindgen_prelude::{JsObjectValue as _, Object, Unknown};
use napi::{JsValue as _, KeyCollectionMode, KeyConversion, KeyFilter, Result, ValueType};
use polaris_core::config::is_variable;

/// The variables that the core looks at, and their values, in `environment`: `process.env`, or what a test
/// has put in its place. Not the process's own: a worker thread of Node has others, and the main thread
/// may be setting one.
///
/// # Errors
/// What a getter throws.
pub(crate) fn read(environment: &Object<'_>) -> Result<Vec<(String, String)>> {
    // All of its own names: whether one can be enumerated is a question to the system for each.
    let names = environment.get_all_property_names(
        KeyCollectionMode::OwnOnly,
        KeyFilter::SkipSymbols,
        KeyConversion::NumbersToStrings,
    )?;
    let mut variables = Vec::new();
    for at in 0..names.get_array_length()? {
        let name: String = names.get_element(at)?;
        if !is_variable(&name) {
            continue;
        }
        let value: Unknown<'_> = environment.get_named_property(&name)?;
        match value.get_type()? {
            ValueType::Undefined | ValueType::Null => {}
            _ => variables.push((name, value.coerce_to_string()?.into_utf8()?.into_owned()?)),
        }
    }
    Ok(variables)
}
