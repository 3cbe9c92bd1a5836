use std::path::Path;

use super::desk::{library_name, what};
use super::*;

#[test]
fn a_library_is_shown_by_its_name() {
    for (path, name) in [
        ("/m/node_modules/@typescript/typescript-linux-x64/lib/lib.es5.d.ts", "lib.es5.d.ts"),
        ("/m/node_modules/react/index.d.ts", "react/index.d.ts"),
        ("/m/node_modules/a/node_modules/@b/c/d.d.ts", "@b/c/d.d.ts"),
        ("/home/somebody/secret.ts", "secret.ts"),
    ] {
        assert_eq!(library_name(Path::new(path)), name);
    }
}

#[test]
fn kind_and_name_are_read_from_what_an_editor_shows() {
    for (hover, expected) in [
        (
            "(method) Array<number>.map<number>(callbackfn: (value: number) => number): number[]\nCalls",
            Some(("method", "map")),
        ),
        ("(property) Console.log: any", Some(("property", "log"))),
        ("interface Array<T>\nvar Array: ArrayConstructor", Some(("interface", "Array"))),
        ("var console: Console", Some(("var", "console"))),
        ("function parseInt(string: string): number", Some(("function", "parseInt"))),
        ("type Partial<T> = { [P in keyof T]?: T[P] | undefined; }", Some(("type", "Partial"))),
        ("", None),
        ("(", None),
    ] {
        let expected = expected.map(|(kind, name): (&str, &str)| (kind.to_owned(), name.to_owned()));
        assert_eq!(what(hover), expected, "{hover}");
    }
}

#[tokio::test]
async fn without_a_server_there_is_no_answer_and_no_error() {
    for path in ["off", "", "/nowhere/tsc"] {
        let env = [(PATH_VARIABLE, path)].into_iter().collect();
        let server = LanguageServer::new(&env);
        let answer = server.ask(&Arc::default(), &"a.ts".into(), Question::Diagnostics).await;
        assert_eq!(answer, Err(Silence::Absent), "{path}");
        assert_eq!(server.pid(), None);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_in_a_folder_for_root_alone_is_hidden_from_who_is_confined() {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let folder = std::env::temp_dir().join(format!("polaris-hidden-{}", std::process::id()));
    let inner = folder.join("lib");
    std::fs::create_dir_all(&inner).unwrap();
    let program = inner.join("tsc");
    let is_root = std::fs::metadata(&folder).unwrap().uid() == 0;
    for (mode, hidden) in [(0o755, false), (0o700, is_root)] {
        set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
        assert_eq!(is_hidden(&program), hidden, "{mode:o}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

fn with(program: &str, left: MemoryLeft) -> LanguageServer {
    let env = [(PATH_VARIABLE, program)].into_iter().collect();
    LanguageServer { left, ..LanguageServer::new(&env) }
}

#[tokio::test]
async fn with_too_little_memory_it_is_not_started() {
    let server = with("/bin/false", || Some(100 << 20));
    for _ in 0..2 {
        let answer = server.ask(&Arc::default(), &"a.ts".into(), Question::Diagnostics).await;
        assert_eq!(answer, Err(Silence::Memory { needed: 112 << 20, left: 100 << 20 }));
    }
    assert_eq!(server.pid(), None);
    let text = Silence::Memory { needed: 112 << 20, left: 100 << 20 }.to_string();
    assert_eq!(text, "it needs 112 MB of memory and 100 MB are left");
}

#[tokio::test]
async fn a_program_that_is_no_server_is_given_up() {
    let server = with("/bin/false", || None);
    for _ in 0..5 {
        let answer = server.ask(&Arc::default(), &"a.ts".into(), Question::Diagnostics).await;
        assert!(matches!(answer, Err(Silence::Failed | Silence::Starting)), "{answer:?}");
    }
    assert_eq!(server.pid(), None);
}
