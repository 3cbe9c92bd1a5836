//! The floors of ARCHITECTURE.md, held: a room imports only from floors below its own.
#![allow(clippy::unwrap_used)]

use std::path::Path;

/// The floor of a room, and the rooms of its own floor that it may use.
fn floor(room: &str) -> (u8, &'static [&'static str]) {
    match room {
        "job" => (3, &[]),
        "agent" => (2, &["tool"]),
        "tool" => (2, &[]),
        "workspace" => (1, &["store"]),
        "code" => (1, &["workspace"]),
        "model" | "scrape" | "store" => (1, &[]),
        "error" | "event" | "cancel" | "config" | "confine" | "telemetry" | "http" => {
            (0, &["error", "event", "cancel", "config", "confine", "telemetry", "http"])
        }
        other => unreachable!("src/{other} has no floor: give it one in ARCHITECTURE.md and here"),
    }
}

fn sources(folder: &Path, out: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else {
            out.push(path);
        }
    }
}

#[test]
fn rooms_import_only_from_floors_below() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let mut wrong = Vec::new();
    for file in files.iter().filter(|file| file.file_name().unwrap() != "lib.rs") {
        let path = file.strip_prefix(&src).unwrap().to_str().unwrap();
        let room = path.split(['/', '.']).next().unwrap();
        let text = std::fs::read_to_string(file).unwrap();
        // Tests may use what they like, and documentation may point anywhere.
        let text = text.split("#[cfg(test)]").next().unwrap();
        let code =
            text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        for used in code.split("crate::").skip(1) {
            let used = used.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
            if used.is_empty() || used == room || used == "VERSION" {
                continue;
            }
            let ((own, neighbours), (other, _)) = (floor(room), floor(used));
            if other >= own && !neighbours.contains(&used) {
                wrong.push(format!("{path} uses crate::{used}"));
            }
        }
    }
    assert!(files.len() > 20, "the test reads the sources");
    assert!(wrong.is_empty(), "{wrong:#?}");
}
