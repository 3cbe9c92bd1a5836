//! The inspection of a project, on a corpus that is made here: twenty clean projects, which get no
//! report, and every defect that can be sown into each of them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

#[path = "support/corpus.rs"]
#[allow(dead_code, unreachable_pub)]
mod corpus;

use corpus::{CLEAN, Defect, defects, project, report};
use polaris_core::code::inspect::ProblemKind;

#[test]
fn clean_projects_get_no_report() {
    for n in 0..CLEAN {
        assert_eq!(report(&project(n)), [], "project {n}");
    }
}

#[test]
fn sown_defects_are_found_in_their_files() {
    let all: Vec<Defect> = (0..CLEAN).flat_map(defects).collect();
    assert!(all.len() >= 100, "{}", all.len());
    let mut missed = Vec::new();
    for defect in &all {
        let found = report(&defect.files);
        if !found.iter().any(|problem| problem.kind == defect.kind && problem.path == defect.path) {
            missed.push((&defect.name, found));
        }
    }
    eprintln!("{} of {} defects were found", all.len() - missed.len(), all.len());
    assert!(missed.len() * 20 <= all.len(), "{missed:#?}");
}

#[test]
fn a_report_names_file_line_and_reason() {
    let mut files = project(0);
    files.insert("src/lib/broken.ts".into(), "export const a = 1;\nexport const b = (;\n".into());
    files.insert(
        "src/lib/user.ts".into(),
        "import { b, c } from \"./broken\";\nimport x from \"./nowhere\";\n".into(),
    );
    let report = report(&files);
    assert_eq!(report.len(), 2, "{report:?}");
    assert_eq!(
        (report[0].path.as_str(), report[0].line, report[0].kind),
        ("src/lib/broken.ts", 2, ProblemKind::Syntax)
    );
    assert_eq!(
        (report[1].path.as_str(), report[1].line, report[1].message.as_str()),
        ("src/lib/user.ts", 2, "\"./nowhere\" leads to no file")
    );
}
