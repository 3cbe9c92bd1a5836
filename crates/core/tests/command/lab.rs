//! A small project and the tool on it; and who runs the worker, at which level.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use polaris_core::config::Env;
use polaris_core::tool::command::ExecuteCommand;
use polaris_core::tool::{Tool as _, ToolError};
use polaris_core::workspace::memory::MemoryFiles;
use polaris_core::workspace::snapshot::Snapshot;
use serde_json::json;

/// The helper to use, if this process is one of several variants ([`super::variants`]).
pub(crate) const HELPER_VARIABLE: &str = "POLARIS_TEST_HELPER";
/// Where the packages lie that commands are tried out with.
pub(crate) const TOOLS_VARIABLE: &str = "POLARIS_TEST_TOOLS";

/// cargo builds the programs of other packages only when it is told to.
pub(crate) fn helper() -> &'static Path {
    static HELPER: OnceLock<PathBuf> = OnceLock::new();
    HELPER.get_or_init(|| {
        if let Some(given) = std::env::var_os(HELPER_VARIABLE) {
            return given.into();
        }
        let program = std::env::current_exe().unwrap();
        let folder = program.ancestors().nth(2).unwrap();
        let status =
            Command::new(env!("CARGO")).args(["build", "--quiet", "--package", "polaris-sandbox"]).status();
        assert!(status.unwrap().success());
        folder.join("polaris-sandbox")
    })
}

/// Whether the helper reaches the best level here.
pub(crate) fn is_full() -> bool {
    let probe = Command::new(helper()).arg("--probe").output().unwrap();
    let probe: serde_json::Value = serde_json::from_slice(&probe.stdout).unwrap();
    probe["level"] == "full"
}

pub(crate) fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

pub(crate) struct Lab {
    pub(crate) files: Arc<MemoryFiles>,
    pub(crate) tool: ExecuteCommand,
}

pub(crate) const FILES: &[(&str, &str)] = &[
    (
        "package.json",
        r#"{"name":"demo","version":"1.0.0","scripts":{"test":"node --test","hello":"node -e \"console.log('hello')\""}}"#,
    ),
    ("sum.js", "exports.sum = (a, b) => a + b;\n"),
    (
        "sum.test.js",
        "const { test } = require('node:test');\nconst assert = require('node:assert');\ntest('adds', () => assert.equal(require('./sum').sum(1, 2), 3));\n",
    ),
    ("src/index.ts", "export const answer: number = 42;\n"),
    ("tsconfig.json", r#"{"compilerOptions":{"strict":true,"types":[]},"include":["src"]}"#),
    ("ugly.js", "const  a   = {b:1}\n"),
];

pub(crate) fn files(files: &[(&str, &str)]) -> Arc<MemoryFiles> {
    let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
    Arc::new(MemoryFiles::new(files.collect::<BTreeMap<_, _>>()))
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::with(&[], 30_000)
    }

    pub(crate) fn with(variables: &[(&str, &str)], command_ms: u32) -> Self {
        Self::on(files(FILES), variables, command_ms)
    }

    /// A run on these files.
    pub(crate) fn on(files: Arc<MemoryFiles>, variables: &[(&str, &str)], command_ms: u32) -> Self {
        let mut env = vec![
            ("POLARIS_SANDBOX_PATH", helper().display().to_string()),
            ("PATH", std::env::var("PATH").unwrap()),
        ];
        env.extend(variables.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let env: Env = env.into_iter().collect();
        let snapshot = Arc::new(Snapshot::new(Arc::clone(&files) as _));
        Self { files, tool: ExecuteCommand::new(snapshot, env, command_ms) }
    }

    pub(crate) fn of_project(self, id: &str) -> Self {
        Self { tool: self.tool.of_project(id), ..self }
    }

    pub(crate) async fn call(&self, command: &str, cwd: Option<&str>) -> Result<String, String> {
        let args = match cwd {
            Some(cwd) => json!({ "command": command, "cwd": cwd }),
            None => json!({ "command": command }),
        };
        match self.tool.call(&args, 1.0).await {
            Ok(text) => Ok(text),
            Err(ToolError::Text(text)) => Err(text),
            Err(ToolError::Fatal(error)) => panic!("{command}: {error}"),
        }
    }

    pub(crate) async fn ok(&self, command: &str) -> String {
        self.call(command, None).await.unwrap_or_else(|text| panic!("{command}: {text}"))
    }

    pub(crate) async fn err(&self, command: &str) -> String {
        self.call(command, None).await.expect_err(command)
    }

    pub(crate) async fn root(&self) -> PathBuf {
        PathBuf::from(self.ok("node -p 'process.cwd()'").await)
    }

    /// Gives the workspace installed packages, as an installation would; with these names of programs.
    /// False: they are not there, and need not be.
    pub(crate) async fn install(&self, packages: &Packages, programs: &[(&str, &str)]) -> bool {
        let Some(from) = packages.place() else { return false };
        let root = self.root().await;
        let to = root.join("node_modules");
        let bin = to.join(".bin");
        std::fs::create_dir_all(&bin).unwrap();
        for name in packages.names(&from) {
            let status = Command::new("cp").arg("-r").arg(from.join(name)).arg(&to).status();
            assert!(status.unwrap().success());
        }
        for (name, target) in programs {
            std::os::unix::fs::symlink(target, bin.join(name)).unwrap();
        }
        let owner = format!("--reference={}", root.display());
        assert!(Command::new("chown").args(["-R", "-h", &owner]).arg(&to).status().unwrap().success());
        true
    }
}

/// Packages of this repository.
pub(crate) enum Packages {
    /// These of its own.
    Own(&'static [&'static str]),
    /// What `__test__/sandbox/tools` installs for projects.
    Tools,
    /// The package managers that it installs.
    Managers,
}

/// Folders of [`Packages::Managers`].
const MANAGERS: [&str; 5] = ["pnpm", "@pnpm", "yarn", "@yarnpkg", "@oven"];

impl Packages {
    /// The folder that they lie in.
    pub(crate) fn place(&self) -> Option<PathBuf> {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let (folder, is_there) = match self {
            Self::Own(names) => {
                let own = std::env::var_os(TOOLS_VARIABLE).map(|place| PathBuf::from(place).join("own"));
                let folder = own.unwrap_or_else(|| repository.join("node_modules"));
                let is_there = names.iter().all(|name| folder.join(name).is_dir());
                (folder, is_there)
            }
            Self::Tools | Self::Managers => {
                let tools = std::env::var_os(TOOLS_VARIABLE).map(|place| PathBuf::from(place).join("tools"));
                let tools = tools.unwrap_or_else(|| repository.join("__test__/sandbox/tools/node_modules"));
                let is_there = tools.join("vitest").is_dir();
                (tools, is_there)
            }
        };
        if !is_there {
            assert!(std::env::var_os("CI").is_none(), "{} does not have what it needs", folder.display());
            eprintln!("left out: {} does not have what it needs", folder.display());
        }
        is_there.then_some(folder)
    }

    fn names(&self, place: &Path) -> Vec<String> {
        match self {
            Self::Own(names) => names.iter().map(|&name| name.to_owned()).collect(),
            Self::Tools | Self::Managers => {
                let entries = std::fs::read_dir(place).unwrap().flatten();
                let names = entries.map(|entry| entry.file_name().into_string().unwrap());
                let wanted = |name: &String| {
                    !name.starts_with('.')
                        && MANAGERS.contains(&name.as_str()) == matches!(self, Self::Managers)
                };
                names.filter(wanted).collect()
            }
        }
    }

    /// Copies them where any user can read them.
    pub(crate) fn copy(&self, to: &Path) {
        let Some(from) = self.place() else { return };
        std::fs::create_dir_all(to).unwrap();
        for name in self.names(&from) {
            let status = Command::new("cp").arg("-r").arg(from.join(name)).arg(to).status();
            assert!(status.unwrap().success());
        }
        assert!(Command::new("chmod").args(["-R", "a+rX"]).arg(to).status().unwrap().success());
    }
}

pub(crate) fn program(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}
