//! Where a name is declared and where it is used, over all files of a project, as far as imports and
//! exports tell without types. Pure: reads an index.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::Arc;

use super::facts::{Declaration, Facts, Imported, NO_SYMBOL, Span, Symbol, Target};
use super::index::Index;
use super::words::is_in_word;

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A symbol of a file.
    Symbol(Arc<str>, Symbol),
    /// An exported value without a name.
    Value(Arc<str>, Span),
    /// A file as a whole.
    Module(Arc<str>),
    /// An export of something that is not in the project: the specifier, and the name.
    Outside(Box<str>, Option<Box<str>>),
    /// A member, known by its name alone.
    Member(Box<str>),
}

/// A use of a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The file.
    pub path: Arc<str>,
    /// Where.
    pub span: Span,
    /// It is declared, imported or changed here.
    pub is_write: bool,
}

/// What the name at a byte of a file stands for.
pub fn place_at(index: &Index, path: &Arc<str>, offset: usize) -> Option<Place> {
    let code = index.code_of(path)?;
    let facts = &code.facts;
    let at = offset as u32;
    let covers = |span: &Span| span.start <= at && at <= span.end;
    // A name in an import or a re-export that is not the local one.
    for (import, target) in facts.imports.iter().zip(&code.targets) {
        if covers(&import.source_span) {
            return Some(match target {
                Some(path) => Place::Module(Arc::clone(path)),
                None => Place::Outside(import.source.clone(), None),
            });
        }
        let named = import.bindings.iter().find(|b| b.imported_span.as_ref().is_some_and(covers));
        if let Some(binding) = named {
            return follow(index, path, binding.symbol);
        }
    }
    for export in &facts.exports {
        if let Target::From(import, name, span) = &export.target
            && (covers(span) || covers(&export.span))
        {
            return taken(index, path, *import, name, &mut HashSet::new());
        }
    }
    if let Some(occurrence) = facts.occurrence_at(offset).filter(|o| o.symbol != NO_SYMBOL) {
        return follow(index, path, occurrence.symbol);
    }
    if let Some(member) = facts.member_at(offset) {
        let name = member.span.of(&facts.text);
        if let Some(Place::Module(module)) = follow(index, path, member.of) {
            return exported(index, &module, name, &mut HashSet::new());
        }
        return Some(Place::Member(name.into()));
    }
    if let Some(declared) = facts.declarations.iter().find(|d| covers(&d.span) && d.symbol == NO_SYMBOL) {
        return Some(Place::Member(declared.name.clone()));
    }
    // On `export` and the words behind it, the exported declaration is meant.
    let export = facts
        .exports
        .iter()
        .find(|export| export.start <= at && at < export.span.start.max(export.start + 7))?;
    match &export.target {
        Target::Symbol(symbol) => follow(index, path, *symbol),
        Target::Value(span) => Some(Place::Value(Arc::clone(path), *span)),
        _ => None,
    }
}

/// Words of a declaration before its name.
const BEFORE_A_NAME: [&str; 15] = [
    "export",
    "default",
    "async",
    "function",
    "class",
    "const",
    "let",
    "var",
    "using",
    "abstract",
    "declare",
    "enum",
    "interface",
    "type",
    "namespace",
];

/// The declaration that `export` and the words behind it mean, where no other name stands.
pub fn exported_at(facts: &Facts, offset: usize) -> Option<usize> {
    if facts.occurrence_at(offset).is_some() || facts.member_at(offset).is_some() {
        return None;
    }
    // What is behind them may be a name too: that of a property in a pattern.
    let (before, behind) = facts.text.split_at_checked(offset)?;
    let is_end = |c: char| !is_in_word(c);
    let start =
        before.rfind(is_end).map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    let end = offset + behind.find(is_end).unwrap_or(behind.len());
    if !BEFORE_A_NAME.contains(&&facts.text[start..end]) {
        return None;
    }
    let at = offset as u32;
    let export = facts
        .exports
        .iter()
        .find(|export| export.start <= at && at < export.span.start.max(export.start + 7))?;
    match &export.target {
        Target::Symbol(symbol) => {
            facts.declarations_of(*symbol).next().map(|declared| declared.span.start as usize)
        }
        _ => None,
    }
}

/// What a symbol of a file stands for, through its import, if it is one.
pub fn follow(index: &Index, path: &Arc<str>, symbol: Symbol) -> Option<Place> {
    followed(index, path, symbol, &mut HashSet::new())
}

type Seen = HashSet<(Arc<str>, Box<str>)>;

fn followed(index: &Index, path: &Arc<str>, symbol: Symbol, seen: &mut Seen) -> Option<Place> {
    if symbol == NO_SYMBOL {
        return None;
    }
    let code = index.code_of(path)?;
    for (import, target) in code.facts.imports.iter().zip(&code.targets) {
        let Some(binding) = import.bindings.iter().find(|binding| binding.symbol == symbol) else { continue };
        return match (&binding.imported, target) {
            (Imported::Namespace, Some(target)) => Some(Place::Module(Arc::clone(target))),
            (Imported::Name(name), Some(target)) => {
                exported(index, target, name, seen).or_else(|| Some(Place::Symbol(Arc::clone(path), symbol)))
            }
            (Imported::Namespace, None) => Some(Place::Outside(import.source.clone(), None)),
            (Imported::Name(name), None) => Some(Place::Outside(import.source.clone(), Some(name.clone()))),
        };
    }
    Some(Place::Symbol(Arc::clone(path), symbol))
}

/// What import number `import` of a file takes under a name.
fn taken(index: &Index, path: &Arc<str>, import: usize, name: &str, seen: &mut Seen) -> Option<Place> {
    let code = index.code_of(path)?;
    match code.targets.get(import)? {
        Some(target) => exported(index, target, name, seen),
        None => Some(Place::Outside(code.facts.imports.get(import)?.source.clone(), Some(name.into()))),
    }
}

/// What a file exports under a name.
pub fn exported(index: &Index, path: &Arc<str>, name: &str, seen: &mut Seen) -> Option<Place> {
    if !seen.insert((Arc::clone(path), name.into())) {
        return None;
    }
    let facts = &index.code_of(path)?.facts;
    let is_named = |export: &str| export == name || (name == "default" && export == "export=");
    for export in facts.exports.iter().filter(|export| is_named(&export.name)) {
        let found = match &export.target {
            Target::Symbol(symbol) => followed(index, path, *symbol, seen),
            Target::Value(span) => Some(Place::Value(Arc::clone(path), *span)),
            Target::From(import, name, _) => taken(index, path, *import, name, seen),
            Target::Namespace(import) => {
                index.code_of(path)?.targets.get(*import)?.clone().map(Place::Module)
            }
            Target::All(_) => None,
        };
        if found.is_some() {
            return found;
        }
    }
    // A default export is not among `*`.
    let all = facts.exports.iter().filter(|_| name != "default").filter_map(|export| match export.target {
        Target::All(import) => Some(import),
        _ => None,
    });
    let mut outside = None;
    for import in all {
        match taken(index, path, import, name, seen) {
            Some(Place::Outside(source, name)) => outside = outside.or(Some(Place::Outside(source, name))),
            Some(found) => return Some(found),
            None => {}
        }
    }
    outside
}

/// The declarations that a place has.
pub fn declarations(index: &Index, place: &Place) -> Vec<(Arc<str>, Declaration)> {
    match place {
        Place::Symbol(path, symbol) => {
            let Some(code) = index.code_of(path) else { return Vec::new() };
            code.facts.declarations_of(*symbol).map(|d| (Arc::clone(path), d.clone())).collect()
        }
        _ => Vec::new(),
    }
}

/// The member `name` of what `of` stands for, where that is an enum, a namespace or a class.
pub fn member_of(index: &Index, path: &Arc<str>, of: Symbol, name: &str) -> Option<(Arc<str>, Declaration)> {
    let place = follow(index, path, of)?;
    let (path, owner) = declarations(index, &place).into_iter().next()?;
    let facts = &index.code_of(&path)?.facts;
    let found =
        facts.declarations.iter().find(|d| &*d.name == name && d.parent.as_deref() == Some(&*owner.name))?;
    Some((Arc::clone(&path), found.clone()))
}

/// All uses of a place, the file of its declaration first, then by path.
pub fn references(index: &Index, place: &Place) -> Vec<Reference> {
    let mut found = BTreeSet::new();
    let mut home = None;
    let mut names: VecDeque<(Arc<str>, Box<str>)> = VecDeque::new();
    match place {
        Place::Symbol(path, symbol) => {
            home = Some(Arc::clone(path));
            uses(index, path, *symbol, &mut found, &mut names);
        }
        Place::Value(path, span) => {
            home = Some(Arc::clone(path));
            if let Some(code) = index.code_of(path) {
                let exports = code.facts.exports.iter().filter(|e| e.target == Target::Value(*span));
                for export in exports {
                    let span = Span { start: export.start, end: export.start + "export".len() as u32 };
                    found.insert(Reference { path: Arc::clone(path), span, is_write: true });
                    names.push_back((Arc::clone(path), export.name.clone()));
                }
            }
        }
        Place::Module(path) => {
            for importer in index.importers(path) {
                let Some(code) = index.code_of(importer) else { continue };
                let imports = code.facts.imports.iter().zip(&code.targets);
                for (import, _) in imports.filter(|(_, target)| target.as_ref() == Some(path)) {
                    let span = import.source_span;
                    found.insert(Reference { path: Arc::clone(importer), span, is_write: false });
                }
            }
        }
        Place::Outside(source, name) => outside(index, source, name.as_deref(), &mut found, &mut names),
        Place::Member(name) => members(index, name, &mut found),
    }
    spread(index, names, &mut found);
    let mut found: Vec<Reference> = found.into_iter().collect();
    found.sort_by_key(|reference| Some(&reference.path) != home.as_ref());
    found
}

/// Uses of a symbol in its file, and the names under which the file gives it on.
fn uses(
    index: &Index,
    path: &Arc<str>,
    symbol: Symbol,
    found: &mut BTreeSet<Reference>,
    names: &mut VecDeque<(Arc<str>, Box<str>)>,
) {
    let Some(code) = index.code_of(path) else { return };
    for occurrence in code.facts.occurrences.iter().filter(|o| o.symbol == symbol) {
        let (span, is_write) = (occurrence.span, occurrence.is_write);
        found.insert(Reference { path: Arc::clone(path), span, is_write });
    }
    for export in code.facts.exports.iter().filter(|e| e.target == Target::Symbol(symbol)) {
        names.push_back((Arc::clone(path), export.name.clone()));
    }
}

/// From file to file: who takes these names, and who gives them on.
fn spread(index: &Index, mut names: VecDeque<(Arc<str>, Box<str>)>, found: &mut BTreeSet<Reference>) {
    let mut seen: HashSet<(Arc<str>, Box<str>)> = HashSet::new();
    while let Some((path, name)) = names.pop_front() {
        if !seen.insert((Arc::clone(&path), name.clone())) {
            continue;
        }
        let is_name = |taken: &str| taken == &*name || (taken == "default" && &*name == "export=");
        for importer in index.importers(&path) {
            let Some(code) = index.code_of(importer) else { continue };
            let facts = &code.facts;
            let mut add = |span: Span, is_write: bool| {
                found.insert(Reference { path: Arc::clone(importer), span, is_write });
            };
            let is_from = |import: usize| code.targets.get(import).is_some_and(|t| t.as_ref() == Some(&path));
            for export in &facts.exports {
                match &export.target {
                    Target::From(import, taken, span) if is_from(*import) && is_name(taken) => {
                        add(*span, true);
                        names.push_back((Arc::clone(importer), export.name.clone()));
                    }
                    Target::All(import) if is_from(*import) && &*name != "default" => {
                        names.push_back((Arc::clone(importer), name.clone()));
                    }
                    _ => {}
                }
            }
            let mut locals = Vec::new();
            for (_, import) in facts.imports.iter().enumerate().filter(|(n, _)| is_from(*n)) {
                for binding in &import.bindings {
                    match &binding.imported {
                        Imported::Name(taken) if is_name(taken) => {
                            binding.imported_span.into_iter().for_each(|span| add(span, true));
                            locals.push(binding.symbol);
                        }
                        Imported::Namespace => member_uses(facts, binding.symbol, &name, &mut add),
                        Imported::Name(_) => {}
                    }
                }
            }
            for symbol in locals {
                uses(index, importer, symbol, found, &mut names);
            }
        }
    }
}

fn member_uses(facts: &Facts, of: Symbol, name: &str, add: &mut impl FnMut(Span, bool)) {
    for member in facts.members.iter().filter(|m| m.of == of && of != NO_SYMBOL) {
        if member.span.of(&facts.text) == name {
            add(member.span, member.is_write);
        }
    }
}

/// Uses of what all files take from a package.
fn outside(
    index: &Index,
    source: &str,
    name: Option<&str>,
    found: &mut BTreeSet<Reference>,
    names: &mut VecDeque<(Arc<str>, Box<str>)>,
) {
    for (path, code) in index.code() {
        for import in code.facts.imports.iter().filter(|import| &*import.source == source) {
            let Some(name) = name else {
                let span = import.source_span;
                found.insert(Reference { path: Arc::clone(path), span, is_write: false });
                continue;
            };
            for binding in &import.bindings {
                if binding.imported == Imported::Name(name.into()) {
                    if let Some(span) = binding.imported_span {
                        found.insert(Reference { path: Arc::clone(path), span, is_write: true });
                    }
                    uses(index, path, binding.symbol, found, names);
                }
            }
        }
    }
}

/// Everything behind a dot, and every member declared, of one name.
fn members(index: &Index, name: &str, found: &mut BTreeSet<Reference>) {
    for (path, code) in index.code() {
        let facts = &code.facts;
        for declared in facts.declarations.iter().filter(|d| d.symbol == NO_SYMBOL && &*d.name == name) {
            found.insert(Reference { path: Arc::clone(path), span: declared.span, is_write: true });
        }
        for member in facts.members.iter().filter(|m| m.span.of(&facts.text) == name) {
            found.insert(Reference { path: Arc::clone(path), span: member.span, is_write: member.is_write });
        }
    }
}
