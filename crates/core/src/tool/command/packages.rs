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

/// What is set for an installation by `program`, over what every command has. npm, pnpm up to 10 and
/// Yarn 1 read `npm_config_*`, later pnpms `pnpm_config_*`; later Yarns read `YARN_*`, Bun reads
/// `BUN_CONFIG_*`.
pub fn environment(
    mut environment: Vec<(String, String)>,
    program: &str,
    registry: &str,
    temp: &Path,
) -> Vec<(String, String)> {
    let store = store(temp);
    // npm warns of what it does not know.
    let of_pnpm = [
        ("npm_config_store_dir", store.as_str()),
        ("pnpm_config_store_dir", &store),
        ("pnpm_config_offline", "false"),
        ("pnpm_config_registry", registry),
        ("pnpm_config_ignore_scripts", "true"),
        // With `CI` set, pnpm refuses a package.json that has changed, unless told otherwise.
        ("npm_config_frozen_lockfile", "false"),
        ("pnpm_config_frozen_lockfile", "false"),
    ];
    let set = [
        ("npm_config_offline", "false"),
        ("npm_config_registry", registry),
        // Lock files may name another registry, which cannot be reached.
        ("npm_config_replace_registry_host", "always"),
        ("npm_config_ignore_scripts", "true"),
        ("npm_config_fetch_retries", "2"),
        ("npm_config_fetch_retry_mintimeout", "200"),
        ("npm_config_progress", "false"),
        // So does Yarn.
        ("YARN_ENABLE_IMMUTABLE_INSTALLS", "false"),
        ("YARN_NPM_REGISTRY_SERVER", registry),
        ("YARN_UNSAFE_HTTP_WHITELIST", "127.0.0.1"),
        ("YARN_ENABLE_SCRIPTS", "false"),
        ("YARN_ENABLE_TELEMETRY", "false"),
        ("BUN_CONFIG_REGISTRY", registry),
        ("COREPACK_NPM_REGISTRY", registry.trim_end_matches('/')),
        ("COREPACK_ENABLE_DOWNLOAD_PROMPT", "0"),
    ];
    let of_pnpm = of_pnpm.into_iter().filter(|_| program == "pnpm");
    for (name, value) in set.into_iter().chain(of_pnpm) {
        environment.retain(|(known, _)| known != name);
        environment.push((name.to_owned(), value.to_owned()));
    }
    environment
}

/// Where pnpm keeps packages. Left to itself, it looks for a place on the project's file system, up to its
/// root.
fn store(temp: &Path) -> String {
    format!("{}{STORE}", temp.display())
}

const STORE: &str = "/pnpm-store";

/// The option that turns scripts off: of two, the last one counts. Yarns know different ones, and the
/// environment alone does not do it: `dependenciesMeta` of a project's package.json has the last word.
///
/// # Errors
/// What the model is told of a Yarn that cannot be told.
pub fn option_without_scripts(yarn: Option<u32>) -> Result<&'static str, String> {
    match yarn {
        None | Some(0 | 1) => Ok("--ignore-scripts"),
        Some(2) => Err("Yarn 2 cannot be told to leave out the scripts of packages".to_owned()),
        Some(_) => Ok("--mode=skip-build"),
    }
}

/// The command with this option.
pub fn with_option(command: &[String], option: &str) -> Vec<String> {
    let mut command = command.to_vec();
    let end = command.iter().position(|word| word == "--").unwrap_or(command.len());
    command.insert(end, option.to_owned());
    command
}

/// The major number of the version that a program prints, if it prints one.
pub fn major_version(printed: &[u8]) -> Option<u32> {
    let (major, _) = std::str::from_utf8(printed).ok()?.trim().split_once('.')?;
    major.parse().ok()
}

/// The registry, while a command runs.
pub struct Open<'a> {
    registry: &'a Registry,
    listener: UnixListener,
    workspace: &'a Workspace,
    /// Lock files that there may be, and the URL that each names where a command sees the one inside.
    locks: Vec<(String, String)>,
}

/// What locks of Yarn 1 name where nothing else was configured: other managers leave the default away or
/// replace it, Yarn 1 asks as it is written.
const DEFAULTS: [&str; 2] = ["https://registry.yarnpkg.com/", "https://registry.npmjs.org/"];

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
        let mut folders = vec![""];
        folders.extend((!cwd.is_empty()).then_some(cwd));
        let paths = folders.iter().flat_map(|folder| LOCKS.map(|lock| within(folder, lock)));
        let locks = paths.map(|path| (path, registry.url().to_owned())).collect();
        let mut open = Self { registry, listener, workspace, locks };
        open.enter()?;
        open.move_store(cwd)?;
        Ok(open)
    }

    fn enter(&mut self) -> Result<(), String> {
        let (own, inside) = (self.registry.url(), self.registry.url_inside());
        for (path, outside) in &mut self.locks {
            let is_yarn = path.ends_with("yarn.lock");
            let enter = |text: &str| {
                if let Some(default) = DEFAULTS.into_iter().find(|&default| is_yarn && text.contains(default))
                {
                    default.clone_into(outside);
                }
                Some(renamed(&renamed(text, own, &inside), outside, &inside))
            };
            self.workspace.rewrite(path, enter).map_err(|error| format!("{path}: {error}"))?;
        }
        Ok(())
    }

    /// Answers the command, for as long as it is polled.
    ///
    /// # Errors
    /// Why it cannot.
    pub async fn serve(self) -> Result<Infallible, String> {
        self.registry.serve(&self.listener).await
    }

    /// pnpm refuses installed packages of another store than its own, and that lies in another folder in
    /// every run.
    fn move_store(&self, cwd: &str) -> Result<(), String> {
        let path = within(cwd, "node_modules/.modules.yaml");
        let now = store(self.workspace.temp());
        let moved = self.workspace.rewrite(&path, |text| {
            let (before, _) = text.split_once(STORE)?;
            let begin = before.rfind(['"', '\'', ' ']).map_or(0, |at| at + 1);
            Some(text.replace(&text[begin..before.len() + STORE.len()], &now))
        });
        moved.map_err(|error| format!("{path}: {error}"))
    }
}

/// One URL by another, also where it is part of a third: Yarn writes `::__archiveUrl=http%3A%2F%2F…`.
fn renamed(text: &str, from: &str, to: &str) -> String {
    let escaped = |url: &str| url::form_urlencoded::byte_serialize(url.as_bytes()).collect::<String>();
    text.replace(from, to).replace(&escaped(from), &escaped(to))
}

fn within(folder: &str, path: &str) -> String {
    if folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") }
}

/// Lock files name the registry, not the way to it.
impl Drop for Open<'_> {
    fn drop(&mut self) {
        let inside = self.registry.url_inside();
        for (path, outside) in &self.locks {
            // A folder that cannot be written any more gives nothing back to the store either.
            let _ = self.workspace.rewrite(path, |text| Some(renamed(text, &inside, outside)));
        }
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
        for (line, yarn, expected) in [
            (
                "npm install --ignore-scripts=false",
                None,
                "npm install --ignore-scripts=false --ignore-scripts",
            ),
            ("npm install -- left-pad", None, "npm install --ignore-scripts -- left-pad"),
            ("pnpm add x", None, "pnpm add x --ignore-scripts"),
            ("yarn", Some(1), "yarn --ignore-scripts"),
            (
                "yarn add x --mode=update-lockfile",
                Some(4),
                "yarn add x --mode=update-lockfile --mode=skip-build",
            ),
        ] {
            let option = option_without_scripts(yarn).unwrap();
            assert_eq!(with_option(&words(line), option), words(expected));
        }
        assert!(option_without_scripts(Some(2)).is_err());
    }

    #[test]
    fn a_program_is_known_by_its_version() {
        for (printed, expected) in
            [("1.22.22\n", Some(1)), ("4.18.1\n", Some(4)), ("10.0.0", Some(10)), ("", None), ("1", None)]
        {
            assert_eq!(major_version(printed.as_bytes()), expected, "{printed}");
        }
    }

    #[test]
    fn what_every_command_has_is_replaced_not_repeated() {
        let before = vec![("npm_config_offline".to_owned(), "true".to_owned())];
        let environment = environment(before, "npm", "http://127.0.0.1:4873/", Path::new("/t"));
        let offline: Vec<_> = environment.iter().filter(|(name, _)| name == "npm_config_offline").collect();
        assert_eq!(offline, [&("npm_config_offline".to_owned(), "false".to_owned())]);
        let unknown = environment.iter().find(|(name, _)| name.contains("store_dir"));
        assert_eq!(unknown, None, "npm warns of it");
    }
}
