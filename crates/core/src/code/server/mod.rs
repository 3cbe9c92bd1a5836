//! TypeScript's own language server (`tsc --lsp` of TypeScript 7) over a private copy of a project:
//! started when it is first asked, one per run, killed with it. It reads nothing outside its copy,
//! is never asked about what is not code, and whatever goes wrong with it is a reason to answer
//! without it, never an error.

mod desk;
mod folder;
mod memory;
mod replica;
mod session;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use self::desk::Desk;
use super::index::{Index, is_code};
use crate::config::Env;
use crate::workspace::materialise::folder::Folders;

/// The file of the server; `off`: there is none. The package finds it by itself.
pub const PATH_VARIABLE: &str = "POLARIS_TYPESCRIPT_PATH";
/// How long a call waits for a server that has answered nothing yet, and for one that has.
const COLD: Duration = Duration::from_millis(1_500);
const WARM: Duration = Duration::from_secs(8);
/// A place as the protocol has it: from 0, in UTF-16 units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct At {
    /// Line, from 0.
    pub line: u32,
    /// Column, from 0.
    pub character: u32,
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
    /// It runs as an ordinary user, who may not enter a folder on the way to it.
    #[error("it lies in a folder that only root may enter")]
    Hidden,
    /// It does not run, or does not know.
    #[error("it failed")]
    Failed,
}

/// Says how many bytes may still be taken; `None` without a limit.
type MemoryLeft = fn() -> Option<u64>;

/// The server of a run.
#[derive(Debug)]
pub struct LanguageServer {
    program: Option<PathBuf>,
    env: Env,
    left: MemoryLeft,
    folders: Folders,
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
        let folders = Folders::default();
        Self { program, env: env.clone(), left: memory::left, folders, driver: Mutex::default() }
    }

    /// Counts the folder that it works in among these, for as long as the folder exists.
    #[must_use]
    pub fn counted_by(mut self, folders: &Folders) -> Self {
        self.folders = folders.clone();
        self
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
            let driver = driver.get_or_insert_with(|| {
                let desk = (self.env.clone(), self.left, self.folders.clone());
                Driver::start(program.clone(), desk)
            });
            let ask = Ask { index: Arc::clone(index), path: Arc::clone(path), question, reply };
            driver.asks.send(ask).map_err(|_| Silence::Failed)?;
            driver.is_warm.load(Ordering::Relaxed)
        };
        let (time, late) = if is_warm { (WARM, Silence::Slow) } else { (COLD, Silence::Starting) };
        match tokio::time::timeout(time, answer).await {
            Ok(answer) => answer.unwrap_or(Err(Silence::Failed)).map_err(|why| match why {
                Silence::Failed if is_hidden(program) => Silence::Hidden,
                why => why,
            }),
            Err(_) => Err(late),
        }
    }

    /// The process that was started last.
    pub fn pid(&self) -> Option<u32> {
        let driver = self.driver.lock().unwrap_or_else(PoisonError::into_inner);
        driver.as_ref().map(|driver| driver.pid.load(Ordering::Relaxed)).filter(|&pid| pid != 0)
    }
}

/// Whether this process is root's, and a folder on the way to `program` is for root alone, such as root's
/// home: the confined server is an ordinary user's.
#[cfg(target_os = "linux")]
pub fn is_hidden(program: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    let may_enter = |folder: &Path| std::fs::metadata(folder).is_ok_and(|folder| folder.mode() & 0o001 != 0);
    is_root && !program.ancestors().skip(1).all(may_enter)
}

/// Commands are confined on Linux only.
#[cfg(not(target_os = "linux"))]
pub fn is_hidden(_program: &Path) -> bool {
    false
}

impl Driver {
    fn start(program: PathBuf, (env, left, folders): (Env, MemoryLeft, Folders)) -> Self {
        let (asks, mut asked) = mpsc::unbounded_channel::<Ask>();
        let is_warm = Arc::new(AtomicBool::new(false));
        let pid = Arc::new(AtomicU32::new(0));
        let (warm, told) = (Arc::clone(&is_warm), Arc::clone(&pid));
        let task = tokio::spawn(async move {
            let mut desk = Desk::new(program, env, left, told, folders);
            while let Some(ask) = asked.recv().await {
                // Who asked first may be gone: what it wanted makes the server warm all the same.
                if ask.reply.is_closed() && warm.load(Ordering::Relaxed) {
                    continue;
                }
                let answer = desk.answer(&ask, warm.load(Ordering::Relaxed)).await;
                warm.store(answer.is_ok() || desk.has_given_up(), Ordering::Relaxed);
                let _ = ask.reply.send(answer);
            }
        });
        Self { asks, is_warm, pid, task }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
