//! What one file of code says, as far as a parse tells: declarations, imports, exports, calls, and
//! every name with the symbol that it stands for. Offsets are bytes of the text they were read from.

use std::sync::Arc;

/// A stretch of the text, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// Behind the last byte.
    pub end: u32,
}

impl Span {
    /// The text of it.
    pub fn of<'t>(&self, text: &'t str) -> &'t str {
        text.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// What is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Kind {
    Function,
    LocalFunction,
    Method,
    Constructor,
    Getter,
    Setter,
    Class,
    LocalClass,
    Var,
    LocalVar,
    Let,
    Const,
    Parameter,
    Interface,
    TypeAlias,
    TypeParameter,
    Enum,
    EnumMember,
    Namespace,
    Property,
}

impl Kind {
    /// The kind as findSymbol names and filters it.
    pub fn group(self) -> &'static str {
        match self {
            Self::Function
            | Self::LocalFunction
            | Self::Method
            | Self::Constructor
            | Self::Getter
            | Self::Setter => "function",
            Self::Class | Self::LocalClass => "class",
            Self::Var | Self::LocalVar | Self::Let | Self::Const | Self::Parameter => "variable",
            Self::Interface => "interface",
            Self::TypeAlias | Self::TypeParameter | Self::Enum => "type",
            Self::EnumMember | Self::Namespace | Self::Property => "other",
        }
    }

    /// The kind as TypeScript names it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::LocalFunction => "local function",
            Self::Method => "method",
            Self::Constructor => "constructor",
            Self::Getter => "getter",
            Self::Setter => "setter",
            Self::Class => "class",
            Self::LocalClass => "local class",
            Self::Var => "var",
            Self::LocalVar => "local var",
            Self::Let => "let",
            Self::Const => "const",
            Self::Parameter => "parameter",
            Self::Interface => "interface",
            Self::TypeAlias => "type",
            Self::TypeParameter => "type parameter",
            Self::Enum => "enum",
            Self::EnumMember => "enum member",
            Self::Namespace => "module",
            Self::Property => "property",
        }
    }
}

/// The number of a symbol in its file; [`NO_SYMBOL`] for names that stand for nothing in the file.
pub type Symbol = u32;

/// No symbol.
pub const NO_SYMBOL: Symbol = u32::MAX;

/// A declared identifier.
#[derive(Debug, Clone, PartialEq)]
pub struct Declaration {
    /// The name.
    pub name: Box<str>,
    /// What it is.
    pub kind: Kind,
    /// The innermost named thing around it.
    pub parent: Option<Box<str>>,
    /// The identifier.
    pub span: Span,
    /// Its symbol; members have none.
    pub symbol: Symbol,
    /// It stands in a function.
    pub is_local: bool,
}

/// What searchCodebase calls a function, class or variable.
#[derive(Debug, Clone, PartialEq)]
pub struct Construct {
    /// `function`, `class` or `variable`.
    pub what: What,
    /// Its name; `default` if it has none.
    pub name: Box<str>,
    /// Where it starts.
    pub start: u32,
}

/// The constructs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum What {
    Function,
    Class,
    Variable,
}

/// How a module is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportKind {
    /// `import … from`, `import "…"`, `import x = require("…")`.
    Import,
    /// `require("…")`.
    Require,
    /// `import("…")`, also as a type.
    Dynamic,
    /// `export … from`.
    ReExport,
}

/// A module that is named.
#[derive(Debug, Clone, PartialEq)]
pub struct Import {
    /// How.
    pub kind: ImportKind,
    /// The module specifier.
    pub source: Box<str>,
    /// The specifier in the text, quotes included.
    pub source_span: Span,
    /// Where the construct starts.
    pub start: u32,
    /// The names that it gives the file.
    pub bindings: Vec<Binding>,
}

/// A name that an import gives the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Binding {
    /// What is taken from the module.
    pub imported: Imported,
    /// Where that is named, if it is named apart from the local name.
    pub imported_span: Option<Span>,
    /// The local name's symbol.
    pub symbol: Symbol,
}

/// What is taken from a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Imported {
    /// An export, `default` included.
    Name(Box<str>),
    /// All exports as one object.
    Namespace,
}

/// An exported name.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// The name; `default`, `*`, or `export=`.
    pub name: Box<str>,
    /// Where the export stands.
    pub start: u32,
    /// The exported name in the text.
    pub span: Span,
    /// What it stands for.
    pub target: Target,
}

/// What an export stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A symbol of the file.
    Symbol(Symbol),
    /// A value without a name, at its first byte.
    Value(Span),
    /// A name of another module: the number of the import, and the name with its place.
    From(usize, Box<str>, Span),
    /// All names of another module.
    All(usize),
    /// Another module as one object.
    Namespace(usize),
}

/// A name in the text, and what it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occurrence {
    /// Where.
    pub span: Span,
    /// What.
    pub symbol: Symbol,
    /// It is declared or changed here.
    pub is_write: bool,
}

/// Names that need not stand in the text.
pub const UNWRITTEN: [&str; 3] = ["default", "*", "export="];

/// What a file says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// The text that it was read from.
    pub text: Arc<str>,
    /// Declared identifiers, in order.
    pub declarations: Vec<Declaration>,
    /// Functions, classes and variables, in order.
    pub constructs: Vec<Construct>,
    /// Modules that are named, in order.
    pub imports: Vec<Import>,
    /// Exported names, in order.
    pub exports: Vec<Export>,
    /// The called names, in order.
    pub calls: Vec<Span>,
    /// Names, in order.
    pub occurrences: Vec<Occurrence>,
    /// Names behind a dot, in order.
    pub members: Vec<Member>,
    /// It does not parse as a whole: what is said is what could be saved.
    pub is_broken: bool,
    /// Every name stands in the text as it is given here, but for `default`, `*` and `export=`: none is
    /// written with escapes.
    pub is_verbatim: bool,
}

/// A name behind a dot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// The name.
    pub span: Span,
    /// The symbol before the dot, where it is a name of the module.
    pub of: Symbol,
    /// It is assigned to.
    pub is_write: bool,
}

impl Facts {
    /// Works out whether the names stand in the text as they are given.
    pub fn note_verbatim(&mut self) {
        let text = &self.text;
        let source = |import: &Import| {
            import.source_span.of(text).get(1..).is_some_and(|s| s.starts_with(&*import.source))
        };
        let export = |export: &Export| {
            UNWRITTEN.contains(&&*export.name) || export.span.of(text).contains(&*export.name)
        };
        self.is_verbatim = !self.is_broken
            && memchr::memmem::find(text.as_bytes(), b"\\u").is_none()
            && self.imports.iter().all(source)
            && self.exports.iter().all(export);
    }

    /// The name at a byte, or right before it.
    pub fn occurrence_at(&self, offset: usize) -> Option<&Occurrence> {
        let offset = u32::try_from(offset).ok()?;
        let next = self.occurrences.partition_point(|o| o.span.start <= offset);
        self.occurrences[..next].iter().rev().take(4).find(|o| offset <= o.span.end)
    }

    /// The member name at a byte, or right before it.
    pub fn member_at(&self, offset: usize) -> Option<&Member> {
        let offset = u32::try_from(offset).ok()?;
        let next = self.members.partition_point(|m| m.span.start <= offset);
        self.members[..next].last().filter(|m| offset <= m.span.end)
    }

    /// The declarations of a symbol.
    pub fn declarations_of(&self, symbol: Symbol) -> impl Iterator<Item = &Declaration> {
        self.declarations.iter().filter(move |d| d.symbol == symbol && symbol != NO_SYMBOL)
    }

    /// The import that gives the file a symbol.
    pub fn binding_of(&self, symbol: Symbol) -> Option<(&Import, &Binding)> {
        self.imports
            .iter()
            .flat_map(|import| import.bindings.iter().map(move |binding| (import, binding)))
            .find(|(_, binding)| binding.symbol == symbol && symbol != NO_SYMBOL)
    }

    /// Joins what was read from another part of the same text; `symbols` are taken already. Returns how
    /// many are taken then.
    pub fn append(&mut self, mut other: Facts, symbols: Symbol) -> Symbol {
        let imports = self.imports.len();
        let own = other.occurrences.iter().map(|o| o.symbol).filter(|&symbol| symbol != NO_SYMBOL).max();
        let shift = |symbol: &mut Symbol| {
            if *symbol != NO_SYMBOL {
                *symbol += symbols;
            }
        };
        other.declarations.iter_mut().for_each(|d| shift(&mut d.symbol));
        other.occurrences.iter_mut().for_each(|o| shift(&mut o.symbol));
        other.members.iter_mut().for_each(|m| shift(&mut m.of));
        other.imports.iter_mut().flat_map(|i| &mut i.bindings).for_each(|b| shift(&mut b.symbol));
        for export in &mut other.exports {
            match &mut export.target {
                Target::Symbol(symbol) => shift(symbol),
                Target::From(import, ..) | Target::All(import) | Target::Namespace(import) => {
                    *import += imports
                }
                Target::Value(_) => {}
            }
        }
        self.declarations.append(&mut other.declarations);
        self.constructs.append(&mut other.constructs);
        self.imports.append(&mut other.imports);
        self.exports.append(&mut other.exports);
        self.calls.append(&mut other.calls);
        self.occurrences.append(&mut other.occurrences);
        self.members.append(&mut other.members);
        symbols + own.map_or(0, |symbol| symbol + 1)
    }

    /// Brings everything into the order of the text.
    pub fn sort(&mut self) {
        self.declarations.sort_by_key(|d| d.span);
        self.constructs.sort_by_key(|c| c.start);
        self.exports.sort_by_key(|e| e.start);
        self.calls.sort();
        self.occurrences.sort_by_key(|o| o.span);
        self.members.sort_by_key(|m| m.span);
    }
}
