//! Which file a wrong path means, and how that file is named from where it is used.

use std::sync::Arc;

use crate::code::facts::{Imported, Target};
use crate::code::index::{Code, Index, is_code};
use crate::code::inspect::{entry, exports, is_known, is_own};

/// What ends a string, a template or a tag, or begins something else in one.
const SPECIAL: [char; 9] = ['"', '\'', '`', '\\', '$', '<', '>', '&', '\n'];
/// Endings that stand for each other when the one that was asked for is not there.
const STYLES: [&str; 4] = [".css", ".scss", ".sass", ".less"];

/// The file that an import means; `None` where there is none, or more than one that could be meant.
pub(super) fn meant(index: &Index, from: &str, code: &Code, import: usize) -> Option<Arc<str>> {
    let source = &*code.facts.imports.get(import)?.source;
    // What a bundler makes of a query is its own.
    if source.contains(['?', '*', '!', '\\']) {
        return None;
    }
    let wanted = Wanted::new(source)?;
    let mut best: Option<(usize, Arc<str>)> = None;
    let mut tied = false;
    for (path, _) in index.files().filter(|(path, _)| is_own(path) && path.as_ref() != from) {
        let Some(score) = wanted.score(path) else { continue };
        if !gives(index, path, code, import) {
            continue;
        }
        match &best {
            Some((known, _)) if *known > score => {}
            Some((known, _)) if *known == score => tied = true,
            _ => {
                best = Some((score, Arc::clone(path)));
                tied = false;
            }
        }
    }
    best.filter(|_| !tied).map(|(_, path)| path)
}

/// A path that leads nowhere, taken apart.
struct Wanted<'s> {
    folders: Vec<&'s str>,
    stem: &'s str,
    /// The ending, where it is one of a file that is no code.
    ending: Option<&'s str>,
}

impl<'s> Wanted<'s> {
    fn new(source: &'s str) -> Option<Self> {
        let mut names: Vec<&str> =
            source.split('/').filter(|name| !matches!(*name, "" | "." | ".." | "@" | "~")).collect();
        let mut last = names.pop()?;
        let mut ending = None;
        if is_code(last) {
            last = stem(last);
        } else if let Some(at) = last.rfind('.').filter(|at| *at > 0) {
            ending = Some(&last[at..]);
            last = &last[..at];
        }
        // A folder is meant then.
        if last == "index" && ending.is_none() {
            last = names.pop()?;
        }
        Some(Self { folders: names, stem: last, ending })
    }

    /// How much of the path agrees, from its end; `None` if its name does not.
    fn score(&self, path: &str) -> Option<usize> {
        let mut names: Vec<&str> = path.split('/').collect();
        let last = names.pop()?;
        let name = match self.ending {
            Some(ending) => self.with_ending(last, ending)?,
            None if !is_code(last) => return None,
            None if stem(last) == "index" => names.pop()?,
            None => stem(last),
        };
        if !name.eq_ignore_ascii_case(self.stem) {
            return None;
        }
        let agree = |(one, other): &(&&str, &&str)| one.eq_ignore_ascii_case(other);
        let folders = names.iter().rev().zip(self.folders.iter().rev()).take_while(agree).count();
        // The same letters are better than other ones of the same name.
        Some(2 * folders + usize::from(name == self.stem))
    }

    /// The name of a file that has this ending, or one that stands for it.
    fn with_ending<'p>(&self, last: &'p str, ending: &str) -> Option<&'p str> {
        let at = last.rfind('.')?;
        let is_style = |ending: &str| STYLES.contains(&ending.to_ascii_lowercase().as_str());
        if last[at..].eq_ignore_ascii_case(ending) || (is_style(&last[at..]) && is_style(ending)) {
            return Some(&last[..at]);
        }
        // What looks like an ending may be part of the name of code: `./user.service`.
        let (name, dotted) = stem(last).split_at_checked(self.stem.len())?;
        (is_code(last) && dotted.eq_ignore_ascii_case(ending)).then_some(name)
    }
}

/// A name of code without its ending.
fn stem(name: &str) -> &str {
    match name.strip_suffix(".d.ts") {
        Some(stem) => stem,
        None if is_code(name) => name.rfind('.').map_or(name, |at| &name[..at]),
        None => name,
    }
}

/// Whether a file exports all that the import takes.
fn gives(index: &Index, path: &Arc<str>, code: &Code, import: usize) -> bool {
    if !is_known(index, path) {
        // Data and styles; of code, nobody knows.
        return !is_code(path);
    }
    let taken = code.facts.imports[import].bindings.iter().map(|binding| &binding.imported);
    let mut names = taken.filter_map(|imported| match imported {
        Imported::Name(name) => Some(name),
        Imported::Namespace => None,
    });
    let passed_on = code.facts.exports.iter().filter_map(|export| match &export.target {
        Target::From(from, name, _) if *from == import => Some(name),
        _ => None,
    });
    names.all(|name| exports(index, path, name)) && { passed_on }.all(|name| exports(index, path, name))
}

/// How `from` names the file `target`, in the manner of `old`.
pub(super) fn specifier(index: &Index, from: &str, target: &str, old: &str) -> Option<String> {
    // It must mean the same in any kind of quotes, and in a page.
    if target.contains(SPECIAL) {
        return None;
    }
    let last = old.rsplit('/').next().unwrap_or(old);
    let (without, is_index) = match target.rsplit_once('/') {
        Some((folder, name)) if is_code(name) && stem(name) == "index" => (folder.to_owned(), true),
        _ if is_code(target) => (stem(target).to_owned(), false),
        _ => (target.to_owned(), false),
    };
    let mut ways = Vec::new();
    let old_ending = [".js", ".jsx", ".mjs", ".cjs"].into_iter().find(|ending| last.ends_with(ending));
    match old_ending {
        // Modules of Node name what a file becomes.
        Some(ending) if !is_index => ways.push(format!("{without}{ending}")),
        _ => {}
    }
    if !is_code(last) {
        ways.push(without.clone());
    }
    ways.push(target.to_owned());
    ways.push(without);
    let relative = |path: &str| relative(from, path);
    let alias = old.get(..2).filter(|start| matches!(*start, "@/" | "~/"));
    let aliased = |path: &str| {
        let alias = alias?;
        let short = path.strip_prefix("src/").map(|rest| format!("{alias}{rest}"));
        short
            .filter(|way| index.resolve(from, way).as_deref() == Some(target))
            .or(Some(format!("{alias}{path}")))
    };
    let leads = |way: &String| index.resolve(from, way).as_deref() == Some(target);
    ways.iter().filter_map(|path| aliased(path)).find(leads).or_else(|| {
        let rooted = ways.iter().filter(|_| old.starts_with('/')).map(|path| format!("/{path}")).find(leads);
        rooted.or_else(|| ways.iter().map(|path| relative(path)).find(leads))
    })
}

fn relative(from: &str, to: &str) -> String {
    let folders = |path: &str| path.split('/').map(str::to_owned).collect::<Vec<_>>();
    let (mut from, to) = (folders(from), folders(to));
    from.pop();
    let shared = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
    let up = from.len() - shared;
    let start = if up == 0 { "./".to_owned() } else { "../".repeat(up) };
    format!("{start}{}", to[shared..].join("/"))
}

/// The script that a page means: the same under another ending, or where such projects begin.
pub(super) fn script(index: &Index, source: &str) -> Option<String> {
    let wanted = source.split(['?', '#']).next()?.trim_start_matches("./").trim_start_matches('/');
    let exists = |path: &&str| index.code_of(path).is_some();
    let paths = index.code().map(|(path, _)| path.as_ref());
    let mut same = paths.filter(|path| stem(path) == stem(wanted) && !path.contains(SPECIAL));
    let found = match (same.next(), same.next()) {
        (Some(one), None) => one,
        _ => entry::MAINS.iter().copied().find(exists)?,
    };
    Some(format!("{}{found}", if source.starts_with('/') { "/" } else { "./" }))
}
