//! The system calls that a confined command may make. A list of what is allowed: what the list does
//! not know does not exist (`ENOSYS`, upon which programs try another way), what is dangerous is
//! refused (`EPERM`). No sockets but pairs of connected streams; no other process's memory, limits
//! or namespaces; no session or process group of its own, so that killing one group ends everything.

use libc::sock_filter;

use crate::program::{Fate, Is, Rule, Table, compile};

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

/// What becomes of TCP sockets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Streams {
    /// Refused, as all others.
    #[default]
    Refused,
    /// The supervisor is asked for each, and gives one that is connected already.
    Given,
}

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

/// New namespaces, in which a process could be somebody else.
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

const EPERM: Fate = Fate::Errno(libc::EPERM);
const PRETEND: Fate = Fate::Errno(0);

/// Bits of a socket's type that are its kind (`SOCK_TYPE_MASK` of linux/net.h).
const KIND: u32 = 0xf;
const STREAM: u32 = libc::SOCK_STREAM as u32;

fn always(fate: Fate) -> Rule {
    Rule { conditions: Vec::new(), fate }
}

fn when<const N: usize>(conditions: [(u8, Is); N], fate: Fate) -> Rule {
    Rule { conditions: conditions.to_vec(), fate }
}

/// Every call that the filter knows.
fn table(gaps: Gaps, streams: Streams) -> Table {
    let mut table = Table::new();
    for (calls, fate) in
        [(ALLOWED, Fate::Allowed), (ALLOWED_HERE, Fate::Allowed), (REFUSED, EPERM), (PRETENDED, PRETEND)]
    {
        table.extend(calls.iter().map(|&call| (call, vec![always(fate)])));
    }
    // Connected streams only: a datagram socket can be turned towards any address.
    let pair = [(0, Is::Equal(libc::AF_UNIX as u32)), (1, Is::Masked(KIND, STREAM))];
    table.insert(libc::SYS_socketpair, vec![when(pair, Fate::Allowed)]);
    // Of this process only: processes outside may have the same owner.
    for call in [
        libc::SYS_prlimit64,
        libc::SYS_sched_setaffinity,
        libc::SYS_sched_setattr,
        libc::SYS_sched_setparam,
        libc::SYS_sched_setscheduler,
    ] {
        table.insert(call, vec![when([(0, Is::Equal(0))], Fate::Allowed)]);
    }
    /// Of sys/resource.h; its type differs between C libraries.
    const PRIO_PROCESS: u32 = 0;
    let own = [(0, Is::Equal(PRIO_PROCESS)), (1, Is::Equal(0))];
    table.insert(libc::SYS_setpriority, vec![when(own, Fate::Allowed)]);
    // Only asking: programs that look at their personality.
    table.insert(libc::SYS_personality, vec![when([(0, Is::Equal(0xffff_ffff))], Fate::Allowed)]);

    let mut but = |call, argument, refused: Vec<Is>| {
        let rules = refused.into_iter().map(|is| when([(argument, is)], EPERM));
        table.insert(call, rules.chain([always(Fate::Allowed)]).collect());
    };
    but(libc::SYS_clone, 0, NEW_NAMESPACES.map(|flag| Is::Masked(flag as u32, flag as u32)).to_vec());
    // Terminal input and pastes on behalf of others.
    let terminal = [libc::TIOCSTI, libc::TIOCLINUX];
    but(libc::SYS_ioctl, 1, terminal.map(|command| Is::Equal(command as u32)).to_vec());
    /// `F_SETOWN`, `F_SETSIG`, `F_SETOWN_EX` of fcntl.h: a descriptor that sends signals.
    const OWNER: [u32; 3] = [8, 10, 15];
    but(libc::SYS_fcntl, 1, OWNER.map(Is::Equal).to_vec());

    close(&mut table, gaps);
    if streams == Streams::Given {
        connect(&mut table);
    }
    table
}

/// What has to be closed here because nothing else closes it.
fn close(table: &mut Table, gaps: Gaps) {
    let mut decide =
        |fate: Fate, calls: &[i64]| table.extend(calls.iter().map(|&call| (call, vec![always(fate)])));
    if gaps.metadata {
        decide(
            EPERM,
            &[libc::SYS_lremovexattr, libc::SYS_lsetxattr, libc::SYS_removexattr, libc::SYS_setxattr],
        );
        #[cfg(target_arch = "x86_64")]
        decide(PRETEND, &[libc::SYS_futimesat, libc::SYS_utime, libc::SYS_utimes]);
    }
    if gaps.signals {
        decide(
            EPERM,
            &[
                libc::SYS_kill,
                libc::SYS_pidfd_send_signal,
                libc::SYS_rt_sigqueueinfo,
                libc::SYS_rt_tgsigqueueinfo,
                libc::SYS_tgkill,
                libc::SYS_tkill,
            ],
        );
    }
    if gaps.watches {
        decide(EPERM, &[libc::SYS_inotify_add_watch]);
    }
    if gaps.modes {
        // Refused, git could not make a repository. By descriptor all of it works.
        decide(PRETEND, &[libc::SYS_fchmodat, libc::SYS_fchmodat2, libc::SYS_fchownat]);
        #[cfg(target_arch = "x86_64")]
        decide(PRETEND, &[libc::SYS_chmod, libc::SYS_chown, libc::SYS_lchown]);
    }
    if gaps.metadata {
        // With a path; without one it changes the times of an open file.
        let path = when([(1, Is::Pointer)], PRETEND);
        table.insert(libc::SYS_utimensat, vec![path, always(Fate::Allowed)]);
    }
}

/// TCP sockets are asked for; all others stay refused.
fn connect(table: &mut Table) {
    let mut sockets = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        for protocol in [0, libc::IPPROTO_TCP] {
            let tcp = [
                (0, Is::Equal(family as u32)),
                (1, Is::Masked(KIND, STREAM)),
                (2, Is::Equal(protocol as u32)),
            ];
            sockets.push(when(tcp, Fate::Asked));
        }
    }
    sockets.push(always(EPERM));
    table.insert(libc::SYS_socket, sockets);
    // It is connected already, and to nothing else, whatever address is given.
    table.insert(libc::SYS_connect, vec![always(PRETEND)]);
    // Options of protocols that it does not have: without success, libuv does not connect.
    let levels = [libc::IPPROTO_IP, libc::IPPROTO_TCP, libc::IPPROTO_IPV6];
    let options = levels.map(|level| when([(1, Is::Equal(level as u32))], PRETEND));
    let options = options.into_iter().chain([always(Fate::Allowed)]).collect();
    table.insert(libc::SYS_setsockopt, options);
}

/// The filter.
pub(crate) fn program(gaps: Gaps, streams: Streams) -> Vec<sock_filter> {
    compile(&table(gaps, streams), Fate::Errno(libc::ENOSYS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_is_short_whatever_it_has_to_close() {
        for n in 0..16 {
            let gaps = Gaps { metadata: n & 1 > 0, signals: n & 2 > 0, watches: n & 4 > 0, modes: n & 8 > 0 };
            for streams in [Streams::Refused, Streams::Given] {
                let length = program(gaps, streams).len();
                assert!(length < 500, "{gaps:?} {streams:?}: {length}");
            }
        }
    }

    #[test]
    fn no_call_is_both_allowed_and_refused() {
        let twice = ALLOWED.iter().chain(ALLOWED_HERE).filter(|call| REFUSED.contains(call));
        assert_eq!(twice.count(), 0);
    }
}
