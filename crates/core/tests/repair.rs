//! What is put right without a model, on the corpus of sown defects: nothing in clean projects, and in
//! the others nothing but what was found to be wrong.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

#[path = "support/corpus.rs"]
#[allow(dead_code, unreachable_pub)]
mod corpus;

use corpus::{CLEAN, Defect, Project, defects, index, project, report};
use polaris_core::code::inspect::{Problem, ProblemKind};
use polaris_core::code::repair::fixes;

/// Applies what can be put right until nothing more comes.
fn repaired(files: &Project) -> Project {
    let mut files = files.clone();
    for round in 0.. {
        let found = fixes(&index(&files));
        if found.is_empty() {
            break;
        }
        assert!(round < 5, "it goes on for ever: {found:?}");
        for fix in found {
            assert_ne!(files.insert(fix.path.clone(), fix.text.clone()).as_ref(), Some(&fix.text));
            assert!(!fix.changes.is_empty(), "{} is not told", fix.path);
        }
    }
    files
}

/// The files that a report is about.
fn named(problems: &[Problem]) -> Vec<&str> {
    let lists = problems.iter().any(|problem| problem.kind == ProblemKind::Package);
    let manifest = lists.then_some("package.json");
    problems.iter().map(|problem| problem.path.as_str()).chain(manifest).collect()
}

#[test]
fn clean_projects_are_not_touched() {
    for n in 0..CLEAN {
        assert_eq!(fixes(&index(&project(n))), [], "project {n}");
    }
}

#[test]
fn sown_defects_that_need_no_model_are_put_right_and_clean_files_stay() {
    let all: Vec<Defect> = (0..CLEAN).flat_map(defects).collect();
    let (mut fixable, mut fixed, mut as_before, mut left) = (0, 0, 0, Vec::new());
    for defect in &all {
        let after = repaired(&defect.files);
        let is_edited = after != defect.files;
        if is_edited {
            let before = report(&defect.files);
            let may_change = named(&before);
            for (path, text) in &after {
                let is_clean = !may_change.contains(&path.as_str());
                assert!(!is_clean || defect.files.get(path) == Some(text), "{}: {path}", defect.name);
            }
            assert_eq!(after.len(), defect.files.len(), "{}", defect.name);
            assert!(report(&after).len() < before.len(), "{}", defect.name);
        }
        if defect.is_fixable {
            fixable += 1;
            let problems = if is_edited { report(&after) } else { Vec::new() };
            if is_edited && problems.is_empty() {
                fixed += 1;
            } else {
                left.push((&defect.name, problems));
            }
            as_before += usize::from(after == project(defect.of));
        }
    }
    eprintln!("{fixed} of {fixable} that need no model were put right, {as_before} to the letter");
    assert!(fixable >= 100 && fixed * 5 >= fixable * 4, "{left:#?}");
}

fn files<const N: usize>(files: [(&str, &str); N]) -> Project {
    files.map(|(path, text)| (path.to_owned(), text.to_owned())).into()
}

#[test]
fn a_path_is_corrected_only_where_one_file_can_be_meant() {
    let project = files([
        ("src/a/Card.tsx", "export const Card = 1;\n"),
        ("src/b/Card.tsx", "export const Card = 2;\n"),
        ("src/b/Row.tsx", "export const Row = 2;\n"),
        ("src/lib/date.ts", "export const day = 1;\n"),
        ("src/theme/main.scss", ""),
        ("src/ui/index.ts", "export const Button = 1;\n"),
        (
            "src/App.tsx",
            "import { Card } from \"./c/Card\";\nimport { Card as B } from \"./x/b/Card\";\nimport { Row } from './Row';\nimport { month } from \"./date\";\nimport \"./main.css\";\nimport { Button } from \"./components/ui\";\nimport { day } from \"@/utils/date\";\nimport logo from \"./logo.svg\";\nconsole.log(Card, B, Row, month, Button, day, logo, import(\"./Row\"));\n",
        ),
    ]);
    let after = repaired(&project);
    assert_eq!(
        after["src/App.tsx"],
        "import { Card } from \"./c/Card\";\nimport { Card as B } from \"./b/Card\";\nimport { Row } from './b/Row';\nimport { month } from \"./date\";\nimport \"./theme/main.scss\";\nimport { Button } from \"./ui\";\nimport { day } from \"@/lib/date\";\nimport logo from \"./logo.svg\";\nconsole.log(Card, B, Row, month, Button, day, logo, import(\"./b/Row\"));\n"
    );
}

#[test]
fn a_path_that_would_end_a_string_is_never_written() {
    let name = "src/lib/x\"y.ts";
    let project = files([(name, "export const x = 1;\n"), ("src/a.ts", "import { x } from './x\"y';\n")]);
    assert_eq!(report(&project).len(), 1);
    assert_eq!(fixes(&index(&project)), []);
}

#[test]
fn a_package_is_added_only_where_it_is_known_and_to_the_nearest_list() {
    let project = files([
        ("package.json", "{\n  \"dependencies\": {\n    \"react\": \"^19.1.0\"\n  }\n}\n"),
        ("packages/ui/package.json", "{ \"name\": \"ui\", \"scripts\": { \"build\": \"tsc\" } }"),
        ("packages/ui/a.ts", "import \"zod\";\nimport \"reactt\";\n"),
        ("src/main.tsx", "import \"react-dom/client\";\nimport \"@acme/ui\";\n"),
    ]);
    let after = repaired(&project);
    assert_eq!(
        after["package.json"],
        "{\n  \"dependencies\": {\n    \"react\": \"^19.1.0\",\n    \"react-dom\": \"^19.1.0\"\n  }\n}\n"
    );
    let ui: serde_json::Value = serde_json::from_str(&after["packages/ui/package.json"]).unwrap();
    assert_eq!(ui["dependencies"], serde_json::json!({ "zod": "^3.22.0" }));
    assert_eq!(ui["devDependencies"], serde_json::json!({ "typescript": "^5.4.0" }));
    let left: Vec<String> = report(&after).into_iter().map(|problem| problem.message).collect();
    assert_eq!(
        left,
        ["the package \"reactt\" is not in package.json", "the package \"@acme/ui\" is not in package.json"]
    );
}
