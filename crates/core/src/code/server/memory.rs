//! How much memory there is left: the limits of the control groups that this process is in (both
//! versions) and of the process itself. Reads files of the kernel; elsewhere nothing is known, nothing is
//! in the way, and nothing is taken for ample.

use std::fs;
use std::path::Path;

const MIB: u64 = 1 << 20;

/// What TypeScript's language server takes for an empty project (7.0.2, measured: 58 MB after the
/// standard libraries are read).
const BASE_BYTES: u64 = 64 * MIB;
/// And for each file of code (measured with 1,000 files of 80 lines: 0.2 MB).
const FILE_BYTES: u64 = MIB / 5;
/// What must stay free for the rest of the process: an answer of a model, a page of the store.
pub(super) const RESERVE_BYTES: u64 = 48 * MIB;
/// Go's `GOGC` where memory is ample, instead of 100.
const LAZY_PERCENT: u64 = 400;
/// With it the heap grows to five times what lives, without it to twice that: two and a half times, rounded up.
const LAZY: u64 = 3;
/// A project may grow to so many files of code behind a server that runs: a generation writes a few hundred.
const GROWS_TO: usize = 1_000;

/// What a server for so many files of code needs beside the reserve.
pub(super) fn needed(files: usize) -> u64 {
    BASE_BYTES + FILE_BYTES * files as u64
}

/// Whether every one of `servers` may take [`LAZY`] times what it needs, and more if the project grows, of
/// what the machine has `free` and of the bytes that are `left`, where there is a limit. What is free decides,
/// too: a limit that cannot be seen from inside a container, or none at all, says nothing of the machine.
pub(super) fn is_ample(files: usize, servers: u64, left: Option<u64>, free: Option<u64>) -> bool {
    let ample = servers * LAZY * needed(files.max(GROWS_TO));
    free.is_some_and(|free| room(left.map_or(free, |left| left.min(free))) >= ample)
}

fn room(bytes: u64) -> u64 {
    bytes.saturating_sub(RESERVE_BYTES)
}

/// How Go is to collect the server's garbage (<https://pkg.go.dev/runtime#hdr-Environment_Variables>): the
/// harder the nearer it comes to the bytes that are `left`, where there is a limit; later than it would
/// where memory is ample: the first answer of 1,000 files comes a tenth sooner (measured).
///
/// It is a share of what lives, not a bound: a project may grow behind a server that runs.
pub(super) fn garbage(is_ample: bool, left: Option<u64>) -> Vec<(&'static str, String)> {
    let limit = left.map(|left| ("GOMEMLIMIT", room(left).to_string()));
    limit.into_iter().chain(is_ample.then(|| ("GOGC", LAZY_PERCENT.to_string()))).collect()
}

/// Bytes that the machine has for who wants them; `None` where it does not say.
pub(super) fn free() -> Option<u64> {
    available(&fs::read_to_string("/proc/meminfo").ok()?)
}

fn available(info: &str) -> Option<u64> {
    let rest = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

/// Bytes that this process and its children may still take; `None` without a limit.
pub(super) fn left() -> Option<u64> {
    let read = |path: &str| fs::read_to_string(path).ok();
    let groups = read("/proc/self/cgroup").unwrap_or_default();
    let group = group_left(&groups, "/sys/fs/cgroup", &|path| fs::read_to_string(path).ok());
    let own = read("/proc/self/limits").and_then(|limits| own_limit(&limits));
    group.into_iter().chain(own).min()
}

/// What the control groups leave: the least of this one and those around it.
fn group_left(groups: &str, mount: &str, read: &dyn Fn(&Path) -> Option<String>) -> Option<u64> {
    let mut least = None;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (mount, limit, usage, cache) = match controllers {
            "" => (mount.to_owned(), "memory.max", "memory.current", "inactive_file"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                let mount = format!("{mount}/memory");
                (mount, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            }
            _ => continue,
        };
        let number = |folder: &Path, file: &str| read(&folder.join(file))?.trim().parse::<u64>().ok();
        let mount = Path::new(&mount);
        let inside = mount.join(path.trim_start_matches('/'));
        // In a container the group may be mounted as the root: its own path is not there.
        for folder in inside.ancestors().take_while(|folder| folder.starts_with(mount)) {
            let Some(limit) = number(folder, limit) else { continue };
            let used = number(folder, usage).unwrap_or_default();
            // Pages of files that nobody uses are given up first.
            let stat = read(&folder.join("memory.stat")).unwrap_or_default();
            let cached = stat.lines().find_map(|line| line.strip_prefix(cache)?.trim().parse::<u64>().ok());
            let left = limit.saturating_sub(used.saturating_sub(cached.unwrap_or_default()));
            least = Some(least.map_or(left, |least: u64| least.min(left)));
        }
    }
    least
}

/// What a child may take, which inherits the limits of this process.
fn own_limit(limits: &str) -> Option<u64> {
    let of = |name: &str| -> Option<u64> {
        let rest = limits.lines().find_map(|line| line.strip_prefix(name))?;
        rest.split_whitespace().next()?.parse().ok()
    };
    // Go reserves addresses that it never uses (measured: 1.5 GiB for 267 MB in use).
    let addresses = of("Max address space").map(|bytes| bytes / 6);
    of("Max data size").into_iter().chain(addresses).chain(of("Max resident set")).min()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn left_of(groups: &str, files: &[(&str, &str)]) -> Option<u64> {
        let files: BTreeMap<&Path, &str> =
            files.iter().map(|(path, text)| (Path::new(*path), *text)).collect();
        group_left(groups, "/g", &|path| files.get(path).map(|text| (*text).to_owned()))
    }

    #[test]
    fn the_tightest_group_around_counts() {
        let files = [
            ("/g/a/b/memory.max", "max\n"),
            ("/g/a/memory.max", "1000\n"),
            ("/g/a/memory.current", "700\n"),
            ("/g/a/memory.stat", "file 500\ninactive_file 300\n"),
            ("/g/memory.max", "5000\n"),
        ];
        assert_eq!(left_of("0::/a/b\n", &files), Some(600));
        assert_eq!(left_of("0::/other\n", &files[..4]), None);
    }

    #[test]
    fn the_first_version_and_a_group_mounted_as_the_root_are_read_too() {
        let files = [
            ("/g/memory/memory.limit_in_bytes", "900\n"),
            ("/g/memory/memory.usage_in_bytes", "1000\n"),
            ("/g/memory/memory.stat", "inactive_file 1\ntotal_inactive_file 400\n"),
        ];
        assert_eq!(left_of("5:cpu:/x\n4:memory,hugetlb:/docker/1\n0::/\n", &files), Some(300));
        assert_eq!(left_of("", &files), None);
        assert_eq!(left_of("nonsense\n4:memory\n", &files), None);
    }

    #[test]
    fn limits_of_the_process_count() {
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax data size   3000  unlimited  bytes\nMax address space   6000   unlimited   bytes\n";
        assert_eq!(own_limit(limits), Some(1_000));
        assert_eq!(own_limit("Max data size   unlimited  unlimited  bytes\n"), None);
    }

    #[test]
    fn memory_is_ample_only_where_there_is_room_for_every_server() {
        let ample = 4 * 3 * needed(1_000) + RESERVE_BYTES;
        let is = |left, free| is_ample(1_000, 4, left, free);
        assert!(is(Some(ample), Some(ample)) && is(None, Some(ample)));
        // The group's limit, the machine's memory: what is less counts.
        assert!(!is(Some(ample - 1), Some(ample)) && !is(Some(ample), Some(ample - 1)));
        // The first version writes "no limit" as a number.
        assert!(!is(Some(u64::MAX), None) && !is(None, None) && !is(Some(0), Some(ample)));
        assert!(!is_ample(1_001, 4, None, Some(ample)));
        // It may grow.
        assert!(is_ample(0, 4, None, Some(ample)) && !is_ample(0, 4, None, Some(ample - 1)));
    }

    #[test]
    fn garbage_is_left_where_memory_is_ample_and_a_limit_stays_one() {
        let limit = || ("GOMEMLIMIT", "1000".to_owned());
        let lazy = || ("GOGC", "400".to_owned());
        assert_eq!(garbage(true, Some(RESERVE_BYTES + 1_000)), [limit(), lazy()]);
        assert_eq!(garbage(false, Some(RESERVE_BYTES + 1_000)), [limit()]);
        assert_eq!(garbage(true, None), [lazy()]);
        assert_eq!(garbage(false, Some(1)), [("GOMEMLIMIT", "0".to_owned())]);
        assert_eq!(garbage(false, None), []);
    }

    #[test]
    fn what_the_machine_has_is_read() {
        let info = "MemTotal:  900 kB\nMemFree:  1 kB\nMemAvailable:     512 kB\nBuffers: 3 kB\n";
        assert_eq!(available(info), Some(512 << 10));
        for other in ["", "MemAvailable:", "MemAvailable: x kB", "MemTotal: 4 kB"] {
            assert_eq!(available(other), None, "{other}");
        }
    }

    #[test]
    fn a_larger_project_needs_more() {
        assert_eq!(needed(0), 64 * MIB);
        assert!(needed(1_000) > 240 * MIB && needed(1_000) < 300 * MIB);
    }
}
