//! `polaris-sandbox`: confines one command and supervises its whole process tree. Reads one request
//! from standard input, writes frames of output and a report to standard output (see the library);
//! `--probe` tells how well this machine can confine; `--read-only` becomes a program that only reads
//! one folder. Has no options besides, reads no variable and no file of configuration, and must stay a program of one thread: it forks.

#[cfg(target_os = "linux")]
mod connections;
#[cfg(target_os = "linux")]
mod filter;
#[cfg(target_os = "linux")]
mod guard;
#[cfg(target_os = "linux")]
mod launch;
#[cfg(target_os = "linux")]
mod namespaces;
#[cfg(target_os = "linux")]
mod places;
#[cfg(target_os = "linux")]
mod probe;
#[cfg(target_os = "linux")]
mod program;
#[cfg(target_os = "linux")]
mod read_only;
#[cfg(target_os = "linux")]
mod rules;
#[cfg(target_os = "linux")]
mod supervise;
#[cfg(target_os = "linux")]
mod sys;
#[cfg(target_os = "linux")]
mod watch;

use std::io::{self, Write as _};
use std::process::ExitCode;

use polaris_sandbox::{Probe, Request};

fn main() -> ExitCode {
    let result = match std::env::args_os().nth(1) {
        None => run(),
        Some(option) if option == "--probe" => print_probe(),
        Some(option) if option == "--read-only" => read_only(),
        Some(_) => Err(io::Error::other("the only options are --probe and --read-only")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "polaris-sandbox: {error}");
            ExitCode::FAILURE
        }
    }
}

/// `--read-only FOLDER PROGRAM [ARGUMENT…]`: returns only if the program could not be started.
#[cfg(target_os = "linux")]
fn read_only() -> io::Result<()> {
    let mut rest = std::env::args_os().skip(2);
    let (Some(folder), Some(program)) = (rest.next(), rest.next()) else {
        return Err(io::Error::other("--read-only needs a folder and a program"));
    };
    Err(read_only::become_program(folder.as_ref(), program.as_ref(), rest))
}

#[cfg(not(target_os = "linux"))]
fn read_only() -> io::Result<()> {
    Err(io::Error::other("programs can be confined on Linux only"))
}

fn print_probe() -> io::Result<()> {
    let mut text = serde_json::to_vec(&probe())?;
    text.push(b'\n');
    io::stdout().write_all(&text)
}

#[cfg(target_os = "linux")]
fn probe() -> Probe {
    let _ = sys::prctl(libc::PR_SET_CHILD_SUBREAPER, 1);
    probe::probe()
}

#[cfg(not(target_os = "linux"))]
fn probe() -> Probe {
    let reasons = vec![format!("commands can be confined on Linux only, this is {}", std::env::consts::OS)];
    Probe { level: polaris_sandbox::Level::None, landlock: 0, reasons }
}

#[cfg(target_os = "linux")]
fn run() -> io::Result<()> {
    use std::fs::File;
    use std::io::Read as _;
    use std::os::fd::AsFd as _;
    /// A request holds arguments of at most 2 MiB altogether (the kernel's limit) and a few paths.
    const MAX_REQUEST_BYTES: usize = 16 << 20;
    sys::close_from(3, false);
    // A session of its own: signals from a terminal are for the worker, which decides.
    let _ = sys::new_session();
    sys::prctl(libc::PR_SET_CHILD_SUBREAPER, 1)?;
    let mut input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut line = Vec::new();
    // The line is all that there is: what follows it is only its end.
    let mut chunk = [0; 64 << 10];
    while !line.ends_with(b"\n") {
        let read = input.read(&mut chunk)?;
        line.extend_from_slice(&chunk[..read]);
        if read == 0 || line.len() > MAX_REQUEST_BYTES {
            return Err(io::Error::other("the request is cut off or too large"));
        }
    }
    let request: Request = serde_json::from_slice(&line)?;
    supervise::supervise(&request)
}

#[cfg(not(target_os = "linux"))]
fn run() -> io::Result<()> {
    let _: Option<Request> = None;
    Err(io::Error::other("commands can be confined on Linux only"))
}
