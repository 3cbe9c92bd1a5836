//! TypeScript's own language server (`tsc --lsp` of TypeScript 7) over a private copy of a project:
//! started when it is first asked, one per run, killed with it. It reads nothing outside its copy,
//! is never asked about what is not code, and whatever goes wrong with it is a reason to answer
//! without it, never an error.

mod folder;
mod memory;
mod session;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc, oneshot};
use tokio::task::JoinHandle;
use url::Url;

use self::session::{Failed, Session};
use super::index::{Index, is_code};
use crate::config::Env;
use crate::confine::Confinement;
use crate::workspace::materialise::Workspace;
use crate::workspace::materialise::follow::Changed;

/// The file of the server; `off`: there is none. The package finds it by itself.
pub const PATH_VARIABLE: &str = "POLARIS_TYPESCRIPT_PATH";
/// Servers in a process, at most: one takes up to a few hundred MB.
const MAX_SERVERS: usize = 4;
/// How long a call waits for a server that has answered nothing yet, and for one that has.
const COLD: Duration = Duration::from_millis(1_500);
const WARM: Duration = Duration::from_secs(8);
/// After that, a server is taken for dead: when it starts, loads a project, and later.
const START: Duration = Duration::from_secs(30);
const LOAD: Duration = Duration::from_secs(120);
const ANSWER: Duration = Duration::from_secs(20);
/// After so many deaths in a run it is not started again.
const MAX_DEATHS: u32 = 3;

static SERVERS: Semaphore = Semaphore::const_new(MAX_SERVERS);

/// A place as the protocol has it: from 0, in UTF-16 units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, serde::Serialize)]
pub struct At {
    /// Line, from 0.
    pub line: u32,
    /// Column, from 0.
    pub character: u32,
}

#[derive(Debug, Deserialize)]
struct Range {
    start: At,
}

/// What is asked of a file.
#[derive(Debug, Clone, Copy)]
pub enum Question {
    /// What is wrong with it.
    Diagnostics,
    /// Where what stands at a place is defined.
    Definition(At),
    /// Where it is used.
    References(At),
}

/// Where something stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The file.
    pub file: Source,
    /// The place in it.
    pub at: At,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Of the project.
    Project(Arc<str>),
    /// Of a library: its name, the line there, and what is defined.
    Library {
        /// As it is shown, never a path of the machine.
        name: String,
        /// The line that is meant.
        line: String,
        /// Kind and name, as far as the server says them.
        what: Option<(String, String)>,
    },
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where.
    pub at: At,
    /// 1 error, 2 warning, 3 information, 4 hint.
    pub severity: u32,
    /// TypeScript's number.
    pub code: Option<u64>,
    /// What it says.
    pub message: String,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To [`Question::Diagnostics`].
    Diagnostics(Vec<Diagnostic>),
    /// To the others.
    Locations(Vec<Location>),
}

/// Why there is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Silence {
    /// There is no server here.
    #[error("it is not installed")]
    Absent,
    /// It has just been started.
    #[error("it is still starting")]
    Starting,
    /// It takes too long.
    #[error("it took too long")]
    Slow,
    /// There are as many as there may be.
    #[error("too many are running")]
    Busy,
    /// There is too little memory for it.
    #[error("it needs {} MB of memory and {} MB are left", .needed >> 20, .left >> 20)]
    Memory {
        /// Bytes, with the reserve.
        needed: u64,
        /// Bytes.
        left: u64,
    },
    /// It would read files outside the project.
    #[error("{0} points outside the project")]
    Outside(Arc<str>),
    /// It does not run, or does not know.
    #[error("it failed")]
    Failed,
}

/// The server of a run.
#[derive(Debug)]
pub struct LanguageServer {
    program: Option<PathBuf>,
    env: Env,
    driver: Mutex<Option<Driver>>,
}

#[derive(Debug)]
struct Driver {
    asks: mpsc::UnboundedSender<Ask>,
    is_warm: Arc<AtomicBool>,
    pid: Arc<AtomicU32>,
    task: JoinHandle<()>,
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Debug)]
struct Ask {
    index: Arc<Index>,
    path: Arc<str>,
    question: Question,
    reply: oneshot::Sender<Result<Answer, Silence>>,
}

impl LanguageServer {
    /// The server that the environment names. Nothing is started yet.
    pub fn new(env: &Env) -> Self {
        let program = env.get(PATH_VARIABLE).filter(|path| *path != "off").map(PathBuf::from);
        let program = program.filter(|path| path.is_file());
        Self { program, env: env.clone(), driver: Mutex::default() }
    }

    /// Asks about a file of the project as `index` has it.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn ask(
        &self,
        index: &Arc<Index>,
        path: &Arc<str>,
        question: Question,
    ) -> Result<Answer, Silence> {
        let Some(program) = &self.program else { return Err(Silence::Absent) };
        // It dies of anything else.
        if !is_code(path) {
            return Err(Silence::Failed);
        }
        let (reply, answer) = oneshot::channel();
        let is_warm = {
            let mut driver = self.driver.lock().unwrap_or_else(PoisonError::into_inner);
            let driver = driver.get_or_insert_with(|| Driver::start(program.clone(), self.env.clone()));
            let ask = Ask { index: Arc::clone(index), path: Arc::clone(path), question, reply };
            driver.asks.send(ask).map_err(|_| Silence::Failed)?;
            driver.is_warm.load(Ordering::Relaxed)
        };
        let (time, late) = if is_warm { (WARM, Silence::Slow) } else { (COLD, Silence::Starting) };
        match tokio::time::timeout(time, answer).await {
            Ok(answer) => answer.unwrap_or(Err(Silence::Failed)),
            Err(_) => Err(late),
        }
    }

    /// The process that was started last.
    pub fn pid(&self) -> Option<u32> {
        let driver = self.driver.lock().unwrap_or_else(PoisonError::into_inner);
        driver.as_ref().map(|driver| driver.pid.load(Ordering::Relaxed)).filter(|&pid| pid != 0)
    }
}

impl Driver {
    fn start(program: PathBuf, env: Env) -> Self {
        let (asks, mut asked) = mpsc::unbounded_channel::<Ask>();
        let is_warm = Arc::new(AtomicBool::new(false));
        let pid = Arc::new(AtomicU32::new(0));
        let (warm, told) = (Arc::clone(&is_warm), Arc::clone(&pid));
        let task = tokio::spawn(async move {
            let mut desk = Desk {
                program,
                env,
                copy: None,
                session: None,
                deaths: 0,
                given_up: None,
                permit: None,
                pid: told,
            };
            while let Some(ask) = asked.recv().await {
                // Who asked first may be gone: what it wanted makes the server warm all the same.
                if ask.reply.is_closed() && warm.load(Ordering::Relaxed) {
                    continue;
                }
                let answer = desk.answer(&ask, warm.load(Ordering::Relaxed)).await;
                warm.store(answer.is_ok() || desk.given_up.is_some(), Ordering::Relaxed);
                let _ = ask.reply.send(answer);
            }
        });
        Self { asks, is_warm, pid, task }
    }
}

/// The copy of the project, and what it stands for.
struct Replica {
    folder: Workspace,
    root: PathBuf,
    of: Arc<Index>,
    outside: Option<Arc<str>>,
}

/// Where questions are answered, one by one. Fields are dropped in order: the process before its files.
struct Desk {
    session: Option<Session>,
    copy: Option<Replica>,
    permit: Option<SemaphorePermit<'static>>,
    program: PathBuf,
    env: Env,
    pid: Arc<AtomicU32>,
    deaths: u32,
    given_up: Option<Silence>,
}

impl Desk {
    async fn answer(&mut self, ask: &Ask, is_warm: bool) -> Result<Answer, Silence> {
        if let Some(why) = &self.given_up {
            return Err(why.clone());
        }
        let answer = self.try_answer(ask, is_warm).await;
        if let Err(why @ (Silence::Memory { .. } | Silence::Outside(_))) = &answer {
            // The project or what else runs here may change, but a run does not get smaller.
            self.session = None;
            if matches!(why, Silence::Memory { .. }) {
                self.give_up(why.clone());
            }
        }
        answer
    }

    fn give_up(&mut self, why: Silence) {
        self.session = None;
        self.copy = None;
        self.permit = None;
        self.given_up = Some(why);
    }

    async fn try_answer(&mut self, ask: &Ask, is_warm: bool) -> Result<Answer, Silence> {
        let needed = memory::RESERVE_BYTES
            + if self.session.is_some() { 0 } else { memory::needed(ask.index.code().count()) };
        if let Some(left) = memory::left().filter(|&left| left < needed) {
            return Err(Silence::Memory { needed, left });
        }
        if self.permit.is_none() {
            self.permit = Some(SERVERS.try_acquire().map_err(|_| Silence::Busy)?);
        }
        let changes = self.update_copy(&ask.index).await?;
        for replay in [false, true] {
            if self.session.is_none() {
                self.begin().await?;
            } else if !changes.is_empty() && !replay {
                self.tell(&changes);
            }
            match self.put(ask, is_warm).await {
                Ok(answer) => return self.read(ask, answer).await,
                Err(Failed::Refused) => return Err(Silence::Failed),
                Err(failed) => {
                    self.session = None;
                    self.deaths += 1;
                    if self.deaths >= MAX_DEATHS {
                        self.give_up(Silence::Failed);
                        return Err(Silence::Failed);
                    }
                    if matches!(failed, Failed::Slow) {
                        return Err(Silence::Slow);
                    }
                }
            }
        }
        Err(Silence::Failed)
    }

    /// Makes the copy what the index has; what changed in it.
    async fn update_copy(&mut self, index: &Arc<Index>) -> Result<Vec<(Arc<str>, Changed)>, Silence> {
        if let Some(copy) = self.copy.as_ref().filter(|copy| Arc::ptr_eq(&copy.of, index)) {
            return copy.outside.clone().map_or(Ok(Vec::new()), |file| Err(Silence::Outside(file)));
        }
        let confined = Confinement::find(&self.env).await.is_ok_and(|found| found.confines_reading());
        let (copy, index) = (self.copy.take(), Arc::clone(index));
        let updated = tokio::task::spawn_blocking(move || {
            let (mut folder, root) = match copy {
                Some(copy) => (copy.folder, copy.root),
                None => {
                    let folder = Workspace::create()?;
                    let root = folder.root().canonicalize()?;
                    (folder, root)
                }
            };
            let outside = if confined { None } else { folder::leads_out(&index) };
            let changes = match outside {
                Some(_) => Vec::new(),
                None => folder.follow(&folder::files(&index))?,
            };
            Ok::<_, std::io::Error>((Replica { folder, root, of: index, outside }, changes))
        });
        let (copy, changes) = updated.await.ok().and_then(Result::ok).ok_or(Silence::Failed)?;
        let outside = copy.outside.clone();
        self.copy = Some(copy);
        outside.map_or(Ok(changes), |file| Err(Silence::Outside(file)))
    }

    async fn begin(&mut self) -> Result<(), Silence> {
        let Some(copy) = &self.copy else { return Err(Silence::Failed) };
        let root = Url::from_file_path(&copy.root).map_err(|()| Silence::Failed)?;
        let mut command = match Confinement::find(&self.env).await {
            Ok(found) if found.confines_reading() => found.reader(&self.program, &copy.root),
            _ => Command::new(&self.program),
        };
        command
            .args(["--lsp", "--stdio"])
            // Without a PATH it finds no npm, which it would have install types.
            .env_clear()
            .env("HOME", copy.folder.temp())
            .env("TMPDIR", copy.folder.temp())
            .current_dir(&copy.root);
        if let Some(left) = memory::left() {
            // Go collects its garbage the harder the nearer it comes.
            command.env("GOMEMLIMIT", left.saturating_sub(memory::RESERVE_BYTES).to_string());
        }
        #[cfg(unix)]
        command.process_group(0);
        let session = Session::start(command, root.as_str(), START).await;
        match session {
            Ok(session) => {
                self.pid.store(session.pid().unwrap_or_default(), Ordering::Relaxed);
                self.session = Some(session);
                Ok(())
            }
            Err(_) => {
                self.deaths += 1;
                if self.deaths >= MAX_DEATHS {
                    self.give_up(Silence::Failed);
                }
                Err(Silence::Failed)
            }
        }
    }

    fn tell(&self, changes: &[(Arc<str>, Changed)]) {
        let (Some(session), Some(copy)) = (&self.session, &self.copy) else { return };
        let changes = changes.iter().filter_map(|(path, changed)| {
            let kind = match changed {
                Changed::Created => 1,
                Changed::Written => 2,
                Changed::Deleted => 3,
            };
            Some(json!({ "uri": copy.uri(path)?, "type": kind }))
        });
        session.notify("workspace/didChangeWatchedFiles", json!({ "changes": changes.collect::<Vec<_>>() }));
    }

    async fn put(&mut self, ask: &Ask, is_warm: bool) -> Result<Value, Failed> {
        let (Some(session), Some(copy)) = (&mut self.session, &self.copy) else { return Err(Failed::Died) };
        let uri = copy.uri(&ask.path).ok_or(Failed::Refused)?;
        let mut params = json!({ "textDocument": { "uri": uri } });
        let method = match ask.question {
            Question::Diagnostics => "textDocument/diagnostic",
            Question::Definition(at) => {
                params["position"] = json!(at);
                "textDocument/definition"
            }
            Question::References(at) => {
                params["position"] = json!(at);
                params["context"] = json!({ "includeDeclaration": true });
                "textDocument/references"
            }
        };
        session.request(method, params, if is_warm { ANSWER } else { LOAD }).await
    }

    async fn read(&mut self, ask: &Ask, answer: Value) -> Result<Answer, Silence> {
        let Some(copy) = &self.copy else { return Err(Silence::Failed) };
        if let Question::Diagnostics = ask.question {
            return Ok(Answer::Diagnostics(self.diagnostics(copy, &answer)));
        }
        #[derive(Deserialize)]
        struct Found {
            uri: Url,
            range: Range,
        }
        let found: Option<Vec<Found>> = serde_json::from_value(answer).map_err(|_| Silence::Failed)?;
        let mut locations = Vec::new();
        for Found { uri, range: Range { start } } in found.into_iter().flatten() {
            let Ok(path) = uri.to_file_path() else { continue };
            let file = match path.strip_prefix(&copy.root) {
                Ok(inside) => {
                    let inside = inside.to_string_lossy().replace('\\', "/");
                    Source::Project(inside.into())
                }
                Err(_) => {
                    let line = self.library_line(&path, start.line).await;
                    Source::Library { name: library_name(&path), line, what: None }
                }
            };
            locations.push(Location { file, at: start });
        }
        if let (Question::Definition(at), Some(session)) = (ask.question, &mut self.session)
            && locations.iter().any(|location| matches!(location.file, Source::Library { .. }))
            && let Some(uri) = copy.uri(&ask.path)
        {
            let params = json!({ "textDocument": { "uri": uri }, "position": at });
            let hover = session.request("textDocument/hover", params, ANSWER).await.unwrap_or_default();
            let told = hover["contents"]["value"].as_str().and_then(what);
            for location in &mut locations {
                if let Source::Library { what, .. } = &mut location.file {
                    what.clone_from(&told);
                }
            }
        }
        Ok(Answer::Locations(locations))
    }

    fn diagnostics(&self, copy: &Replica, answer: &Value) -> Vec<Diagnostic> {
        #[derive(Deserialize)]
        struct Item {
            range: Range,
            #[serde(default)]
            severity: Option<u32>,
            #[serde(default)]
            code: Value,
            message: String,
        }
        let root = format!("{}/", copy.root.display());
        let libraries = self.program.parent().map(|folder| format!("{}/", folder.display()));
        let items = answer["items"].as_array().into_iter().flatten();
        let items = items.filter_map(|item| Item::deserialize(item).ok());
        let items = items.map(|Item { range, severity, code, message }| {
            let message = message.replace(&root, "");
            let message = libraries.iter().fold(message, |text, folder| text.replace(folder, ""));
            Diagnostic { at: range.start, severity: severity.unwrap_or(1), code: code.as_u64(), message }
        });
        items.collect()
    }

    /// A line of a library of the server itself; of nothing else.
    async fn library_line(&self, path: &Path, line: u32) -> String {
        if self.program.parent().is_none_or(|folder| !path.starts_with(folder)) {
            return String::new();
        }
        let text = tokio::fs::read_to_string(path).await.unwrap_or_default();
        text.lines().nth(line as usize).unwrap_or_default().to_owned()
    }
}

impl Replica {
    fn uri(&self, path: &str) -> Option<String> {
        Some(Url::from_file_path(self.root.join(path)).ok()?.into())
    }
}

/// `react/index.d.ts` of a package, `lib.es5.d.ts` of the standard library.
fn library_name(path: &Path) -> String {
    let path = path.to_string_lossy().replace('\\', "/");
    let name = path.rsplit('/').next().unwrap_or_default();
    match path.rsplit_once("/node_modules/") {
        Some((_, inside)) if !name.starts_with("lib.") => inside.to_owned(),
        _ => name.to_owned(),
    }
}

/// Kind and name from what an editor would show: `(method) Array<T>.map(…)`, `interface Foo`.
fn what(hover: &str) -> Option<(String, String)> {
    let line = hover.trim_start_matches(['`', '\n']).lines().next()?.trim();
    let (kind, rest) = match line.strip_prefix('(') {
        Some(rest) => rest.split_once(')')?,
        None => line.split_once(' ')?,
    };
    let end = rest.find(['(', ':', '=', '{']).unwrap_or(rest.len());
    // Type arguments are no part of the name.
    let mut depth = 0;
    let name: String = rest[..end]
        .chars()
        .filter(|c| {
            depth += i32::from(*c == '<');
            let keep = depth == 0;
            depth -= i32::from(*c == '>');
            keep
        })
        .collect();
    let name = name.trim().rsplit(['.', ' ']).next()?.to_owned();
    (!name.is_empty()).then(|| (kind.to_owned(), name))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
