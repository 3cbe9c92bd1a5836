//! What a command uses up that no limit of a single process bounds: the memory of all its processes
//! together, and the disk. Looked at rarely while little is used, often when a limit is near.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use polaris_sandbox::{Limit, Request};

use crate::sys;

/// How quickly a machine's processes can fill memory at most, bytes per ms (4 GB/s).
const FILL: u64 = 4_000_000;
const SOONEST: Duration = Duration::from_millis(40);
const LATEST: Duration = Duration::from_millis(400);

/// The watch over one command.
pub(crate) struct Watch {
    session: i32,
    memory_bytes: u64,
    disk: Disk,
    next: Instant,
}

struct Disk {
    folders: [PathBuf; 2],
    most_bytes: u64,
    most_files: u64,
    /// At the start: free bytes, free files.
    free: Option<(u64, u64)>,
    /// When it began, seconds since 1970: what is older was there before.
    begin: i64,
}

impl Watch {
    /// Watches every process of `session`.
    pub(crate) fn new(request: &Request, session: i32) -> Self {
        let limits = &request.limits;
        let disk = Disk {
            folders: [request.workspace.clone(), request.temp.clone()],
            most_bytes: limits.disk_bytes,
            most_files: limits.disk_files,
            free: sys::free_space(&request.workspace).ok(),
            begin: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64),
        };
        let next = Instant::now() + LATEST.min(Duration::from_millis(limits.memory_bytes / FILL));
        Self { session, memory_bytes: limits.memory_bytes, disk, next }
    }

    /// When it wants to look again.
    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    /// Looks, if it is time. The limit that is passed, if one is.
    pub(crate) fn look(&mut self) -> Option<Limit> {
        let now = Instant::now();
        if now < self.next {
            return None;
        }
        let used = memory_of(self.session);
        if used > self.memory_bytes {
            return Some(Limit::Memory);
        }
        if self.disk.is_full() {
            return Some(Limit::Disk);
        }
        let room = Duration::from_millis((self.memory_bytes - used) / FILL);
        self.next = Instant::now() + room.clamp(SOONEST, LATEST);
        None
    }
}

impl Disk {
    /// Counting files takes long, asking the file system does not; so files are counted only when
    /// it has lost as much space as the command may take.
    fn is_full(&mut self) -> bool {
        let Some((bytes, files)) = self.free else { return false };
        let Ok((bytes_now, files_now)) = sys::free_space(&self.folders[0]) else { return false };
        let suspicious = bytes.saturating_sub(bytes_now) > self.most_bytes
            || files.saturating_sub(files_now) > self.most_files;
        if !suspicious {
            return false;
        }
        let mut used = (0, 0);
        for folder in &self.folders {
            count(folder, self.begin, &mut used, (self.most_bytes, self.most_files), 0);
        }
        // From now on compared with today's free space: others write to this disk too.
        self.free = Some((bytes_now, files_now));
        used.0 > self.most_bytes || used.1 > self.most_files
    }
}

/// Adds up what was changed below `folder` since `begin`, until it is too much. Follows no link.
fn count(folder: &Path, begin: i64, used: &mut (u64, u64), most: (u64, u64), depth: usize) {
    /// Deeper than any project, and no danger for the stack.
    const MAX_DEPTH: usize = 100;
    /// Of `st_blocks` (stat(2)).
    const BLOCK: u64 = 512;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if used.0 > most.0 || used.1 > most.1 {
            return;
        }
        let Ok(found) = entry.metadata() else { continue };
        if found.ctime() >= begin {
            used.0 += found.blocks() * BLOCK;
            used.1 += 1;
        }
        if found.is_dir() && depth < MAX_DEPTH {
            count(&entry.path(), begin, used, most, depth + 1);
        }
    }
}

/// The numbers of all processes that this one can see.
fn processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn read(path: &str) -> Option<String> {
    let mut text = Vec::with_capacity(2_048);
    fs::File::open(path).ok()?.read_to_end(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// A field of `/proc/<pid>/stat`, counted as proc(5) does from 1; the second is the program's name,
/// which may hold anything.
fn stat_field(stat: &str, number: usize) -> Option<i64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(number.checked_sub(3)?)?.parse().ok()
}

/// Memory that the processes of a session hold for themselves, bytes.
fn memory_of(session: i32) -> u64 {
    let of_session = |pid: &i32| {
        let stat = read(&format!("/proc/{pid}/stat"));
        stat.and_then(|stat| stat_field(&stat, 6)) == Some(session.into())
    };
    processes()
        .filter(of_session)
        .filter_map(|pid| read(&format!("/proc/{pid}/status")))
        .map(own_memory)
        .sum()
}

fn own_memory(status: String) -> u64 {
    let kib = |line: &str| -> Option<u64> {
        let value = line.strip_prefix("RssAnon:").or_else(|| line.strip_prefix("RssShmem:"))?;
        value.trim().strip_suffix(" kB")?.parse().ok()
    };
    status.lines().filter_map(kib).sum::<u64>() << 10
}

/// How many processes and threads a user runs.
pub(crate) fn threads_of(uid: u32) -> u64 {
    let of_user = |pid: &i32| fs::metadata(format!("/proc/{pid}")).is_ok_and(|found| found.uid() == uid);
    let threads = |pid: i32| u64::try_from(stat_field(&read(&format!("/proc/{pid}/stat"))?, 20)?).ok();
    processes().filter(of_user).filter_map(threads).sum()
}

/// The children of this process.
pub(crate) fn children() -> Vec<i32> {
    let own = i64::from(std::process::id());
    let is_child =
        |pid: &i32| read(&format!("/proc/{pid}/stat")).and_then(|stat| stat_field(&stat, 4)) == Some(own);
    processes().filter(is_child).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_called_like_a_stat_line_fools_nobody() {
        let stat = "7 (x) R 1 1 1 (y)) S 4 5 6 0 -1";
        assert_eq!((stat_field(stat, 4), stat_field(stat, 6)), (Some(4), Some(6)));
        assert_eq!(stat_field("", 4), None);
    }

    #[test]
    fn own_memory_is_what_is_not_shared_with_files() {
        let status = "Name:\tx\nRssAnon:\t    100 kB\nRssFile:\t 50 kB\nRssShmem:\t 1 kB\n";
        assert_eq!(own_memory(status.to_owned()), 101 << 10);
    }

    #[test]
    fn this_process_has_threads() {
        assert!(threads_of(sys::uid()) >= 1);
    }
}
