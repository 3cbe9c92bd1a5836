//! Watches over one command: hands its output on, keeps its limits, and when it is over, for
//! whatever reason, ends everything that it has started before it says so. Waits for events only.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, PipeReader, Read, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use polaris_sandbox::{Ended, FrameKind, Level, Limit, Report, Request, Stream, header};

use crate::connections::Connections;
use crate::guard::Guard;
use crate::launch::{Failure, Goal, Launched, Word, launch, read_word};
use crate::sys::{self, Exit};
use crate::watch::{self, Watch};

const STDIN: RawFd = 0;
const STDOUT: RawFd = 1;
/// Bytes read from a stream at a time: what a pipe holds.
const CHUNK: usize = 64 << 10;

/// Runs the command and writes its frames to standard output; the last one is the report.
pub(crate) fn supervise(request: &Request) -> io::Result<()> {
    let signals =
        sys::signals_as_fd(&[libc::SIGCHLD, libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT])?;
    let begin = Instant::now();
    // Without std's buffers, which know nothing of descriptors that never wait.
    let mut input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let mut frames = Frames { output, bytes: VecDeque::new(), reader_gone: false };
    sys::set_nonblocking(STDIN)?;
    sys::set_nonblocking(STDOUT)?;
    let report = match launch(request, Goal::Program) {
        Err(Failure(reason)) => Report {
            ended: Ended::NotStarted { reason },
            stdout: Stream::default(),
            stderr: Stream::default(),
            ms: 0,
        },
        Ok(launched) => {
            let deadline = begin + Duration::from_millis(request.limits.wall_ms);
            // Nobody looks into this process; its children had to be looked into until now.
            sys::prctl(libc::PR_SET_DUMPABLE, 0)?;
            let run = Run::new(request, launched, signals, deadline, &mut frames, &mut input)?;
            run.run()?.report(begin)
        }
    };
    frames.push(FrameKind::Report, &serde_json::to_vec(&report)?);
    frames.flush()
}

/// What waits to be written to standard output, without ever waiting for the reader.
struct Frames {
    output: File,
    bytes: VecDeque<u8>,
    reader_gone: bool,
}

impl Frames {
    fn push(&mut self, kind: FrameKind, bytes: &[u8]) {
        // A chunk or a report: far below 4 GiB.
        self.bytes.extend(header(kind, bytes.len() as u32));
        self.bytes.extend(bytes);
    }

    fn write_some(&mut self) {
        while !self.bytes.is_empty() && !self.reader_gone {
            match self.output.write(self.bytes.as_slices().0) {
                Ok(written) => drop(self.bytes.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.reader_gone = true,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        loop {
            self.write_some();
            if self.bytes.is_empty() || self.reader_gone {
                return Ok(());
            }
            sys::poll(&mut [wanted(STDOUT, libc::POLLOUT)], -1)?;
        }
    }
}

/// One stream of the command.
struct Capture {
    kind: FrameKind,
    pipe: Option<PipeReader>,
    most: u64,
    stream: Stream,
}

impl Capture {
    fn new(kind: FrameKind, pipe: PipeReader, most: u64) -> io::Result<Self> {
        sys::set_nonblocking(pipe.as_raw_fd())?;
        Ok(Self { kind, pipe: Some(pipe), most, stream: Stream::default() })
    }

    fn fd(&self) -> RawFd {
        self.pipe.as_ref().map_or(-1, |pipe| pipe.as_raw_fd())
    }

    /// Reads once. Whether there may be more at once.
    fn read(&mut self, frames: &mut Frames) -> bool {
        let Some(pipe) = &mut self.pipe else { return false };
        let mut chunk = [0; CHUNK];
        match pipe.read(&mut chunk) {
            Ok(0) => self.pipe = None,
            Ok(read) => {
                let room = self.most.saturating_sub(self.stream.kept);
                let kept = read.min(usize::try_from(room).unwrap_or(usize::MAX));
                self.stream.bytes += read as u64;
                self.stream.kept += kept as u64;
                if kept > 0 {
                    frames.push(self.kind, &chunk[..kept]);
                }
                return true;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.pipe = None,
        }
        false
    }
}

struct Run<'a> {
    level: Level,
    pid: i32,
    guard: Option<Guard>,
    words: PipeReader,
    signals: OwnedFd,
    out: Capture,
    err: Capture,
    total_bytes: u64,
    deadline: Instant,
    watch: Watch,
    connections: Connections,
    frames: &'a mut Frames,
    input: &'a mut File,
    ended: Ended,
}

impl<'a> Run<'a> {
    fn new(
        request: &Request,
        launched: Launched,
        signals: OwnedFd,
        deadline: Instant,
        frames: &'a mut Frames,
        input: &'a mut File,
    ) -> io::Result<Self> {
        let Launched { pid, stdout, stderr, words, asks } = launched;
        let guard = if request.level == Level::Full { None } else { Some(Guard::set(pid)?) };
        let most = request.limits.stream_bytes;
        Ok(Self {
            level: request.level,
            pid,
            guard,
            words,
            signals,
            out: Capture::new(FrameKind::Stdout, stdout, most)?,
            err: Capture::new(FrameKind::Stderr, stderr, most)?,
            total_bytes: request.limits.total_bytes,
            deadline,
            watch: Watch::new(request, pid),
            connections: Connections::new(request.connect.as_ref(), asks),
            frames,
            input,
            ended: Ended::Cancelled,
        })
    }

    /// Until nothing of the command is left.
    fn run(mut self) -> io::Result<Self> {
        self.ended = loop {
            if let Some(ended) = self.step()? {
                break ended;
            }
        };
        self.end_all()?;
        if self.level == Level::Full || matches!(self.ended, Ended::Exited { code: 127 }) {
            let word = read_word(&mut self.words);
            match (&self.ended, word) {
                (_, Some(Word::Failed(reason))) => self.ended = Ended::NotStarted { reason },
                (Ended::Exited { .. } | Ended::Signalled { .. }, Some(Word::Ended(exit))) => {
                    self.ended = ended(exit);
                }
                _ => {}
            }
        }
        // Everyone who could write is gone: what is in the pipes is all there is.
        while self.out.read(self.frames) || self.err.read(self.frames) {}
        Ok(self)
    }

    fn report(self, begin: Instant) -> Report {
        Report {
            ended: self.ended,
            stdout: self.out.stream,
            stderr: self.err.stream,
            ms: begin.elapsed().as_millis().try_into().unwrap_or(u64::MAX),
        }
    }

    /// Waits for the next event and takes it. `Some`: it is over.
    fn step(&mut self) -> io::Result<Option<Ended>> {
        let until = self.deadline.min(self.watch.next()).saturating_duration_since(Instant::now());
        // Rounded up: a wait that ends a moment too early would be followed by another one.
        let timeout = i32::try_from(until.as_micros().div_ceil(1_000)).unwrap_or(i32::MAX);
        let writing = if self.frames.bytes.is_empty() || self.frames.reader_gone { -1 } else { STDOUT };
        let mut fds = [
            wanted(STDIN, libc::POLLIN),
            wanted(self.signals.as_raw_fd(), libc::POLLIN),
            wanted(self.out.fd(), libc::POLLIN),
            wanted(self.err.fd(), libc::POLLIN),
            wanted(writing, libc::POLLOUT),
            wanted(self.connections.fd(), libc::POLLIN),
        ];
        sys::poll(&mut fds, timeout)?;
        let asked = fds[5].revents;
        let [stdin, signals, out, err, writing, _] = fds.map(|fd| fd.revents != 0);
        if writing {
            self.frames.write_some();
        }
        if asked != 0 {
            self.connections.look(asked);
        }
        if out {
            self.out.read(self.frames);
        }
        if err {
            self.err.read(self.frames);
        }
        if out || err {
            self.frames.write_some();
        }
        if self.out.stream.bytes + self.err.stream.bytes > self.total_bytes {
            return Ok(Some(Ended::Stopped { limit: Limit::Output }));
        }
        if stdin && input_ended(self.input) {
            return Ok(Some(Ended::Cancelled));
        }
        if signals && let Some(ended) = self.take_signals()? {
            return Ok(Some(ended));
        }
        if Instant::now() >= self.deadline {
            return Ok(Some(Ended::Stopped { limit: Limit::Time }));
        }
        Ok(self.watch.look().map(|limit| Ended::Stopped { limit }))
    }

    fn take_signals(&mut self) -> io::Result<Option<Ended>> {
        let mut child = false;
        while let Some(signal) = sys::next_signal(&self.signals) {
            if signal != libc::SIGCHLD {
                return Ok(Some(Ended::Cancelled));
            }
            child = true;
        }
        // The command itself is kept until everyone is killed: its number is also that of its group.
        if !child {
            return Ok(None);
        }
        while let Some((pid, exit)) = sys::wait_any(true, true)? {
            if pid == self.pid {
                return Ok(Some(ended(exit)));
            }
            sys::reap(pid);
        }
        Ok(None)
    }

    /// Returns when no process of the command is left.
    fn end_all(&mut self) -> io::Result<()> {
        match self.level {
            // The end of a namespace's first process is the end of all in it: the kernel sees to that.
            Level::Full => sys::kill(self.pid),
            // Nobody can leave the group: one call, and atomic.
            Level::Kernel => sys::kill(-self.pid),
            // Some may have left it. Whoever loses its parent becomes a child of this process; the
            // guard, which is one of them, is not needed any more then.
            Level::None => loop {
                sys::kill(-self.pid);
                let children = watch::children();
                if children.is_empty() {
                    break;
                }
                children.into_iter().for_each(sys::kill);
                sys::wait_any(false, false)?;
            },
        }
        // It is a child of this process, too.
        if let Some(guard) = self.guard.take() {
            guard.dismiss();
        }
        while sys::wait_any(false, false)?.is_some() {}
        Ok(())
    }
}

fn ended(exit: Exit) -> Ended {
    match exit {
        Exit::Code(code) => Ended::Exited { code },
        Exit::Signal(signal) => Ended::Signalled { signal },
    }
}

/// Whether the caller has closed its end. What it still writes means nothing.
fn input_ended(input: &mut File) -> bool {
    let mut nothing = [0; 256];
    loop {
        match input.read(&mut nothing) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
        }
    }
}

fn wanted(fd: RawFd, events: i16) -> libc::pollfd {
    libc::pollfd { fd, events, revents: 0 }
}
