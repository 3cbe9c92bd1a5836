//! Tries out how well this machine can confine a command: really confines one, which then looks
//! whether a file outside can be read, whether a socket can be made, and whether it can write at home.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, chown};
use std::path::{Path, PathBuf};

use polaris_sandbox::{Level, Limits, Probe, Request};

use crate::launch::{Failure, Goal, Result, Step as _, Word, launch, read_word};
use crate::rules;
use crate::sys::{self, Exit};

/// Who owns the workspace of the trial when root tries.
const NOBODY: u32 = 65_534;

/// The best level that held.
pub(crate) fn probe() -> Probe {
    let landlock = sys::landlock_abi();
    let mut reasons = Vec::new();
    for level in [Level::Full, Level::Kernel] {
        if level == Level::Kernel && landlock < rules::LEAST_ABI {
            let least = rules::LEAST_ABI;
            reasons.push(format!("kernel: Landlock ABI {landlock} (needed is {least})"));
            continue;
        }
        match try_level(level) {
            Ok(()) => return Probe { level, landlock, reasons },
            Err(Failure(reason)) => reasons.push(format!("{}: {reason}", level.name())),
        }
    }
    Probe { level: Level::None, landlock, reasons }
}

/// A private folder that goes away with this value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Self> {
        let base = std::env::temp_dir();
        for n in 0..1_000 {
            let path = base.join(format!("polaris-probe-{}-{n}", std::process::id()));
            match fs::DirBuilder::new().mode(0o711).create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                other => return other.map(|()| Self(path)),
            }
        }
        Err(io::Error::from(io::ErrorKind::AlreadyExists))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn try_level(level: Level) -> Result<()> {
    let folder = Folder::new().step("temporary folder")?;
    fs::write(folder.0.join("outside"), "secret").step("temporary folder")?;
    let make = |name: &str| -> Result<PathBuf> {
        let path = folder.0.join(name);
        fs::DirBuilder::new().mode(0o700).create(&path).step("temporary folder")?;
        if sys::uid() == 0 {
            chown(&path, Some(NOBODY), Some(NOBODY)).step("give a folder to an unprivileged user")?;
        }
        Ok(path)
    };
    let workspace = make("workspace")?;
    let request = Request {
        level,
        program: PathBuf::from("/"),
        argv: Vec::new(),
        env: Vec::new(),
        cwd: workspace.clone(),
        temp: make("temp")?,
        workspace,
        read: Vec::new(),
        connect: None,
        limits: Limits::default(),
    };
    let launched = launch(&request, Goal::Check(look_around))?;
    let mut words = launched.words;
    drop((launched.stdout, launched.stderr));
    let word = read_word(&mut words);
    let mut exit = None;
    while let Ok(Some((pid, ended))) = sys::wait_any(false, false) {
        if pid == launched.pid {
            exit = Some(ended);
        }
    }
    match (word, exit) {
        (Some(Word::Failed(reason)), _) => Err(Failure(reason)),
        (Some(Word::Ended(Exit::Code(0))), _) | (None, Some(Exit::Code(0))) => Ok(()),
        (word, exit) => Err(Failure(format!("the trial ended unexpectedly ({word:?}, {exit:?})"))),
    }
}

/// What the confined trial does in place of a program.
fn look_around(request: &Request) -> Result<()> {
    let holds = |what: &str, holds: bool| {
        if holds { Ok(()) } else { Err(Failure(format!("a confined command {what}"))) }
    };
    let outside = request.workspace.parent().unwrap_or(Path::new("/")).join("outside");
    holds("can read outside", fs::read(&outside).is_err())?;
    holds("can write outside", fs::write(outside.with_extension("x"), "").is_err())?;
    holds("can make a socket", std::net::UdpSocket::bind("127.0.0.1:0").is_err())?;
    holds("is root", sys::uid() != 0)?;
    let own = request.workspace.join("own");
    let written = fs::File::create(&own).and_then(|mut file| file.write_all(b"x"));
    written.and_then(|()| fs::read(&own)).step("write in the workspace")?;
    fs::read("/proc/self/stat").step("read /proc").map(drop)
}
