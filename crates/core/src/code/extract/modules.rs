//! What a text takes from other modules and gives to them.

use oxc_ast::AstKind;
use oxc_ast::ast::{
    AssignmentTarget, BindingIdentifier, BindingPattern, Declaration as Declared,
    ExportDefaultDeclarationKind, Expression, ImportDeclarationSpecifier, ModuleExportName, StringLiteral,
    TSModuleReference,
};
use oxc_span::GetSpan as _;

use super::{Extractor, key, number};
use crate::code::facts::{Binding, Export, Import, ImportKind, Imported, NO_SYMBOL, Target};

impl<'a> Extractor<'_, 'a> {
    pub(super) fn enter_module(&mut self, kind: AstKind<'a>) {
        match kind {
            AstKind::ImportExpression(it) => {
                if let Expression::StringLiteral(source) = &it.source {
                    self.import_value(ImportKind::Dynamic, source, it.span.start);
                }
            }
            AstKind::TSImportType(it) => {
                self.import(ImportKind::Dynamic, &it.source, it.span.start, Vec::new());
            }
            AstKind::ImportDeclaration(it) => {
                let specifiers = it.specifiers.iter().flatten();
                let bindings = specifiers.map(|specifier| self.binding(specifier)).collect();
                self.import(ImportKind::Import, &it.source, it.span.start, bindings);
            }
            AstKind::TSImportEqualsDeclaration(it) => {
                if let TSModuleReference::ExternalModuleReference(reference) = &it.module_reference {
                    let symbol = self.symbol(&it.id.symbol_id);
                    let bindings =
                        vec![Binding { imported: Imported::Namespace, imported_span: None, symbol }];
                    let start = self.start_of(it.span);
                    self.import(ImportKind::Import, &reference.expression, start, bindings);
                }
            }
            AstKind::ExportDeclaration(it) => self.export_declaration(&it.declaration, it.span.start),
            AstKind::ExportNamedDeclaration(it) => {
                for specifier in &it.specifiers {
                    let symbol = match &specifier.local {
                        ModuleExportName::IdentifierReference(id) => self.referenced(&id.reference_id),
                        _ => None,
                    };
                    let target = Target::Symbol(symbol.map_or(NO_SYMBOL, number));
                    self.export(
                        &specifier.exported.name(),
                        specifier.span.start,
                        specifier.exported.span(),
                        target,
                    );
                }
            }
            AstKind::ExportFromDeclaration(it) => {
                let import = self.import(ImportKind::ReExport, &it.source, it.span.start, Vec::new());
                for specifier in &it.specifiers {
                    let local = self.span(specifier.local.span());
                    let target = Target::From(import, specifier.local.name().as_str().into(), local);
                    self.export(
                        &specifier.exported.name(),
                        specifier.span.start,
                        specifier.exported.span(),
                        target,
                    );
                }
            }
            AstKind::ExportAllDeclaration(it) => {
                let import = self.import(ImportKind::ReExport, &it.source, it.span.start, Vec::new());
                match &it.exported {
                    Some(name) => {
                        self.export(&name.name(), it.span.start, name.span(), Target::Namespace(import));
                    }
                    None => self.export("*", it.span.start, it.span, Target::All(import)),
                }
            }
            AstKind::ExportDefaultDeclaration(it) => {
                let id = match &it.declaration {
                    ExportDefaultDeclarationKind::FunctionDeclaration(function) => function.id.as_ref(),
                    ExportDefaultDeclarationKind::ClassDeclaration(class) => class.id.as_ref(),
                    ExportDefaultDeclarationKind::TSInterfaceDeclaration(interface) => Some(&interface.id),
                    _ => None,
                };
                let target = match (id, &it.declaration) {
                    (Some(id), _) => Target::Symbol(self.symbol(&id.symbol_id)),
                    (None, declaration) => match declaration.as_expression() {
                        Some(expression) => self.value(expression),
                        None => Target::Value(self.span(it.declaration.span())),
                    },
                };
                self.export("default", it.span.start, it.span, target);
            }
            AstKind::TSExportAssignment(it) => {
                let target = self.value(&it.expression);
                self.export("export=", it.span.start, it.span, target);
            }
            AstKind::TSNamespaceExportDeclaration(it) => {
                self.export(&it.id.name, it.span.start, it.id.span, Target::Value(self.span(it.id.span)));
            }
            AstKind::AssignmentExpression(it) => self.common_js_export(it),
            _ => {}
        }
    }

    fn import(
        &mut self,
        kind: ImportKind,
        source: &StringLiteral<'a>,
        start: u32,
        bindings: Vec<Binding>,
    ) -> usize {
        let (source_span, start) = (self.span(source.span), self.base + start);
        let source = source.value.as_str().into();
        self.facts.imports.push(Import { kind, source, source_span, start, bindings });
        self.facts.imports.len() - 1
    }

    /// `require` and `import()`, with the names that a declaration around takes from the result.
    pub(super) fn import_value(&mut self, kind: ImportKind, source: &StringLiteral<'a>, start: u32) {
        let around = self.around.iter().rev().find(|node| {
            !matches!(
                node,
                AstKind::AwaitExpression(_)
                    | AstKind::ParenthesizedExpression(_)
                    | AstKind::TSAsExpression(_)
            )
        });
        let bindings = match around {
            Some(AstKind::VariableDeclarator(declarator)) => self.taken(&declarator.id),
            _ => Vec::new(),
        };
        self.import(kind, source, start, bindings);
    }

    fn taken(&self, pattern: &BindingPattern<'a>) -> Vec<Binding> {
        match pattern {
            BindingPattern::BindingIdentifier(id) => {
                let symbol = self.symbol(&id.symbol_id);
                vec![Binding { imported: Imported::Namespace, imported_span: None, symbol }]
            }
            BindingPattern::ObjectPattern(object) => {
                let properties = object.properties.iter().filter_map(|property| {
                    let (name, span) = key(&property.key)?;
                    let value = match &property.value {
                        BindingPattern::AssignmentPattern(with_default) => &with_default.left,
                        value => value,
                    };
                    let BindingPattern::BindingIdentifier(id) = value else { return None };
                    let imported_span = (!property.shorthand).then(|| self.span(span));
                    let symbol = self.symbol(&id.symbol_id);
                    Some(Binding { imported: Imported::Name(name), imported_span, symbol })
                });
                properties.collect()
            }
            _ => Vec::new(),
        }
    }

    fn binding(&self, specifier: &ImportDeclarationSpecifier<'a>) -> Binding {
        match specifier {
            ImportDeclarationSpecifier::ImportSpecifier(it) => {
                let apart = it.imported.span() != it.local.span;
                Binding {
                    imported: Imported::Name(it.imported.name().as_str().into()),
                    imported_span: apart.then(|| self.span(it.imported.span())),
                    symbol: self.symbol(&it.local.symbol_id),
                }
            }
            ImportDeclarationSpecifier::ImportDefaultSpecifier(it) => Binding {
                imported: Imported::Name("default".into()),
                imported_span: None,
                symbol: self.symbol(&it.local.symbol_id),
            },
            ImportDeclarationSpecifier::ImportNamespaceSpecifier(it) => Binding {
                imported: Imported::Namespace,
                imported_span: None,
                symbol: self.symbol(&it.local.symbol_id),
            },
        }
    }

    fn export(&mut self, name: &str, start: u32, span: oxc_span::Span, target: Target) {
        let (start, span) = (self.base + start, self.span(span));
        self.facts.exports.push(Export { name: name.into(), start, span, target });
    }

    fn export_declaration(&mut self, declaration: &Declared<'a>, start: u32) {
        let ids: Vec<&BindingIdentifier<'a>> = match declaration {
            Declared::VariableDeclaration(it) => {
                let ids = it.declarations.iter().flat_map(|d| d.id.get_binding_identifiers());
                for (n, id) in ids.enumerate() {
                    let start = if n == 0 { start } else { id.span.start };
                    let target = Target::Symbol(self.symbol(&id.symbol_id));
                    self.export(&id.name, start, id.span, target);
                }
                return;
            }
            Declared::FunctionDeclaration(it) => it.id.iter().collect(),
            Declared::ClassDeclaration(it) => it.id.iter().collect(),
            Declared::TSTypeAliasDeclaration(it) => vec![&it.id],
            Declared::TSInterfaceDeclaration(it) => vec![&it.id],
            Declared::TSEnumDeclaration(it) => vec![&it.id],
            Declared::TSNamespaceDeclaration(it) => vec![&it.id],
            Declared::TSImportEqualsDeclaration(it) => vec![&it.id],
            Declared::TSExternalModuleDeclaration(_) | Declared::TSGlobalDeclaration(_) => Vec::new(),
        };
        for id in ids {
            let target = Target::Symbol(self.symbol(&id.symbol_id));
            self.export(&id.name, start, id.span, target);
        }
    }

    fn value(&self, expression: &Expression<'a>) -> Target {
        match expression.get_inner_expression() {
            Expression::Identifier(id) => match self.referenced(&id.reference_id) {
                Some(symbol) => Target::Symbol(number(symbol)),
                None => Target::Value(self.span(id.span)),
            },
            other => Target::Value(self.span(other.span())),
        }
    }

    /// `module.exports = …`, `module.exports.a = …`, `exports.a = …`.
    fn common_js_export(&mut self, it: &oxc_ast::ast::AssignmentExpression<'a>) {
        let AssignmentTarget::StaticMemberExpression(left) = &it.left else { return };
        let is_global = |expression: &Expression<'a>, name: &str| match expression {
            Expression::Identifier(id) => id.name == name && self.referenced(&id.reference_id).is_none(),
            _ => false,
        };
        let is_exports = match &left.object {
            Expression::StaticMemberExpression(inner) => {
                inner.property.name == "exports" && is_global(&inner.object, "module")
            }
            object => is_global(object, "exports"),
        };
        let target = self.value(&it.right);
        if is_exports {
            self.export(&left.property.name, it.span.start, left.property.span, target);
        } else if left.property.name == "exports" && is_global(&left.object, "module") {
            self.export("export=", it.span.start, left.property.span, target);
        }
    }
}
