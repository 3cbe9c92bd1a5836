//! How much memory there is left: the limits of the control groups that this process is in (both
//! versions) and of the process itself. Reads files of the kernel; elsewhere nothing is known and
//! nothing is in the way.

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
/// Go's `GOGC` where there is room: garbage is collected when it is four times what lives, instead of once.
const LAZY_PERCENT: u64 = 400;
/// Then the heap may be five times what lives instead of twice; the rest of the process stays as it is.
const LAZY: u64 = 3;

/// What a server for so many files of code needs beside the reserve.
pub(super) fn needed(files: usize) -> u64 {
    BASE_BYTES + FILE_BYTES * files as u64
}

/// How Go is to collect the server's garbage (<https://pkg.go.dev/runtime#hdr-Environment_Variables>): the
/// harder the nearer it comes to the bytes that are `left`, where there is a limit. Later than it would
/// where every one of `servers` may take [`LAZY`] times what it needs of what is left and of what the
/// machine has `free`: the first answer of 1,000 files comes a tenth sooner (measured).
///
/// It is a share of what lives, not a bound: a project may grow behind a server that runs.
pub(super) fn garbage(
    files: usize,
    servers: u64,
    left: Option<u64>,
    free: Option<u64>,
) -> Vec<(&'static str, String)> {
    let room = |bytes: u64| bytes.saturating_sub(RESERVE_BYTES);
    let ample = servers * LAZY * needed(files);
    let is_ample = left.into_iter().chain(free).min().is_some_and(|least| room(least) >= ample);
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
    fn garbage_is_left_only_where_there_is_room_for_every_server() {
        let ample = 4 * 3 * needed(1_000) + RESERVE_BYTES;
        let limit = |left: u64| ("GOMEMLIMIT", (left - RESERVE_BYTES).to_string());
        let lazy = || ("GOGC", "400".to_owned());
        assert_eq!(garbage(1_000, 4, Some(ample), Some(ample)), [limit(ample), lazy()]);
        // The group's limit, the machine's memory: what is less counts, and only the limit is one.
        assert_eq!(garbage(1_000, 4, Some(ample - 1), Some(ample)), [limit(ample - 1)]);
        assert_eq!(garbage(1_000, 4, Some(ample), Some(ample - 1)), [limit(ample)]);
        assert_eq!(garbage(1_000, 4, None, Some(ample)), [lazy()]);
        assert_eq!(garbage(1_001, 4, None, Some(ample)), []);
        assert_eq!(garbage(1_000, 4, None, None), []);
        assert_eq!(garbage(1_000, 4, Some(0), Some(0)), [("GOMEMLIMIT", "0".to_owned())]);
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
