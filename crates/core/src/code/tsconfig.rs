//! What a project's tsconfig.json files say of its modules: `baseUrl` and `paths`, through `extends`
//! and `references`. Only files of the project are read, never one outside it; a broken one says
//! nothing. Pure.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use crate::workspace::path::normalise;

/// How specifiers that are not relative are looked up, below one folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aliases {
    /// The folder that bare specifiers begin at, if one is set.
    pub base_url: Option<String>,
    /// Patterns with at most one `*`, and the paths they stand for; relative to the project's root.
    pub paths: Vec<(String, Vec<String>)>,
}

/// Longer chains of `extends` are circles.
const MAX_CHAIN: usize = 16;

/// The names that are looked for in each folder.
pub const NAMES: [&str; 2] = ["tsconfig.json", "jsconfig.json"];

/// The aliases of each folder that has a configuration; `read` gives the text of a project's file.
pub fn aliases<'p>(
    paths: impl Iterator<Item = &'p str>,
    read: impl Fn(&str) -> Option<String>,
) -> BTreeMap<String, Aliases> {
    let mut found = BTreeMap::new();
    for path in paths {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        if !NAMES.contains(&name) || path.split('/').any(|name| name == "node_modules") {
            continue;
        }
        // Of both names, the first one counts.
        if name == NAMES[1] && read(&join(folder, NAMES[0]).unwrap_or_default()).is_some() {
            continue;
        }
        let mut aliases = effective(path, &read);
        // A solution file says nothing itself: what it refers to does.
        if aliases.paths.is_empty()
            && let Some(config) = read(path).as_deref().and_then(parse)
        {
            for reference in config["references"].as_array().into_iter().flatten() {
                let Some(target) = reference["path"].as_str().and_then(|path| join(folder, path)) else {
                    continue;
                };
                let target =
                    if target.ends_with(".json") { target } else { format!("{target}/{}", NAMES[0]) };
                let other = effective(target.trim_start_matches('/'), &read);
                aliases.base_url = aliases.base_url.or(other.base_url);
                aliases.paths.extend(other.paths);
            }
        }
        found.insert(folder.to_owned(), aliases);
    }
    found
}

/// What a configuration says, with what it extends.
fn effective(path: &str, read: &impl Fn(&str) -> Option<String>) -> Aliases {
    let mut aliases = Aliases::default();
    let mut has_paths = false;
    let mut seen = HashSet::new();
    let mut open = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        if seen.len() >= MAX_CHAIN || !seen.insert(path.clone()) {
            continue;
        }
        let Some(config) = read(&path).as_deref().and_then(parse) else { continue };
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let options = &config["compilerOptions"];
        let base_url = options["baseUrl"].as_str().and_then(|base| join(folder, base));
        if let (false, Some(paths)) = (has_paths, options["paths"].as_object()) {
            has_paths = true;
            let base = base_url.as_deref().unwrap_or(folder);
            for (pattern, targets) in paths {
                let targets = targets.as_array().into_iter().flatten().filter_map(Value::as_str);
                let targets = targets.filter_map(|target| join(base, target)).collect();
                aliases.paths.push((pattern.clone(), targets));
            }
        }
        aliases.base_url = aliases.base_url.or(base_url);
        // Of several, later ones win: they are read first.
        let extended: Vec<&str> = match &config["extends"] {
            Value::String(one) => vec![one],
            Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        for target in extended {
            // A package's configuration is not in the project.
            if target.starts_with('.')
                && let Some(target) = join(folder, target)
            {
                open.push(if target.ends_with(".json") { target } else { format!("{target}.json") });
            }
        }
    }
    aliases
}

/// `path` from `folder` on; `None` if it leads out of the project.
pub fn join(folder: &str, path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    normalise(&format!("{folder}/{path}")).ok()
}

/// Reads JSON with comments and trailing commas.
pub fn parse(text: &str) -> Option<Value> {
    serde_json::from_slice(&plain(text)).ok()
}

/// JSON without comments and trailing commas, otherwise as it was.
pub fn plain(text: &str) -> Vec<u8> {
    let bytes = text.trim_start_matches('\u{feff}').as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                let from = at;
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += 1 + usize::from(bytes[at] == b'\\');
                }
                at = (at + 1).min(bytes.len());
                plain.extend_from_slice(&bytes[from..at]);
                continue;
            }
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                at += bytes[at..].iter().position(|&b| b == b'\n').unwrap_or(bytes.len() - at);
                continue;
            }
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                let end = bytes[at + 2..].windows(2).position(|pair| pair == b"*/");
                at = end.map_or(bytes.len(), |end| at + 2 + end + 2);
                continue;
            }
            b'}' | b']' => {
                let end = plain.trim_ascii_end().len();
                if plain[..end].ends_with(b",") {
                    plain.remove(end - 1);
                }
                plain.push(bytes[at]);
            }
            byte => plain.push(byte),
        }
        at += 1;
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)]) -> BTreeMap<String, Aliases> {
        let files: BTreeMap<String, String> =
            files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        aliases(files.keys().map(String::as_str), |path| files.get(path).cloned())
    }

    fn paths(aliases: &Aliases) -> Vec<(&str, Vec<&str>)> {
        aliases.paths.iter().map(|(p, to)| (p.as_str(), to.iter().map(String::as_str).collect())).collect()
    }

    #[test]
    fn comments_and_trailing_commas_are_no_errors() {
        let config = "\u{feff}// a\n{ /* b */ \"a\": \"//x/*\", \"b\": [1, 2, ], }\n";
        assert_eq!(parse(config), Some(serde_json::json!({ "a": "//x/*", "b": [1, 2] })));
        for broken in ["{", "\"", "{\"a", "/*", "", "{ a: 1 }"] {
            assert_eq!(parse(broken), None, "{broken}");
        }
    }

    #[test]
    fn paths_are_relative_to_their_file_or_to_its_base_url() {
        let found = read(&[
            ("tsconfig.json", r#"{ "compilerOptions": { "paths": { "@/*": ["./src/*"] } } }"#),
            (
                "web/tsconfig.json",
                r#"{ "compilerOptions": { "baseUrl": "src", "paths": { "~/*": ["*", "../gen/*"] } } }"#,
            ),
        ]);
        assert_eq!(paths(&found[""]), [("@/*", vec!["src/*"])]);
        assert_eq!(paths(&found["web"]), [("~/*", vec!["web/src/*", "web/gen/*"])]);
        assert_eq!(found["web"].base_url.as_deref(), Some("web/src"));
    }

    #[test]
    fn extends_and_references_are_followed_within_the_project() {
        let found = read(&[
            (
                "tsconfig.json",
                r#"{ "files": [], "references": [{ "path": "./tsconfig.app.json" }, { "path": "api" }] }"#,
            ),
            ("tsconfig.app.json", r#"{ "extends": ["./none.json", "./configs/base"] }"#),
            ("configs/base.json", r#"{ "compilerOptions": { "paths": { "@/*": ["../src/*"] } } }"#),
            ("api/tsconfig.json", r#"{ "compilerOptions": { "paths": { "~api/*": ["./lib/*"] } } }"#),
        ]);
        assert_eq!(paths(&found[""]), [("@/*", vec!["src/*"]), ("~api/*", vec!["api/lib/*"])]);
    }

    #[test]
    fn nothing_outside_is_read_and_circles_end() {
        let seen = std::cell::RefCell::new(Vec::new());
        let config = r#"{ "extends": ["../../etc/secret.json", "/etc/x.json", "@tsconfig/node20", "./tsconfig.json"],
            "references": [{ "path": ".." }], "compilerOptions": { "baseUrl": "../..", "paths": { "x": ["../../../y", "/z"] } } }"#;
        let found = aliases(["a/tsconfig.json"].into_iter(), |path| {
            seen.borrow_mut().push(path.to_owned());
            (path == "a/tsconfig.json").then(|| config.to_owned())
        });
        assert_eq!(found["a"], Aliases { base_url: None, paths: vec![("x".to_owned(), Vec::new())] });
        assert!(
            seen.borrow().iter().all(|path| path.starts_with("a/") || path == "tsconfig.json"),
            "{seen:?}"
        );
    }

    #[test]
    fn a_broken_one_says_nothing() {
        assert_eq!(read(&[("tsconfig.json", "{ nonsense")])[""], Aliases::default());
        assert_eq!(
            read(&[("tsconfig.json", r#"{ "compilerOptions": 7, "extends": {} }"#)])[""],
            Aliases::default()
        );
    }
}
