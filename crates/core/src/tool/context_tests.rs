use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use crate::tool::testing::Lab;
use crate::workspace::memory::MemoryFiles;
use crate::workspace::snapshot::Snapshot;
use crate::workspace::{ChangeLine, ProjectFiles as _};

const PROJECT: [(&str, &str); 7] = [
    (
        "src/app.ts",
        "import { loadUser } from './user';\nimport { unrelatedThing } from '@/lib/other';\nexport const app = loadUser();\n",
    ),
    ("src/user.ts", "export function loadUser() { return fetchUser(); }\n"),
    ("src/lib/other.ts", "export const unrelatedThing = 1;\n"),
    ("src/main.ts", "import { app } from './app';\napp;\n"),
    ("src/noise.ts", "const zzz = 1;\n"),
    ("docs/user-guide.md", "How a user logs in.\n"),
    ("style.css", ".a {}\n"),
];

async fn ask(lab: &Lab, args: serde_json::Value) -> String {
    lab.run("getRelevantFiles", args).await
}

#[tokio::test]
async fn imports_words_and_paths_count_and_say_why() {
    let lab = Lab::new(&PROJECT);
    assert_eq!(
        ask(&lab, json!({ "query": "user", "currentFile": "src/app.ts" })).await,
        "Found 4 relevant file(s):
1. src/user.ts [score: 37.0] (Imported by current file, Exports used symbols: loadUser, Contains query terms: user, Path matches query, Contains query text, Near current file, Same file type)
2. docs/user-guide.md [score: 17.0] (Contains query terms: user, Path matches query, Contains query text)
3. src/lib/other.ts [score: 17.0] (Imported by current file, Exports used symbols: unrelatedThing, Same file type)
4. src/main.ts [score: 15.0] (Imports current file, Near current file, Same file type)"
    );
}

#[tokio::test]
async fn nearness_and_type_alone_make_nothing_relevant() {
    let lab = Lab::new(&PROJECT);
    assert_eq!(
        ask(&lab, json!({ "query": "", "currentFile": "src/noise.ts" })).await,
        "No relevant files found for query: \"\""
    );
    assert_eq!(ask(&lab, json!({ "query": "   " })).await, "No relevant files found for query: \"   \"");
    assert_eq!(
        ask(&lab, json!({ "query": "nowhere" })).await,
        "No relevant files found for query: \"nowhere\""
    );
    assert_eq!(
        ask(&Lab::new::<&str, &str>(&[]), json!({ "query": "x" })).await,
        "No files found in project."
    );
}

#[tokio::test]
async fn an_unknown_current_file_is_said() {
    let lab = Lab::new(&PROJECT);
    let found = ask(&lab, json!({ "query": "zzz", "currentFile": "src/gone.ts" })).await;
    assert!(found.starts_with("Found 1 relevant file(s):\n1. src/noise.ts"), "{found}");
    assert!(
        found.ends_with(
            "[The current file \"src/gone.ts\" was not found in the project; it was not considered]"
        )
    );
    assert!(
        ask(&lab, json!({ "query": "x", "currentFile": "../x" }))
            .await
            .starts_with("Error finding relevant files: `currentFile`:")
    );
}

#[tokio::test]
async fn the_number_of_files_is_kept_in_its_range() {
    let many: Vec<(String, &str)> = (0..80).map(|n| (format!("f{n:02}.ts"), "needle")).collect();
    let lab = Lab::new(&many);
    for (asked, given) in
        [(json!(-1), 1), (json!(0), 1), (json!(2.5), 2), (json!(1000), 50), (json!(null), 5)]
    {
        let found = ask(&lab, json!({ "query": "needle", "maxFiles": asked })).await;
        assert!(
            found.starts_with(&format!("Found {given} relevant file(s):\n1. f00.ts ")),
            "{asked}: {found}"
        );
    }
}

#[tokio::test]
async fn a_file_that_was_just_edited_ranks_higher() {
    let files: BTreeMap<String, String> =
        [("a.ts", "needle"), ("b.ts", "needle")].map(|(p, t)| (p.to_owned(), t.to_owned())).into();
    let snapshot = Arc::new(Snapshot::new(Arc::new(MemoryFiles::new(files))));
    snapshot.write("b.ts", "needle!", &ChangeLine::default()).await.unwrap();
    let lab = Lab::over(snapshot);
    assert_eq!(
        ask(&lab, json!({ "query": "needle" })).await,
        "Found 2 relevant file(s):\n1. b.ts [score: 15.0] (Contains query terms: needle, Contains query text, Edited within last hour)\n2. a.ts [score: 10.0] (Contains query terms: needle, Contains query text)"
    );
}
