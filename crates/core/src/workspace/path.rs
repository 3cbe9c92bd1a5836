//! Paths of a project: names joined by `/`, without a leading slash. One normaliser for all tools;
//! no path leaves the project.

/// Why a path is refused. The text is for the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Nothing is left of it, and a file is needed.
    #[error("Invalid file path")]
    Empty,
    /// `..` leads out of the project.
    #[error("the path leaves the project")]
    Outside,
    /// A backslash, or a control character such as NUL or a line break.
    #[error("the path holds a character that is not allowed: use / between names and no control characters")]
    BadCharacter,
    /// Longer than [`MAX_PATH_BYTES`].
    #[error("the path is longer than 1024 bytes")]
    TooLong,
}

/// The longest path, as on common file systems, so that a project can be materialised.
pub const MAX_PATH_BYTES: usize = 1_024;

/// Normalises a path: strips leading `/` and `./`, collapses `//`, drops `.`, resolves `..`.
/// The root is the empty string.
///
/// # Errors
/// See [`PathError`]; never `Empty`.
pub fn normalise(path: &str) -> Result<String, PathError> {
    if path.len() > MAX_PATH_BYTES {
        return Err(PathError::TooLong);
    }
    if path.chars().any(|c| c == '\\' || c.is_control()) {
        return Err(PathError::BadCharacter);
    }
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop().ok_or(PathError::Outside)?;
            }
            name => names.push(name),
        }
    }
    Ok(names.join("/"))
}

/// As [`normalise`], for a path that must name a file.
///
/// # Errors
/// See [`PathError`].
pub fn normalise_file(path: &str) -> Result<String, PathError> {
    let path = normalise(path)?;
    if path.is_empty() { Err(PathError::Empty) } else { Ok(path) }
}

/// Whether `a` and `b` are one path, or one lies inside the other.
pub fn overlap(a: &str, b: &str) -> bool {
    let inside = |outer: &str, inner: &str| {
        outer.is_empty()
            || inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    inside(a, b) || inside(b, a)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_are_normalised() {
        let cases = [
            ("src/a.ts", "src/a.ts"),
            ("/src//a.ts", "src/a.ts"),
            ("./src/./a.ts", "src/a.ts"),
            ("src/x/../a.ts", "src/a.ts"),
            ("", ""),
            ("/", ""),
            ("a/..", ""),
            ("src/[id]/page.tsx", "src/[id]/page.tsx"),
            ("...", "..."),
        ];
        for (path, expected) in cases {
            assert_eq!(normalise(path).as_deref(), Ok(expected), "{path}");
        }
    }

    #[test]
    fn bad_paths_are_refused() {
        let cases = [
            ("../a", PathError::Outside),
            ("a/../../b", PathError::Outside),
            ("a\\b", PathError::BadCharacter),
            ("a\0b", PathError::BadCharacter),
            ("a\nb", PathError::BadCharacter),
            ("/", PathError::Empty),
        ];
        for (path, expected) in cases {
            assert_eq!(normalise_file(path), Err(expected), "{path:?}");
        }
        assert_eq!(normalise(&"a/".repeat(600)), Err(PathError::TooLong));
    }

    #[test]
    fn overlap_knows_folders() {
        assert!(
            overlap("src", "src/a.ts") && overlap("src/a.ts", "src") && overlap("", "x") && overlap("a", "a")
        );
        assert!(!overlap("src/a", "src/ab") && !overlap("a", "b"));
    }

    proptest! {
        #[test]
        fn a_normalised_path_stays_inside_and_stays_as_it_is(path in "([a-c.]{0,3}/?){0,6}") {
            if let Ok(normal) = normalise(&path) {
                prop_assert!(!normal.split('/').any(|n| n == ".." || n == "."));
                prop_assert_eq!(normalise(&normal), Ok(normal.clone()));
            }
        }
    }
}
