use super::*;
use crate::workspace::memory::MemoryFiles;

struct Lab {
    files: Arc<dyn ProjectFiles>,
    tools: Vec<(&'static str, Arc<dyn Tool>)>,
}

impl Lab {
    fn new(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(p, c)| ((*p).to_owned(), (*c).to_owned())).collect();
        let files: Arc<dyn ProjectFiles> = Arc::new(MemoryFiles::new(files));
        Self { tools: edit_tools(&files, 1_000), files }
    }

    async fn ask(&self, key: &str, args: Value, again: bool) -> String {
        let (_, tool) = self.tools.iter().find(|(known, _)| *known == key).unwrap();
        let run = if again { tool.recover(&args, 0.0) } else { tool.call(&args, 0.0) };
        match run.await {
            Ok(text) | Err(ToolError::Text(text)) => text,
            Err(ToolError::Fatal(error)) => panic!("{error}"),
        }
    }

    async fn edit(&self, old: &str, new: &str, more: Value) -> String {
        let mut args = json!({ "path": "a.ts", "oldText": old, "newText": new });
        args.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.ask("editFile", args, false).await
    }

    async fn content(&self) -> String {
        match self.files.read("a.ts").await.unwrap() {
            Some(Entry::File { content }) => content,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn lines_have_numbers_and_a_part_says_how_to_go_on() {
    let lab = Lab::new(&[("a.ts", "one\r\ntwo\nthree\n"), ("empty", ""), ("dir/x", "")]);
    let read = |args: Value| lab.ask(READ_LINES, args, false);
    assert_eq!(read(json!({ "path": "a.ts" })).await, "     1\tone\n     2\ttwo\n     3\tthree");
    assert_eq!(
        read(json!({ "path": "./a.ts", "offset": 2, "limit": 1 })).await,
        "     2\ttwo\n[Lines 2 to 2 of 3 are shown; go on with offset 3]"
    );
    assert_eq!(read(json!({ "path": "empty" })).await, "[empty is empty]");
    for (args, says) in [
        (json!({ "path": "a.ts", "offset": 4 }), "Error reading file: `offset` is 4, and a.ts has 3 line(s)"),
        (
            json!({ "path": "a.ts", "offset": 0 }),
            "Error reading file: `offset` must be a whole number from 1",
        ),
        (
            json!({ "path": "a.ts", "limit": 1.5 }),
            "Error reading file: `limit` must be a whole number from 1",
        ),
        (json!({ "path": "dir" }), "Error reading file: dir is a folder; use listFiles"),
        (json!({ "path": "no.ts" }), "File not found: no.ts"),
        (json!({ "path": "../x" }), "Error reading file: the path leaves the project"),
    ] {
        assert_eq!(read(args).await, says);
    }
}

#[tokio::test]
async fn long_files_and_long_lines_are_cut_and_say_so() {
    let long = "😀".repeat(3_000);
    let lab = Lab::new(&[("many", &"x\n".repeat(5_000)), ("wide", &format!("{long}\nend"))]);
    let many = lab.ask(READ_LINES, json!({ "path": "many" }), false).await;
    assert!(many.len() < 1_100 && many.ends_with("go on with offset 112]"), "{many}");
    let wide = lab.ask(READ_LINES, json!({ "path": "wide" }), false).await;
    assert!(wide.contains("😀… [2000 of 6000 characters]\n[Lines 1 to 1 of 2"), "{wide}");
}

#[tokio::test]
async fn a_text_that_is_there_once_is_replaced() {
    let lab = Lab::new(&[("a.ts", "let a = 1;\nlet b = 2;\n")]);
    assert_eq!(
        lab.edit("b = 2", "b = 3", json!({})).await,
        "Successfully edited a.ts (1 replacement, line 2)"
    );
    assert_eq!(lab.content().await, "let a = 1;\nlet b = 3;\n");
    assert_eq!(
        lab.edit("let ", "const ", json!({ "replaceAll": true })).await,
        "Successfully edited a.ts (2 replacements)"
    );
    assert_eq!(lab.content().await, "const a = 1;\nconst b = 3;\n");
    assert_eq!(
        lab.edit("const a = 1;\n", "", json!({})).await,
        "Successfully edited a.ts (1 replacement, line 1)"
    );
    assert_eq!(lab.content().await, "const b = 3;\n");
}

#[tokio::test]
async fn what_is_not_there_not_unique_or_nothing_changes_nothing_and_says_why() {
    let text = "if (a) {\n  go();\n}\nif (b) {\n  go();\n}\n";
    let lab = Lab::new(&[("a.ts", text)]);
    for (old, new, says) in [
        ("go()", "stop()", "`oldText` is 2 times in a.ts (lines 2, 5); add the lines around it"),
        ("gone()", "x", "`oldText` was not found in a.ts; it must match exactly"),
        ("if (b) {\n    go();\n}", "x", "in line 4 there is a text that differs only in its whitespace"),
        ("", "x", "`oldText` is empty; to create a file"),
        ("go", "go", "`oldText` and `newText` are the same"),
    ] {
        let told = lab.edit(old, new, json!({})).await;
        assert!(told.starts_with("Error editing file: ") && told.contains(says), "{told}");
    }
    assert_eq!(lab.content().await, text);
    let missing = json!({ "path": "no.ts", "oldText": "a", "newText": "b" });
    assert_eq!(lab.ask("editFile", missing, false).await, "File not found: no.ts");
}

#[tokio::test]
async fn line_ends_of_the_file_stay() {
    let lab = Lab::new(&[("a.ts", "one\r\ntwo\r\nthree\r\n")]);
    lab.edit("one\ntwo", "one\n2\ntwo", json!({})).await;
    assert_eq!(lab.content().await, "one\r\n2\r\ntwo\r\nthree\r\n");
    lab.edit("three", "3\n4", json!({})).await;
    assert_eq!(lab.content().await, "one\r\n2\r\ntwo\r\n3\r\n4\r\n");
}

#[tokio::test]
async fn an_edit_that_may_have_been_made_is_made_once() {
    // The new text holds the old one: a second edit would add to it again.
    let args = json!({ "path": "a.ts", "oldText": "a();", "newText": "a();\nb();" });
    let lab = Lab::new(&[("a.ts", "a();\n")]);
    for again in [false, true, true] {
        let told = lab.ask("editFile", args.clone(), again).await;
        assert!(told.starts_with("Successfully edited a.ts"), "{told}");
        assert_eq!(lab.content().await, "a();\nb();\n");
    }
    let lab = Lab::new(&[("a.ts", "a();\n")]);
    lab.ask("editFile", args, true).await;
    assert_eq!(lab.content().await, "a();\nb();\n", "it had not been made");
    let lab = Lab::new(&[("a.ts", "rest\n")]);
    let gone = json!({ "path": "a.ts", "oldText": "a();", "newText": "" });
    assert!(lab.ask("editFile", gone, true).await.starts_with("Successfully edited"));
}
