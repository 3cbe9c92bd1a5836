//! Signals and other processes, privileges, namespaces, corners of the kernel.

use super::{calls, programs};
use crate::Case;

pub(super) fn cases() -> Vec<Case> {
    const FINE: &[&str] = &["getpid"];
    let signal = "signals and processes";
    let privilege = "privilege";
    let kernel = "kernel";
    vec![
        calls(signal, "kill", &["kill", "{pid}", "9"], &["kill", "0", "0"]),
        calls(signal, "terminate the worker", &["kill", "{me}", "15"], &["kill", "0", "0"]),
        calls(signal, "stop", &["kill", "{pid}", "19"], &["kill", "0", "0"]),
        calls(signal, "probe", &["kill", "{pid}", "0"], &["kill", "0", "0"]),
        calls(signal, "of a thread", &["tgkill", "{pid}", "15"], FINE),
        calls(signal, "queued", &["queue", "{pid}", "15"], FINE),
        calls(signal, "by descriptor", &["pidfd-kill", "{pid}"], FINE),
        calls(signal, "by a pipe's owner", &["set-owner", "{pid}"], FINE),
        calls(signal, "trace", &["ptrace", "{pid}"], FINE),
        calls(signal, "be traced", &["traceme"], FINE),
        calls(signal, "read memory", &["vm-read", "{pid}"], FINE),
        calls(signal, "take a descriptor", &["getfd", "{pid}"], FINE),
        calls(signal, "limits of another", &["prlimit", "{pid}"], &["lower-limit", "7"]),
        calls(signal, "priority of another", &["nice", "{pid}", "19"], &["nice", "0", "19"]),
        calls(signal, "priority of all of a user", &["nice-user", "19"], &["nice", "0", "19"]),
        calls(signal, "processors of another", &["affinity", "{pid}"], &["affinity", "0"]),
        programs(
            signal,
            "kill by node",
            ("node", &["-e", "process.kill({pid}, 'SIGTERM'); console.log('GOT it')"]),
            (
                "node",
                &[
                    "-e",
                    "const c=require('child_process').spawn('sleep',['9']);c.on('exit',(a,s)=>console.log('GOT',s));c.kill()",
                ],
            ),
        ),
        calls(privilege, "become root", &["setuid", "0"], &["getuid"]),
        calls(privilege, "become another user", &["setuid", "65534"], &["getuid"]),
        calls(privilege, "hold capabilities", &["capabilities"], &["getuid"]),
        calls(privilege, "gain by a program", &["no-new-privs"], &["getuid"]),
        calls(privilege, "raise the limit of files", &["raise-limit", "7"], &["lower-limit", "7"]),
        calls(privilege, "raise the limit of processes", &["raise-limit", "6"], &["lower-limit", "6"]),
        calls(privilege, "raise the limit of file sizes", &["raise-limit", "1"], &["lower-limit", "7"]),
        calls(privilege, "be more important", &["nice", "0", "-10"], &["nice", "0", "10"]),
        programs(privilege, "su", ("su", &["-c", "echo GOT it"]), ("env", &["echo", "GOT it"])),
        calls(kernel, "new user namespace", &["unshare", "0x10000000"], FINE),
        calls(kernel, "new mount namespace", &["unshare", "0x20000"], FINE),
        calls(kernel, "new network namespace", &["unshare", "0x40000000"], FINE),
        calls(kernel, "clone into a user namespace", &["clone", "0x10000000"], &["clone", "0"]),
        calls(kernel, "clone into all namespaces", &["clone", "0x7e020000"], &["clone", "0"]),
        calls(kernel, "clone3 into a user namespace", &["clone3", "0x10000000"], &["clone", "0"]),
        calls(kernel, "enter a namespace", &["setns", "/proc/self/ns/mnt"], FINE),
        calls(kernel, "enter another's namespace", &["setns", "/proc/{pid}/ns/mnt"], FINE),
        calls(kernel, "mount", &["mount", "{ws}"], FINE),
        calls(kernel, "mount again", &["remount", "/usr"], FINE),
        calls(kernel, "unmount", &["umount", "/proc"], FINE),
        calls(kernel, "new root", &["chroot", "{ws}"], FINE),
        calls(kernel, "exchange roots", &["pivot", "{ws}"], FINE),
        calls(kernel, "copy a mount", &["open-tree", "/"], FINE),
        calls(kernel, "new file system", &["fsopen"], FINE),
        calls(kernel, "file handles", &["handle", "{ws}/own.txt"], FINE),
        calls(kernel, "bpf", &["bpf"], FINE),
        calls(kernel, "performance counters", &["perf"], FINE),
        calls(kernel, "page faults in user space", &["userfaultfd"], FINE),
        calls(kernel, "rings of system calls", &["io_uring"], FINE),
        calls(kernel, "keys", &["keyring"], FINE),
        calls(kernel, "key control", &["keyctl"], FINE),
        calls(kernel, "shared memory", &["shm"], FINE),
        calls(kernel, "messages", &["msg"], FINE),
        calls(kernel, "message queues", &["mqueue"], FINE),
        calls(kernel, "programs in memory", &["memfd"], FINE),
        calls(kernel, "name of the machine", &["sethostname"], FINE),
        calls(kernel, "time of the machine", &["settime"], FINE),
        calls(kernel, "restart", &["reboot"], FINE),
        calls(kernel, "log", &["syslog"], FINE),
        calls(kernel, "quotas", &["quotactl"], FINE),
        calls(kernel, "32-bit calls", &["int80"], FINE),
        calls(kernel, "x32 calls", &["x32"], FINE),
        calls(kernel, "calls of the future", &["unknown-call"], FINE),
    ]
}
