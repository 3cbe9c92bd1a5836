//! Starts confined commands: finds the helper program `polaris-sandbox`, has it try out once per
//! process how well this machine can confine, and runs commands through it. Where nothing confines,
//! commands are refused with the reason, unless the operator has said otherwise by a variable whose
//! name says what that means. Dropping a run ends its whole process tree.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

pub use polaris_sandbox::{Ended, Level, Limit, Limits, Probe, Report, Request, signal_name};
use polaris_sandbox::{FrameKind, HEADER, parse_header};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{ChildStdout, Command};
use tokio::sync::Mutex;

use crate::config::Env;
use crate::event::OutputStream;

/// The helper's file, for development and for hosts that keep it elsewhere.
pub const PATH_VARIABLE: &str = "POLARIS_SANDBOX_PATH";
/// `1`: commands run even where nothing confines them, with all the worker's rights.
pub const UNSAFE_VARIABLE: &str = "POLARIS_UNSAFE_NO_SANDBOX";
/// The helper's file name.
const HELPER: &str = if cfg!(windows) { "polaris-sandbox.exe" } else { "polaris-sandbox" };
/// The trial takes a few milliseconds.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);
/// Beyond the command's own time limit: the helper answers by then, or something is wrong with it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Why no command can be run. The text is for the model and for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfineError {
    /// Nothing confines here, and nobody said that it need not be.
    #[error("commands cannot be run here, because nothing confines them: {0}")]
    Unconfined(String),
    /// The helper failed.
    #[error("the sandbox failed: {0}")]
    Helper(String),
}

/// The means to run commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confinement {
    helper: PathBuf,
    level: Level,
    landlock: u32,
}

/// What a command printed and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// What was kept of standard output.
    pub stdout: Vec<u8>,
    /// What was kept of standard error.
    pub stderr: Vec<u8>,
    /// How it went.
    pub report: Report,
}

/// Trials by helper: each is tried once per process.
static TRIED: Mutex<Option<HashMap<PathBuf, Result<Probe, String>>>> = Mutex::const_new(None);

impl Confinement {
    /// How commands can be run here.
    ///
    /// # Errors
    /// `Unconfined` where they must not be.
    pub async fn find(env: &Env) -> Result<Arc<Self>, ConfineError> {
        let opted_out = env.get(UNSAFE_VARIABLE) == Some("1");
        let helper = find_helper(env).map_err(ConfineError::Unconfined)?;
        let probe = {
            let mut tried = TRIED.lock().await;
            let tried = tried.get_or_insert_default();
            match tried.get(&helper) {
                Some(known) => known.clone(),
                None => {
                    let result = probe(&helper).await;
                    tried.insert(helper.clone(), result.clone());
                    result
                }
            }
        };
        match probe {
            Ok(probe) if probe.level > Level::None || (opted_out && cfg!(target_os = "linux")) => {
                Ok(Arc::new(Self { helper, level: probe.level, landlock: probe.landlock }))
            }
            Ok(probe) => Err(ConfineError::Unconfined(probe.reasons.join("; "))),
            Err(reason) => Err(ConfineError::Unconfined(reason)),
        }
    }

    /// How well commands are confined.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Whether a program that only reads can be kept to one folder.
    pub fn confines_reading(&self) -> bool {
        self.level > Level::None && self.landlock > 0
    }

    /// A command that becomes `program`, able to read `folder` and the program's own folder and nothing
    /// else, to write and to start nothing. It ends with the thread that starts it; arguments and
    /// variables are the caller's to add.
    pub fn reader(&self, program: &Path, folder: &Path) -> Command {
        let mut command = Command::new(&self.helper);
        command.arg("--read-only").arg(folder).arg(program);
        command
    }

    /// Runs a command to its end; `request.level` is set here. `printed` hears what it prints as it
    /// comes. Dropping the future ends it, with everything that it has started; `until_ended` is
    /// dropped when that is done.
    ///
    /// # Errors
    /// `Helper` if the helper itself failed; how the command ended is in the report.
    pub async fn run(
        &self,
        request: Request,
        until_ended: impl Send + 'static,
        mut printed: impl FnMut(OutputStream, &[u8]) + Send,
    ) -> Result<Output, ConfineError> {
        let failed = |what: &str, error: std::io::Error| ConfineError::Helper(format!("{what}: {error}"));
        let request = Request { level: self.level, ..request };
        let limit = Duration::from_millis(request.limits.wall_ms) + ANSWER_TIMEOUT;
        let mut line = serde_json::to_vec(&request).map_err(|e| ConfineError::Helper(e.to_string()))?;
        line.push(b'\n');
        let mut child = Command::new(&self.helper)
            // Nothing of the worker's environment: it holds the keys of the run.
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| failed("start", e))?;
        let (Some(mut input), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(ConfineError::Helper("it has no pipes".to_owned()));
        };
        // The helper ends when nobody of the command is left, whether it is still listened to or not.
        let ended = tokio::spawn(async move {
            let _ = child.wait().await;
            drop(until_ended);
        });
        // `input` is held until the report is there: its end tells the helper to end the command.
        input.write_all(&line).await.map_err(|e| failed("request", e))?;
        input.flush().await.map_err(|e| failed("request", e))?;
        let output = tokio::time::timeout(limit, read_frames(stdout, &mut printed))
            .await
            .map_err(|_| ConfineError::Helper("it does not answer".to_owned()))?
            .map_err(|e| failed("answer", e))?;
        drop(input);
        let _ = ended.await;
        output.ok_or_else(|| ConfineError::Helper("it ended without a report".to_owned()))
    }
}

async fn read_frames(
    mut stdout: ChildStdout,
    printed: &mut (impl FnMut(OutputStream, &[u8]) + Send),
) -> std::io::Result<Option<Output>> {
    let invalid = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned());
    let (mut out, mut err) = (Vec::new(), Vec::new());
    loop {
        let mut header = [0; HEADER];
        match stdout.read_exact(&mut header).await {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
            other => drop(other?),
        }
        let (kind, length) = parse_header(header).ok_or_else(|| invalid("not a frame"))?;
        let (into, stream) = match kind {
            FrameKind::Stdout => (&mut out, OutputStream::Stdout),
            FrameKind::Stderr => (&mut err, OutputStream::Stderr),
            FrameKind::Report => {
                let mut report = vec![0; length];
                stdout.read_exact(&mut report).await?;
                let report = serde_json::from_slice(&report)?;
                return Ok(Some(Output { stdout: out, stderr: err, report }));
            }
        };
        let start = into.len();
        into.resize(start + length, 0);
        stdout.read_exact(&mut into[start..]).await?;
        printed(stream, &into[start..]);
    }
}

async fn probe(helper: &Path) -> Result<Probe, String> {
    let mut command = Command::new(helper);
    command.arg("--probe").env_clear().stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let failed = |why: String| format!("{} --probe failed: {why}", helper.display());
    let output = tokio::time::timeout(PROBE_TIMEOUT, command.output())
        .await
        .map_err(|_| failed("it does not answer".to_owned()))?
        .map_err(|e| failed(e.to_string()))?;
    serde_json::from_slice(&output.stdout).map_err(|e| failed(e.to_string()))
}

/// The helper that `POLARIS_SANDBOX_PATH` names, else the one beside the addon, else the one that
/// cargo has built beside this program.
fn find_helper(env: &Env) -> Result<PathBuf, String> {
    if let Some(path) = env.get(PATH_VARIABLE) {
        let path = PathBuf::from(path);
        return match path.is_file() {
            true => Ok(path),
            false => Err(format!("{PATH_VARIABLE} names {}, which is no file", path.display())),
        };
    }
    let program = std::env::current_exe().ok();
    let built = program.iter().flat_map(|path| path.ancestors().skip(1).take(2));
    let mut folders = own_library()
        .iter()
        .flat_map(|path| path.parent())
        .chain(built)
        .map(PathBuf::from)
        .collect::<Vec<_>>();
    folders.dedup();
    let found = folders.iter().map(|folder| folder.join(HELPER)).find(|path| path.is_file());
    found.ok_or_else(|| {
        let places = folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ");
        format!("its helper {HELPER} is missing (looked in {places}); {PATH_VARIABLE} may name it")
    })
}

/// The file that this code was loaded from: the addon, in production.
fn own_library() -> Option<PathBuf> {
    let here = own_library as *const () as usize;
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    maps.lines().find_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        let (begin, end) = range.split_once('-')?;
        let begin = usize::from_str_radix(begin, 16).ok()?;
        let end = usize::from_str_radix(end, 16).ok()?;
        let path = rest.find('/').map(|at| PathBuf::from(&rest[at..]))?;
        (begin..end).contains(&here).then_some(path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_code_was_loaded_from_a_file() {
        assert_eq!(own_library(), std::env::current_exe().ok());
    }

    #[tokio::test]
    async fn a_missing_helper_is_named() {
        let env: Env = [(PATH_VARIABLE, "/nowhere/polaris-sandbox")].into_iter().collect();
        let error = Confinement::find(&env).await.unwrap_err().to_string();
        assert!(error.contains("POLARIS_SANDBOX_PATH names /nowhere/polaris-sandbox"), "{error}");
    }
}
