//! The few system calls that std has no safe form of, each behind one. No policy here.

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// `-1` as the error that it stands for.
pub(crate) fn check<T: Into<i64> + Copy>(result: T) -> io::Result<T> {
    if result.into() == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// A path or string for the kernel.
pub(crate) fn c_string(text: impl AsRef<OsStr>) -> io::Result<CString> {
    CString::new(text.as_ref().as_bytes())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "it holds a NUL"))
}

/// Forks, into new namespaces if `flags` says so. `None` in the child. Only for a process of one
/// thread, as this helper is: the child may then do whatever its parent could.
pub(crate) fn fork(flags: i32) -> io::Result<Option<i32>> {
    let flags = i64::from(flags | libc::SIGCHLD);
    // SAFETY: without CLONE_VM and with no stack given this is fork(2); the process has one thread.
    let pid = check(unsafe { libc::syscall(libc::SYS_clone, flags, 0_i64, 0_i64, 0_i64, 0_i64) })?;
    Ok(i32::try_from(pid).ok().filter(|&pid| pid > 0))
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Code(i32),
    Signal(i32),
}

/// Waits for any child; `None`: there is none (left), or with `at_once` none has ended.
pub(crate) fn wait_any(at_once: bool, keep: bool) -> io::Result<Option<(i32, Exit)>> {
    let options =
        libc::WEXITED | if at_once { libc::WNOHANG } else { 0 } | if keep { libc::WNOWAIT } else { 0 };
    loop {
        // SAFETY: all zeroes is a valid siginfo_t.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: `info` is valid for writes for the length of the call.
        match check(unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, options) }) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.raw_os_error() == Some(libc::ECHILD) => return Ok(None),
            Err(error) => return Err(error),
            Ok(_) => {
                // SAFETY: waitid filled in the fields of a SIGCHLD, or left all zeroes.
                let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
                if pid == 0 {
                    return Ok(None);
                }
                let exited = info.si_code == libc::CLD_EXITED;
                return Ok(Some((pid, if exited { Exit::Code(status) } else { Exit::Signal(status) })));
            }
        }
    }
}

/// Buries one child that has ended; no other, which may have ended since.
pub(crate) fn reap(pid: i32) {
    let mut status = 0;
    // SAFETY: `status` is valid for writes for the length of the call.
    unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) };
}

/// Ends one process (`pid > 0`) or a whole process group (`pid < -1`). One that is gone is no error.
pub(crate) fn kill(pid: i32) {
    if !(-1..=0).contains(&pid) {
        // SAFETY: takes no pointers.
        unsafe { libc::kill(pid, libc::SIGKILL) };
    }
}

/// `prctl` with one number.
pub(crate) fn prctl(option: i32, value: u64) -> io::Result<()> {
    // SAFETY: only options that take a number are used here.
    check(unsafe { libc::prctl(option, value, 0_u64, 0_u64, 0_u64) }).map(drop)
}

/// Sets a soft and a hard limit; neither is ever raised above the hard limit that there is.
pub(crate) fn limit(resource: libc::__rlimit_resource_t, value: u64) -> io::Result<()> {
    let mut old = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `old` is valid for writes for the length of the call.
    check(unsafe { libc::getrlimit(resource, &raw mut old) })?;
    let value = value.min(old.rlim_max);
    let new = libc::rlimit { rlim_cur: value, rlim_max: value };
    // SAFETY: `new` is valid for the length of the call.
    check(unsafe { libc::setrlimit(resource, &raw const new) }).map(drop)
}

/// The user that this process acts as.
pub(crate) fn uid() -> u32 {
    // SAFETY: always succeeds, takes no pointers.
    unsafe { libc::geteuid() }
}

/// The group that this process acts as.
pub(crate) fn gid() -> u32 {
    // SAFETY: always succeeds, takes no pointers.
    unsafe { libc::getegid() }
}

/// Leaves all supplementary groups.
pub(crate) fn leave_groups() -> io::Result<()> {
    // SAFETY: an empty list needs no memory.
    check(unsafe { libc::setgroups(0, std::ptr::null()) }).map(drop)
}

/// Becomes `uid` and `gid` for good.
pub(crate) fn become_user(uid: u32, gid: u32) -> io::Result<()> {
    // SAFETY: takes no pointers.
    check(unsafe { libc::setresgid(gid, gid, gid) })?;
    // SAFETY: takes no pointers.
    check(unsafe { libc::setresuid(uid, uid, uid) }).map(drop)
}

/// Gives up the means to gain a capability.
pub(crate) fn drop_bounding_set() -> io::Result<()> {
    for capability in 0..64 {
        match prctl(libc::PR_CAPBSET_DROP, capability) {
            // Beyond the last one; or there is nothing that could be dropped with.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EPERM)) => break,
            other => other?,
        }
    }
    Ok(())
}

/// Gives up every capability, and the means to gain one.
pub(crate) fn drop_capabilities() -> io::Result<()> {
    drop_bounding_set()?;
    // Not on old kernels, where there is nothing to clear.
    let _ = prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as u64);
    /// `_LINUX_CAPABILITY_VERSION_3` of linux/capability.h.
    const VERSION: u32 = 0x2008_0522;
    let header: [u32; 2] = [VERSION, 0];
    let none = [0_u32; 6];
    // SAFETY: both arrays have the layout of version 3 and outlive the call.
    check(unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) }).map(drop)
}

/// A session of its own.
pub(crate) fn new_session() -> io::Result<()> {
    // SAFETY: takes no pointers.
    check(unsafe { libc::setsid() }).map(drop)
}

/// A process group of its own.
pub(crate) fn new_group() -> io::Result<()> {
    // SAFETY: takes no pointers.
    check(unsafe { libc::setpgid(0, 0) }).map(drop)
}

/// Lets the worker, and everybody else, go first.
pub(crate) fn be_nice() {
    // SAFETY: takes no pointers.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 5) };
}

/// New files are readable by all, writable by their owner.
pub(crate) fn set_umask() {
    // SAFETY: takes no pointers, cannot fail.
    unsafe { libc::umask(0o022) };
}

/// Closes every descriptor from `first` on, or with `on_exec` marks it to be closed by exec.
pub(crate) fn close_from(first: RawFd, on_exec: bool) {
    let flags = if on_exec { libc::CLOSE_RANGE_CLOEXEC } else { 0 };
    // SAFETY: takes no pointers; nobody uses the descriptors that it closes.
    let done = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, flags) } == 0;
    if done {
        return;
    }
    // Before Linux 5.11.
    for fd in std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten() {
        let fd = fd.file_name().to_str().and_then(|name| name.parse::<RawFd>().ok());
        if let Some(fd) = fd.filter(|&fd| fd >= first) {
            // SAFETY: takes no pointers; as above.
            unsafe {
                if on_exec { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) } else { libc::close(fd) }
            };
        }
    }
}

/// Makes `fd` descriptor number `number`, kept over exec.
pub(crate) fn place(fd: RawFd, number: RawFd) -> io::Result<()> {
    // SAFETY: takes no pointers.
    check(unsafe { libc::dup2(fd, number) }).map(drop)
}

/// Standard input, for a process whose std does not use it any more.
pub(crate) fn standard_input() -> OwnedFd {
    // SAFETY: descriptor 0 was just placed for this one owner, in a process that ends with it.
    unsafe { OwnedFd::from_raw_fd(0) }
}

/// Reads and writes that would wait answer so instead.
pub(crate) fn set_nonblocking(fd: RawFd) -> io::Result<()> {
    // SAFETY: takes no pointers.
    let flags = check(unsafe { libc::fcntl(fd, libc::F_GETFL) })?;
    // SAFETY: takes no pointers.
    check(unsafe { libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK) }).map(drop)
}

fn signal_set(signals: &[i32]) -> libc::sigset_t {
    // SAFETY: all zeroes is valid memory for sigemptyset to fill in.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` is valid for writes; the numbers are those of signals.
    unsafe {
        libc::sigemptyset(&raw mut set);
        for &signal in signals {
            libc::sigaddset(&raw mut set, signal);
        }
    }
    set
}

/// Receives these signals by a descriptor from now on.
pub(crate) fn signals_as_fd(signals: &[i32]) -> io::Result<OwnedFd> {
    let set = signal_set(signals);
    // SAFETY: `set` is valid; the old mask is not wanted.
    check(unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) })?;
    // SAFETY: `set` is valid.
    let fd = check(unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) })?;
    // SAFETY: the kernel made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The next signal that arrived, and the process that it is about; `None`: none is waiting.
pub(crate) fn next_signal(fd: &OwnedFd) -> Option<i32> {
    // SAFETY: all zeroes is a valid signalfd_siginfo.
    let mut info: libc::signalfd_siginfo = unsafe { std::mem::zeroed() };
    let size = size_of::<libc::signalfd_siginfo>();
    // SAFETY: `info` is valid for `size` bytes of writes.
    let read = unsafe { libc::read(fd.as_raw_fd(), (&raw mut info).cast(), size) };
    (read == isize::try_from(size).unwrap_or(isize::MAX)).then_some(info.ssi_signo as i32)
}

/// What a program expects at its start: no signal blocked or ignored.
pub(crate) fn reset_signals() {
    let none = signal_set(&[]);
    // SAFETY: `none` is valid; SIG_DFL is a valid disposition.
    unsafe {
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}

/// Waits until one of the descriptors is ready, or the time has passed.
pub(crate) fn poll(fds: &mut [libc::pollfd], timeout_ms: i32) -> io::Result<()> {
    // SAFETY: the slice is valid for its length.
    match check(unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, timeout_ms) }) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
            for fd in fds {
                fd.revents = 0;
            }
            Ok(())
        }
        other => other.map(drop),
    }
}

/// Replaces this process. Returns only if that failed.
pub(crate) fn exec(program: &CStr, argv: &[CString], env: &[CString]) -> io::Error {
    let pointers = |list: &[CString]| {
        list.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect::<Vec<_>>()
    };
    let (argv, env) = (pointers(argv), pointers(env));
    // SAFETY: both lists end with a null pointer and, like the program, outlive the call.
    unsafe { libc::execve(program.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}

/// Ends this process without running what std or libc would still do.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: never returns.
    unsafe { libc::_exit(code) }
}

/// Free bytes and free files where `path` lives.
pub(crate) fn free_space(path: &Path) -> io::Result<(u64, u64)> {
    let path = c_string(path)?;
    // SAFETY: all zeroes is a valid statvfs.
    let mut found: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are valid for the length of the call.
    check(unsafe { libc::statvfs(path.as_ptr(), &raw mut found) })?;
    Ok((found.f_bavail * found.f_frsize, found.f_favail))
}

/// The kernel's Landlock ABI; 0: there is none.
pub(crate) fn landlock_abi() -> u32 {
    /// `LANDLOCK_CREATE_RULESET_VERSION` of linux/landlock.h.
    const VERSION: u32 = 1;
    // SAFETY: with this flag the call takes no memory and only answers a number.
    let abi =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0_usize, VERSION) };
    u32::try_from(abi).unwrap_or(0)
}

fn seccomp(filter: &[libc::sock_filter], flags: u64) -> io::Result<i64> {
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).map_err(io::Error::other)?,
        filter: filter.as_ptr().cast_mut(),
    };
    let mode = libc::SECCOMP_SET_MODE_FILTER;
    // SAFETY: `program` and the filter, which the kernel only reads, outlive the call.
    check(unsafe { libc::syscall(libc::SYS_seccomp, mode, flags, &raw const program) })
}

/// Filters this process's system calls, and those of all that it starts.
pub(crate) fn apply_filter(filter: &[libc::sock_filter]) -> io::Result<()> {
    seccomp(filter, 0).map(drop)
}

/// The same with a filter that asks whoever holds the descriptor.
pub(crate) fn apply_asking_filter(filter: &[libc::sock_filter]) -> io::Result<OwnedFd> {
    let fd = seccomp(filter, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER)?;
    let fd = RawFd::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Room for one descriptor beside a message: `CMSG_SPACE(sizeof(int))`, aligned as a `cmsghdr`.
#[repr(C, align(8))]
struct Beside([u8; 32]);

/// What sendmsg and recvmsg take: one byte, and a descriptor beside it.
fn message(byte: &mut libc::iovec, beside: &mut Beside) -> libc::msghdr {
    // SAFETY: all zeroes is a valid msghdr.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = byte;
    message.msg_iovlen = 1;
    message.msg_control = beside.0.as_mut_ptr().cast();
    // SAFETY: computes a number.
    message.msg_controllen = unsafe { libc::CMSG_SPACE(size_of::<RawFd>() as u32) } as _;
    message
}

/// Sends a descriptor to the other end of a socket.
pub(crate) fn send_descriptor(socket: BorrowedFd<'_>, fd: BorrowedFd<'_>) -> io::Result<()> {
    let (mut byte, mut beside) = ([0_u8], Beside([0; 32]));
    let mut part = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
    let message = message(&mut part, &mut beside);
    // SAFETY: the header lies in `beside`, which has room for it and one descriptor.
    unsafe {
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(size_of::<RawFd>() as u32) as _;
        libc::CMSG_DATA(header).cast::<RawFd>().write_unaligned(fd.as_raw_fd());
    }
    // SAFETY: everything that `message` points to outlives the call.
    check(unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL) } as i64)
        .map(drop)
}

/// Receives a descriptor; `None`: the other end is gone and has sent none.
pub(crate) fn receive_descriptor(socket: BorrowedFd<'_>) -> io::Result<Option<OwnedFd>> {
    let (mut byte, mut beside) = ([0_u8], Beside([0; 32]));
    let mut part = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
    let mut message = message(&mut part, &mut beside);
    // SAFETY: everything that `message` points to is valid for writes for the length of the call.
    check(unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC) } as i64)?;
    // SAFETY: the kernel has filled in `message`; the header, if there is one, lies in `beside`.
    unsafe {
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        if header.is_null() || (*header).cmsg_type != libc::SCM_RIGHTS {
            return Ok(None);
        }
        Ok(Some(OwnedFd::from_raw_fd(libc::CMSG_DATA(header).cast::<RawFd>().read_unaligned())))
    }
}

/// A connection to a Unix socket, made at once or not at all.
pub(crate) fn connect(path: &Path) -> io::Result<OwnedFd> {
    let bytes = path.as_os_str().as_bytes();
    // SAFETY: all zeroes is a valid sockaddr_un.
    let mut address: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    // The last byte stays the NUL that ends the path.
    if bytes.len() >= address.sun_path.len() {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    for (to, &from) in address.sun_path.iter_mut().zip(bytes) {
        *to = from as libc::c_char;
    }
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: takes no pointers.
    let fd = check(unsafe { libc::socket(libc::AF_UNIX, kind, 0) })?;
    // SAFETY: the kernel made this descriptor for us.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    let size = size_of::<libc::sockaddr_un>() as libc::socklen_t;
    // SAFETY: `address` outlives the call and is `size` bytes long.
    check(unsafe { libc::connect(fd.as_raw_fd(), (&raw const address).cast(), size) })?;
    Ok(fd)
}

/// Reads and writes wait, as they do by default.
pub(crate) fn set_blocking(fd: RawFd) -> io::Result<()> {
    // SAFETY: takes no pointers.
    let flags = check(unsafe { libc::fcntl(fd, libc::F_GETFL) })?;
    // SAFETY: takes no pointers.
    check(unsafe { libc::fcntl(fd, libc::F_SETFL, flags & !libc::O_NONBLOCK) }).map(drop)
}

/// A system call that waits for an answer: its number for the kernel, and its arguments.
pub(crate) struct Question {
    id: u64,
    pub(crate) arguments: [u64; 6],
}

/// The next question. `None`: whoever asked is gone.
pub(crate) fn next_question(listener: &OwnedFd) -> io::Result<Option<Question>> {
    // SAFETY: all zeroes is a valid seccomp_notif, and what the kernel asks for.
    let mut asked: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    // SAFETY: `asked` is valid for writes for the length of the call.
    let result = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut asked) };
    match check(result) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINTR)) => Ok(None),
        Err(error) => Err(error),
        Ok(_) => Ok(Some(Question { id: asked.id, arguments: asked.data.args })),
    }
}

/// Answers with a copy of `fd`, closed by exec if `cloexec`.
pub(crate) fn give(listener: &OwnedFd, question: &Question, fd: &OwnedFd, cloexec: bool) -> io::Result<()> {
    let mut given = libc::seccomp_notif_addfd {
        id: question.id,
        flags: libc::SECCOMP_ADDFD_FLAG_SEND as u32,
        srcfd: fd.as_raw_fd() as u32,
        newfd: 0,
        newfd_flags: if cloexec { libc::O_CLOEXEC as u32 } else { 0 },
    };
    // SAFETY: `given` is valid for the length of the call.
    check(unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ADDFD, &raw mut given) })
        .map(drop)
}

/// Answers with an error.
pub(crate) fn refuse(listener: &OwnedFd, question: &Question, error: i32) -> io::Result<()> {
    let mut answer = libc::seccomp_notif_resp { id: question.id, val: 0, error: -error, flags: 0 };
    // SAFETY: `answer` is valid for the length of the call.
    check(unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut answer) })
        .map(drop)
}
