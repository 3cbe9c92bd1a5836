//! What of an inspection's findings can be put right without a model: an import whose path is wrong and
//! whose file can be told for certain, a well-known package that is not listed, a comma too many in
//! JSON, a page's script under another name. Pure: reads an index, says what would change. Where there
//! are two answers it gives none, and a file that nothing is wrong with is never touched.

mod manifest;
mod paths;
mod versions;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::index::Index;
use super::inspect::packages::{Packages, is_package_json};
use super::inspect::{entry, is_own, json_error, leads_nowhere};
use super::tsconfig;

/// A file as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// Where.
    pub path: String,
    /// Its whole new text.
    pub text: String,
    /// What was changed, in one line each.
    pub changes: Vec<String>,
}

/// What can be put right in the project as it is. The result may show more: ask again, until nothing comes.
pub fn fixes(index: &Index) -> Vec<Fix> {
    let mut fixes = Vec::new();
    let packages = Packages::of(index);
    let mut missing: BTreeMap<Arc<str>, Vec<&str>> = BTreeMap::new();
    for (path, file) in index.files().filter(|(path, _)| is_own(path)) {
        let mut edits = Edits::new(path, &file.text);
        if let Some(code) = file.code.as_ref().filter(|code| !code.facts.is_broken) {
            for (number, (import, target)) in code.facts.imports.iter().zip(&code.targets).enumerate() {
                if leads_nowhere(import, target.as_ref())
                    && let Some(found) = paths::meant(index, path, code, number)
                    && let Some(specifier) = paths::specifier(index, path, &found, &import.source)
                {
                    let span = import.source_span;
                    // Between the quotes.
                    let range = span.start as usize + 1..(span.end as usize).saturating_sub(1);
                    let change = format!("\"{}\" became \"{specifier}\"", import.source);
                    edits.replace(range, &import.source, specifier, change);
                }
            }
            for (_, package) in packages.missing(index, code) {
                if let Some(manifest) = manifest::of(index, path) {
                    missing.entry(manifest).or_default().push(package);
                }
            }
        }
        if entry::is_page(path) {
            for (start, source) in entry::lost_scripts(index, path, &file.text) {
                if let (Some(found), Some(at)) =
                    (paths::script(index, source), file.text[start..].find(source).map(|at| start + at))
                {
                    let change = format!("the script \"{source}\" became \"{found}\"");
                    edits.replace(at..at + source.len(), source, found, change);
                }
            }
        }
        if is_package_json(path) {
            missing.entry(Arc::clone(path)).or_default().extend(packages.missing_commands(index, &file.text));
        }
        if path.ends_with(".json")
            && json_error(path, &file.text).is_some()
            && tsconfig::parse(&file.text).is_some()
            && let Ok(text) = String::from_utf8(tsconfig::plain(&file.text))
        {
            let changes = vec!["what JSON does not allow was left out".to_owned()];
            fixes.push(Fix { path: path.to_string(), text, changes });
        }
        fixes.extend(edits.done());
    }
    for (path, packages) in missing {
        fixes.extend(manifest::with(index, &path, packages));
    }
    fixes
}

/// Changes of one text, in any order, none in another.
struct Edits<'t> {
    path: &'t str,
    text: &'t str,
    edits: BTreeMap<usize, (usize, String)>,
    changes: Vec<String>,
}

impl<'t> Edits<'t> {
    fn new(path: &'t str, text: &'t str) -> Self {
        Self { path, text, edits: BTreeMap::new(), changes: Vec::new() }
    }

    /// Only where the text says what is expected: an escape may stand for it.
    fn replace(&mut self, range: std::ops::Range<usize>, expected: &str, new: String, change: String) {
        if self.text.get(range.clone()) == Some(expected) {
            self.edits.insert(range.start, (range.end, new));
            self.changes.push(change);
        }
    }

    fn done(self) -> Option<Fix> {
        if self.edits.is_empty() {
            return None;
        }
        let mut text = String::with_capacity(self.text.len());
        let mut from = 0;
        for (start, (end, new)) in self.edits {
            text.push_str(&self.text[from..start]);
            text.push_str(&new);
            from = end;
        }
        text.push_str(&self.text[from..]);
        Some(Fix { path: self.path.to_owned(), text, changes: self.changes })
    }
}
