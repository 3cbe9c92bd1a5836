//! What the helper program `polaris-sandbox` is asked and answers: one request, the output of one
//! command in frames, one report. Shared with the core. Pure: nothing here runs or confines anything.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How well a command can be confined on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Not at all.
    None,
    /// By Landlock and seccomp.
    Kernel,
    /// As `kernel`, and in user, mount, pid, network and IPC namespaces of its own.
    Full,
}

impl Level {
    /// The name, as the probe prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Kernel => "kernel",
            Self::Full => "full",
        }
    }
}

/// What `polaris-sandbox --probe` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// The best level that was tried out and held.
    pub level: Level,
    /// The kernel's Landlock ABI; 0: there is none.
    pub landlock: u32,
    /// Why it is not `full`, one reason for each level that did not hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

/// One command to confine. A line of JSON on the helper's standard input; the end of that input
/// afterwards means cancel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// At which level; the helper refuses rather than take a lower one.
    pub level: Level,
    /// The program's file, absolute.
    pub program: PathBuf,
    /// Its arguments, the first being its own name.
    pub argv: Vec<String>,
    /// Its whole environment.
    pub env: Vec<(String, String)>,
    /// Where it starts: `workspace` or a folder in it.
    pub cwd: PathBuf,
    /// The folder that it may read and write. When the helper runs as root, the command runs as this
    /// folder's owner, who must not be root.
    pub workspace: PathBuf,
    /// A private folder for temporary files, of the same owner, outside `workspace`.
    pub temp: PathBuf,
    /// Further folders that it may read and execute: where tools are installed.
    #[serde(default)]
    pub read: Vec<PathBuf>,
    /// A Unix socket that somebody listens on. With it, every TCP connection that the command makes,
    /// to whatever address, is a connection to this socket; the command itself still gets no socket
    /// of the network. Without it, it can make no connection at all. Not at level `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect: Option<PathBuf>,
    /// What it may use up.
    #[serde(default)]
    pub limits: Limits,
}

/// What a command with all its descendants may use up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Limits {
    /// From start to end, ms.
    pub wall_ms: u64,
    /// Kept of stdout, and as much of stderr, bytes.
    pub stream_bytes: u64,
    /// Printed on both together, bytes; a command that prints more is stopped.
    pub total_bytes: u64,
    /// Memory of all processes together, bytes.
    pub memory_bytes: u64,
    /// Processes and threads at a time.
    pub processes: u64,
    /// Size of one file, bytes.
    pub file_bytes: u64,
    /// Growth of the workspace and the temporary folder together, bytes.
    pub disk_bytes: u64,
    /// Growth of the same, files.
    pub disk_files: u64,
    /// Open files of one process.
    pub open_files: u64,
}

const MIB: u64 = 1 << 20;

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall_ms: 30_000,
            stream_bytes: MIB / 2,
            total_bytes: MIB,
            memory_bytes: 2_048 * MIB,
            processes: 256,
            file_bytes: 512 * MIB,
            disk_bytes: 2_048 * MIB,
            disk_files: 200_000,
            open_files: 4_096,
        }
    }
}

/// What stopped a command that used up too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// `wall_ms`.
    Time,
    /// `total_bytes`.
    Output,
    /// `memory_bytes`.
    Memory,
    /// `disk_bytes` or `disk_files`.
    Disk,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Ended {
    /// By itself.
    Exited {
        /// Its exit code.
        code: i32,
    },
    /// By a signal that the supervisor did not send.
    Signalled {
        /// The signal's number.
        signal: i32,
    },
    /// It was stopped at a limit.
    Stopped {
        /// Which.
        limit: Limit,
    },
    /// It was stopped because its caller went away or said so.
    Cancelled,
    /// It never ran: nothing of it was executed.
    NotStarted {
        /// What failed, and why.
        reason: String,
    },
}

/// What came out of one stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// Bytes that were read from the command.
    pub bytes: u64,
    /// Of those: handed on.
    pub kept: u64,
}

/// The last frame: how it went. When it is sent, no process of the command is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// How the command ended.
    pub ended: Ended,
    /// Its standard output.
    pub stdout: Stream,
    /// Its standard error.
    pub stderr: Stream,
    /// From start to end, ms.
    pub ms: u64,
}

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// Bytes of standard output.
    Stdout,
    /// Bytes of standard error.
    Stderr,
    /// A [`Report`] as JSON.
    Report,
}

/// Bytes of a frame's header: its kind, and its length as a big-endian `u32`.
pub const HEADER: usize = 5;

/// The header of a frame.
pub fn header(kind: FrameKind, length: u32) -> [u8; HEADER] {
    let kind = match kind {
        FrameKind::Stdout => 1,
        FrameKind::Stderr => 2,
        FrameKind::Report => 3,
    };
    let [a, b, c, d] = length.to_be_bytes();
    [kind, a, b, c, d]
}

/// Reads a header; `None` if it is none.
pub fn parse_header(bytes: [u8; HEADER]) -> Option<(FrameKind, usize)> {
    let [kind, length @ ..] = bytes;
    let kind = match kind {
        1 => FrameKind::Stdout,
        2 => FrameKind::Stderr,
        3 => FrameKind::Report,
        _ => return None,
    };
    Some((kind, u32::from_be_bytes(length) as usize))
}

/// The name of a signal on Linux, for people.
pub fn signal_name(signal: i32) -> String {
    const NAMES: [(i32, &str); 18] = [
        (1, "SIGHUP"),
        (2, "SIGINT"),
        (3, "SIGQUIT"),
        (4, "SIGILL"),
        (5, "SIGTRAP"),
        (6, "SIGABRT"),
        (7, "SIGBUS"),
        (8, "SIGFPE"),
        (9, "SIGKILL"),
        (10, "SIGUSR1"),
        (11, "SIGSEGV"),
        (12, "SIGUSR2"),
        (13, "SIGPIPE"),
        (14, "SIGALRM"),
        (15, "SIGTERM"),
        (24, "SIGXCPU"),
        (25, "SIGXFSZ"),
        (31, "SIGSYS"),
    ];
    let known = NAMES.iter().find(|(number, _)| *number == signal);
    known.map_or_else(|| format!("signal {signal}"), |(_, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_it_was_written() {
        for kind in [FrameKind::Stdout, FrameKind::Stderr, FrameKind::Report] {
            assert_eq!(parse_header(header(kind, 70_000)), Some((kind, 70_000)));
        }
        assert_eq!(parse_header([9, 0, 0, 0, 0]), None);
    }

    #[test]
    fn a_request_may_leave_out_limits() {
        let request = r#"{"level":"full","program":"/bin/true","argv":["true"],"env":[],
            "cwd":"/w","workspace":"/w","temp":"/t","limits":{"wallMs":5}}"#;
        let request: Request = serde_json::from_str(request).unwrap();
        assert_eq!(request.limits, Limits { wall_ms: 5, ..Limits::default() });
    }

    #[test]
    fn levels_are_ordered_by_strength() {
        assert!(Level::None < Level::Kernel && Level::Kernel < Level::Full);
    }
}
