//! What the language server gets to see of a project: its code and its JSON, and a configuration
//! where the project has none that can be read. Pure, but for one look whether a path that leads out
//! of the project exists.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use crate::code::index::{Index, is_code};
use crate::code::tsconfig::{NAMES, join, parse};

/// The options of a project without a configuration of its own.
const OPTIONS: &str = r#"{
  "compilerOptions": {
    "target": "esnext", "module": "esnext", "moduleResolution": "bundler", "jsx": "react-jsx",
    "strict": true, "esModuleInterop": true, "skipLibCheck": true, "allowJs": true, "checkJs": false,
    "noEmit": true, "resolveJsonModule": true, "isolatedModules": true,
    "allowImportingTsExtensions": true, "paths": { "@/*": ["./src/*"] }
  }
}
"#;

/// The files, by path.
pub(super) fn files(index: &Index) -> BTreeMap<Arc<str>, Arc<str>> {
    let mut files = BTreeMap::new();
    for (path, file) in index.files() {
        if !is_code(path) && !path.ends_with(".json") {
            continue;
        }
        let is_broken = is_config(path) && !parse(&file.text).is_some_and(|config| config.is_object());
        files.insert(Arc::clone(path), if is_broken { OPTIONS.into() } else { Arc::clone(&file.text) });
    }
    if !NAMES.iter().any(|name| files.contains_key(*name)) {
        files.insert(NAMES[0].into(), OPTIONS.into());
    }
    files
}

fn is_config(path: &str) -> bool {
    NAMES.contains(&path.rsplit('/').next().unwrap_or(path))
}

/// The first file that would have the server read something outside the project. Asked where nothing
/// keeps it from that.
pub(super) fn leads_out(index: &Index) -> Option<Arc<str>> {
    let outside = |path: &Arc<str>| {
        let file = index.get(path)?;
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let is_out = match &file.code {
            // A comment may name a file too.
            Some(code) => {
                file.text.contains("<reference") && file.text.lines().any(|line| names_outside(folder, line))
                    || code.facts.imports.iter().any(|import| is_outside(folder, &import.source))
            }
            None if path.ends_with(".json") => match parse(&file.text) {
                Some(config) => config_leads_out(folder, &config),
                // The server may understand what this does not.
                None => !is_config(path) && file.text.contains("compilerOptions"),
            },
            None => false,
        };
        is_out.then(|| Arc::clone(path))
    };
    index.files().find_map(|(path, _)| outside(path))
}

fn names_outside(folder: &str, line: &str) -> bool {
    let Some((_, rest)) = line.split_once("<reference") else { return false };
    let mut quoted = rest.split(['"', '\'']).skip(1).step_by(2);
    // `types` names packages, which may be looked for anywhere above.
    quoted.any(|name| join(folder, name).is_none())
}

fn config_leads_out(folder: &str, config: &Value) -> bool {
    let options = &config["compilerOptions"];
    let out = |value: &Value| strings(value).iter().any(|path| join(folder, path).is_none());
    let base = options["baseUrl"].as_str().and_then(|base| join(folder, base));
    let base = base.as_deref().unwrap_or(folder);
    let paths = options["paths"].as_object().into_iter().flatten();
    out(&config["extends"])
        || ["files", "include", "references"].iter().any(|name| out(&config[*name]))
        || ["baseUrl", "typeRoots", "rootDir", "rootDirs", "types", "outDir", "declarationDir", "mapRoot"]
            .iter()
            .any(|name| out(&options[*name]))
        || paths
            .into_iter()
            .any(|(_, targets)| strings(targets).iter().any(|path| join(base, path).is_none()))
}

/// All texts in a value, however deep.
fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(all) => all.iter().flat_map(strings).collect(),
        Value::Object(all) => all.values().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}

/// Whether an import leads out of the project to something that is there.
fn is_outside(folder: &str, source: &str) -> bool {
    if source.starts_with("..") {
        return join(folder, source).is_none();
    }
    // Bundlers serve `/logo.svg` from the project: only what exists here can be read.
    let starts =
        |path: &Path| path.parent().filter(|parent| parent.parent().is_some()).is_some_and(Path::exists);
    let path = Path::new(source);
    path.is_absolute() && (path.exists() || starts(path)) || source.starts_with("file:")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn configurations_that_point_outside_are_seen() {
        for config in [
            json!({ "extends": "../../x.json" }),
            json!({ "extends": ["./a.json", "/etc/x.json"] }),
            json!({ "files": ["../../../etc/passwd.ts"] }),
            json!({ "include": ["/**/*"] }),
            json!({ "references": [{ "path": "../.." }] }),
            json!({ "compilerOptions": { "paths": { "x": ["../../y"] } } }),
            json!({ "compilerOptions": { "typeRoots": ["/home"] } }),
            json!({ "compilerOptions": { "rootDirs": ["src", "../../x"] } }),
            json!({ "compilerOptions": { "baseUrl": "../.." } }),
        ] {
            assert!(config_leads_out("a", &config), "{config}");
        }
        let fine = json!({
            "extends": "@tsconfig/node20", "include": ["**/*", "../elsewhere"], "references": [{ "path": "../b" }],
            "compilerOptions": { "baseUrl": "src", "paths": { "@/*": ["../../b/*"] }, "types": ["node"] },
        });
        assert!(!config_leads_out("a", &fine));
    }

    #[test]
    fn imports_that_lead_outside_are_seen() {
        for source in ["../../x", "/etc/passwd", "file:///etc/passwd"] {
            assert!(is_outside("src", source), "{source}");
        }
        for source in ["../x", "./y", "react", "@/a", "/vite.svg", "node:fs"] {
            assert!(!is_outside("src", source), "{source}");
        }
        assert!(names_outside("src", "/// <reference path='../../x.ts' />"));
        assert!(!names_outside("src", "/// <reference path=\"../x.ts\" types='node' />"));
    }
}
