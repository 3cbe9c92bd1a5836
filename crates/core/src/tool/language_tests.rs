use serde_json::json;

use crate::tool::testing::Lab;

async fn symbols(files: &[(&str, &str)], query: &str, kind: &str) -> String {
    Lab::new(files).run("findSymbol", json!({ "query": query, "kind": kind })).await
}

#[tokio::test]
async fn a_symbol_is_listed_once_at_its_identifier() {
    let files = [(
        "src/a.ts",
        "import { other } from './b';\nexport function foo(bar: string) {\n  const foot = bar;\n  return other(foot);\n}\nexport default class Foot<Food> {\n  #food = 1;\n  footing() {}\n  get footer() { return 1 }\n}\ninterface IFoo { foo: string; foo2(): void }\ntype Foo3<T> = T;\nenum Foo4 { Foo5 }\nnamespace Foo6 { export const foo7 = 1 }\nconst { a: foo8, ...foo9 } = { a: 1 }, [foo10] = [1];\n",
    )];
    assert_eq!(
        symbols(&files, "foo", "all").await,
        "Found 18 symbol(s):
[function] foo - src/a.ts:2:17
[other] IFoo.foo - src/a.ts:11:18
[class] Foot - src/a.ts:6:22
[type] Foot.Food - src/a.ts:6:27
[other] Foot.#food - src/a.ts:7:3
[function] Foot.footing - src/a.ts:8:3
[function] Foot.footer - src/a.ts:9:7
[interface] IFoo - src/a.ts:11:11
[function] IFoo.foo2 - src/a.ts:11:31
[type] Foo3 - src/a.ts:12:6
[type] Foo4 - src/a.ts:13:6
[other] Foo4.Foo5 - src/a.ts:13:13
[other] Foo6 - src/a.ts:14:11
[variable] Foo6.foo7 - src/a.ts:14:31
[variable] foo8 - src/a.ts:15:12
[variable] foo9 - src/a.ts:15:21
[variable] foo10 - src/a.ts:15:41
[variable] foo.foot - src/a.ts:3:9"
    );
    assert!(symbols(&files, "other", "all").await.starts_with("No symbols found"), "imports are no symbols");
}

#[tokio::test]
async fn the_kind_filter_is_strict_and_enums_are_types() {
    let files = [(
        "a.ts",
        "enum Xe { Xm }\nclass Xc { xp = 1; constructor() {} }\nfunction xf(xq: number) {}\ninterface Xi {}\ntype Xt = 1;\nvar xv = 1;\n",
    )];
    let named = async |kind: &str| -> Vec<String> {
        let text = symbols(&files, "x", kind).await;
        text.lines().skip(1).map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect()
    };
    assert_eq!(named("type").await, ["[type] Xe", "[type] Xt"]);
    assert_eq!(named("class").await, ["[class] Xc"]);
    assert_eq!(named("function").await, ["[function] xf"]);
    assert_eq!(named("interface").await, ["[interface] Xi"]);
    assert_eq!(named("variable").await, ["[variable] xv", "[variable] xf.xq"]);
    assert_eq!(named("all").await.len(), 9);
    assert_eq!(
        symbols(&files, "nope", "class").await,
        "No symbols found matching \"nope\" of kind \"class\"."
    );
    assert_eq!(symbols(&files, "nope", "all").await, "No symbols found matching \"nope\".");
    assert_eq!(
        symbols(&[("a.md", "x")], "x", "all").await,
        "No TypeScript/JavaScript files found in project."
    );
    assert_eq!(symbols(&[], "x", "all").await, "No files found in project.");
}

#[tokio::test]
async fn a_long_list_of_symbols_says_that_it_is_cut() {
    let text: String = (0..60).map(|n| format!("export const item{n} = {n};\n")).collect();
    let found = symbols(&[("a.ts", &text)], "ITEM", "all").await;
    assert!(
        found.starts_with("Found 60 symbol(s) (showing first 50):\n[variable] item0 - a.ts:1:14\n"),
        "{found}"
    );
    assert_eq!(found.lines().count(), 51);
}

#[tokio::test]
async fn a_file_that_does_not_parse_still_gives_its_symbols() {
    let broken = "export function ok() {\n  return 1;\n}\nexport function broken( {\n  const inner = 1;\nexport const after = 2;\nclass Last {}\n";
    let files = [("a.ts", broken)];
    let found = symbols(&files, "", "all").await;
    for expected in [
        "[function] ok - a.ts:1:17",
        "[variable] after - a.ts:6:14",
        "[class] Last - a.ts:7:7",
        "broken - a.ts:4:17",
    ] {
        assert!(found.contains(expected), "{expected} in {found}");
    }

    // What was known before it broke is kept where the text is the same.
    let lab = Lab::new(&[("b.ts", "class A {\n  one() {}\n  two() {}\n}\n")]);
    assert!(lab.run("findSymbol", json!({ "query": "two" })).await.contains("[function] A.two - b.ts:3:3"));
    lab.write("b.ts", "class A {\n  one() {}\n  new(( {}\n  two() {}\n}\n").await;
    let found = lab.run("findSymbol", json!({ "query": "two" })).await;
    assert!(found.contains("[function] A.two - b.ts:4:3"), "{found}");
    lab.write("b.ts", "class A {\n  two() {}\n}\n").await;
    let found = lab.run("findSymbol", json!({ "query": "one" })).await;
    assert!(found.starts_with("No symbols"), "{found}");
}

const PROJECT: [(&str, &str); 9] = [
    ("tsconfig.json", "{ // comment\n \"compilerOptions\": { \"paths\": { \"~/*\": [\"./src/*\"], }, } }"),
    (
        "src/math.ts",
        "export function add(a: number, b: number) {\n  return a + b;\n}\nexport const unused = add;\nexport default add;\n",
    ),
    (
        "src/index.ts",
        "export { add as plus } from './math';\nexport * from './math';\nexport * as math from './math';\n",
    ),
    ("src/alias.ts", "import { add } from '@/math';\nadd(1, 2);\n"),
    ("src/paths.ts", "import { add as sum } from '~/math';\nsum(1, 2);\n"),
    ("src/star.ts", "import { add, plus } from './index';\nadd(1, 2); plus(3, 4);\n"),
    ("src/space.ts", "import * as m from './math';\nm.add(1, 2); m.unused;\n"),
    ("src/default.tsx", "import plus from './math';\nexport const x = <p>{plus(1, 2)}</p>;\n"),
    (
        "src/common.cjs",
        "const { add } = require('./math');\nadd(1, 2);\nconst other = { add: 1 }; other.add;\n",
    ),
];

async fn at(lab: &Lab, tool: &str, path: &str, line: f64, column: f64) -> String {
    lab.run(tool, json!({ "path": path, "line": line, "column": column })).await
}

#[tokio::test]
async fn references_follow_aliases_re_exports_namespaces_defaults_and_common_js() {
    let lab = Lab::new(&PROJECT);
    let found = at(&lab, "getReferences", "src/math.ts", 1.0, 17.0).await;
    assert_eq!(
        found,
        "Found 20 reference(s) (without type information):
[write] src/math.ts:1:17 - export function add(a: number, b: number) {
[read] src/math.ts:4:23 - export const unused = add;
[read] src/math.ts:5:16 - export default add;
[write] src/alias.ts:1:10 - import { add } from '@/math';
[read] src/alias.ts:2:1 - add(1, 2);
[write] src/common.cjs:1:9 - const { add } = require('./math');
[read] src/common.cjs:2:1 - add(1, 2);
[write] src/default.tsx:1:8 - import plus from './math';
[read] src/default.tsx:2:22 - export const x = <p>{plus(1, 2)}</p>;
[write] src/index.ts:1:10 - export { add as plus } from './math';
[write] src/paths.ts:1:10 - import { add as sum } from '~/math';
[write] src/paths.ts:1:17 - import { add as sum } from '~/math';
[read] src/paths.ts:2:1 - sum(1, 2);
[read] src/space.ts:2:3 - m.add(1, 2); m.unused;
[write] src/star.ts:1:10 - import { add, plus } from './index';
[write] src/star.ts:1:15 - import { add, plus } from './index';
[read] src/star.ts:2:1 - add(1, 2); plus(3, 4);
[read] src/star.ts:2:12 - add(1, 2); plus(3, 4);"
            .replace("Found 20", "Found 18")
    );
    // From wherever one asks, and on the word `export`.
    for (path, line, column) in [
        ("src/alias.ts", 2.0, 1.0),
        ("src/alias.ts", 1.0, 12.0),
        ("src/paths.ts", 1.0, 10.0),
        ("src/space.ts", 2.0, 4.0),
        ("src/star.ts", 2.0, 13.0),
        ("src/index.ts", 1.0, 11.0),
        ("src/math.ts", 1.0, 1.0),
        ("src/default.tsx", 2.0, 24.0),
    ] {
        assert_eq!(at(&lab, "getReferences", path, line, column).await, found, "{path}:{line}:{column}");
    }
}

#[tokio::test]
async fn references_of_a_local_name_stay_in_its_scope() {
    let lab = Lab::new(&[("a.ts", "let x = 1;\nfunction f(x: number) { x = 2; return x }\nx++;\n")]);
    assert_eq!(
        at(&lab, "getReferences", "a.ts", 2.0, 12.0).await,
        "Found 3 reference(s) (without type information):\n[write] a.ts:2:12 - function f(x: number) { x = 2; return x }\n[write] a.ts:2:25 - function f(x: number) { x = 2; return x }\n[read] a.ts:2:39 - function f(x: number) { x = 2; return x }"
    );
    assert_eq!(
        at(&lab, "getReferences", "a.ts", 3.0, 1.0).await,
        "Found 2 reference(s) (without type information):\n[write] a.ts:1:5 - let x = 1;\n[write] a.ts:3:1 - x++;"
    );
    assert_eq!(
        at(&lab, "getReferences", "a.ts", 1.0, 8.0).await,
        "No references found at a.ts:1:8 (without type information)"
    );
}

#[tokio::test]
async fn definitions_are_followed_to_the_real_declaration() {
    let lab = Lab::new(&PROJECT);
    let add = "Definition found (without type information):\n  src/math.ts:1:17\n  function: add\n  export function add(a: number, b: number) {";
    for (path, line, column) in [
        ("src/alias.ts", 2.0, 2.0),
        ("src/alias.ts", 1.0, 10.0),
        ("src/paths.ts", 2.0, 1.0),
        ("src/star.ts", 2.0, 12.0),
        ("src/space.ts", 2.0, 3.0),
        ("src/default.tsx", 2.0, 22.0),
        ("src/common.cjs", 2.0, 3.0),
        ("src/math.ts", 4.0, 23.0),
    ] {
        assert_eq!(at(&lab, "goToDefinition", path, line, column).await, add, "{path}:{line}:{column}");
    }
    assert!(
        at(&lab, "goToDefinition", "src/alias.ts", 1.0, 24.0)
            .await
            .contains("src/math.ts:1:1\n  module: src/math.ts")
    );
}

#[tokio::test]
async fn what_has_no_definition_in_the_project_says_so() {
    let lab = Lab::new(&[
        (
            "a.ts",
            "import { useState } from 'react';\nuseState(1);\nArray.from([]);\nenum E { One }\nE.One;\n",
        ),
        ("b.ts", "interface A { x: 1 }\ninterface A { y: 2 }\nlet a: A;\n"),
        ("cycle1.ts", "export * from './cycle2';\nexport { z } from './cycle2';\n"),
        ("cycle2.ts", "export * from './cycle1';\nexport { z } from './cycle1';\n"),
        ("cycle3.ts", "import { z } from './cycle1';\nz;\n"),
    ]);
    assert_eq!(
        at(&lab, "goToDefinition", "a.ts", 2.0, 1.0).await,
        "No definition found at a.ts:2:1 (the package \"react\" is not in the project; without type information)"
    );
    assert_eq!(
        at(&lab, "goToDefinition", "a.ts", 3.0, 1.0).await,
        "No definition found at a.ts:3:1 (without type information)"
    );
    assert!(at(&lab, "goToDefinition", "a.ts", 5.0, 3.0).await.contains("a.ts:4:10\n  enum member: One"));
    assert_eq!(
        at(&lab, "goToDefinition", "b.ts", 3.0, 8.0).await,
        "Found 2 definition(s) (without type information):\n[interface] A - b.ts:1:11\n    interface A { x: 1 }\n[interface] A - b.ts:2:11\n    interface A { y: 2 }"
    );
    assert!(at(&lab, "goToDefinition", "cycle3.ts", 2.0, 1.0).await.starts_with("No definition found"));
}

#[tokio::test]
async fn columns_are_utf16_units_and_bad_places_name_the_range() {
    let lab = Lab::new(&[("a.ts", "const s = '😀é'; const t = s;\r\nt;\r\n")]);
    assert!(at(&lab, "goToDefinition", "a.ts", 1.0, 28.0).await.contains("a.ts:1:7\n  const: s"));
    assert!(at(&lab, "goToDefinition", "a.ts", 2.0, 1.0).await.contains("a.ts:1:24\n  const: t"));
    for (tool, doing) in [("getReferences", "finding references"), ("goToDefinition", "finding definition")] {
        for (path, line, column, why) in [
            ("a.ts", 4.0, 1.0, "`line` must be a whole number from 1 to 3"),
            ("a.ts", 1.5, 1.0, "`line` must be a whole number from 1 to 3"),
            ("a.ts", 2.0, 4.0, "`column` must be a whole number from 1 to 3 in line 2"),
            ("a.ts", 2.0, 0.0, "`column` must be a whole number from 1 to 3 in line 2"),
            ("../a.ts", 1.0, 1.0, "the path leaves the project"),
        ] {
            assert_eq!(at(&lab, tool, path, line, column).await, format!("Error {doing}: {why}"));
        }
        assert_eq!(at(&lab, tool, "none.ts", 1.0, 1.0).await, "File not found: none.ts");
    }
}

#[tokio::test]
async fn a_path_that_is_no_code_says_what_it_is() {
    let lab = Lab::new(&[("README.md", "#"), ("src/a.ts", ""), ("src/b.mts", "export {}")]);
    let run = async |path: &str| lab.run("getDiagnostics", json!({ "path": path })).await;
    assert!(
        run("README.md")
            .await
            .starts_with("Error getting diagnostics: README.md is not a TypeScript or JavaScript file (.md)")
    );
    assert_eq!(run("src").await, "Error getting diagnostics: src is a folder");
    assert_eq!(run("").await, "Error getting diagnostics:  is a folder");
    assert_eq!(run("x.ts").await, "File not found: x.ts");
    for path in ["src/a.ts", "./src//a.ts", "src/b.mts"] {
        let text = run(path).await;
        assert_eq!(text, format!("No diagnostics found for {path}. (syntax only: type checker unavailable)"));
    }
}

#[tokio::test]
async fn diagnostics_without_a_type_checker_are_syntax_errors() {
    let lab = Lab::new(&[("a.ts", "const a = 1;\nconst b = ;\n"), ("b.ts", "const c = 1;\nconst c = 2;\n")]);
    let run = async |path: &str, severity: &str| {
        lab.run("getDiagnostics", json!({ "path": path, "severity": severity })).await
    };
    let found = run("a.ts", "all").await;
    assert!(found.starts_with("Found 1 diagnostic(s) (1 errors, 0 warnings, 0 other) (syntax only: type checker unavailable):\n[error] a.ts:2:11 - "), "{found}");
    assert!(run("b.ts", "error").await.contains("[error] b.ts:1:7 - "), "{}", run("b.ts", "error").await);
    lab.write("a.ts", "const a = 1;\n").await;
    assert_eq!(
        run("a.ts", "error").await,
        "No diagnostics found for a.ts with severity \"error\". (syntax only: type checker unavailable)"
    );
}

#[tokio::test]
async fn text_that_nests_too_deep_for_a_parser_is_no_danger() {
    let deep = format!(
        "const before = 1;\nconst x = {}1{};\nexport const after = 2;\n",
        "(".repeat(200_000),
        ")".repeat(200_000)
    );
    let lab = Lab::new(&[("deep.ts", deep.as_str()), ("a.ts", "import { after } from './deep';\nafter;\n")]);
    let found = lab.run("findSymbol", json!({ "query": "after" })).await;
    assert_eq!(found, "Found 1 symbol(s):\n[variable] after - deep.ts:3:14");
    assert!(lab.run("getDiagnostics", json!({ "path": "deep.ts" })).await.contains("nests too deep"));
    assert!(at(&lab, "goToDefinition", "a.ts", 2.0, 1.0).await.contains("deep.ts:3:14"));
}
