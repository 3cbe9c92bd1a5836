//! Packages added to a package.json, in its own manner of writing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;

use super::Fix;
use super::versions::{is_tool, range};
use crate::code::index::Index;

/// The package.json that counts for the file `path`: the nearest one above it.
pub(super) fn of(index: &Index, path: &str) -> Option<Arc<str>> {
    let mut folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    loop {
        let name =
            if folder.is_empty() { "package.json".to_owned() } else { format!("{folder}/package.json") };
        if index.project.get(&name).is_some() {
            return Some(Arc::from(name));
        }
        if folder.is_empty() {
            return None;
        }
        folder = folder.rsplit_once('/').map_or("", |(above, _)| above);
    }
}

/// The package.json with these packages as well, as far as they are known.
pub(super) fn with(index: &Index, path: &str, mut packages: Vec<&str>) -> Option<Fix> {
    packages.sort_unstable();
    packages.dedup();
    let mut text = index.get(path)?.text.to_string();
    let config: Value = serde_json::from_str(&text).ok()?;
    let listed = |name: &str| {
        let lists = ["dependencies", "devDependencies", "peerDependencies"].into_iter();
        lists.filter_map(|list| config[list][name].as_str()).map(str::to_owned).next()
    };
    let mut changes = Vec::new();
    for package in packages {
        let Some(range) = range(package, listed) else { continue };
        let list = if is_tool(package) { "devDependencies" } else { "dependencies" };
        text = added(&text, list, package, &range)?;
        changes.push(format!("\"{package}\": \"{range}\" was added"));
    }
    (!changes.is_empty()).then(|| Fix { path: path.to_owned(), text, changes })
}

/// `text` with one more entry at the end of the object `list`, which is made if there is none.
fn added(text: &str, list: &str, name: &str, range: &str) -> Option<String> {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
    let entry = format!("\"{name}\": \"{range}\"");
    match fields.get(list) {
        Some(object) => {
            let object = object.get();
            // It is borrowed from the text.
            let start = (object.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
            let inner = appended(object, &entry)?;
            let mut new = text.get(..start)?.to_owned();
            new.push_str(&inner);
            new.push_str(text.get(start + object.len()..)?);
            Some(new)
        }
        None => {
            let indent = indent(text).unwrap_or("  ");
            let mut object = format!("\"{list}\": {{\n");
            write!(object, "{indent}{indent}{entry}\n{indent}}}").ok()?;
            appended(text, &object)
        }
    }
}

/// What the first entry of an object is indented by, where it has a line of its own.
fn indent(object: &str) -> Option<&str> {
    let (_, rest) = object.split_once('{')?.1.split_once('\n')?;
    let end = rest.find(|c: char| c != ' ' && c != '\t')?;
    Some(&rest[..end])
}

/// An object with one more entry at its end.
fn appended(object: &str, entry: &str) -> Option<String> {
    let close = object.rfind('}')?;
    let filled = object[..close].trim_end();
    let is_empty = filled.ends_with('{');
    let comma = if is_empty { "" } else { "," };
    let (head, tail) = (filled, &object[close..]);
    Some(match (is_empty, indent(object)) {
        (false, Some(indent)) => {
            let before = object[filled.len()..close].to_owned();
            format!("{head}{comma}\n{indent}{entry}{before}{tail}")
        }
        _ => format!("{head}{comma} {entry} {tail}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_added_in_the_manner_of_the_others() {
        for (text, expected) in [
            (
                "{\n  \"name\": \"x\",\n  \"dependencies\": {\n    \"a\": \"1\"\n  }\n}\n",
                "{\n  \"name\": \"x\",\n  \"dependencies\": {\n    \"a\": \"1\",\n    \"zod\": \"^3\"\n  }\n}\n",
            ),
            (
                "{\n  \"dependencies\": { \"a\": \"1\" },\n  \"type\": \"module\"\n}\n",
                "{\n  \"dependencies\": { \"a\": \"1\", \"zod\": \"^3\" },\n  \"type\": \"module\"\n}\n",
            ),
            ("{\n  \"dependencies\": {}\n}\n", "{\n  \"dependencies\": { \"zod\": \"^3\" }\n}\n"),
            (
                "{\n\t\"name\": \"x\"\n}\n",
                "{\n\t\"name\": \"x\",\n\t\"dependencies\": {\n\t\t\"zod\": \"^3\"\n\t}\n}\n",
            ),
            ("{}", "{ \"dependencies\": {\n    \"zod\": \"^3\"\n  } }"),
        ] {
            let new = added(text, "dependencies", "zod", "^3").unwrap();
            assert_eq!(new, expected);
            let config: Value = serde_json::from_str(&new).unwrap();
            assert_eq!(config["dependencies"]["zod"], "^3");
        }
    }
}
