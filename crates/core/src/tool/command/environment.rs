//! Where programs are found and what they are told: a search path and an environment of our own.
//! Nothing of the worker's environment gets through.

use std::path::{Path, PathBuf};

use crate::config::Env;

/// Where every machine has its programs.
const SYSTEM: [&str; 3] = ["/usr/local/bin", "/usr/bin", "/bin"];
/// Installed with the project, not with the machine.
const OF_THE_PROJECT: [&str; 3] = ["tsc", "eslint", "prettier"];

/// The programs of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    path: Vec<PathBuf>,
    /// Folders beyond the system's own that programs need.
    pub read: Vec<PathBuf>,
}

impl Programs {
    /// The system's, and the installation of Node that the worker finds first.
    pub fn find(env: &Env) -> Self {
        let mut programs = Self { path: SYSTEM.map(PathBuf::from).to_vec(), read: Vec::new() };
        let folders = env.get("PATH").unwrap_or_default().split(':').map(Path::new);
        let node = folders.filter(|folder| folder.is_absolute()).find(|folder| folder.join("node").is_file());
        let Some(folder) = node.filter(|folder| !programs.path.iter().any(|known| known == folder)) else {
            return programs;
        };
        // <prefix>/bin/node, <prefix>/lib/node_modules; a bare folder has nothing but itself.
        let prefix = folder.parent().filter(|prefix| folder.ends_with("bin") && prefix.join("lib").is_dir());
        match prefix.filter(|prefix| *prefix != Path::new("/") && *prefix != Path::new("/usr")) {
            Some(prefix) => programs.read.extend([prefix.join("bin"), prefix.join("lib")]),
            None => programs.read.push(folder.to_owned()),
        }
        programs.path.insert(0, folder.to_owned());
        programs
    }

    /// The file of the program `name`, for a command that runs in `cwd` inside `root`.
    pub fn resolve(&self, name: &str, cwd: &Path, root: &Path) -> Option<PathBuf> {
        let is_there = |path: &PathBuf| std::fs::symlink_metadata(path).is_ok();
        if OF_THE_PROJECT.contains(&name) {
            let folders = cwd.ancestors().take_while(|folder| folder.starts_with(root));
            let found = folders.map(|folder| folder.join("node_modules/.bin").join(name)).find(is_there);
            if found.is_some() {
                return found;
            }
        }
        self.path.iter().map(|folder| folder.join(name)).find(|path| path.is_file())
    }

    /// The whole environment of a command.
    pub fn environment(&self, temp: &Path) -> Vec<(String, String)> {
        let path = self.path.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(":");
        let temp = temp.display().to_string();
        let mut environment: Vec<(String, String)> =
            [("PATH", path), ("HOME", temp.clone()), ("TMPDIR", temp)]
                .map(|(name, value)| (name.to_owned(), value))
                .to_vec();
        let fixed = FIXED.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        environment.extend(fixed);
        environment.push(("GIT_CONFIG_COUNT".to_owned(), GIT_CONFIG.len().to_string()));
        for (n, (key, value)) in GIT_CONFIG.iter().enumerate() {
            environment.push((format!("GIT_CONFIG_KEY_{n}"), (*key).to_owned()));
            environment.push((format!("GIT_CONFIG_VALUE_{n}"), (*value).to_owned()));
        }
        environment
    }
}

const FIXED: [(&str, &str); 21] = [
    ("CI", "true"),
    ("LANG", "C.UTF-8"),
    ("TERM", "dumb"),
    ("NO_COLOR", "1"),
    ("FORCE_COLOR", "0"),
    ("PAGER", "cat"),
    // Without these, npm and npx try the network until the time is over.
    ("npm_config_offline", "true"),
    ("npm_config_fetch_retries", "0"),
    ("npm_config_update_notifier", "false"),
    ("npm_config_audit", "false"),
    ("npm_config_fund", "false"),
    ("npm_config_loglevel", "warn"),
    ("NEXT_TELEMETRY_DISABLED", "1"),
    ("GIT_AUTHOR_NAME", "Polaris"),
    ("GIT_AUTHOR_EMAIL", "polaris@localhost"),
    ("GIT_COMMITTER_NAME", "Polaris"),
    ("GIT_COMMITTER_EMAIL", "polaris@localhost"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_PAGER", "cat"),
    ("GIT_EDITOR", "true"),
];

/// Nothing that goes on in the background, nothing that asks.
const GIT_CONFIG: [(&str, &str); 5] = [
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("init.defaultBranch", "main"),
    ("core.fsmonitor", "false"),
    ("commit.gpgSign", "false"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_workers_environment_gets_through() {
        let env: Env = [("PATH", "/nowhere"), ("OPENROUTER_API_KEY", "sk-canary")].into_iter().collect();
        let environment = Programs::find(&env).environment(Path::new("/t"));
        assert!(!format!("{environment:?}").contains("canary"));
        assert!(environment.contains(&("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())));
        assert!(environment.contains(&("HOME".to_owned(), "/t".to_owned())));
    }

    #[test]
    fn a_node_of_its_own_folder_is_found_with_its_libraries() {
        let base = std::env::temp_dir().join(format!("polaris-programs-{}", std::process::id()));
        for folder in ["bin", "lib"] {
            std::fs::create_dir_all(base.join(folder)).unwrap();
        }
        std::fs::write(base.join("bin/node"), "").unwrap();
        let path = format!("relative:/nowhere:{}", base.join("bin").display());
        let programs = Programs::find(&[("PATH", path.as_str())].into_iter().collect());
        assert_eq!(programs.read, [base.join("bin"), base.join("lib")]);
        assert_eq!(programs.resolve("node", &base, &base), Some(base.join("bin/node")));
        std::fs::remove_dir_all(&base).unwrap();
    }

    #[test]
    fn a_tool_of_the_project_is_found_upwards_but_not_beyond_it() {
        let base = std::env::temp_dir().join(format!("polaris-tools-{}", std::process::id()));
        let root = base.join("project");
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        std::fs::create_dir_all(base.join("node_modules/.bin")).unwrap();
        std::fs::write(base.join("node_modules/.bin/eslint"), "").unwrap();
        let programs = Programs { path: Vec::new(), read: Vec::new() };
        assert_eq!(programs.resolve("eslint", &root.join("a/b"), &root), None);
        std::fs::create_dir_all(root.join("node_modules/.bin")).unwrap();
        std::fs::write(root.join("node_modules/.bin/eslint"), "").unwrap();
        let found = programs.resolve("eslint", &root.join("a/b"), &root);
        assert_eq!(found, Some(root.join("node_modules/.bin/eslint")));
        std::fs::remove_dir_all(&base).unwrap();
    }
}
