use std::sync::Arc;

use serde_json::json;

use crate::code::words::Shelf;
use crate::tool::testing::Lab;
use crate::tool::text_search::TextSearch;
use crate::workspace::memory::MemoryFiles;
use crate::workspace::snapshot::{Bounds, Snapshot};

async fn files(project: &[(&str, &str)], pattern: &str, file_pattern: Option<&str>) -> String {
    let mut args = json!({ "pattern": pattern });
    if let Some(glob) = file_pattern {
        args["filePattern"] = json!(glob);
    }
    let lab = Lab::new(project);
    let found = lab.run("searchFiles", args.clone()).await;
    // This one has the words of the project made, by which searches are shorter.
    lab.run("getRelevantFiles", json!({ "query": "anything" })).await;
    assert_eq!(lab.run("searchFiles", args).await, found);
    found
}

#[tokio::test]
async fn every_match_on_a_line_is_a_result_with_its_utf16_column() {
    let project = [("b.ts", "x\r\n  😀 foo FOO\r\n"), ("a.ts", "foo")];
    assert_eq!(
        files(&project, "foo", None).await,
        "Found 3 match(es):\na.ts:1:1 - foo\nb.ts:2:6 - 😀 foo FOO\nb.ts:2:10 - 😀 foo FOO"
    );
    let exact =
        Lab::new(&project).run("searchFiles", json!({ "pattern": "FOO", "caseSensitive": true })).await;
    assert_eq!(exact, "Found 1 match(es):\nb.ts:2:10 - 😀 foo FOO");
    assert_eq!(
        files(&project, "foo$", Some("*.ts")).await,
        "Found 2 match(es):\na.ts:1:1 - foo\nb.ts:2:10 - 😀 foo FOO"
    );
}

#[tokio::test]
async fn a_pattern_never_spans_lines() {
    let project = [("a.ts", "a\nb\na b\n")];
    assert_eq!(files(&project, r"a\s+b", None).await, "Found 1 match(es):\na.ts:3:1 - a b");
    assert_eq!(files(&project, r"a[^x]*b", None).await, "Found 1 match(es):\na.ts:3:1 - a b");
    assert!(files(&project, "a\\nb", None).await.starts_with("No matches found for pattern"));
}

#[tokio::test]
async fn a_plain_text_is_found_wherever_it_stands_in_words() {
    let project = [
        ("a.ts", "const setMarker_5000 = 1; // marker-5000-end\nmarker-50001-end"),
        ("b.ts", "MARKER-5000-ENDING"),
        ("c.ts", "marker 5000 end"),
        ("d.ts", "xmarker-5000-end\nÄmarker-5000-end"),
        ("e.ts", "nothing"),
    ];
    let text = files(&project, "marker-5000-end", None).await;
    assert_eq!(
        text,
        "Found 4 match(es):\na.ts:1:30 - const setMarker_5000 = 1; // marker-5000-end\nb.ts:1:1 - MARKER-5000-ENDING\nd.ts:1:2 - xmarker-5000-end\nd.ts:2:2 - Ämarker-5000-end"
    );
    assert!(files(&project, "marker_5", None).await.contains("a.ts:1:10"));
    assert!(files(&project, "no such words", None).await.starts_with("No matches found"));
    assert_eq!(files(&project, "nothing", Some("*.md")).await, "No files matching pattern \"*.md\" found.");
}

#[tokio::test]
async fn with_the_words_only_texts_that_may_match_are_read() {
    let files = Arc::new(MemoryFiles::new(
        [("a.ts", "needle"), ("b.ts", "hay")].map(|(path, text)| (path.to_owned(), text.to_owned())).into(),
    ));
    let project = Snapshot::new(files as _).current().await.unwrap();
    let shelf = Arc::new(Shelf::default());
    let search = |pattern: &str| {
        TextSearch::new(serde_json::from_value(json!({ "pattern": pattern })).unwrap()).unwrap()
    };
    assert!(search("needle").words(&project, &shelf).is_none(), "nobody has had them made");
    shelf.words(&project, &mut || false).unwrap();
    let needle = search("needle");
    let (words, parts) = needle.words(&project, &shelf).unwrap();
    assert_eq!(words.having_all(&parts).len(), 1);
    assert!(search("nee.le").words(&project, &shelf).is_none(), "no plain text");
    assert!(search("ne").words(&project, &shelf).is_none(), "too short");
}

#[tokio::test]
async fn nothing_found_and_nothing_to_search_are_different_answers() {
    let project =
        [("a.ts", "x"), ("package-lock.json", "needle"), ("x.min.js", "needle"), ("dist/a.js", "needle")];
    assert_eq!(
        files(&project, "needle", None).await,
        "No matches found for pattern \"needle\".\n[3 lock, minified or generated file(s) were skipped; name them in filePattern to search them]"
    );
    assert_eq!(
        files(&project, "needle", Some("package-lock.json")).await,
        "Found 1 match(es):\npackage-lock.json:1:1 - needle"
    );
    assert_eq!(
        files(&project, "needle", Some("*.min.js")).await,
        "Found 1 match(es):\nx.min.js:1:1 - needle"
    );
    assert_eq!(
        files(&project, "needle", Some("dist/**")).await,
        "Found 1 match(es):\ndist/a.js:1:1 - needle"
    );
    assert_eq!(
        files(&project, "needle", Some("*.ts")).await,
        "No matches found for pattern \"needle\" in files matching \"*.ts\"."
    );
    assert_eq!(files(&project, "x", Some("*.vue")).await, "No files matching pattern \"*.vue\" found.");
    assert_eq!(files(&[], "x", None).await, "No files found in project.");
    assert!(
        files(&project[1..], "x", None).await.starts_with("No searchable files found in project.\n[3 lock")
    );
    assert!(files(&project, "(", None).await.starts_with("Invalid regex pattern: "));
}

#[tokio::test]
async fn a_cut_list_is_shared_over_the_files_and_says_the_true_total() {
    let many = "hit\n".repeat(100);
    let found = files(&[("a.ts", &many), ("b.ts", "hit"), ("c.ts", &many)], "hit", None).await;
    assert!(found.starts_with("Found 201 match(es) (showing first 50):\n"), "{found}");
    let of = |path: &str| found.lines().filter(|line| line.starts_with(path)).count();
    assert_eq!((of("a.ts"), of("b.ts"), of("c.ts")), (25, 1, 24));
    let fifty = "hit\n".repeat(50);
    assert!(
        files(&[("a.ts", &fifty)], "hit", None).await.starts_with("Found 50 match(es):\n"),
        "exactly 50 is all"
    );
    let flood = "hit\n".repeat(10_001);
    assert!(
        files(&[("a.ts", &flood)], "hit", None)
            .await
            .starts_with("Found 10000+ match(es) (showing first 50):")
    );
}

#[tokio::test]
async fn empty_matches_do_not_flood() {
    assert_eq!(
        files(&[("a.ts", "abc\nd")], "x*", None).await,
        "Found 2 match(es):\na.ts:1:1 - abc\na.ts:2:1 - d"
    );
}

#[tokio::test]
async fn a_pattern_that_backtracks_for_ever_is_stopped_and_says_so() {
    let line = format!("{}!", "a".repeat(60));
    assert!(files(&[("a.ts", &line)], "^(a+)+$", None).await.starts_with("No matches found"), "linear");
    let found = files(&[("a.ts", &line)], r"^(?=a)(a|aa)+\1$", None).await;
    assert!(found.starts_with("Stopped early, no match so far for pattern"), "{found}");
    assert!(
        found.contains("[Stopped: the pattern needs too much backtracking; 1 of 1 files were searched."),
        "{found}"
    );
    assert_eq!(
        files(&[("a.ts", "foobar foo")], "foo(?!bar)", None).await,
        "Found 1 match(es):\na.ts:1:8 - foobar foo"
    );
}

#[tokio::test]
async fn long_lines_are_cut_at_120_units() {
    let line = format!("hit{}", "é".repeat(500));
    let found = files(&[("a.md", &line)], "hit", None).await;
    assert_eq!(found.lines().nth(1).unwrap().chars().count(), "a.md:1:1 - ".len() + 120);
}

#[tokio::test]
async fn what_a_large_project_leaves_out_is_said() {
    let project = [("a.ts", "needle in here"), ("b.ts", "a needle too")];
    let owned = project.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    let bounds = Bounds { max_rows: 100, max_text_bytes: 20 };
    let lab = Lab::over(Arc::new(Snapshot::with_bounds(Arc::new(MemoryFiles::new(owned)), bounds)));
    let said = "[The project is too large to be looked at as a whole: 1 of 2 files were left out]";
    for (tool, args) in [
        ("searchFiles", json!({ "pattern": "needle" })),
        ("searchFiles", json!({ "pattern": "nothing" })),
        ("searchCodebase", json!({ "patternType": "all" })),
        ("findSymbol", json!({ "query": "x" })),
        ("getRelevantFiles", json!({ "query": "needle" })),
    ] {
        let text = lab.run(tool, args).await;
        assert!(text.ends_with(said), "{tool}: {text}");
    }
    assert_eq!(
        lab.run("findFilesByPattern", json!({ "pattern": "*.ts" })).await,
        "Found 2 file(s) matching \"*.ts\":\na.ts\nb.ts"
    );
}

#[tokio::test]
async fn files_are_found_by_glob_in_the_order_of_their_paths() {
    let project = [("src/b.ts", ""), ("src/a.ts", ""), ("src/[id]/page.tsx", "x"), ("package.json", "{}")];
    let lab = Lab::new(&project);
    let find = async |pattern: &str| lab.run("findFilesByPattern", json!({ "pattern": pattern })).await;
    assert_eq!(find("src/**/*.ts").await, "Found 2 file(s) matching \"src/**/*.ts\":\nsrc/a.ts\nsrc/b.ts");
    assert_eq!(
        find("src/[id]/*.tsx").await,
        "Found 1 file(s) matching \"src/[id]/*.tsx\":\nsrc/[id]/page.tsx"
    );
    assert_eq!(find("**/package.json").await, "Found 1 file(s) matching \"**/package.json\":\npackage.json");
    assert_eq!(find("*.vue").await, "No files matching pattern \"*.vue\" found.");
    let many: Vec<(String, &str)> = (0..60).map(|n| (format!("f{n:02}.ts"), "")).collect();
    let found = Lab::new(&many).run("findFilesByPattern", json!({ "pattern": "*" })).await;
    assert!(found.starts_with("Found 60 file(s) matching \"*\":\nf00.ts\n"), "{found}");
    assert!(found.ends_with("f49.ts\n\n(Showing 50 of 60 matches)"), "{found}");
}

async fn code(text: &str, what: &str) -> Vec<String> {
    let found = Lab::new(&[("a.tsx", text)]).run("searchCodebase", json!({ "patternType": what })).await;
    let hits = found.lines().filter(|line| line.starts_with('['));
    hits.map(|line| line.replacen(" - a.tsx:", ":", 1).replacen(&format!("[{what}] "), "", 1)).collect()
}

#[tokio::test]
async fn imports_in_all_their_forms() {
    let text = "import a, { b } from 'one';\nimport type { C } from 'two';\nimport {\n  d,\n} from 'three';\nimport 'four';\nconst e = require('five');\nconst f = await import('six');\nimport g = require('seven');\nexport { h } from 'eight';\n// import x from 'comment'\nconst s = \"import y from 'string'\";\nlet t: import('nine').T;\n";
    assert_eq!(
        code(text, "import").await,
        ["one:1", "two:2", "three:3", "four:6", "five:7", "six:8", "seven:9", "nine:13"]
    );
}

#[tokio::test]
async fn functions_in_all_their_forms() {
    let text = "function a() {}\nconst b = function () {};\nconst c = async x => x;\nconst d: F = (x: number): number => x;\nclass K {\n  e() {}\n  static async f() {}\n  g = () => 1;\n  constructor() {}\n}\nconst o = { h() {}, i: () => 1 };\nexport default function () {}\nexport async function* j() {}\n// function k() {}\nconst s = `function l() {}`;\nconst m = useCallback(() => 1);\n";
    assert_eq!(
        code(text, "function").await,
        [
            "a:1",
            "b:2",
            "c:3",
            "d:4",
            "e:6",
            "f:7",
            "g:8",
            "constructor:9",
            "h:11",
            "i:11",
            "default:12",
            "j:13"
        ]
    );
}

#[tokio::test]
async fn classes_and_variables_in_all_their_forms() {
    let text = "abstract class A {}\nexport default class extends A {}\nconst B = class {};\n@dec()\nexport class C {}\nlet u;\nconst t: A = 1, { v, w: [x], ...y } = z;\nfor (const i of []) { var j = 1 }\n";
    assert_eq!(code(text, "class").await, ["A:1", "default:2", "B:3", "C:5"]);
    assert_eq!(code(text, "variable").await, ["B:3", "u:6", "t:7", "v:7", "x:7", "y:7", "i:8", "j:8"]);
}

#[tokio::test]
async fn exports_in_all_their_forms() {
    let text = "export interface A {}\nexport type B = 1;\nexport enum C {}\nexport abstract class D {}\nexport * from './x';\nexport * as E from './x';\nconst a = 1;\nexport { a as b1, a };\nexport const { f, g: [h] } = i;\nexport default a;\nexport { j } from './x';\nexport declare function k(): void;\nexport namespace L {}\n";
    assert_eq!(
        code(text, "export").await,
        [
            "A:1",
            "B:2",
            "C:3",
            "D:4",
            "*:5",
            "E:6",
            "b1:8",
            "a:8",
            "f:9",
            "h:9",
            "default:10",
            "j:11",
            "k:12",
            "L:13"
        ]
    );
    assert_eq!(
        code("exports.a = 1;\nmodule.exports.b = 2;\nmodule.exports = c;\n", "export").await,
        ["a:1", "b:2", "export=:3"]
    );
}

#[tokio::test]
async fn calls_are_calls_and_nothing_else() {
    let text = "function b(x) {}\nb(1);\na.c.d(2)?.e();\nclass K { f() { super.g(); } }\nif (x) { for (;;) {} }\nconst h = async (y) => y;\nawait import('m');\nnew L();\n(i as any)(1); j!(2); k<T>(3);\n// m()\n`${n()} o()`;\n\"p()\";\n";
    assert_eq!(code(text, "call").await, ["b:2", "d:3", "e:3", "g:4", "L:8", "i:9", "j:9", "k:9", "n:11"]);
}

#[tokio::test]
async fn a_search_for_a_name_says_what_was_found_where() {
    let lab = Lab::new(&[
        ("src/a.ts", "  export class UserStore {}\nexport class Other {}\n"),
        ("b.js", "class USERS {}"),
        ("c.md", "class x {}"),
    ]);
    let run = async |args| lab.run("searchCodebase", args).await;
    assert_eq!(
        run(json!({ "patternType": "class", "searchTerm": "user" })).await,
        "Found 2 class(s):\n[class] USERS - b.js:1\n    class USERS {}\n[class] UserStore - src/a.ts:1\n    export class UserStore {}"
    );
    assert_eq!(
        run(json!({ "patternType": "class", "searchTerm": "zzz", "filePattern": "*.ts" })).await,
        "No classes found matching \"zzz\" in files matching \"*.ts\"."
    );
    assert_eq!(
        run(json!({ "patternType": "all", "searchTerm": "zzz" })).await,
        "No code patterns found matching \"zzz\"."
    );
    assert_eq!(run(json!({ "patternType": "call" })).await, "No calls found.");
    assert_eq!(
        run(json!({ "patternType": "call", "filePattern": "*.md" })).await,
        "No code files matching pattern \"*.md\" found."
    );
    assert!(
        run(json!({ "patternType": "all", "searchTerm": "users" }))
            .await
            .starts_with("Found 3 pattern(s):\n[class] USERS")
    );
    assert!(
        run(json!({ "patternType": "thing" }))
            .await
            .starts_with("Error: invalid arguments for searchCodebase at `patternType`")
    );
}

#[tokio::test]
async fn a_broken_file_gives_what_can_be_read() {
    let text = "import { a } from './a';\nexport function ok() { a(); }\nconst broken = ((;\nexport const after = () => ok();\n";
    let lab = Lab::new(&[("a.ts", text)]);
    let run = async |what: &str| lab.run("searchCodebase", json!({ "patternType": what })).await;
    assert!(run("import").await.contains("[import] ./a - a.ts:1"));
    let functions = run("function").await;
    assert!(
        functions.contains("[function] ok - a.ts:2") && functions.contains("[function] after - a.ts:4"),
        "{functions}"
    );
    assert!(run("variable").await.contains("[variable] broken - a.ts:3"));
}

#[tokio::test]
async fn a_write_is_seen_by_the_next_call() {
    let lab = Lab::new(&[("a.ts", "const one = 1;")]);
    assert!(lab.run("searchCodebase", json!({ "patternType": "variable" })).await.contains("one"));
    lab.write("src/new.ts", "export const two = 2;").await;
    for (tool, args) in [
        ("searchFiles", json!({ "pattern": "two" })),
        ("searchCodebase", json!({ "patternType": "variable", "searchTerm": "two" })),
        ("findSymbol", json!({ "query": "two" })),
        ("findFilesByPattern", json!({ "pattern": "new.ts" })),
        ("getRelevantFiles", json!({ "query": "two" })),
    ] {
        assert!(lab.run(tool, args).await.contains("src/new.ts"), "{tool}");
    }
}
