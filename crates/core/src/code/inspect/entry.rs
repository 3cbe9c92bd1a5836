//! Entry points: the scripts that index.html names, and the parts that must be reached from them.

use std::sync::Arc;

use super::{Problem, ProblemKind, is_own, reached};
use crate::code::index::Index;
use crate::code::lines::Lines;
use crate::code::tsconfig::join;

/// Where a project of Vite begins, by the name that its templates use.
pub(crate) const MAINS: [&str; 8] = [
    "src/main.tsx",
    "src/main.jsx",
    "src/main.ts",
    "src/main.js",
    "src/index.tsx",
    "src/index.jsx",
    "src/index.ts",
    "src/index.js",
];
const APPS: [&str; 4] = ["src/App.tsx", "src/App.jsx", "src/app.tsx", "src/app.jsx"];

/// Checks what a browser begins with. Other kinds of projects have no index.html and no Vite.
pub(super) fn check(index: &Index, problems: &mut Vec<Problem>) {
    let mut add = |path: &str, line: usize, message: String| {
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        let (path, kind) = (path.to_owned(), ProblemKind::Entry);
        problems.push(Problem { path, line, kind, message, related: None });
    };
    let mut entries: Vec<Arc<str>> = Vec::new();
    let mut broken = false;
    for (path, file) in index.files().filter(|(path, _)| is_own(path) && is_page(path)) {
        for (offset, source) in scripts(&file.text) {
            let Some(found) = find(index, path, source) else {
                if is_elsewhere(source) {
                    continue;
                }
                broken = true;
                let message = format!("its script \"{source}\" leads to no file");
                add(path, Lines::new(&file.text).line_at(offset), message);
                continue;
            };
            entries.push(found);
        }
    }
    let main = MAINS.iter().find_map(|path| index.files().find(|(known, _)| known.as_ref() == *path));
    if index.lists("vite") && !is_library(index) {
        if !index.files().any(|(path, _)| is_page(path)) {
            add("package.json", 1, "there is no index.html for Vite to begin with".to_owned());
            return;
        }
        if let Some((main, _)) = main
            && !broken
            && !entries.iter().any(|entry| reached(index, entry).contains(main))
        {
            add(main, 1, "no script of index.html reaches this entry point".to_owned());
            return;
        }
    }
    let app = APPS.iter().find_map(|path| index.files().find(|(known, _)| known.as_ref() == *path));
    if let Some((app, _)) = app
        && !entries.is_empty()
        && !broken
        && is_sound(index)
        && !entries.iter().any(|entry| reached(index, entry).contains(app))
    {
        add(app, 1, "no entry point reaches this file".to_owned());
    }
}

/// The scripts of a page that lead to no file of the project, with the places of their `<script`.
pub(crate) fn lost_scripts<'t>(index: &Index, page: &str, html: &'t str) -> Vec<(usize, &'t str)> {
    let mut scripts = scripts(html);
    scripts.retain(|(_, source)| !is_elsewhere(source) && find(index, page, source).is_none());
    scripts
}

/// Whether a source names a server.
fn is_elsewhere(source: &str) -> bool {
    source.contains("://") || source.starts_with("//")
}

pub(crate) fn is_page(path: &str) -> bool {
    path == "index.html"
}

/// A library of Vite names its entry in the configuration.
fn is_library(index: &Index) -> bool {
    let configs = ["vite.config.ts", "vite.config.js", "vite.config.mts", "vite.config.mjs"];
    let mut texts = configs.iter().filter_map(|path| index.get(path));
    // Another root, input or a server that renders has its page elsewhere.
    texts.any(|file| ["lib:", "root:", "input:", "ssr"].iter().any(|word| file.text.contains(word)))
}

/// What does not parse or leads nowhere has been said; what follows from it need not be.
fn is_sound(index: &Index) -> bool {
    index.code().all(|(_, code)| !code.facts.is_broken)
}

fn find(index: &Index, page: &str, source: &str) -> Option<Arc<str>> {
    let source = source.split(['?', '#']).next().unwrap_or(source);
    let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
    let candidates = match source.strip_prefix('/') {
        Some(rooted) => [join("", rooted), join("public", rooted)],
        None => [join(folder, source), join("public", source)],
    };
    let known =
        |path: String| index.project.files().find(|(known, _)| ***known == *path).map(|(p, _)| Arc::clone(p));
    candidates.into_iter().flatten().find_map(known)
}

/// `data-src` is another one.
fn is_attribute(tag: &str, at: usize) -> bool {
    tag[..at].ends_with(|c: char| c.is_whitespace() || c == '"' || c == '\'')
}

/// The sources of a page's scripts, with their places.
fn scripts(html: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = html[from..].find("<script").map(|at| at + from) {
        let end = html[start..].find('>').map_or(html.len(), |at| at + start);
        let tag = &html[start..end];
        if let Some(at) = tag.match_indices("src=").map(|(at, _)| at).find(|at| is_attribute(tag, *at)) {
            let value = &tag[at + 4..];
            let quote = value.chars().next().unwrap_or(' ');
            if quote == '"' || quote == '\'' {
                let source = value[1..].split(quote).next().unwrap_or_default();
                found.push((start, source));
            }
        }
        from = end;
    }
    found
}
