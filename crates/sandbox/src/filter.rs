//! The system calls that a confined command may make. A list of what is allowed: what the list does
//! not know does not exist (`ENOSYS`, upon which programs try another way), what is dangerous is
//! refused (`EPERM`). No sockets but pairs of connected streams; no other process's memory, limits
//! or namespaces; no session or process group of its own, so that killing one group ends everything.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

/// What the rest of the confinement leaves open, so that the filter has to close it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Gaps {
    /// Files outside are not hidden: times and attributes of those that this user may write could be
    /// changed by path, which Landlock does not govern.
    pub(crate) metadata: bool,
    /// Files outside have the same owner: likewise their mode.
    pub(crate) modes: bool,
    /// Nothing keeps signals from reaching processes outside.
    pub(crate) signals: bool,
    /// Folders outside could be watched for changes.
    pub(crate) watches: bool,
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;
type Result<T> = std::result::Result<T, seccompiler::BackendError>;

/// Allowed whatever the arguments are.
const ALLOWED: &[i64] = &[
    libc::SYS_brk,
    libc::SYS_capget,
    libc::SYS_capset,
    libc::SYS_chdir,
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_clone,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_copy_file_range,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fadvise64,
    libc::SYS_fallocate,
    libc::SYS_fchdir,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchmodat2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_fcntl,
    libc::SYS_fdatasync,
    libc::SYS_fgetxattr,
    libc::SYS_flistxattr,
    libc::SYS_flock,
    libc::SYS_fremovexattr,
    libc::SYS_fsetxattr,
    libc::SYS_fstat,
    libc::SYS_fstatfs,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_futex,
    libc::SYS_futex_waitv,
    libc::SYS_get_mempolicy,
    libc::SYS_get_robust_list,
    libc::SYS_getcpu,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getgroups,
    libc::SYS_getitimer,
    libc::SYS_getpeername,
    libc::SYS_getpgid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getpriority,
    libc::SYS_getrandom,
    libc::SYS_getresgid,
    libc::SYS_getresuid,
    libc::SYS_getrlimit,
    libc::SYS_getrusage,
    libc::SYS_getsid,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_gettid,
    libc::SYS_gettimeofday,
    libc::SYS_getuid,
    libc::SYS_getxattr,
    libc::SYS_inotify_add_watch,
    libc::SYS_inotify_init1,
    libc::SYS_inotify_rm_watch,
    libc::SYS_ioctl,
    libc::SYS_ioprio_get,
    libc::SYS_kill,
    libc::SYS_lgetxattr,
    libc::SYS_linkat,
    libc::SYS_listxattr,
    libc::SYS_llistxattr,
    libc::SYS_lremovexattr,
    libc::SYS_lseek,
    libc::SYS_lsetxattr,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mincore,
    libc::SYS_mkdirat,
    libc::SYS_mknodat,
    libc::SYS_mlock,
    libc::SYS_mlock2,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_msync,
    libc::SYS_munlock,
    libc::SYS_munlockall,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_send_signal,
    libc::SYS_pipe2,
    libc::SYS_pkey_alloc,
    libc::SYS_pkey_free,
    libc::SYS_pkey_mprotect,
    libc::SYS_ppoll,
    libc::SYS_prctl,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_preadv2,
    libc::SYS_pselect6,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_pwritev2,
    libc::SYS_read,
    libc::SYS_readahead,
    libc::SYS_readlinkat,
    libc::SYS_readv,
    libc::SYS_recvfrom,
    libc::SYS_recvmmsg,
    libc::SYS_recvmsg,
    libc::SYS_removexattr,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigsuspend,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_sched_get_priority_max,
    libc::SYS_sched_get_priority_min,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_getattr,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_sched_rr_get_interval,
    libc::SYS_sched_yield,
    libc::SYS_seccomp,
    libc::SYS_sendfile,
    libc::SYS_sendmmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_setfsgid,
    libc::SYS_setfsuid,
    libc::SYS_setgid,
    libc::SYS_setgroups,
    libc::SYS_setitimer,
    libc::SYS_setregid,
    libc::SYS_setresgid,
    libc::SYS_setresuid,
    libc::SYS_setreuid,
    libc::SYS_setrlimit,
    libc::SYS_setsockopt,
    libc::SYS_setuid,
    libc::SYS_setxattr,
    libc::SYS_shutdown,
    libc::SYS_sigaltstack,
    libc::SYS_signalfd4,
    libc::SYS_splice,
    libc::SYS_statfs,
    libc::SYS_statx,
    libc::SYS_symlinkat,
    libc::SYS_sync_file_range,
    libc::SYS_sysinfo,
    libc::SYS_tee,
    libc::SYS_tgkill,
    libc::SYS_timer_create,
    libc::SYS_timer_delete,
    libc::SYS_timer_getoverrun,
    libc::SYS_timer_gettime,
    libc::SYS_timer_settime,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_gettime,
    libc::SYS_timerfd_settime,
    libc::SYS_times,
    libc::SYS_tkill,
    libc::SYS_truncate,
    libc::SYS_umask,
    libc::SYS_uname,
    libc::SYS_unlinkat,
    libc::SYS_utimensat,
    libc::SYS_vmsplice,
    libc::SYS_wait4,
    libc::SYS_waitid,
    libc::SYS_write,
    libc::SYS_writev,
];

/// The older forms that only x86-64 has.
#[cfg(target_arch = "x86_64")]
const ALLOWED_HERE: &[i64] = &[
    libc::SYS_access,
    libc::SYS_alarm,
    libc::SYS_arch_prctl,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_creat,
    libc::SYS_dup2,
    libc::SYS_epoll_create,
    libc::SYS_epoll_wait,
    libc::SYS_eventfd,
    libc::SYS_fork,
    libc::SYS_futimesat,
    libc::SYS_getdents,
    libc::SYS_getpgrp,
    libc::SYS_inotify_init,
    libc::SYS_lchown,
    libc::SYS_link,
    libc::SYS_lstat,
    libc::SYS_mkdir,
    libc::SYS_mknod,
    libc::SYS_open,
    libc::SYS_pause,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_rename,
    libc::SYS_rmdir,
    libc::SYS_select,
    libc::SYS_signalfd,
    libc::SYS_stat,
    libc::SYS_symlink,
    libc::SYS_time,
    libc::SYS_unlink,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_vfork,
];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_HERE: &[i64] = &[];

/// Refused, rather than unknown: a program should learn that it may not.
const REFUSED: &[i64] = &[
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_adjtimex,
    libc::SYS_bind,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_connect,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_fanotify_mark,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kcmp,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_listen,
    // Memory that no limit of a process counts.
    libc::SYS_memfd_create,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_mq_open,
    libc::SYS_msgget,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_madvise,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_semget,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_shmget,
    libc::SYS_socket,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
];

/// Succeed without doing anything. The first two keep everything in one process group; the others
/// would make all of the machine's disks wait.
const PRETENDED: &[i64] = &[libc::SYS_setsid, libc::SYS_setpgid, libc::SYS_sync, libc::SYS_syncfs];

const NEW_NAMESPACES: [i32; 8] = [
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    /* CLONE_NEWTIME */ 0x80,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWUTS,
];

fn is(argument: u8, op: SeccompCmpOp, value: u64) -> Result<SeccompCondition> {
    // Double words: the kernel looks at the lower half of such arguments only, so must this.
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, op, value)
}

fn rule(conditions: Vec<SeccompCondition>) -> Result<SeccompRule> {
    SeccompRule::new(conditions)
}

fn allowed() -> Result<Rules> {
    use SeccompCmpOp::{Eq, MaskedEq};
    let plain = ALLOWED.iter().chain(ALLOWED_HERE).chain(PRETENDED).chain(REFUSED);
    let mut rules: Rules = plain.map(|&call| (call, Vec::new())).collect();
    // Connected streams only: a datagram socket can be turned towards any address.
    let pair = rule(vec![is(0, Eq, libc::AF_UNIX as u64)?, is(1, MaskedEq(0xf), libc::SOCK_STREAM as u64)?])?;
    rules.insert(libc::SYS_socketpair, vec![pair]);
    // Of this process only: processes outside may have the same owner.
    for call in [
        libc::SYS_prlimit64,
        libc::SYS_sched_setaffinity,
        libc::SYS_sched_setattr,
        libc::SYS_sched_setparam,
        libc::SYS_sched_setscheduler,
    ] {
        rules.insert(call, vec![rule(vec![is(0, Eq, 0)?])?]);
    }
    let own_priority = rule(vec![is(0, Eq, libc::PRIO_PROCESS as u64)?, is(1, Eq, 0)?])?;
    rules.insert(libc::SYS_setpriority, vec![own_priority]);
    // Only asking: programs that look at their personality.
    rules.insert(libc::SYS_personality, vec![rule(vec![is(0, Eq, 0xffff_ffff)?])?]);
    Ok(rules)
}

fn refused(gaps: Gaps) -> Result<Rules> {
    use SeccompCmpOp::{Eq, MaskedEq};
    let mut rules: Rules = REFUSED.iter().map(|&call| (call, Vec::new())).collect();
    let mut namespaces = Vec::new();
    for flag in NEW_NAMESPACES {
        let flag = flag as u32 as u64;
        namespaces.push(rule(vec![is(0, MaskedEq(flag), flag)?])?);
    }
    rules.insert(libc::SYS_clone, namespaces);
    /// Terminal input and pastes on behalf of others.
    const TERMINAL: [u64; 2] = [libc::TIOCSTI, libc::TIOCLINUX];
    let terminal = TERMINAL.iter().map(|&command| rule(vec![is(1, Eq, command)?]));
    rules.insert(libc::SYS_ioctl, terminal.collect::<Result<_>>()?);
    /// `F_SETOWN`, `F_SETSIG`, `F_SETOWN_EX` of fcntl.h: a descriptor that sends signals.
    const OWNER: [u64; 3] = [8, 10, 15];
    let owner = OWNER.iter().map(|&command| rule(vec![is(1, Eq, command)?]));
    rules.insert(libc::SYS_fcntl, owner.collect::<Result<_>>()?);
    let mut refuse = |calls: &[i64]| {
        for &call in calls {
            rules.insert(call, Vec::new());
        }
    };
    if gaps.metadata {
        refuse(&[libc::SYS_lremovexattr, libc::SYS_lsetxattr, libc::SYS_removexattr, libc::SYS_setxattr]);
    }
    if gaps.signals {
        refuse(&[
            libc::SYS_kill,
            libc::SYS_pidfd_send_signal,
            libc::SYS_rt_sigqueueinfo,
            libc::SYS_rt_tgsigqueueinfo,
            libc::SYS_tgkill,
            libc::SYS_tkill,
        ]);
    }
    if gaps.watches {
        refuse(&[libc::SYS_inotify_add_watch]);
    }
    Ok(rules)
}

/// What succeeds without doing anything.
fn pretended(gaps: Gaps) -> Result<Rules> {
    let mut rules: Rules = PRETENDED.iter().map(|&call| (call, Vec::new())).collect();
    let mut pretend = |calls: &[i64]| rules.extend(calls.iter().map(|&call| (call, Vec::new())));
    if gaps.modes {
        // Refused, git could not make a repository. By descriptor all of it works.
        pretend(&[libc::SYS_fchmodat, libc::SYS_fchmodat2, libc::SYS_fchownat]);
        #[cfg(target_arch = "x86_64")]
        pretend(&[libc::SYS_chmod, libc::SYS_chown, libc::SYS_lchown]);
    }
    if gaps.metadata {
        #[cfg(target_arch = "x86_64")]
        pretend(&[libc::SYS_futimesat, libc::SYS_utime, libc::SYS_utimes]);
        // With a path; without one it changes the times of an open file.
        let path = SeccompCondition::new(1, SeccompCmpArgLen::Qword, SeccompCmpOp::Ne, 0)?;
        rules.insert(libc::SYS_utimensat, vec![rule(vec![path])?]);
    }
    Ok(rules)
}

fn compile(rules: Rules, matched: SeccompAction, otherwise: SeccompAction) -> Result<BpfProgram> {
    #[cfg(target_arch = "x86_64")]
    let arch = TargetArch::x86_64;
    #[cfg(target_arch = "aarch64")]
    let arch = TargetArch::aarch64;
    SeccompFilter::new(rules, otherwise, matched, arch)?.try_into()
}

/// The filters, in the order in which they are to be installed: of two refusals, the later one's
/// error is seen.
pub(crate) fn filters(gaps: Gaps) -> Result<Vec<BpfProgram>> {
    use SeccompAction::{Allow, Errno};
    Ok(vec![
        compile(allowed()?, Allow, Errno(libc::ENOSYS as u32))?,
        compile(refused(gaps)?, Errno(libc::EPERM as u32), Allow)?,
        compile(pretended(gaps)?, Errno(0), Allow)?,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_of_gaps_compiles() {
        for n in 0..16 {
            let gaps = Gaps { metadata: n & 1 > 0, signals: n & 2 > 0, watches: n & 4 > 0, modes: n & 8 > 0 };
            assert_eq!(filters(gaps).unwrap().len(), 3, "{gaps:?}");
        }
    }

    #[test]
    fn no_call_is_both_allowed_and_refused() {
        let twice = ALLOWED.iter().chain(ALLOWED_HERE).filter(|call| REFUSED.contains(call));
        assert_eq!(twice.count(), 0);
    }
}
