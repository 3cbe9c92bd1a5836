//! Which file of the project a module specifier names. Pure: knows paths, reads nothing.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::tsconfig::{Aliases, join};

/// Endings of code, in the order in which they are tried.
const ENDINGS: [&str; 11] =
    [".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mts", ".d.mts", ".mjs", ".cts", ".cjs", ".json"];

/// What a JavaScript ending may stand for in TypeScript.
const SOURCES: [(&str, &[&str]); 4] = [
    (".js", &[".ts", ".tsx", ".d.ts"]),
    (".jsx", &[".tsx", ".d.ts"]),
    (".mjs", &[".mts", ".d.mts"]),
    (".cjs", &[".cts", ".d.cts"]),
];

/// Where `@/` leads when no configuration says so.
const DEFAULT_ALIAS: (&str, [&str; 2]) = ("@/", ["src", ""]);

/// The paths of a project, and its aliases by folder.
#[derive(Debug, Default)]
pub struct Layout {
    paths: HashSet<Arc<str>>,
    aliases: BTreeMap<String, Aliases>,
    /// Folders of the project's own packages, by name.
    packages: BTreeMap<String, String>,
}

impl Layout {
    /// A project with these paths.
    pub fn new(
        paths: HashSet<Arc<str>>,
        aliases: BTreeMap<String, Aliases>,
        packages: BTreeMap<String, String>,
    ) -> Self {
        Self { paths, aliases, packages }
    }

    /// The file that `specifier` names in the file `from`; `None` if it is not in the project.
    pub fn resolve(&self, from: &str, specifier: &str) -> Option<Arc<str>> {
        // Bundlers take queries and loaders.
        let specifier = specifier.split(['?']).next().unwrap_or(specifier);
        let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
        if specifier.starts_with("./") || specifier.starts_with("../") || matches!(specifier, "." | "..") {
            return self.file(&join(folder, specifier)?);
        }
        if let Some(rooted) = specifier.strip_prefix('/') {
            return self.file(&join("", rooted)?).or_else(|| self.file(&join("public", rooted)?));
        }
        let mut above = Some(folder);
        while let Some(folder) = above {
            if let Some(aliases) = self.aliases.get(folder) {
                if let Some(found) = self.aliased(aliases, specifier) {
                    return Some(found);
                }
                break;
            }
            above =
                if folder.is_empty() { None } else { Some(folder.rsplit_once('/').map_or("", |(up, _)| up)) };
        }
        if let Some(rest) = specifier.strip_prefix(DEFAULT_ALIAS.0) {
            return DEFAULT_ALIAS.1.iter().find_map(|base| self.file(&join(base, rest)?));
        }
        self.own_package(specifier)
    }

    fn aliased(&self, aliases: &Aliases, specifier: &str) -> Option<Arc<str>> {
        // As TypeScript does: an exact pattern wins, then the longest text before the star.
        let best = aliases
            .paths
            .iter()
            .filter_map(|(pattern, targets)| {
                let Some((before, behind)) = pattern.split_once('*') else {
                    return (pattern == specifier).then_some((usize::MAX, "", targets));
                };
                let rest = specifier.strip_prefix(before)?;
                let star = rest.strip_suffix(behind)?;
                Some((before.len(), star, targets))
            })
            .max_by_key(|(length, ..)| *length);
        if let Some((_, star, targets)) = best
            && let Some(found) =
                targets.iter().find_map(|to| self.file(&join("", &to.replacen('*', star, 1))?))
        {
            return Some(found);
        }
        self.file(&join(aliases.base_url.as_deref()?, specifier)?)
    }

    fn own_package(&self, specifier: &str) -> Option<Arc<str>> {
        let names = specifier.match_indices('/').map(|(at, _)| &specifier[..at]).chain([specifier]);
        let (name, folder) = names.filter_map(|name| self.packages.get_key_value(name)).next_back()?;
        let rest = specifier[name.len()..].trim_start_matches('/');
        if !rest.is_empty() {
            let below = |base: &str| self.file(&join(&format!("{folder}/{base}"), rest)?);
            return below("").or_else(|| below("src"));
        }
        ["src/index", "index", "src/main", "lib/index", "src"]
            .iter()
            .find_map(|entry| self.file(&join(folder, entry)?))
    }

    /// The file at `path`, with the endings and the index that may be left out.
    fn file(&self, path: &str) -> Option<Arc<str>> {
        let known = |path: &str| self.paths.get(path).cloned();
        if !path.is_empty() {
            if let Some(found) = known(path) {
                return Some(found);
            }
            for (ending, sources) in SOURCES {
                if let Some(stem) = path.strip_suffix(ending)
                    && let Some(found) = sources.iter().find_map(|source| known(&format!("{stem}{source}")))
                {
                    return Some(found);
                }
            }
            if let Some(found) = ENDINGS.iter().find_map(|ending| known(&format!("{path}{ending}"))) {
                return Some(found);
            }
        }
        let index = if path.is_empty() { "index".to_owned() } else { format!("{path}/index") };
        ENDINGS.iter().find_map(|ending| known(&format!("{index}{ending}")))
    }
}

/// Whether a specifier names a package (or a builtin), and not a file by its path.
pub fn is_bare(specifier: &str) -> bool {
    !specifier.starts_with(['.', '/'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(paths: &[&str], aliases: &[(&str, &str, &str)]) -> Layout {
        let mut by_folder: BTreeMap<String, Aliases> = BTreeMap::new();
        for (folder, pattern, target) in aliases {
            let entry = by_folder.entry((*folder).to_owned()).or_default();
            entry.paths.push(((*pattern).to_owned(), vec![(*target).to_owned()]));
        }
        let packages = [("@acme/ui".to_owned(), "packages/ui".to_owned())].into();
        Layout::new(paths.iter().map(|path| Arc::from(*path)).collect(), by_folder, packages)
    }

    #[test]
    fn specifiers_lead_to_files() {
        let paths = [
            "src/a.ts",
            "src/b.tsx",
            "src/lib/index.ts",
            "src/data.json",
            "src/types.d.ts",
            "src/app/[id]/page.tsx",
            "packages/ui/src/index.ts",
            "packages/ui/src/button.tsx",
            "index.ts",
            "src/old.js",
        ];
        let layout = layout(&paths, &[]);
        for (from, specifier, expected) in [
            ("src/b.tsx", "./a", Some("src/a.ts")),
            ("src/b.tsx", "./a.js", Some("src/a.ts")),
            ("src/b.tsx", "./old.js", Some("src/old.js")),
            ("src/a.ts", "./lib", Some("src/lib/index.ts")),
            ("src/lib/index.ts", "..", None),
            ("src/lib/index.ts", "../..", Some("index.ts")),
            ("src/lib/index.ts", "../../../../etc/passwd", None),
            ("src/a.ts", "./data.json", Some("src/data.json")),
            ("src/a.ts", "./types", Some("src/types.d.ts")),
            ("src/a.ts", "@/b", Some("src/b.tsx")),
            ("src/a.ts", "@/app/[id]/page", Some("src/app/[id]/page.tsx")),
            ("src/a.ts", "@/index", Some("index.ts")),
            ("src/a.ts", "react", None),
            ("src/a.ts", "@acme/ui", Some("packages/ui/src/index.ts")),
            ("src/a.ts", "@acme/ui/button", Some("packages/ui/src/button.tsx")),
            ("src/a.ts", "./nope", None),
            ("src/a.ts", "./data.json?raw", Some("src/data.json")),
        ] {
            assert_eq!(layout.resolve(from, specifier).as_deref(), expected, "{specifier} in {from}");
        }
    }

    #[test]
    fn the_nearest_configuration_counts_and_the_longest_pattern_wins() {
        let paths = ["src/a.ts", "web/src/a.ts", "gen/api.ts", "src/ui/x.ts", "special.ts"];
        let aliases = [
            ("", "@/*", "src/*"),
            ("", "@/ui/*", "gen/*"),
            ("", "exact", "special.ts"),
            ("web", "@/*", "web/src/*"),
        ];
        let layout = layout(&paths, &aliases);
        for (from, specifier, expected) in [
            ("src/b.ts", "@/a", Some("src/a.ts")),
            ("web/src/deep/b.ts", "@/a", Some("web/src/a.ts")),
            ("src/b.ts", "@/ui/api", Some("gen/api.ts")),
            ("src/b.ts", "exact", Some("special.ts")),
        ] {
            assert_eq!(layout.resolve(from, specifier).as_deref(), expected, "{specifier} in {from}");
        }
    }
}
