//! Paths of a project's rows, which know only their names and their parents. Pure.

use std::collections::HashMap;

use super::{EntryKind, FileRow};

/// The rows with their paths, parents before children. Rows whose parent is gone, is a file, or
/// leads back to them are left out, as are names that no path can hold.
pub fn with_paths(rows: Vec<FileRow>) -> Vec<(String, FileRow)> {
    let mut below: HashMap<Option<String>, Vec<FileRow>> = HashMap::new();
    for row in rows {
        below.entry(row.parent_id.clone()).or_default().push(row);
    }
    let mut found = Vec::new();
    let mut open = vec![(None, String::new())];
    while let Some((folder, prefix)) = open.pop() {
        for row in below.remove(&folder).unwrap_or_default() {
            let path = format!("{prefix}{}", row.name);
            if super::path::normalise_file(&path).as_deref() != Ok(path.as_str()) {
                continue;
            }
            if row.kind == EntryKind::Folder {
                open.push((Some(row.id.clone()), format!("{path}/")));
            }
            found.push((path, row));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, parent: Option<&str>, name: &str, kind: EntryKind) -> FileRow {
        let (id, name, parent_id) = (id.to_owned(), name.to_owned(), parent.map(str::to_owned));
        FileRow { id, parent_id, name, kind, updated_at: 1.0, content: None, binary: false }
    }

    #[test]
    fn a_path_is_the_names_from_the_root() {
        use EntryKind::{File, Folder};
        let rows = vec![
            row("3", Some("2"), "a.ts", File),
            row("2", Some("1"), "lib", Folder),
            row("1", None, "src", Folder),
            row("4", Some("gone"), "lost.ts", File),
            row("5", Some("3"), "below-a-file.ts", File),
            row("6", Some("7"), "circle", Folder),
            row("7", Some("6"), "circle", Folder),
            row("8", None, "..", Folder),
            row("9", Some("8"), "outside.ts", File),
        ];
        let paths: Vec<String> = with_paths(rows).into_iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["src", "src/lib", "src/lib/a.ts"]);
    }
}
