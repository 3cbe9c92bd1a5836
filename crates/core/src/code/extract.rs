//! Reads a text with oxc and says what is in it. Must not be called with a text that nests deeper than
//! the stack of the thread allows (see [`super::depth`]).

mod modules;

use oxc_allocator::Allocator;
use oxc_ast::AstKind;
use oxc_ast::ast::{
    BindingIdentifier, BindingPattern, Expression, MethodDefinitionKind, PropertyKey, PropertyKind,
    StringLiteral, TSEnumMemberName, TSMethodSignatureKind, VariableDeclarationKind,
};
use oxc_ast_visit::Visit;
use oxc_parser::Parser;
use oxc_semantic::{Scoping, SemanticBuilder};
use oxc_span::{GetSpan, SourceType};
use oxc_syntax::reference::ReferenceId;
use oxc_syntax::symbol::SymbolId;
use std::cell::Cell;

use super::facts::{
    Construct, Declaration, Facts, ImportKind, Kind, Member, NO_SYMBOL, Occurrence, Span, Symbol, What,
};

/// A syntax error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where.
    pub start: u32,
    /// What.
    pub message: String,
    /// TypeScript's number, where there is one.
    pub number: Option<String>,
}

/// What a text says, if it parses; `base` is added to every offset.
///
/// # Errors
/// The first syntax errors, if nothing could be read.
pub fn extract(path: &str, text: &str, base: u32) -> Result<Facts, Vec<SyntaxError>> {
    parsed(path, text, base, false).map(|(facts, _)| facts)
}

/// The syntax errors of a text.
pub fn errors(path: &str, text: &str) -> Vec<SyntaxError> {
    parsed(path, text, 0, true).map_or_else(|errors| errors, |(_, errors)| errors)
}

fn source_type(path: &str, text: &str) -> SourceType {
    let name = path.rsplit('/').next().unwrap_or(path);
    // A script may use what a module may not; a text says by itself what it is.
    let source_type = SourceType::from_path(name).unwrap_or_default();
    match name.rsplit('.').next() {
        // React's files are often called .js.
        Some("js" | "mjs" | "cjs") if text.contains("/>") || text.contains("</") => {
            source_type.with_jsx(true)
        }
        _ => source_type,
    }
}

fn parsed(
    path: &str,
    text: &str,
    base: u32,
    check: bool,
) -> Result<(Facts, Vec<SyntaxError>), Vec<SyntaxError>> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, text, source_type(path, text)).parse();
    let error = |diagnostic: &oxc_diagnostics::OxcDiagnostic| SyntaxError {
        start: base + diagnostic.labels.first().map_or(0, |label| label.offset()),
        message: diagnostic.message.to_string(),
        number: diagnostic.code.number.as_ref().map(ToString::to_string),
    };
    let mut errors: Vec<SyntaxError> = parsed.diagnostics.iter().map(error).collect();
    if parsed.panicked {
        return Err(errors);
    }
    let program = allocator.alloc(parsed.program);
    let built = SemanticBuilder::new().with_check_syntax_error(check).build(program);
    errors.extend(built.diagnostics.iter().map(error));
    let scoping = built.semantic.into_scoping();
    let mut extractor = Extractor {
        base,
        scoping: &scoping,
        facts: Facts::default(),
        around: Vec::new(),
        names: Vec::new(),
        functions: 0,
    };
    extractor.visit_program(program);
    let mut facts = extractor.facts;
    facts.sort();
    Ok((facts, errors))
}

struct Extractor<'s, 'a> {
    base: u32,
    scoping: &'s Scoping,
    facts: Facts,
    /// The nodes around the current one, the program first.
    around: Vec<AstKind<'a>>,
    /// Of each named thing around, its name, if it has one.
    names: Vec<Option<Box<str>>>,
    /// How many functions are around.
    functions: usize,
}

impl<'a> Visit<'a> for Extractor<'_, 'a> {
    fn enter_node(&mut self, kind: AstKind<'a>) {
        self.enter(kind);
        if let Some(name) = self.container(kind) {
            self.names.push(name);
        }
        if matches!(kind, AstKind::Function(_) | AstKind::ArrowFunctionExpression(_)) {
            self.functions += 1;
        }
        self.around.push(kind);
    }

    fn leave_node(&mut self, kind: AstKind<'a>) {
        self.around.pop();
        if matches!(kind, AstKind::Function(_) | AstKind::ArrowFunctionExpression(_)) {
            self.functions -= 1;
        }
        if self.container(kind).is_some() {
            self.names.pop();
        }
    }
}

impl<'a> Extractor<'_, 'a> {
    fn span(&self, span: oxc_span::Span) -> Span {
        Span { start: self.base + span.start, end: self.base + span.end }
    }

    fn symbol(&self, cell: &Cell<Option<SymbolId>>) -> Symbol {
        cell.get().map_or(NO_SYMBOL, number)
    }

    fn referenced(&self, cell: &Cell<Option<ReferenceId>>) -> Option<SymbolId> {
        self.scoping.get_reference(cell.get()?).symbol_id()
    }

    fn parent(&self, n: usize) -> Option<AstKind<'a>> {
        self.around.len().checked_sub(n + 1).map(|at| self.around[at])
    }

    /// The name under which what stands in this node is found; `None` if it is no container.
    fn container(&self, kind: AstKind<'a>) -> Option<Option<Box<str>>> {
        let name = match kind {
            AstKind::Function(function) => match &function.id {
                Some(id) => Some(id.name.as_str().into()),
                None => self.assigned_name(),
            },
            AstKind::ArrowFunctionExpression(_) => self.assigned_name(),
            AstKind::Class(class) => match &class.id {
                Some(id) => Some(id.name.as_str().into()),
                None => self.assigned_name(),
            },
            AstKind::TSInterfaceDeclaration(it) => Some(it.id.name.as_str().into()),
            AstKind::TSTypeAliasDeclaration(it) => Some(it.id.name.as_str().into()),
            AstKind::TSEnumDeclaration(it) => Some(it.id.name.as_str().into()),
            AstKind::TSNamespaceDeclaration(it) => Some(it.id.name.as_str().into()),
            AstKind::TSExternalModuleDeclaration(it) => Some(it.id.value.as_str().into()),
            _ => return None,
        };
        Some(name)
    }

    /// The name that the node around gives to a value.
    fn assigned_name(&self) -> Option<Box<str>> {
        match self.parent(0)? {
            AstKind::VariableDeclarator(it) => it.id.get_identifier_name().map(|name| name.as_str().into()),
            AstKind::MethodDefinition(it) => key(&it.key).map(|(name, _)| name),
            AstKind::PropertyDefinition(it) => key(&it.key).map(|(name, _)| name),
            AstKind::ObjectProperty(it) => key(&it.key).map(|(name, _)| name),
            _ => None,
        }
    }

    fn declare(&mut self, name: &str, kind: Kind, span: oxc_span::Span, symbol: Symbol) {
        let parent = self.names.iter().rev().find_map(Clone::clone);
        let span = self.span(span);
        let is_local = self.functions > 0;
        self.facts.declarations.push(Declaration { name: name.into(), kind, parent, span, symbol, is_local });
    }

    fn declare_id(&mut self, id: &BindingIdentifier<'a>, kind: Kind) {
        self.declare(&id.name, kind, id.span, self.symbol(&id.symbol_id));
    }

    fn declare_key(&mut self, name: &PropertyKey<'a>, kind: Kind) {
        if let Some((name, span)) = key(name) {
            self.declare(&name, kind, span, NO_SYMBOL);
        }
    }

    fn construct(&mut self, what: What, name: &str, start: u32) {
        let start = self.base + start;
        self.facts.constructs.push(Construct { what, name: name.into(), start });
    }

    /// Where a declaration starts, `export` included.
    fn start_of(&self, span: oxc_span::Span) -> u32 {
        match self.parent(0) {
            Some(AstKind::ExportDeclaration(it)) => it.span.start,
            Some(AstKind::ExportDefaultDeclaration(it)) => it.span.start,
            _ => span.start,
        }
    }

    fn is_default_export(&self) -> bool {
        matches!(self.parent(0), Some(AstKind::ExportDefaultDeclaration(_)))
    }

    fn enter(&mut self, kind: AstKind<'a>) {
        let local = self.functions > 0;
        match kind {
            AstKind::BindingIdentifier(it) => {
                let symbol = self.symbol(&it.symbol_id);
                let span = self.span(it.span);
                self.facts.occurrences.push(Occurrence { span, symbol, is_write: true });
            }
            AstKind::IdentifierReference(it) => {
                let reference = it.reference_id.get().map(|id| self.scoping.get_reference(id));
                let symbol = reference.and_then(|r| r.symbol_id()).map_or(NO_SYMBOL, number);
                // As TypeScript counts: what a specifier names is declared there.
                let is_write = reference.is_some_and(|r| r.is_write())
                    || matches!(self.parent(0), Some(AstKind::ExportSpecifier(_)));
                let span = self.span(it.span);
                self.facts.occurrences.push(Occurrence { span, symbol, is_write });
            }
            AstKind::Function(it) => {
                if let Some(id) = &it.id {
                    let in_declaration = it.is_declaration() || it.is_ts_declare_function();
                    let kind = if local || !in_declaration { Kind::LocalFunction } else { Kind::Function };
                    self.declare_id(id, kind);
                    if in_declaration {
                        self.construct(What::Function, &id.name, self.start_of(it.span));
                    }
                } else if self.is_default_export() {
                    self.construct(What::Function, "default", self.start_of(it.span));
                }
            }
            AstKind::ArrowFunctionExpression(_) => {}
            AstKind::Class(it) => {
                let start = it.id.as_ref().map_or(self.start_of(it.span), |id| id.span.start);
                if let Some(id) = &it.id {
                    self.declare_id(id, if local { Kind::LocalClass } else { Kind::Class });
                    if it.is_declaration() {
                        self.construct(What::Class, &id.name, start);
                    }
                } else if self.is_default_export() {
                    self.construct(What::Class, "default", start);
                }
            }
            AstKind::VariableDeclarator(it) => self.variable(it),
            AstKind::FormalParameter(it) => {
                if self.is_signature() {
                    return;
                }
                for id in it.pattern.get_binding_identifiers() {
                    self.declare_id(id, Kind::Parameter);
                }
            }
            AstKind::FormalParameterRest(it) => {
                if self.is_signature() {
                    return;
                }
                for id in it.rest.argument.get_binding_identifiers() {
                    self.declare_id(id, Kind::Parameter);
                }
            }
            AstKind::CatchParameter(it) => {
                for id in it.pattern.get_binding_identifiers() {
                    self.declare_id(id, Kind::LocalVar);
                }
            }
            AstKind::MethodDefinition(it) => {
                let kind = match it.kind {
                    MethodDefinitionKind::Constructor => Kind::Constructor,
                    MethodDefinitionKind::Method => Kind::Method,
                    MethodDefinitionKind::Get => Kind::Getter,
                    MethodDefinitionKind::Set => Kind::Setter,
                };
                self.declare_key(&it.key, kind);
                if let Some((name, span)) = key(&it.key) {
                    self.construct(What::Function, &name, span.start);
                }
            }
            AstKind::PropertyDefinition(it) => {
                self.declare_key(&it.key, Kind::Property);
                self.named_value(&it.key, it.value.as_ref());
            }
            AstKind::AccessorProperty(it) => self.declare_key(&it.key, Kind::Property),
            AstKind::ObjectProperty(it) => {
                let kind = match it.kind {
                    PropertyKind::Get => Kind::Getter,
                    PropertyKind::Set => Kind::Setter,
                    PropertyKind::Init if it.method => Kind::Method,
                    PropertyKind::Init => {
                        self.named_value(&it.key, Some(&it.value));
                        return;
                    }
                };
                self.declare_key(&it.key, kind);
                self.named_value(&it.key, Some(&it.value));
            }
            AstKind::TSPropertySignature(it) => self.declare_key(&it.key, Kind::Property),
            AstKind::TSMethodSignature(it) => {
                let kind = match it.kind {
                    TSMethodSignatureKind::Method => Kind::Method,
                    TSMethodSignatureKind::Get => Kind::Getter,
                    TSMethodSignatureKind::Set => Kind::Setter,
                };
                self.declare_key(&it.key, kind);
            }
            AstKind::TSInterfaceDeclaration(it) => self.declare_id(&it.id, Kind::Interface),
            AstKind::TSTypeAliasDeclaration(it) => self.declare_id(&it.id, Kind::TypeAlias),
            AstKind::TSTypeParameter(it) => self.declare_id(&it.name, Kind::TypeParameter),
            AstKind::TSEnumDeclaration(it) => self.declare_id(&it.id, Kind::Enum),
            AstKind::TSEnumMember(it) => match &it.id {
                TSEnumMemberName::Identifier(id) => {
                    self.declare(&id.name, Kind::EnumMember, id.span, NO_SYMBOL);
                }
                TSEnumMemberName::String(id) | TSEnumMemberName::ComputedString(id) => {
                    self.declare(&id.value, Kind::EnumMember, inside_quotes(id), NO_SYMBOL);
                }
                TSEnumMemberName::ComputedTemplateString(_) => {}
            },
            AstKind::TSNamespaceDeclaration(it) => self.declare_id(&it.id, Kind::Namespace),
            AstKind::TSExternalModuleDeclaration(it) => {
                self.declare(&it.id.value, Kind::Namespace, inside_quotes(&it.id), NO_SYMBOL);
            }
            AstKind::StaticMemberExpression(it) => {
                let of = match &it.object {
                    Expression::Identifier(id) => self.module_symbol(&id.reference_id),
                    _ => NO_SYMBOL,
                };
                let is_write = match self.parent(0) {
                    Some(AstKind::AssignmentExpression(parent)) => parent.left.span() == it.span,
                    Some(AstKind::UpdateExpression(_)) => true,
                    _ => false,
                };
                self.member(it.property.span, of, is_write);
            }
            AstKind::PrivateFieldExpression(it) => self.member(it.field.span, NO_SYMBOL, false),
            AstKind::TSQualifiedName(it) => {
                let of = match &it.left {
                    oxc_ast::ast::TSTypeName::IdentifierReference(id) => self.module_symbol(&id.reference_id),
                    _ => NO_SYMBOL,
                };
                self.member(it.right.span, of, false);
            }
            AstKind::JSXMemberExpression(it) => {
                let of = match &it.object {
                    oxc_ast::ast::JSXMemberExpressionObject::IdentifierReference(id) => {
                        self.module_symbol(&id.reference_id)
                    }
                    _ => NO_SYMBOL,
                };
                self.member(it.property.span, of, false);
            }
            AstKind::CallExpression(it) => {
                self.call(&it.callee);
                if let (Expression::Identifier(id), Some(source)) = (&it.callee, it.arguments.first())
                    && id.name == "require"
                    && self.referenced(&id.reference_id).is_none()
                    && let Some(Expression::StringLiteral(source)) = source.as_expression()
                {
                    self.import_value(ImportKind::Require, source, it.span.start);
                }
            }
            AstKind::NewExpression(it) => self.call(&it.callee),
            _ => self.enter_module(kind),
        }
    }

    /// The symbol before a dot, if it is a name of the module or an import.
    fn module_symbol(&self, reference: &Cell<Option<ReferenceId>>) -> Symbol {
        let symbol = self.referenced(reference);
        let of_module = symbol.filter(|&id| self.scoping.symbol_scope_id(id) == self.scoping.root_scope_id());
        of_module.map_or(NO_SYMBOL, number)
    }

    /// Whether the parameter at hand belongs to a function without a body.
    fn is_signature(&self) -> bool {
        match self.parent(1) {
            Some(AstKind::Function(function)) => function.body.is_none(),
            Some(AstKind::ArrowFunctionExpression(_)) => false,
            _ => true,
        }
    }

    fn variable(&mut self, it: &oxc_ast::ast::VariableDeclarator<'a>) {
        let Some(AstKind::VariableDeclaration(declaration)) = self.parent(0) else { return };
        let kind = match declaration.kind {
            VariableDeclarationKind::Var if self.functions > 0 => Kind::LocalVar,
            VariableDeclarationKind::Var => Kind::Var,
            VariableDeclarationKind::Let => Kind::Let,
            _ => Kind::Const,
        };
        for id in it.id.get_binding_identifiers() {
            self.declare_id(id, kind);
            self.construct(What::Variable, &id.name, id.span.start);
        }
        if let (BindingPattern::BindingIdentifier(id), Some(value)) = (&it.id, &it.init) {
            self.function_or_class(value, &id.name, id.span.start);
        }
    }

    fn named_value(&mut self, name: &PropertyKey<'a>, value: Option<&Expression<'a>>) {
        if let (Some((name, span)), Some(value)) = (key(name), value) {
            self.function_or_class(value, &name, span.start);
        }
    }

    fn function_or_class(&mut self, value: &Expression<'a>, name: &str, start: u32) {
        match value.get_inner_expression() {
            Expression::FunctionExpression(_) | Expression::ArrowFunctionExpression(_) => {
                self.construct(What::Function, name, start);
            }
            Expression::ClassExpression(_) => self.construct(What::Class, name, start),
            _ => {}
        }
    }

    fn member(&mut self, span: oxc_span::Span, of: Symbol, is_write: bool) {
        let span = self.span(span);
        self.facts.members.push(Member { span, of, is_write });
    }

    fn call(&mut self, callee: &Expression<'a>) {
        let span = match callee.get_inner_expression() {
            Expression::Identifier(id) => id.span,
            Expression::StaticMemberExpression(member) => member.property.span,
            Expression::PrivateFieldExpression(member) => member.field.span,
            Expression::ComputedMemberExpression(member) => match &member.expression {
                Expression::StringLiteral(name) => inside_quotes(name),
                _ => return,
            },
            Expression::ChainExpression(chain) => match chain.expression.member_expression() {
                Some(oxc_ast::ast::MemberExpression::StaticMemberExpression(member)) => member.property.span,
                _ => return,
            },
            _ => return,
        };
        let span = self.span(span);
        self.facts.calls.push(span);
    }
}

/// The name of a member, and where it stands; computed names have none.
fn key(key: &PropertyKey<'_>) -> Option<(Box<str>, oxc_span::Span)> {
    match key {
        PropertyKey::StaticIdentifier(id) => Some((id.name.as_str().into(), id.span)),
        PropertyKey::PrivateIdentifier(id) => Some((format!("#{}", id.name).into(), id.span)),
        PropertyKey::StringLiteral(name) => Some((name.value.as_str().into(), inside_quotes(name))),
        _ => None,
    }
}

fn inside_quotes(literal: &StringLiteral<'_>) -> oxc_span::Span {
    oxc_span::Span::new(
        literal.span.start + 1,
        literal.span.end.saturating_sub(1).max(literal.span.start + 1),
    )
}

fn number(id: SymbolId) -> Symbol {
    Symbol::try_from(id.index()).unwrap_or(NO_SYMBOL)
}
