//! Outlives the supervisor: if that is killed before it could end the command, the guard does. Below
//! level `full` only, where no first process of a namespace takes all others with it.

use std::io::{self, PipeWriter, Read as _, Write as _};
use std::os::fd::AsRawFd as _;

use crate::sys;

/// The guard of one command. Dropped without a word it ends the command; see [`Guard::dismiss`].
pub(crate) struct Guard {
    line: PipeWriter,
}

impl Guard {
    /// Sets a guard on the process group of the command `pid`.
    pub(crate) fn set(pid: i32) -> io::Result<Self> {
        let (reader, line) = io::pipe()?;
        if sys::fork(0)?.is_some() {
            return Ok(Self { line });
        }
        // Holds nothing that somebody waits for the end of: neither the supervisor's end of the line,
        // nor its answer to the worker. Signals stay blocked, as the supervisor has them.
        drop(line);
        let mut reader = match sys::place(reader.as_raw_fd(), 0) {
            Ok(()) => {
                sys::close_from(1, false);
                std::mem::forget(reader);
                std::fs::File::from(sys::standard_input())
            }
            Err(_) => sys::exit_now(1),
        };
        if matches!(reader.read(&mut [0]), Ok(0) | Err(_)) {
            sys::kill(-pid);
        }
        sys::exit_now(0)
    }

    /// Sends it away: everyone that it guards is dead.
    pub(crate) fn dismiss(mut self) {
        // If it is gone already, it has nothing to do any more either.
        let _ = self.line.write_all(&[1]);
    }
}
