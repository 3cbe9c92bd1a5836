//! executeCommand: runs a command line of the model on the project's real files, confined, and
//! brings back what it changed. Never a shell, never the worker's environment, never unconfined
//! unless the operator said so.

pub mod environment;
pub mod packages;
pub mod parse;
pub mod registry;
pub mod result;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use self::environment::Programs;
use self::packages::Open;
use self::parse::{installs, parse};
use self::registry::Registry;
use self::result::{Aloud, Transcript, tell};
use super::files::change_line;
use super::{Access, Printed, Tool, ToolError, parse_args};
use crate::config::Env;
use crate::confine::{ConfineError, Confinement, Ended, Level, Limit, Limits, Output, Request};
use crate::error::{CoreError, ErrorCode};
use crate::model::ToolSpec;
use crate::workspace::materialise::Workspace;
use crate::workspace::materialise::changes::Changes;
use crate::workspace::materialise::folder::Folders;
use crate::workspace::materialise::packages::{Installation, LOCKS};
use crate::workspace::path::normalise;
use crate::workspace::snapshot::Snapshot;
use crate::workspace::{FileChange, FileError, Outcome, ProjectFiles as _};

/// `1`: a command may delete more than half of a project's files.
const MASS_DELETION_VARIABLE: &str = "POLARIS_ALLOW_MASS_DELETION";
/// Beyond the command's own time: writing the project to disk, and bringing changes back.
const AROUND: Duration = Duration::from_secs(20);
/// Bytes of text in one batch of changes: a mutation takes 16 MiB of arguments
/// (docs.convex.dev/production/state/limits), and JSON may need more than one byte for a character.
const BATCH_BYTES: usize = 4 << 20;
/// What the first git command of a run closes with.
const GIT_NOTE: &str = "[This repository is new: its first commit is the project as it was stored. Earlier history is not here, and this one is not kept.]";

/// The tool. One per run: the folder with the project's files lives as long as it does.
pub struct ExecuteCommand {
    files: Arc<Snapshot>,
    env: Env,
    limits: Limits,
    folders: Folders,
    /// The project's id: what its packages are kept under.
    project: Option<String>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Taken out while a command runs: whoever is stopped meanwhile leaves none behind.
    workspace: Option<Workspace>,
    has_git: bool,
    git_explained: bool,
    absent_explained: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CommandArgs {
    command: String,
    #[serde(default)]
    cwd: Option<String>,
}

impl ExecuteCommand {
    /// Runs commands on `files`, for at most `command_ms` each call.
    pub fn new(files: Arc<Snapshot>, env: Env, command_ms: u32) -> Self {
        let limits = Limits { wall_ms: command_ms.into(), ..Limits::default() };
        let (folders, project, state) = Default::default();
        Self { files, env, limits, folders, project, state }
    }

    /// Has `folders` count the folders that it makes.
    pub fn counted_by(self, folders: &Folders) -> Self {
        Self { folders: folders.clone(), ..self }
    }

    /// Keeps the packages that are installed for the next run of this project.
    pub fn of_project(self, id: impl Into<String>) -> Self {
        Self { project: Some(id.into()), ..self }
    }

    fn may_install(&self) -> bool {
        self.env.get(registry::VARIABLE).is_some()
    }

    async fn run(&self, args: CommandArgs, at: f64, printed: &Printed<'_>) -> Result<String, ToolError> {
        let commands = parse(&args.command).map_err(blocked)?;
        let install = commands.iter().find_map(|command| Some((command, installs(command)?)));
        let registry = match install {
            Some((command, verb)) => Some(Registry::from_env(&self.env).map_err(blocked)?.ok_or_else(|| {
                blocked(format!(
                    "packages cannot be installed here ({} {verb}): no package registry is configured. Use what is installed, or change package.json and let the user install",
                    command[0]
                ))
            })?),
            None => None,
        };
        let cwd =
            normalise(args.cwd.as_deref().unwrap_or_default()).map_err(|e| blocked(format!("cwd: {e}")))?;
        let confinement = Confinement::find(&self.env).await.map_err(blocked)?;
        let programs = Programs::find(&self.env);

        let mut state = self.state.lock().await;
        let project = self.files.current().await.map_err(fatal)?;
        let kept = state.workspace.take();
        let held = self.folders.hold();
        let installation = self.project.as_ref().and_then(|id| Installation::of(id, &project));
        let wanted = installation.clone();
        let (mut workspace, is_new) = blocking(move || {
            if let Some(mut workspace) = kept
                // A folder that a command has made unusable is given up.
                && workspace.update(&project).is_ok()
            {
                return Ok((workspace, false));
            }
            let mut workspace = Workspace::create_with(held, wanted.as_ref())?;
            workspace.update(&project)?;
            Ok((workspace, true))
        })
        .await?;
        let mut limits = self.limits.clone();
        if registry.is_some() {
            limits.wall_ms *= packages::TIMES;
        }
        let session = Session { confinement, programs, limits, registry, printed };
        if is_new {
            state.has_git = session.begin_repository(&workspace).await?;
            // After the first commit, of which they are no part.
            workspace.unpack(installation);
        }
        let folder = workspace
            .folder(&cwd)
            .map_err(|why| blocked(format!("cwd {:?} {why}", args.cwd.as_deref().unwrap_or_default())));
        let (workspace, result) = match folder {
            Err(refusal) => (workspace, Err(refusal)),
            Ok(folder) => {
                let is_git = state.has_git && !state.git_explained && commands.iter().any(|c| c[0] == "git");
                // Packages that a command was stopped in the middle of are of no use to anybody.
                let mut installation = workspace.take_installation();
                let result = session.run_all(&workspace, &commands, &folder).await;
                if session.registry.is_some() {
                    // One that failed may have left half of them.
                    let id = self.project.as_deref().filter(|_| result.is_ok());
                    installation = id.and_then(|id| installed(id, &workspace));
                }
                workspace.keep_packages(installation);
                let absent = if state.absent_explained { None } else { absence(&workspace) };
                let (workspace, changed) = self.bring_back(workspace, at).await?;
                let git = is_git.then(|| GIT_NOTE.to_owned());
                state.git_explained |= is_git;
                state.absent_explained |= absent.is_some();
                let add = |mut text: String| {
                    for line in changed.iter().chain(&absent).chain(&git) {
                        text.push_str("\n\n");
                        text.push_str(line);
                    }
                    text
                };
                let result = match result {
                    Ok(text) => Ok(add(text)),
                    Err(ToolError::Text(text)) => Err(ToolError::Text(add(text))),
                    Err(fatal) => Err(fatal),
                };
                (workspace, result)
            }
        };
        state.workspace = Some(workspace);
        result
    }

    /// Writes what was changed back into the store; the line that says so.
    async fn bring_back(
        &self,
        workspace: Workspace,
        at: f64,
    ) -> Result<(Workspace, Option<String>), ToolError> {
        let allow = self.env.get(MASS_DELETION_VARIABLE) == Some("1");
        let (mut workspace, mut changes) = blocking(move || {
            let changes = workspace.changes(allow)?;
            Ok((workspace, changes))
        })
        .await?;
        let mut summary = Summary::new(&changes);
        for change in &mut changes.files {
            change.line = Some(change_line(&change.path, change.content.as_deref(), at));
        }
        for batch in batches(&changes.files) {
            let applied = match self.files.apply(batch).await {
                Ok(applied) => applied,
                Err(FileError::Refused(why)) => {
                    summary.skipped.extend(batch.iter().map(|change| (change.path.clone(), why.clone())));
                    continue;
                }
                Err(error) => return Err(fatal(error)),
            };
            workspace.settle(batch, &applied);
            for (change, told) in batch.iter().zip(&applied.outcomes) {
                summary.count(change, told.outcome, told.reason.as_deref());
            }
        }
        Ok((workspace, summary.line()))
    }
}

/// What runs the commands of one call.
struct Session<'a> {
    confinement: Arc<Confinement>,
    programs: Programs,
    limits: Limits,
    registry: Option<Registry>,
    printed: &'a Printed<'a>,
}

impl Session<'_> {
    /// Runs the commands one after the other, each only if the one before succeeded.
    async fn run_all(
        &self,
        workspace: &Workspace,
        commands: &[Vec<String>],
        cwd: &std::path::Path,
    ) -> Result<String, ToolError> {
        let begin = Instant::now();
        let mut transcript = Transcript::default();
        let mut ended = Ended::Exited { code: 0 };
        for command in commands {
            // All commands of a chain share what one may use.
            let used = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
            let (out, err) = transcript.bytes();
            let limits = Limits {
                wall_ms: self.limits.wall_ms.saturating_sub(used),
                stream_bytes: self.limits.stream_bytes.saturating_sub(out.max(err)),
                total_bytes: self.limits.total_bytes.saturating_sub(out + err),
                ..self.limits.clone()
            };
            if limits.wall_ms == 0 {
                ended = Ended::Stopped { limit: Limit::Time };
                break;
            }
            let Some(program) = self.programs.resolve(&command[0], cwd, workspace.root()) else {
                let printed = transcript.text(self.limits.stream_bytes);
                let before = if printed.is_empty() { printed } else { format!("{printed}\n\n") };
                return Err(ToolError::Text(format!(
                    "{before}Command blocked: {} is not installed here",
                    command[0]
                )));
            };
            let request = self.request(workspace, program, command, cwd.to_owned(), limits);
            let output = match self.registry.as_ref().filter(|_| installs(command).is_some()) {
                Some(registry) => self.run_with(registry, request, workspace).await?,
                None => self.run_one(request, workspace, self.printed).await?,
            };
            transcript.push(&output);
            ended = output.report.ended;
            if ended != (Ended::Exited { code: 0 }) {
                break;
            }
        }
        tell(&ended, &transcript, &self.limits).map_err(ToolError::Text)
    }

    async fn run_one(
        &self,
        request: Request,
        workspace: &Workspace,
        printed: &Printed<'_>,
    ) -> Result<Output, ToolError> {
        let mut aloud = Aloud::new(printed);
        let hear = |stream, bytes: &[u8]| aloud.push(stream, bytes);
        let output = self.confinement.run(request, workspace.command(), hear).await;
        aloud.end();
        output.map_err(|error: ConfineError| ToolError::Text(error.to_string()))
    }

    /// Runs a command that may ask the registry, and nobody else.
    async fn run_with(
        &self,
        registry: &Registry,
        mut request: Request,
        workspace: &Workspace,
    ) -> Result<Output, ToolError> {
        let program = request.argv[0].clone();
        let yarn =
            if program == "yarn" { Some(self.yarn_version(&mut request, workspace).await?) } else { None };
        let option = packages::option_without_scripts(yarn).map_err(blocked)?;
        request.argv = packages::with_option(&request.argv, option);
        if self.confinement.level() == Level::None {
            // It can reach whatever the worker can.
            request.env = packages::environment(request.env, &program, registry.url(), workspace.temp());
            return self.run_one(request, workspace, self.printed).await;
        }
        let open = Open::new(registry, workspace, &request.cwd).map_err(ToolError::Text)?;
        request.env = packages::environment(request.env, &program, &registry.url_inside(), workspace.temp());
        request.connect = Some(workspace.socket());
        tokio::select! {
            output = self.run_one(request, workspace, self.printed) => output,
            Err(why) = open.serve() => Err(ToolError::Text(why)),
        }
    }

    /// Asks the Yarn that this request starts: which one that is, the project may say. Takes its time from
    /// the request's.
    async fn yarn_version(&self, request: &mut Request, workspace: &Workspace) -> Result<u32, ToolError> {
        /// Milliseconds; a loaded machine takes one second.
        const AT_MOST: u64 = 10_000;
        let begin = Instant::now();
        let argv = ["yarn", "--version"].map(str::to_owned).to_vec();
        let limits = Limits { wall_ms: request.limits.wall_ms.min(AT_MOST), ..request.limits.clone() };
        let asked = Request { argv, limits, ..request.clone() };
        let output = self.run_one(asked, workspace, &|_, _: &str| {}).await?;
        let used = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        request.limits.wall_ms = request.limits.wall_ms.saturating_sub(used).max(1);
        let has_said = output.report.ended == (Ended::Exited { code: 0 });
        packages::major_version(&output.stdout).filter(|_| has_said).ok_or_else(|| {
            blocked("packages cannot be installed here with yarn: `yarn --version` does not say which Yarn it is. Use npm, or let the operator install Yarn itself: a shim of corepack would have to fetch it first")
        })
    }

    /// Makes the project a repository whose first commit is what is stored. False: git is missing,
    /// or it does not work here; then nothing more is said of it.
    async fn begin_repository(&self, workspace: &Workspace) -> Result<bool, ToolError> {
        let Some(git) = self.programs.resolve("git", workspace.root(), workspace.root()) else {
            return Ok(false);
        };
        let silent = |_, _: &str| {};
        for arguments in [
            ["init", "--quiet"].as_slice(),
            &["add", "--all"],
            &[
                "commit",
                "--quiet",
                "--allow-empty",
                "--no-verify",
                "--message",
                "The project as it was stored",
            ],
        ] {
            let argv: Vec<String> =
                std::iter::once(&"git").chain(arguments).map(|&word| word.to_owned()).collect();
            let request =
                self.request(workspace, git.clone(), &argv, workspace.root().to_owned(), self.limits.clone());
            let output = self.run_one(request, workspace, &silent).await?;
            if output.report.ended != (Ended::Exited { code: 0 }) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn request(
        &self,
        workspace: &Workspace,
        program: PathBuf,
        argv: &[String],
        cwd: PathBuf,
        limits: Limits,
    ) -> Request {
        let mut env = self.programs.environment(workspace.temp());
        if argv.first().is_some_and(|program| program == "yarn") {
            // Yarn 1 ends when it may not read the npmrc of Node's own prefix.
            env.push(("PREFIX".to_owned(), workspace.temp().display().to_string()));
        }
        Request {
            level: self.confinement.level(),
            program,
            argv: argv.to_vec(),
            env,
            cwd,
            workspace: workspace.root().to_owned(),
            temp: workspace.temp().to_owned(),
            read: self.programs.read.clone(),
            connect: None,
            limits,
        }
    }
}

/// What is installed, by the lock file on disk.
fn installed(project: &str, workspace: &Workspace) -> Option<Installation> {
    let lock = LOCKS.iter().find_map(|lock| workspace.text(lock))?;
    Some(Installation::new(project, &lock))
}

/// What became of the changes of a command.
#[derive(Default)]
struct Summary {
    added: usize,
    modified: usize,
    deleted: usize,
    skipped: Vec<(String, String)>,
    mass_deletion: usize,
}

impl Summary {
    fn new(changes: &Changes) -> Self {
        let skipped = changes.skipped.iter().map(|(path, why)| (path.clone(), (*why).to_owned()));
        Self { skipped: skipped.collect(), mass_deletion: changes.mass_deletion, ..Self::default() }
    }

    fn count(&mut self, change: &FileChange, outcome: Outcome, reason: Option<&str>) {
        match (outcome, &change.content, change.base) {
            (Outcome::Applied, None, _) => self.deleted += 1,
            (Outcome::Applied, Some(_), None) => self.added += 1,
            (Outcome::Applied, Some(_), Some(_)) => self.modified += 1,
            (Outcome::Conflict, ..) => {
                self.skipped
                    .push((change.path.clone(), "it was changed meanwhile; that version is kept".to_owned()));
            }
            (Outcome::Refused, ..) => {
                let why = reason.unwrap_or("the project does not allow it");
                self.skipped.push((change.path.clone(), why.to_owned()));
            }
        }
    }

    /// `Files changed: A 1, M 2, D 0 (1 skipped: a.png: it is binary)`, if there is anything to say.
    fn line(&self) -> Option<String> {
        if self.added + self.modified + self.deleted + self.skipped.len() + self.mass_deletion == 0 {
            return None;
        }
        let mut line = format!("Files changed: A {}, M {}, D {}", self.added, self.modified, self.deleted);
        if !self.skipped.is_empty() {
            let skipped = self.skipped.iter().map(|(path, why)| (path.as_str(), why.as_str()));
            line.push_str(&format!(" ({} skipped: {})", self.skipped.len(), named(skipped)));
        }
        if self.mass_deletion > 0 {
            line.push_str(&format!(
                "\nThe command deleted {} files, more than half of the project: the project keeps them. Delete them with deleteFile if that is meant.",
                self.mass_deletion
            ));
        }
        Some(line)
    }
}

/// The first of these files with what is said of them, and how many more there are.
fn named<'a>(files: impl ExactSizeIterator<Item = (&'a str, &'a str)>) -> String {
    /// Files that are named.
    const NAMED: usize = 10;
    let more = files.len().saturating_sub(NAMED);
    let more = (more > 0).then(|| format!("{more} more"));
    files.take(NAMED).map(|(path, why)| format!("{path}: {why}")).chain(more).collect::<Vec<_>>().join("; ")
}

/// What a command must not be expected to find.
fn absence(workspace: &Workspace) -> Option<String> {
    let absent = workspace.absent();
    (absent.len() > 0)
        .then(|| format!("[Commands do not see {} of the project's files: {}]", absent.len(), named(absent)))
}

/// Changes in parts that a store takes at once.
pub(crate) fn batches(changes: &[FileChange]) -> impl Iterator<Item = &[FileChange]> {
    let mut rest = changes;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let size = |change: &FileChange| change.content.as_ref().map_or(0, String::len);
        let fit = rest.iter().take_while(|change| {
            bytes += size(change);
            bytes <= BATCH_BYTES
        });
        let (batch, after) = rest.split_at_checked(fit.count().max(1))?;
        rest = after;
        Some(batch)
    })
}

fn blocked(why: impl std::fmt::Display) -> ToolError {
    ToolError::Text(format!("Command blocked: {why}"))
}

fn fatal(error: FileError) -> ToolError {
    match error {
        FileError::Refused(why) => ToolError::Text(format!("Error executing command: {why}")),
        FileError::Store(error) => ToolError::Fatal(error),
    }
}

/// Work on files, away from the threads that must not wait.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, ToolError> {
    let failed = |why: String| ToolError::Fatal(CoreError::new(ErrorCode::ToolFatal, why));
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(failed(format!("the project's files cannot be kept on disk: {error}"))),
        Err(error) => Err(failed(error.to_string())),
    }
}

impl Tool for ExecuteCommand {
    fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: "executeCommand".to_owned(),
            description: format!(
                "Run a terminal command on the project's files: {}. No shell: no pipes, redirections or variables; `a && b` runs b after a succeeded. Changed files are stored. No network{}, {} seconds, 1 MB of output.",
                parse::ALLOWED.join(", "),
                if self.may_install() { " but to install packages (their scripts do not run)" } else { "" },
                self.limits.wall_ms / 1_000
            ),
            parameters: json!({
                "$schema": "http://json-schema.org/draft-07/schema#",
                "type": "object",
                "properties": {
                    "command": { "type": "string", "description": "The command with its arguments, e.g. `npm test`" },
                    "cwd": { "type": "string", "description": "Folder to run it in, relative to the project root; left out: the root" },
                },
                "required": ["command"],
                "additionalProperties": false,
            }),
        }
    }

    fn access(&self, _args: &Value) -> Access {
        // Whoever runs programs may touch everything.
        Access::Write(String::new())
    }

    /// What its own bounds add up to, where that is longer.
    fn limit(&self, of_run: Duration) -> Duration {
        let times = if self.may_install() { packages::TIMES } else { 1 };
        of_run.max(Duration::from_millis(self.limits.wall_ms * times) + AROUND)
    }

    fn call<'a>(&'a self, args: &'a Value, at: f64) -> BoxFuture<'a, Result<String, ToolError>> {
        self.call_aloud(args, at, &|_, _| {})
    }

    fn call_aloud<'a>(
        &'a self,
        args: &'a Value,
        at: f64,
        printed: &'a Printed<'a>,
    ) -> BoxFuture<'a, Result<String, ToolError>> {
        async move { self.run(parse_args("executeCommand", args)?, at, printed).await }.boxed()
    }

    fn recover<'a>(&'a self, _args: &'a Value, _at: f64) -> BoxFuture<'a, Result<String, ToolError>> {
        let text = "The outcome of this command is unknown: the run was interrupted while it was running. It was not run again. Look at the files that it should have changed, and run it again if that is safe.";
        futures::future::ready(Err(ToolError::Text(text.to_owned()))).boxed()
    }
}
