//! A file that does not parse, as an agent's files often do between two edits: what can be saved of
//! it. Its top-level statements are read one by one; of those that cannot be read, what was known
//! before is kept where the text is still the same, and lines that look like declarations count.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use regex::Regex;

use super::extract::extract;
use super::facts::{
    Construct, Declaration, Export, Facts, Import, ImportKind, Kind, NO_SYMBOL, Occurrence, Span, Target,
    What,
};

/// What can be said of `text`; `last` is what was said when it parsed. Without `parses`, nothing of it
/// is parsed: it nests too deep.
pub fn recover(path: &str, text: &str, last: Option<&Facts>, parses: bool) -> Facts {
    let mut facts = Facts { is_broken: true, ..Facts::default() };
    let mut symbols = 0;
    for (start, end) in chunks(text) {
        let chunk = &text[start..end];
        let found = if parses { extract(path, chunk, start as u32).ok() } else { None };
        match found {
            Some(found) => symbols = facts.append(found, symbols),
            None => match last.map(|last| kept(last, text, start..end)) {
                Some(kept) if !kept.declarations.is_empty() => {
                    symbols = facts.append(kept, symbols);
                }
                _ => symbols = facts.append(scan(chunk, start as u32), symbols),
            },
        }
    }
    link(&mut facts, text, symbols);
    facts.sort();
    facts
}

/// Stretches that begin at a line which looks like a top-level statement's first.
fn chunks(text: &str) -> Vec<(usize, usize)> {
    static FIRST: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let words = "import|export|function|async|class|abstract|const|let|var|interface|type|enum|declare|namespace|module";
        Regex::new(&format!(r"(?mR)^(?:(?:{words})\b|@\w)")).ok()
    });
    let mut starts: Vec<usize> =
        FIRST.iter().flat_map(|first| first.find_iter(text)).map(|m| m.start()).collect();
    if starts.first() != Some(&0) {
        starts.insert(0, 0);
    }
    starts.push(text.len());
    starts.windows(2).map(|pair| (pair[0], pair[1])).collect()
}

/// What `last` said of the parts of `range` that are unchanged since: before the first byte and behind
/// the last byte that differ.
fn kept(last: &Facts, text: &str, range: std::ops::Range<usize>) -> Facts {
    let old = last.text.as_bytes();
    let new = text.as_bytes();
    let prefix = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let most = old.len().min(new.len()) - prefix;
    let suffix = old.iter().rev().zip(new.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    let moved = |at: u32| {
        let at = at as usize;
        let new_at = if at < prefix {
            at
        } else if at >= old.len() - suffix {
            at + new.len() - old.len()
        } else {
            return None;
        };
        range.contains(&new_at).then_some(new_at as u32)
    };
    let span = |span: Span| {
        let (start, last_byte) = (moved(span.start)?, moved(span.end.max(span.start + 1) - 1)?);
        (last_byte + 1 - start == span.end.max(span.start + 1) - span.start)
            .then_some(Span { start, end: last_byte + 1 })
    };
    let mut facts = Facts::default();
    let declared = last.declarations.iter();
    facts.declarations = declared
        .filter_map(|d| Some(Declaration { span: span(d.span)?, symbol: NO_SYMBOL, ..d.clone() }))
        .collect();
    let constructs = last.constructs.iter();
    facts.constructs =
        constructs.filter_map(|c| Some(Construct { start: moved(c.start)?, ..c.clone() })).collect();
    facts.calls = last.calls.iter().filter_map(|&call| span(call)).collect();
    let exports =
        last.exports.iter().filter(|export| matches!(export.target, Target::Symbol(_) | Target::Value(_)));
    facts.exports = exports
        .filter_map(|e| {
            let target = Target::Symbol(NO_SYMBOL);
            Some(Export { name: e.name.clone(), start: moved(e.start)?, span: span(e.span)?, target })
        })
        .collect();
    facts.occurrences = last
        .occurrences
        .iter()
        .filter_map(|o| Some(Occurrence { span: span(o.span)?, symbol: NO_SYMBOL, ..*o }))
        .collect();
    facts
}

/// Lines that look like declarations. Strings and comments that span lines may mislead it.
fn scan(text: &str, base: u32) -> Facts {
    static DECLARED: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let before = r"(?:export\s+)?(?:default\s+)?(?:declare\s+)?(?:abstract\s+)?(?:async\s+)?";
        let words = r"(function\s*\*?|class|const\s+enum|const|let|var|interface|type|enum|namespace|module)";
        Regex::new(&format!(r"(?mR)^[ \t]*({before}){words}\s+([\p{{L}}_$][\p{{L}}\p{{N}}_$]*)")).ok()
    });
    static IMPORTED: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#"(?mR)^[ \t]*(import|export)\b[^;'"]*?(?:\bfrom\s*)?(['"])([^'"\r\n]+)['"]"#).ok()
    });
    let mut facts = Facts::default();
    for found in DECLARED.iter().flat_map(|re| re.captures_iter(text)) {
        let (Some(before), Some(word), Some(name)) = (found.get(1), found.get(2), found.get(3)) else {
            continue;
        };
        let span = Span { start: base + name.start() as u32, end: base + name.end() as u32 };
        let start = base + before.start() as u32;
        let (kind, what) = match word.as_str().split_whitespace().last().unwrap_or_default() {
            "function" | "function*" | "*" => (Kind::Function, Some(What::Function)),
            "class" => (Kind::Class, Some(What::Class)),
            "const" => (Kind::Const, Some(What::Variable)),
            "let" => (Kind::Let, Some(What::Variable)),
            "var" => (Kind::Var, Some(What::Variable)),
            "interface" => (Kind::Interface, None),
            "type" => (Kind::TypeAlias, None),
            "enum" => (Kind::Enum, None),
            _ => (Kind::Namespace, None),
        };
        let name: Box<str> = name.as_str().into();
        if before.as_str().starts_with("export") {
            let exported = if before.as_str().contains("default") { "default".into() } else { name.clone() };
            facts.exports.push(Export { name: exported, start, span, target: Target::Symbol(NO_SYMBOL) });
        }
        if let Some(what) = what {
            facts.constructs.push(Construct { what, name: name.clone(), start });
        }
        let is_local = !text[..found.get(0).map_or(0, |m| m.start())].is_empty() && before.start() > 0 && {
            text[..before.start()].ends_with([' ', '\t'])
        };
        facts.declarations.push(Declaration { name, kind, parent: None, span, symbol: NO_SYMBOL, is_local });
        facts.occurrences.push(Occurrence { span, symbol: NO_SYMBOL, is_write: true });
    }
    for found in IMPORTED.iter().flat_map(|re| re.captures_iter(text)) {
        let (Some(word), Some(quote), Some(source)) = (found.get(1), found.get(2), found.get(3)) else {
            continue;
        };
        let kind = if word.as_str() == "import" { ImportKind::Import } else { ImportKind::ReExport };
        let source_span = Span { start: base + quote.start() as u32, end: base + source.end() as u32 + 1 };
        let (source, start) = (source.as_str().into(), base + word.start() as u32);
        facts.imports.push(Import { kind, source, source_span, start, bindings: Vec::new() });
    }
    facts
}

/// Names that stand for nothing in their own stretch stand for what another one declares.
fn link(facts: &mut Facts, text: &str, symbols: u32) {
    let mut next = symbols;
    let mut known: HashMap<Box<str>, u32> = HashMap::new();
    for declaration in facts.declarations.iter_mut().filter(|d| !d.is_local && d.parent.is_none()) {
        if declaration.symbol == NO_SYMBOL {
            declaration.symbol = next;
            next += 1;
        }
        known.entry(declaration.name.clone()).or_insert(declaration.symbol);
    }
    let imported: HashSet<u32> =
        facts.imports.iter().flat_map(|import| &import.bindings).map(|binding| binding.symbol).collect();
    for local in facts.occurrences.iter().filter(|o| o.is_write && imported.contains(&o.symbol)) {
        known.entry(local.span.of(text).into()).or_insert(local.symbol);
    }
    for occurrence in facts.occurrences.iter_mut().filter(|o| o.symbol == NO_SYMBOL) {
        occurrence.symbol = known.get(occurrence.span.of(text)).copied().unwrap_or(NO_SYMBOL);
    }
    for export in &mut facts.exports {
        if export.target == Target::Symbol(NO_SYMBOL) {
            let symbol = known.get(export.span.of(text)).copied().unwrap_or(NO_SYMBOL);
            export.target = Target::Symbol(symbol);
        }
    }
}
