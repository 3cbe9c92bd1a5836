//! Reading and writing outside, links, /proc, what the supervisor hands down.

use super::{calls, programs};
use crate::Case;

pub(super) fn cases() -> Vec<Case> {
    const OWN: &[&str] = &["read", "{ws}/own.txt"];
    let read = "read outside";
    let write = "write outside";
    let link = "links";
    let proc = "proc";
    let inherit = "environment and descriptors";
    vec![
        calls(read, "by path", &["read", "{out}/secret.txt"], OWN),
        calls(
            read,
            "by a relative path",
            &["read", "../outside/secret.txt"],
            &["read", "../workspace/own.txt"],
        ),
        calls(
            read,
            "through /proc/self/cwd",
            &["read", "/proc/self/cwd/../outside/secret.txt"],
            &["read", "/proc/self/cwd/own.txt"],
        ),
        calls(
            read,
            "through /proc/self/root",
            &["read", "/proc/self/root{out}/secret.txt"],
            &["read", "/proc/self/root{ws}/own.txt"],
        ),
        calls(
            read,
            "from a folder entered before",
            &["chdir-read", "{out}", "secret.txt"],
            &["chdir-read", "{ws}", "own.txt"],
        ),
        calls(read, "by openat2", &["openat2", "{out}/secret.txt"], &["openat2", "{ws}/own.txt"]),
        calls(read, "mapped into memory", &["mmap", "{out}/secret.txt"], &["mmap", "{ws}/own.txt"]),
        calls(read, "by executing it", &["exec", "{out}/program"], &["exec", "{ws}/tool"])
            .with(&[("tool", "#!/bin/sh\necho GOT it\n")]),
        calls(read, "by executing it without reading it", &["exec-fd", "{out}/program"], &["say", "fine"]),
        calls(read, "shadow passwords", &["read", "/etc/shadow"], OWN),
        calls(read, "accounts", &["read-from", "/etc/passwd", "40"], OWN),
        calls(read, "the machine's name", &["read", "/etc/hostname"], OWN),
        calls(read, "system-wide npm settings", &["read", "/usr/local/etc/npmrc"], OWN),
        calls(read, "home of root", &["readdir", "/root"], &["readdir", "{ws}"]),
        calls(read, "homes", &["readdir", "/home"], &["readdir", "{tmp}"]),
        calls(read, "listing outside", &["readdir", "{out}"], &["readdir", "{ws}"]),
        calls(read, "listing the root", &["readdir", "/"], &["readdir", "/usr/bin"]),
        programs(
            read,
            "everybody's temporary folder",
            ("sh", &["-c", "ls /tmp | grep {everybody} && echo GOT it"]),
            ("sh", &["-c", "ls {ws} | grep own.txt && echo GOT it"]),
        ),
        calls(
            read,
            "a file in everybody's temporary folder",
            &["read", "/tmp/{everybody}"],
            &["read", "{ws}/own.txt"],
        ),
        programs(
            read,
            "the way to a workspace below /tmp",
            ("sh", &["-c", "ls -d {base}/* && echo GOT it"]),
            ("sh", &["-c", "ls -d {ws}/* && echo GOT it"]),
        ),
        calls(read, "the folder above the workspace", &["readdir", "{ws}/.."], &["readdir", "{ws}/."]),
        calls(read, "variable data", &["readdir", "/var"], &["readdir", "{ws}"]),
        calls(read, "run-time data", &["readdir", "/run"], &["readdir", "{ws}"]),
        calls(read, "the machine's devices", &["readdir", "/sys/class"], &["readdir", "/proc/self/fd"]),
        calls(read, "whether it exists", &["stat", "{out}/secret.txt"], &["stat", "{ws}/own.txt"])
            .only_full(),
        calls(read, "watching for changes", &["inotify", "{out}"], &["read", "{ws}/own.txt"]),
        calls(read, "a disk", &["read-from", "/dev/vda", "0"], &["read-from", "/dev/zero", "0"]),
        calls(
            read,
            "the memory of the machine",
            &["read-from", "/dev/mem", "0"],
            &["read-from", "/dev/zero", "0"],
        ),
        calls(
            read,
            "the kernel's log",
            &["read-from", "/dev/kmsg", "0"],
            &["read-from", "/dev/urandom", "0"],
        ),
        programs(
            read,
            "by node",
            ("node", &["-e", "console.log('GOT', require('fs').readFileSync('{out}/secret.txt', 'utf8'))"]),
            ("node", &["-e", "console.log('GOT', require('fs').readFileSync('own.txt', 'utf8'))"]),
        ),
        programs(read, "by import", ("node", &["{out}/script.js"]), ("node", &["-p", "'GOT it'"])),
        programs(
            read,
            "by require of JSON",
            ("node", &["-p", "'GOT ' + require('{out}/module.json').x"]),
            ("node", &["-p", "'GOT ' + require('{ws}/package.json').name"]),
        ),
        programs(
            read,
            "by a worker thread",
            (
                "node",
                &[
                    "-e",
                    "new (require('worker_threads').Worker)(`console.log('GOT', require('fs').readFileSync('{out}/secret.txt', 'utf8'))`, {eval: true})",
                ],
            ),
            (
                "node",
                &[
                    "-e",
                    "new (require('worker_threads').Worker)(`console.log('GOT', require('fs').readFileSync('{ws}/own.txt', 'utf8'))`, {eval: true})",
                ],
            ),
        ),
        programs(
            read,
            "by a child process",
            (
                "node",
                &[
                    "-e",
                    "console.log('GOT', require('child_process').execSync('cat {out}/secret.txt').toString())",
                ],
            ),
            (
                "node",
                &["-e", "console.log('GOT', require('child_process').execSync('cat own.txt').toString())"],
            ),
        ),
        // ---- write ----
        calls(write, "over a file", &["write", "{out}/writable.txt"], &["write", "{ws}/own.txt"]),
        calls(write, "a new file", &["write", "{out}/new.txt"], &["write", "{ws}/new.txt"]),
        calls(write, "behind a file", &["append", "{out}/writable.txt"], &["append", "{ws}/own.txt"]),
        calls(write, "truncate", &["truncate", "{out}/writable.txt"], &["truncate", "{ws}/own.txt"]),
        calls(
            write,
            "truncate while reading",
            &["open-truncate", "{out}/writable.txt"],
            &["open-truncate", "{ws}/own.txt"],
        ),
        calls(write, "a folder", &["mkdir", "{out}/new"], &["mkdir", "{ws}/new"]),
        calls(write, "delete", &["unlink", "{out}/writable.txt"], &["unlink", "{ws}/own.txt"]),
        calls(write, "delete a folder", &["rmdir", "{out}/folder"], &["mkdir", "{ws}/folder"]),
        calls(write, "delete the workspace itself", &["rmdir", "{tmp}/../workspace"], &["mkdir", "{tmp}/x"]),
        calls(
            write,
            "move out",
            &["rename", "{ws}/own.txt", "{out}/moved.txt"],
            &["rename", "{ws}/own.txt", "{ws}/moved.txt"],
        ),
        calls(
            write,
            "move in",
            &["rename", "{out}/secret.txt", "{ws}/secret.txt"],
            &["rename", "{ws}/second.txt", "{ws}/own.txt"],
        ),
        calls(
            write,
            "exchange",
            &["exchange", "{out}/writable.txt", "{ws}/own.txt"],
            &["exchange", "{ws}/second.txt", "{ws}/own.txt"],
        ),
        calls(write, "mode", &["chmod", "{out}/writable.txt", "4777"], &["fchmod", "{ws}/own.txt", "600"]),
        calls(
            write,
            "mode by descriptor",
            &["fchmod", "{out}/writable.txt", "600"],
            &["fchmod", "{ws}/own.txt", "600"],
        ),
        calls(
            write,
            "mode through /proc/self/fd",
            &["chmod-fd", "{out}/writable.txt"],
            &["fchmod", "{ws}/own.txt", "600"],
        ),
        calls(write, "owner", &["chown", "{out}/writable.txt"], &["stat", "{ws}/own.txt"]),
        calls(write, "times", &["utimes", "{out}/writable.txt"], &["futimes", "{ws}/own.txt"]),
        calls(write, "times, as now", &["touch", "{out}/writable.txt"], &["futimes", "{ws}/own.txt"]),
        calls(write, "attributes", &["setxattr", "{out}/writable.txt"], &["write", "{ws}/own.txt"]),
        calls(
            write,
            "programs of the machine",
            &["write", "/usr/bin/polaris-owned"],
            &["write", "{ws}/tool"],
        ),
        calls(
            write,
            "settings of the machine",
            &["write", "/etc/polaris-owned"],
            &["write", "{tmp}/settings"],
        ),
        // At level `full` there is a /tmp to write to: nobody else's.
        programs(
            write,
            "everybody's temporary folder",
            (
                "sh",
                &[
                    "-c",
                    "rm -rf /tmp/{everybody} {base}; echo owned > /tmp/{everybody}; echo x > /tmp/owned-{n}",
                ],
            ),
            ("sh", &["-c", "cat {ws}/own.txt && echo x > {tmp}/mine && echo GOT it"]),
        ),
        calls(write, "shared memory", &["write", "/dev/shm/polaris-{n}"], &["write", "{tmp}/mine"]),
        calls(
            write,
            "settings of the kernel",
            &["write", "/proc/sys/kernel/core_pattern"],
            &["read", "/proc/self/stat"],
        ),
        calls(
            write,
            "the settings that the sandbox shows",
            &["write", "/etc/hosts"],
            &["read", "/etc/hosts"],
        ),
        programs(
            write,
            "by node",
            (
                "node",
                &["-e", "require('fs').writeFileSync('{out}/writable.txt', 'x'); console.log('GOT it')"],
            ),
            ("node", &["-e", "require('fs').writeFileSync('own.txt', 'x'); console.log('GOT it')"]),
        ),
        programs(
            write,
            "by git's output option",
            ("git", &["diff", "--no-index", "--output={out}/new.txt", "own.txt", "package.json"]),
            (
                "node",
                &[
                    "-e",
                    "try { require('child_process').execFileSync('git', ['diff', '--no-index', '--output=new.txt', 'own.txt', 'package.json']) } catch {} console.log(require('fs').existsSync('new.txt') ? 'GOT it' : 'no')",
                ],
            ),
        ),
        // ---- links ----
        calls(
            link,
            "symbolic, read",
            &["symlink-read", "{out}/secret.txt", "{ws}/link"],
            &["symlink-read", "{ws}/own.txt", "{ws}/link"],
        ),
        calls(
            link,
            "symbolic, write",
            &["symlink-write", "{out}/writable.txt", "{ws}/link"],
            &["symlink-write", "{ws}/own.txt", "{ws}/link"],
        ),
        calls(
            link,
            "symbolic, of a folder",
            &["symlink-read", "../outside/secret.txt", "{ws}/link"],
            &["symlink-read", "../workspace/own.txt", "{ws}/link"],
        ),
        calls(
            link,
            "hard, in",
            &["link", "{out}/secret.txt", "{ws}/link"],
            &["link", "{ws}/own.txt", "{ws}/link"],
        ),
        calls(
            link,
            "hard, out",
            &["link", "{ws}/own.txt", "{out}/link"],
            &["link", "{ws}/second.txt", "{ws}/link"],
        ),
        calls(
            link,
            "hard, of an open file",
            &["link-fd", "{out}/secret.txt", "{ws}/link"],
            &["link", "{ws}/own.txt", "{ws}/link"],
        ),
        calls(
            link,
            "device",
            &["mknod", "{ws}/disk", "60666", "65024"],
            &["mknod", "{ws}/pipe", "10666", "0"],
        ),
        calls(
            link,
            "character device",
            &["mknod", "{ws}/null", "20666", "259"],
            &["mknod", "{ws}/pipe", "10666", "0"],
        ),
        calls(
            link,
            "socket",
            &["mknod", "{ws}/socket", "140666", "0"],
            &["mknod", "{ws}/pipe", "10666", "0"],
        ),
        // ---- proc ----
        calls(
            proc,
            "environment of a process outside",
            &["read", "/proc/{pid}/environ"],
            &["read", "/proc/self/environ"],
        ),
        calls(
            proc,
            "environment of the worker",
            &["read", "/proc/{me}/environ"],
            &["read", "/proc/self/environ"],
        ),
        calls(
            proc,
            "environment of the first process",
            &["read", "/proc/1/environ"],
            &["read", "/proc/self/environ"],
        ),
        calls(
            proc,
            "memory of a process outside",
            &["read-from", "/proc/{pid}/mem", "4194304"],
            &["read", "/proc/self/statm"],
        ),
        calls(proc, "map of a process outside", &["read", "/proc/{pid}/maps"], &["read", "/proc/self/maps"]),
        calls(
            proc,
            "root of a process outside",
            &["read", "/proc/{pid}/root{out}/secret.txt"],
            &["read", "/proc/self/root{ws}/own.txt"],
        ),
        calls(
            proc,
            "folder of a process outside",
            &["readdir", "/proc/{pid}/cwd"],
            &["readdir", "/proc/self/cwd"],
        ),
        calls(
            proc,
            "numbers of open files of a process outside",
            &["readdir", "/proc/{pid}/fd"],
            &["readdir", "/proc/self/fd"],
        )
        .only_full(),
        calls(
            proc,
            "open files of a process outside",
            &["read", "/proc/{pid}/fd/0"],
            &["read", "/proc/self/fd/0"],
        ),
        calls(
            proc,
            "command line of a process outside",
            &["read", "/proc/{pid}/cmdline"],
            &["read", "/proc/self/cmdline"],
        )
        .only_full(),
        calls(proc, "kernel's memory", &["read-from", "/proc/kcore", "0"], &["read", "/proc/meminfo"]),
        calls(proc, "adjusting the killer", &["oom-score", "-1000"], &["read", "/proc/self/oom_score_adj"]),
        programs(
            proc,
            "every environment there is",
            (
                "node",
                &[
                    "-e",
                    "const fs=require('fs');for(const p of fs.readdirSync('/proc')){try{const e=fs.readFileSync(`/proc/${p}/environ`,'utf8');if(/CANARY/.test(e))console.log('GOT',e)}catch{}}",
                ],
            ),
            (
                "node",
                &["-e", "console.log('GOT', require('fs').readFileSync('/proc/self/environ','utf8').length)"],
            ),
        ),
        // ---- inherited ----
        calls(inherit, "open files", &["inherited"], &["readdir", "/proc/self/fd"]),
        calls(inherit, "input", &["stdin"], &["say", "fine"]),
        programs(
            inherit,
            "variables",
            (
                "node",
                &[
                    "-e",
                    "const e=JSON.stringify(process.env);if(/CANARY|SECRET/.test(e))console.log('GOT',e)",
                ],
            ),
            ("node", &["-e", "console.log('GOT',process.env.HOME)"]),
        ),
    ]
}
