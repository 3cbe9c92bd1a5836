//! A command that installs packages: what package managers are told so that they ask the one registry
//! that there is, and run no scripts; and what of that must not stay in lock files.

use std::convert::Infallible;
use std::path::Path;

use tokio::net::UnixListener;

use super::registry::Registry;
use crate::workspace::materialise::Workspace;
use crate::workspace::materialise::packages::LOCKS;

/// An installation may take as many times as long as another command.
pub const TIMES: u64 = 4;

/// What is set for an installation, over what every command has. npm, pnpm up to 10 and Yarn 1 read
/// `npm_config_*`, later pnpms `pnpm_config_*`; later Yarns read `YARN_*`, Bun reads `BUN_CONFIG_*`.
pub fn environment(mut environment: Vec<(String, String)>, registry: &str) -> Vec<(String, String)> {
    let home = environment.iter().find(|(name, _)| name == "HOME").map_or("", |(_, home)| home);
    // Left to itself, pnpm looks for a place on the project's file system, up to its root.
    let store = &format!("{home}/pnpm-store");
    let set = [
        ("npm_config_offline", "false"),
        ("npm_config_registry", registry),
        // Lock files may name another registry, which cannot be reached.
        ("npm_config_replace_registry_host", "always"),
        ("npm_config_ignore_scripts", "true"),
        ("npm_config_fetch_retries", "2"),
        ("npm_config_fetch_retry_mintimeout", "200"),
        ("npm_config_progress", "false"),
        ("npm_config_store_dir", store),
        ("pnpm_config_store_dir", store),
        ("pnpm_config_offline", "false"),
        ("pnpm_config_registry", registry),
        ("pnpm_config_ignore_scripts", "true"),
        // With `CI` set, pnpm and Yarn refuse a package.json that has changed, unless told otherwise.
        ("npm_config_frozen_lockfile", "false"),
        ("pnpm_config_frozen_lockfile", "false"),
        ("YARN_ENABLE_IMMUTABLE_INSTALLS", "false"),
        ("YARN_NPM_REGISTRY_SERVER", registry),
        ("YARN_UNSAFE_HTTP_WHITELIST", "127.0.0.1"),
        ("YARN_ENABLE_SCRIPTS", "false"),
        ("YARN_ENABLE_TELEMETRY", "false"),
        ("BUN_CONFIG_REGISTRY", registry),
        ("COREPACK_NPM_REGISTRY", registry),
        ("COREPACK_ENABLE_DOWNLOAD_PROMPT", "0"),
    ];
    for (name, value) in set {
        environment.retain(|(known, _)| known != name);
        environment.push((name.to_owned(), value.to_owned()));
    }
    environment
}

/// The command with its scripts off, whatever it says itself: of two options the last one counts.
pub fn without_scripts(command: &[String]) -> Vec<String> {
    const OPTION: &str = "--ignore-scripts";
    let mut command = command.to_vec();
    let end = command.iter().position(|word| word == "--").unwrap_or(command.len());
    command.insert(end, OPTION.to_owned());
    command
}

/// Whether this is a Yarn that knows the option: later ones refuse it, and obey
/// `YARN_ENABLE_SCRIPTS`. `printed` is what it says of its version.
pub fn is_yarn_1(printed: &[u8]) -> bool {
    matches!(printed.trim_ascii_start(), [b'0' | b'1', b'.', ..])
}

/// The registry, while a command runs.
pub struct Open<'a> {
    registry: &'a Registry,
    listener: UnixListener,
    workspace: &'a Workspace,
    /// Where lock files may lie, relative to the project.
    folders: [String; 2],
}

impl<'a> Open<'a> {
    /// Opens it for a command that runs in `cwd`.
    ///
    /// # Errors
    /// Why it cannot be opened.
    pub fn new(registry: &'a Registry, workspace: &'a Workspace, cwd: &Path) -> Result<Self, String> {
        let socket = workspace.socket();
        // Of the installation before, if there was one.
        let _ = std::fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket)
            .map_err(|error| format!("packages cannot be installed here: {}: {error}", socket.display()))?;
        let cwd = cwd.strip_prefix(workspace.root()).ok().and_then(Path::to_str).unwrap_or_default();
        let open = Self { registry, listener, workspace, folders: [String::new(), cwd.to_owned()] };
        open.replace_in_locks(registry.url(), &registry.url_inside())?;
        Ok(open)
    }

    /// Answers the command, for as long as it is polled.
    ///
    /// # Errors
    /// Why it cannot.
    pub async fn serve(self) -> Result<Infallible, String> {
        self.registry.serve(&self.listener).await
    }

    fn replace_in_locks(&self, from: &str, to: &str) -> Result<(), String> {
        for folder in &self.folders {
            for lock in LOCKS {
                let path = if folder.is_empty() { lock.to_owned() } else { format!("{folder}/{lock}") };
                self.workspace.replace(&path, from, to).map_err(|error| format!("{path}: {error}"))?;
            }
        }
        Ok(())
    }
}

/// Lock files name the registry, not the way to it.
impl Drop for Open<'_> {
    fn drop(&mut self) {
        // A folder that cannot be written any more gives nothing back to the store either.
        let _ = self.replace_in_locks(&self.registry.url_inside(), self.registry.url());
        let _ = std::fs::remove_file(self.workspace.socket());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn scripts_are_off_whatever_the_command_says() {
        for (line, expected) in [
            ("npm install --ignore-scripts=false", "npm install --ignore-scripts=false --ignore-scripts"),
            ("npm install -- left-pad", "npm install --ignore-scripts -- left-pad"),
            ("pnpm add x", "pnpm add x --ignore-scripts"),
            ("yarn", "yarn --ignore-scripts"),
        ] {
            assert_eq!(without_scripts(&words(line)), words(expected));
        }
    }

    #[test]
    fn a_yarn_is_known_by_its_version() {
        for (printed, expected) in
            [("1.22.22\n", true), ("4.18.1\n", false), ("10.0.0", false), ("", false), ("1", false)]
        {
            assert_eq!(is_yarn_1(printed.as_bytes()), expected, "{printed}");
        }
    }

    #[test]
    fn what_every_command_has_is_replaced_not_repeated() {
        let before = vec![("npm_config_offline".to_owned(), "true".to_owned())];
        let environment = environment(before, "http://127.0.0.1:4873/");
        let offline: Vec<_> = environment.iter().filter(|(name, _)| name == "npm_config_offline").collect();
        assert_eq!(offline, [&("npm_config_offline".to_owned(), "false".to_owned())]);
    }
}
