//! Starts the command: from a fork of the supervisor to the program, through everything that
//! confines it. Each step must succeed or nothing is executed at all.

use std::ffi::CString;
use std::fs;
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use polaris_sandbox::{Level, Request};

use crate::filter::{self, Gaps, Streams};
use crate::namespaces::{FLAGS, View};
use crate::sys::{self, Exit};
use crate::{rules, watch};

/// A step that failed.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// Names the step.
pub(crate) trait Step<T> {
    fn step(self, what: &str) -> Result<T>;
}

impl<T, E: std::fmt::Display> Step<T> for std::result::Result<T, E> {
    fn step(self, what: &str) -> Result<T> {
        self.map_err(|error| Failure(format!("{what}: {error}")))
    }
}

/// What the first process says before it is gone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// Nothing was executed, for this reason.
    Failed(String),
    /// The command ended so. Only at level `full`, where nobody else could say.
    Ended(Exit),
}

/// A command under way.
pub(crate) struct Launched {
    /// The process to wait for: when it is gone at level `full`, so is everything else.
    pub(crate) pid: i32,
    pub(crate) stdout: PipeReader,
    pub(crate) stderr: PipeReader,
    pub(crate) words: PipeReader,
    /// Brings the descriptor by which the command asks for connections, if it may.
    pub(crate) asks: Option<UnixStream>,
}

/// What is executed in the end.
pub(crate) enum Goal {
    /// The program of the request.
    Program,
    /// This function, in place of a program: for the probe.
    Check(fn(&Request) -> Result<()>),
}

/// The user whose rights the command has.
#[derive(Debug, Clone, Copy)]
struct User {
    uid: u32,
    gid: u32,
    /// The helper is root and has to become this user.
    other: bool,
}

/// Everything that is known before the fork.
struct Plan<'a> {
    request: &'a Request,
    goal: Goal,
    user: User,
    gaps: Gaps,
    processes: u64,
    program: CString,
    argv: Vec<CString>,
    env: Vec<CString>,
    null: fs::File,
}

/// Starts the command of `request`.
pub(crate) fn launch(request: &Request, goal: Goal) -> Result<Launched> {
    let plan = plan(request, goal)?;
    let (stdout, out) = io::pipe().step("pipe")?;
    let (stderr, err) = io::pipe().step("pipe")?;
    let (words, words_in) = io::pipe().step("pipe")?;
    let (mapped, map) = io::pipe().step("pipe")?;
    let connects = request.connect.is_some() && request.level > Level::None;
    let (asks, asking) = match connects {
        true => UnixStream::pair().map(|(a, b)| (Some(a), Some(b))).step("socket pair")?,
        false => (None, None),
    };
    let full = request.level == Level::Full;
    if plan.user.other {
        sys::leave_groups().step("leave groups")?;
    }
    let Some(pid) = sys::fork(if full { FLAGS } else { 0 }).step("fork")? else {
        drop((stdout, stderr, map, asks));
        let child = Child { plan, out, err, words: words_in, asking };
        let failure = if full { child.be_first(mapped) } else { child.be_command(true) };
        let Err(_told) = failure;
        sys::exit_now(127);
    };
    drop((out, err, words_in, mapped, asking));
    let launched = Launched { pid, stdout, stderr, words, asks };
    if full {
        let result = map_user(pid, plan.user);
        if let Err(failure) = result {
            sys::kill(pid);
            return Err(failure);
        }
        drop(map);
    }
    Ok(launched)
}

fn plan(request: &Request, goal: Goal) -> Result<Plan<'_>> {
    for path in
        [&request.workspace, &request.temp, &request.cwd, &request.program].into_iter().chain(&request.read)
    {
        if !path.is_absolute() {
            return Err(Failure(format!("{} is not an absolute path", path.display())));
        }
    }
    let owner = fs::symlink_metadata(&request.workspace).step("workspace")?;
    if !owner.is_dir() {
        return Err(Failure("the workspace is not a folder".to_owned()));
    }
    let real = |path: &PathBuf, what| fs::canonicalize(path).step(what);
    let workspace = real(&request.workspace, "workspace")?;
    if !real(&request.cwd, "cwd")?.starts_with(&workspace) {
        return Err(Failure("cwd is outside the workspace".to_owned()));
    }
    let root = sys::uid() == 0;
    let user = if root && request.level > Level::None {
        User { uid: owner.uid(), gid: owner.gid(), other: true }
    } else {
        User { uid: sys::uid(), gid: sys::gid(), other: false }
    };
    if root && request.level > Level::None && (user.uid == 0 || user.gid == 0) {
        return Err(Failure("the workspace belongs to root, so nobody could be confined to it".to_owned()));
    }
    let full = request.level == Level::Full;
    let hidden = full || user.other;
    let gaps = Gaps {
        metadata: !full,
        modes: !hidden,
        signals: !hidden && sys::landlock_abi() < rules::SIGNALS_ABI,
        watches: !full,
    };
    // Without a namespace or a user of its own, whatever else this user runs counts too.
    let others = if hidden { 0 } else { watch::threads_of(user.uid) };
    let text = |text: &str| sys::c_string(text);
    let argv = request.argv.iter().map(|argument| text(argument)).collect::<io::Result<_>>();
    let env = request.env.iter().map(|(name, value)| text(&format!("{name}={value}")));
    Ok(Plan {
        request,
        goal,
        user,
        gaps,
        processes: request.limits.processes + others,
        program: sys::c_string(&request.program).step("program")?,
        argv: argv.step("argument")?,
        env: env.collect::<io::Result<_>>().step("variable")?,
        null: fs::File::open("/dev/null").step("/dev/null")?,
    })
}

/// Tells the kernel which user of this machine the one user of the namespace is.
fn map_user(pid: i32, user: User) -> Result<()> {
    let write = |file: &str, text: String| fs::write(format!("/proc/{pid}/{file}"), text).step(file);
    if !user.other {
        write("setgroups", "deny".to_owned())?;
    }
    write("uid_map", format!("{0} {0} 1", user.uid))?;
    write("gid_map", format!("{0} {0} 1", user.gid))
}

enum Never {}

struct Child<'a> {
    plan: Plan<'a>,
    out: PipeWriter,
    err: PipeWriter,
    words: PipeWriter,
    asking: Option<UnixStream>,
}

impl Child<'_> {
    /// The first process of the namespaces: makes the view, starts the command, buries everyone.
    fn be_first(mut self, mut mapped: PipeReader) -> std::result::Result<Never, Failure> {
        let result = self.prepare_first(&mut mapped);
        let result = result.and_then(|()| sys::fork(0).step("fork"));
        let command = match result {
            Ok(Some(pid)) => pid,
            Ok(None) => return self.be_command(false),
            Err(failure) => return self.fail(failure),
        };
        // Readers outside must see the end of the streams when the command is done with them.
        let Self { out, err, mut words, asking, .. } = self;
        drop((out, err, asking));
        loop {
            match sys::wait_any(false, false) {
                Ok(Some((pid, exit))) if pid == command => {
                    let _ = words.write_all(spell(&Word::Ended(exit)).as_bytes());
                    sys::exit_now(0);
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => sys::exit_now(1),
            }
        }
    }

    fn prepare_first(&mut self, mapped: &mut PipeReader) -> Result<()> {
        // Ends when the supervisor has mapped the user, or is gone.
        let _ = mapped.read(&mut [0]);
        let request = self.plan.request;
        prefer_to_be_killed();
        let view = View::collect(request).step("see the machine's files")?;
        sys::new_session().step("session")?;
        sys::become_user(self.plan.user.uid, self.plan.user.gid).step("become the user of the workspace")?;
        self.end_with_supervisor()?;
        view.enter().step("see nothing else")?;
        sys::prctl(libc::PR_SET_NO_NEW_PRIVS, 1).step("no new privileges")?;
        sys::drop_capabilities().step("drop capabilities")
    }

    /// Becomes the program. `alone`: there is no first process that did the first half.
    fn be_command(mut self, alone: bool) -> std::result::Result<Never, Failure> {
        let failure = match self.become_program(alone) {
            Ok(never) => return Ok(never),
            Err(failure) => failure,
        };
        self.fail(failure)
    }

    fn fail(&mut self, failure: Failure) -> std::result::Result<Never, Failure> {
        let _ = self.words.write_all(spell(&Word::Failed(failure.0.clone())).as_bytes());
        Err(failure)
    }

    fn become_program(&mut self, alone: bool) -> Result<Never> {
        let Plan { request, user, .. } = self.plan;
        let confined = request.level > Level::None;
        if alone {
            prefer_to_be_killed();
            sys::new_session().step("session")?;
            if confined && user.other {
                // Before the user is left behind, who may do this.
                let _ = sys::drop_bounding_set();
                sys::become_user(user.uid, user.gid).step("become the user of the workspace")?;
            }
            self.end_with_supervisor()?;
            sys::prctl(libc::PR_SET_NO_NEW_PRIVS, 1).step("no new privileges")?;
            if confined {
                sys::drop_capabilities().step("drop capabilities")?;
            }
        } else {
            sys::new_group().step("process group")?;
        }
        self.set_limits().step("limits")?;
        sys::be_nice();
        sys::set_umask();
        std::env::set_current_dir(&request.cwd).step("cwd")?;
        if confined && sys::landlock_abi() > 0 {
            let enforced = rules::restrict(request).step("Landlock")?;
            if !enforced && request.level == Level::Kernel {
                return Err(Failure("Landlock is not enforced".to_owned()));
            }
        }
        for (fd, number) in
            [(self.plan.null.as_raw_fd(), 0), (self.out.as_raw_fd(), 1), (self.err.as_raw_fd(), 2)]
        {
            sys::place(fd, number).step("standard streams")?;
        }
        sys::close_from(3, true);
        sys::reset_signals();
        if confined {
            self.filter_calls().step("filter of system calls")?;
        }
        match self.plan.goal {
            Goal::Program => {
                let error = sys::exec(&self.plan.program, &self.plan.argv, &self.plan.env);
                Err(Failure(format!("{}: {error}", request.program.display())))
            }
            Goal::Check(check) => {
                check(request)?;
                sys::exit_now(0)
            }
        }
    }

    /// From now on makes no other system calls than those of the filter. If it may connect, it asks the
    /// supervisor for each TCP socket.
    fn filter_calls(&self) -> io::Result<()> {
        let Some(asking) = &self.asking else {
            return sys::apply_filter(&filter::program(self.plan.gaps, Streams::Refused));
        };
        let listener = sys::apply_asking_filter(&filter::program(self.plan.gaps, Streams::Given))?;
        sys::send_descriptor(asking.as_fd(), listener.as_fd())
    }

    fn end_with_supervisor(&self) -> Result<()> {
        sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as u64).step("parent's death")?;
        // It may have died before: then nobody reads the words any more.
        let mut words = [libc::pollfd { fd: self.words.as_raw_fd(), events: 0, revents: 0 }];
        sys::poll(&mut words, 0).step("parent's death")?;
        if words[0].revents & libc::POLLERR != 0 {
            return Err(Failure("the supervisor is gone".to_owned()));
        }
        Ok(())
    }

    fn set_limits(&self) -> io::Result<()> {
        let limits = &self.plan.request.limits;
        sys::limit(libc::RLIMIT_CORE, 0)?;
        sys::limit(libc::RLIMIT_FSIZE, limits.file_bytes)?;
        sys::limit(libc::RLIMIT_NOFILE, limits.open_files)?;
        sys::limit(libc::RLIMIT_NPROC, self.plan.processes)?;
        // Address space is reserved generously by runtimes; the watch counts what is really used.
        sys::limit(libc::RLIMIT_DATA, limits.memory_bytes.saturating_mul(2))?;
        sys::limit(libc::RLIMIT_MEMLOCK, 64 << 10)?;
        sys::limit(libc::RLIMIT_MSGQUEUE, 0)?;
        // Of one process; a second more than it has anyway, times what two processors can do.
        sys::limit(libc::RLIMIT_CPU, limits.wall_ms / 1_000 * 4 + 1)
    }
}

/// When memory runs out, the command goes before the worker does.
fn prefer_to_be_killed() {
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
}

fn spell(word: &Word) -> String {
    match word {
        Word::Failed(reason) => format!("F{reason}\n"),
        Word::Ended(Exit::Code(code)) => format!("X{code}\n"),
        Word::Ended(Exit::Signal(signal)) => format!("S{signal}\n"),
    }
}

/// Reads what the first process said, to its end.
pub(crate) fn read_word(words: &mut PipeReader) -> Option<Word> {
    let mut text = String::new();
    words.read_to_string(&mut text).ok()?;
    let line = text.lines().next()?;
    let (kind, rest) = line.split_at_checked(1)?;
    match kind {
        "F" => Some(Word::Failed(rest.to_owned())),
        "X" => Some(Word::Ended(Exit::Code(rest.parse().ok()?))),
        "S" => Some(Word::Ended(Exit::Signal(rest.parse().ok()?))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_were_spelled() {
        for word in [
            Word::Failed("cwd: no such file".to_owned()),
            Word::Ended(Exit::Code(3)),
            Word::Ended(Exit::Signal(9)),
        ] {
            let (mut reader, mut writer) = io::pipe().unwrap();
            writer.write_all(spell(&word).as_bytes()).unwrap();
            drop(writer);
            assert_eq!(read_word(&mut reader), Some(word));
        }
    }
}
