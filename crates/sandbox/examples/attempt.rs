//! What the corpus of escapes runs inside the sandbox: one attempt for each run, by system calls that
//! no interpreter would make. Prints `GOT …` if it got what it wanted, else `HELD <error>`.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::undocumented_unsafe_blocks
)]

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::CString;
    use std::io::{self, Error, Read as _, Write as _};
    use std::os::fd::{AsRawFd as _, RawFd};
    use std::os::unix::fs::PermissionsExt as _;
    use std::{env, fs, mem, process, ptr, thread, time};

    type Result<T> = io::Result<T>;

    fn check(result: i64) -> Result<i64> {
        if result < 0 { Err(Error::last_os_error()) } else { Ok(result) }
    }

    fn c(text: &str) -> CString {
        CString::new(text).unwrap()
    }

    fn number(text: &str) -> i64 {
        match text.strip_prefix("0x") {
            Some(hex) => i64::from_str_radix(hex, 16).unwrap(),
            None => text.parse().unwrap(),
        }
    }

    /// A TCP socket, connected as every TCP socket is.
    fn given() -> Result<RawFd> {
        Ok(check(unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) }.into())? as RawFd)
    }

    pub(super) fn main() {
        let args: Vec<String> = env::args().skip(1).collect();
        let words: Vec<&str> = args.iter().map(String::as_str).collect();
        match attempt(&words) {
            Ok(got) => println!("GOT {got}"),
            Err(error) => println!("HELD {error}"),
        }
    }

    fn attempt(words: &[&str]) -> Result<String> {
        let done = |result: Result<()>| result.map(|()| String::new());
        match *words {
            ["read", path] => fs::read_to_string(path),
            ["read-from", path, skip] => {
                let fd = check(unsafe { libc::open(c(path).as_ptr(), libc::O_RDONLY) }.into())?;
                let mut buffer = [0_u8; 4096];
                let read = check(unsafe {
                    libc::pread(fd as i32, buffer.as_mut_ptr().cast(), buffer.len(), number(skip)) as i64
                })?;
                Ok(String::from_utf8_lossy(&buffer[..read as usize]).into_owned())
            }
            ["mmap", path] => {
                let file = fs::File::open(path)?;
                let page = unsafe {
                    libc::mmap(ptr::null_mut(), 4096, libc::PROT_READ, libc::MAP_PRIVATE, file.as_raw_fd(), 0)
                };
                check(if page == libc::MAP_FAILED { -1 } else { 0 })?;
                let text = unsafe { std::slice::from_raw_parts(page.cast::<u8>(), 64) };
                Ok(String::from_utf8_lossy(text).into_owned())
            }
            ["write", path] => done(fs::write(path, "overwritten")),
            ["append", path] => done(fs::OpenOptions::new().append(true).open(path)?.write_all(b"appended")),
            ["truncate", path] => {
                done(check(unsafe { libc::truncate(c(path).as_ptr(), 0) }.into()).map(drop))
            }
            ["open-truncate", path] => done(
                check(unsafe { libc::open(c(path).as_ptr(), libc::O_RDONLY | libc::O_TRUNC) }.into())
                    .map(drop),
            ),
            ["mkdir", path] => done(fs::create_dir(path)),
            ["rmdir", path] => done(fs::remove_dir(path)),
            ["unlink", path] => done(fs::remove_file(path)),
            ["rename", from, to] => done(fs::rename(from, to)),
            ["exchange", from, to] => done(
                check(unsafe {
                    let (from, to) = (c(from), c(to));
                    libc::syscall(
                        libc::SYS_renameat2,
                        libc::AT_FDCWD,
                        from.as_ptr(),
                        libc::AT_FDCWD,
                        to.as_ptr(),
                        2,
                    )
                })
                .map(drop),
            ),
            ["link", from, to] => done(fs::hard_link(from, to)),
            ["link-fd", from, to] => {
                let fd = check(unsafe { libc::open(c(from).as_ptr(), libc::O_PATH) }.into())?;
                let from = c(&format!("/proc/self/fd/{fd}"));
                done(
                    check(unsafe {
                        let to = c(to);
                        libc::linkat(
                            libc::AT_FDCWD,
                            from.as_ptr(),
                            libc::AT_FDCWD,
                            to.as_ptr(),
                            libc::AT_SYMLINK_FOLLOW,
                        )
                        .into()
                    })
                    .map(drop),
                )
            }
            ["symlink-read", target, link] => {
                std::os::unix::fs::symlink(target, link)?;
                fs::read_to_string(link)
            }
            ["symlink-write", target, link] => {
                std::os::unix::fs::symlink(target, link)?;
                done(fs::write(link, "overwritten"))
            }
            ["chmod", path, mode] => {
                let mode = u32::from_str_radix(mode, 8).unwrap();
                fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
                same(fs::metadata(path)?.permissions().mode() & 0o7777, mode)
            }
            ["fchmod", path, mode] => {
                let mode = u32::from_str_radix(mode, 8).unwrap();
                let fd = check(unsafe { libc::open(c(path).as_ptr(), libc::O_RDONLY) }.into())? as i32;
                check(unsafe { libc::fchmod(fd, mode) }.into())?;
                same(fs::metadata(path)?.permissions().mode() & 0o7777, mode)
            }
            ["chmod-fd", path] => {
                let fd = check(unsafe { libc::open(c(path).as_ptr(), libc::O_PATH) }.into())?;
                fs::set_permissions(format!("/proc/self/fd/{fd}"), fs::Permissions::from_mode(0o600))?;
                same(fs::metadata(path)?.permissions().mode() & 0o7777, 0o600)
            }
            ["chown", path] => {
                use std::os::unix::fs::MetadataExt as _;
                std::os::unix::fs::chown(path, Some(65_534), None)?;
                same(fs::metadata(path)?.uid(), 65_534)
            }
            ["touch", path] => {
                let before = fs::metadata(path)?.modified()?;
                let now = [libc::timespec { tv_sec: 0, tv_nsec: libc::UTIME_NOW }; 2];
                check(unsafe { libc::utimensat(libc::AT_FDCWD, c(path).as_ptr(), now.as_ptr(), 0) }.into())?;
                if fs::metadata(path)?.modified()? == before {
                    Err(Error::other("nothing changed"))
                } else {
                    Ok(String::new())
                }
            }
            ["utimes", path] => {
                let times = [libc::timespec { tv_sec: 1, tv_nsec: 0 }; 2];
                check(
                    unsafe { libc::utimensat(libc::AT_FDCWD, c(path).as_ptr(), times.as_ptr(), 0) }.into(),
                )?;
                same(fs::metadata(path)?.modified()?.duration_since(time::UNIX_EPOCH).unwrap().as_secs(), 1)
            }
            ["futimes", path] => {
                let file = fs::OpenOptions::new().write(true).open(path)?;
                file.set_modified(time::UNIX_EPOCH + time::Duration::from_secs(1))?;
                same(fs::metadata(path)?.modified()?.duration_since(time::UNIX_EPOCH).unwrap().as_secs(), 1)
            }
            ["setxattr", path] => {
                let (path, name) = (c(path), c("user.x"));
                let result =
                    unsafe { libc::setxattr(path.as_ptr(), name.as_ptr(), b"x".as_ptr().cast(), 1, 0) };
                done(check(result.into()).map(drop))
            }
            ["readdir", path] => {
                let names = fs::read_dir(path)?.flatten().map(|entry| entry.file_name());
                Ok(format!("{:?}", names.collect::<Vec<_>>()))
            }
            ["stat", path] => Ok(fs::metadata(path)?.len().to_string()),
            ["exec", path] => {
                Ok(String::from_utf8_lossy(&process::Command::new(path).output()?.stdout).into_owned())
            }
            ["chdir-read", folder, name] => {
                env::set_current_dir(folder)?;
                fs::read_to_string(name)
            }
            ["openat2", path] => {
                let how: [u64; 3] = [0, 0, 0];
                let path = c(path);
                let fd = check(unsafe {
                    libc::syscall(
                        libc::SYS_openat2,
                        libc::AT_FDCWD,
                        path.as_ptr(),
                        how.as_ptr(),
                        mem::size_of_val(&how),
                    )
                })?;
                fs::read_to_string(format!("/proc/self/fd/{fd}"))
            }
            ["inotify", path] => {
                let fd = check(unsafe { libc::inotify_init1(libc::IN_NONBLOCK) }.into())?;
                let watch =
                    unsafe { libc::inotify_add_watch(fd as i32, c(path).as_ptr(), libc::IN_ALL_EVENTS) };
                done(check(watch.into()).map(drop))
            }
            ["mknod", path, mode, device] => {
                let mode = u32::from_str_radix(mode, 8).unwrap();
                let result = unsafe { libc::mknod(c(path).as_ptr(), mode, number(device) as u64) };
                done(check(result.into()).map(drop))
            }
            ["exec-fd", path] => {
                let fd = check(unsafe { libc::open(c(path).as_ptr(), libc::O_PATH) }.into())?;
                let empty = c("");
                let argv = [empty.as_ptr(), ptr::null()];
                check(unsafe {
                    libc::syscall(
                        libc::SYS_execveat,
                        fd,
                        empty.as_ptr(),
                        argv.as_ptr(),
                        argv[1..].as_ptr(),
                        libc::AT_EMPTY_PATH,
                    )
                })
                .map(|_| String::new())
            }
            // A program in memory: no file that a rule could speak of.
            ["memfd"] => done(check(unsafe { libc::memfd_create(c("x").as_ptr(), 0) }.into()).map(drop)),
            ["inherited"] => {
                let open = fs::read_dir("/proc/self/fd")?
                    .flatten()
                    .filter_map(|fd| fd.file_name().to_str()?.parse().ok());
                // One of them is the listing itself.
                let open: Vec<RawFd> = open.filter(|&fd: &RawFd| fd > 3).collect();
                if open.is_empty() { Err(Error::other("none")) } else { Ok(format!("{open:?}")) }
            }
            ["stdin"] => {
                let mut text = String::new();
                io::stdin().read_to_string(&mut text)?;
                if text.is_empty() { Err(Error::other("it is at its end")) } else { Ok(text) }
            }
            ["socket", domain, kind] => {
                let fd = unsafe { libc::socket(number(domain) as i32, number(kind) as i32, 0) };
                done(check(fd.into()).map(drop))
            }
            ["socket", domain, kind, protocol] => {
                let [domain, kind, protocol] = [domain, kind, protocol].map(|word| number(word) as i32);
                done(check(unsafe { libc::socket(domain, kind, protocol) }.into()).map(drop))
            }
            // A TCP socket that was given: what else could be done with it.
            ["given", "listen"] => done(check(unsafe { libc::listen(given()?, 1) }.into()).map(drop)),
            ["given", "bind", port] => {
                let mut address: libc::sockaddr_in = unsafe { mem::zeroed() };
                address.sin_family = libc::AF_INET as u16;
                address.sin_port = (number(port) as u16).to_be();
                let size = mem::size_of::<libc::sockaddr_in>() as u32;
                done(
                    check(unsafe { libc::bind(given()?, (&raw const address).cast(), size) }.into())
                        .map(drop),
                )
            }
            ["given", "send-to", path] => {
                let address = address(path);
                let size = mem::size_of::<libc::sockaddr_un>() as u32;
                let (fd, text) = (given()?, c"hello");
                let sent = unsafe {
                    libc::sendto(fd, text.as_ptr().cast(), 5, 0, (&raw const address).cast(), size)
                };
                done(check(sent as i64).map(drop))
            }
            ["given", "turn", path] => {
                let address = address(path);
                let size = mem::size_of::<libc::sockaddr_un>() as u32;
                let fd = given()?;
                // Said to succeed; what arrives where is what counts.
                check(unsafe { libc::connect(fd, (&raw const address).cast(), size) }.into())?;
                check(unsafe { libc::send(fd, b"hello".as_ptr().cast(), 5, 0) } as i64)?;
                Err(Error::other("sent to whom it always was"))
            }
            ["given", "credentials"] => {
                let on = 1_i32;
                let fd = given()?;
                let size = mem::size_of::<i32>() as u32;
                check(
                    unsafe {
                        libc::setsockopt(
                            fd,
                            libc::SOL_SOCKET,
                            libc::SO_BINDTODEVICE,
                            (&raw const on).cast(),
                            size,
                        )
                    }
                    .into(),
                )
                .map(|_| String::new())
            }
            // A filter of its own that would answer for itself.
            ["own-listener"] => {
                let allow = libc::sock_filter { code: 6, jt: 0, jf: 0, k: 0x7fff_0000 };
                let program = libc::sock_fprog { len: 1, filter: (&raw const allow).cast_mut() };
                let fd = unsafe {
                    libc::syscall(libc::SYS_seccomp, 1, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER, &program)
                };
                done(check(fd).map(drop))
            }
            ["ask"] => {
                let fd = given()?;
                let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
                check(unsafe { libc::send(fd, request.as_ptr().cast(), request.len(), 0) } as i64)?;
                let mut buffer = [0_u8; 1024];
                let read = check(unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), 1024, 0) } as i64)?;
                Ok(String::from_utf8_lossy(&buffer[..read as usize]).into_owned())
            }
            ["socketpair", domain, kind] => {
                pair(number(domain) as i32, number(kind) as i32).map(|_| String::new())
            }
            // A pair of datagram sockets can be turned towards any address.
            ["turn", path, kind] => {
                let [fd, _] = pair(libc::AF_UNIX, number(kind) as i32)?;
                let address = address(path);
                let size = mem::size_of::<libc::sockaddr_un>() as u32;
                check(unsafe { libc::connect(fd, (&raw const address).cast(), size) }.into())?;
                done(check(unsafe { libc::send(fd, b"hello".as_ptr().cast(), 5, 0) } as i64).map(drop))
            }
            ["send-to", path, kind] => {
                let [fd, _] = pair(libc::AF_UNIX, number(kind) as i32)?;
                let address = address(path);
                let size = mem::size_of::<libc::sockaddr_un>() as u32;
                done(
                    check(unsafe {
                        libc::sendto(fd, b"hello".as_ptr().cast(), 5, 0, (&raw const address).cast(), size)
                            as i64
                    })
                    .map(drop),
                )
            }
            ["bind", path] => {
                let [fd, _] = pair(libc::AF_UNIX, libc::SOCK_STREAM)?;
                let address = address(path);
                let size = mem::size_of::<libc::sockaddr_un>() as u32;
                done(check(unsafe { libc::bind(fd, (&raw const address).cast(), size) }.into()).map(drop))
            }
            ["pair-talk"] => {
                let [a, b] = pair(libc::AF_UNIX, libc::SOCK_STREAM)?;
                check(unsafe { libc::send(a, b"hello".as_ptr().cast(), 5, 0) } as i64)?;
                let mut buffer = [0_u8; 5];
                check(unsafe { libc::recv(b, buffer.as_mut_ptr().cast(), 5, 0) } as i64)?;
                Ok(String::from_utf8_lossy(&buffer).into_owned())
            }
            ["io_uring"] => {
                let params = [0_u8; 256];
                done(check(unsafe { libc::syscall(libc::SYS_io_uring_setup, 4, params.as_ptr()) }).map(drop))
            }
            ["kill", pid, signal] => {
                done(check(unsafe { libc::kill(number(pid) as i32, number(signal) as i32) }.into()).map(drop))
            }
            ["tgkill", pid, signal] => {
                let pid = number(pid);
                done(check(unsafe { libc::syscall(libc::SYS_tgkill, pid, pid, number(signal)) }).map(drop))
            }
            ["queue", pid, signal] => {
                let mut info: libc::siginfo_t = unsafe { mem::zeroed() };
                info.si_code = libc::SI_QUEUE;
                let (pid, signal) = (number(pid), number(signal));
                done(
                    check(unsafe { libc::syscall(libc::SYS_rt_sigqueueinfo, pid, signal, &raw const info) })
                        .map(drop),
                )
            }
            ["pidfd-kill", pid] => {
                let fd = check(unsafe { libc::syscall(libc::SYS_pidfd_open, number(pid), 0) })?;
                done(
                    check(unsafe {
                        libc::syscall(libc::SYS_pidfd_send_signal, fd, libc::SIGTERM, ptr::null::<u8>(), 0)
                    })
                    .map(drop),
                )
            }
            // A pipe that sends a signal to its owner when something is written.
            ["set-owner", pid] => {
                let mut pipe = [0; 2];
                check(unsafe { libc::pipe(pipe.as_mut_ptr()) }.into())?;
                check(unsafe { libc::fcntl(pipe[0], libc::F_SETOWN, number(pid) as i32) }.into())?;
                check(unsafe { libc::fcntl(pipe[0], 10, libc::SIGTERM) }.into())?;
                check(unsafe { libc::fcntl(pipe[0], libc::F_SETFL, libc::O_ASYNC) }.into())?;
                done(check(unsafe { libc::write(pipe[1], b"x".as_ptr().cast(), 1) } as i64).map(drop))
            }
            ["ptrace", pid] => {
                done(check(unsafe { libc::ptrace(libc::PTRACE_ATTACH, number(pid) as i32, 0, 0) }).map(drop))
            }
            ["traceme"] => done(check(unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) }).map(drop)),
            ["vm-read", pid] => {
                let mut buffer = [0_u8; 16];
                let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: 16 };
                let here = (&raw const local).addr();
                let remote = libc::iovec { iov_base: here as *mut _, iov_len: 16 };
                let read = unsafe {
                    libc::process_vm_readv(number(pid) as i32, &raw const local, 1, &raw const remote, 1, 0)
                };
                done(check(read as i64).map(drop))
            }
            ["getfd", pid] => {
                let fd = check(unsafe { libc::syscall(libc::SYS_pidfd_open, number(pid), 0) })?;
                done(check(unsafe { libc::syscall(libc::SYS_pidfd_getfd, fd, 0, 0) }).map(drop))
            }
            ["prlimit", pid] => {
                let limit = libc::rlimit { rlim_cur: 3, rlim_max: 3 };
                let result = unsafe {
                    libc::prlimit(number(pid) as i32, libc::RLIMIT_NOFILE, &raw const limit, ptr::null_mut())
                };
                done(check(result.into()).map(drop))
            }
            ["raise-limit", resource] => {
                let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
                let resource = number(resource) as u32;
                check(unsafe { libc::getrlimit(resource, &raw mut limit) }.into())?;
                let more = libc::rlimit { rlim_cur: limit.rlim_max + 1, rlim_max: limit.rlim_max + 1 };
                done(check(unsafe { libc::setrlimit(resource, &raw const more) }.into()).map(drop))
            }
            ["lower-limit", resource] => {
                let less = libc::rlimit { rlim_cur: 64, rlim_max: 64 };
                done(
                    check(unsafe { libc::setrlimit(number(resource) as u32, &raw const less) }.into())
                        .map(drop),
                )
            }
            ["nice", pid, value] => {
                let pid = number(pid) as u32;
                done(
                    check(unsafe { libc::setpriority(libc::PRIO_PROCESS, pid, number(value) as i32) }.into())
                        .map(drop),
                )
            }
            ["nice-user", value] => {
                let result = unsafe { libc::setpriority(libc::PRIO_USER, 0, number(value) as i32) };
                done(check(result.into()).map(drop))
            }
            ["affinity", pid] => {
                let one = 1_u64;
                done(
                    check(unsafe {
                        libc::syscall(libc::SYS_sched_setaffinity, number(pid), 8, &raw const one)
                    })
                    .map(drop),
                )
            }
            ["setuid", uid] => done(
                check(
                    unsafe { libc::setresuid(number(uid) as u32, number(uid) as u32, number(uid) as u32) }
                        .into(),
                )
                .map(drop),
            ),
            ["getuid"] => Ok(unsafe { libc::getuid() }.to_string()),
            ["capabilities"] => {
                let status = fs::read_to_string("/proc/self/status")?;
                let held = status.lines().filter(|line| {
                    line.starts_with("Cap")
                        && !line.starts_with("CapBnd")
                        && !line.ends_with("\t0000000000000000")
                });
                let held: Vec<&str> = held.collect();
                if held.is_empty() { Err(Error::other("none")) } else { Ok(held.join(" ")) }
            }
            ["no-new-privs"] => {
                let set = unsafe { libc::prctl(libc::PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) };
                if set == 0 { Ok("privileges can be gained".to_owned()) } else { Err(Error::other("set")) }
            }
            ["unshare", flags] => {
                done(check(unsafe { libc::unshare(number(flags) as i32) }.into()).map(drop))
            }
            ["clone", flags] => {
                let flags = number(flags) | i64::from(libc::SIGCHLD);
                let pid = check(unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) })?;
                if pid == 0 {
                    unsafe { libc::_exit(0) };
                }
                Ok(pid.to_string())
            }
            ["clone3", flags] => {
                let mut args = [0_u64; 11];
                args[0] = number(flags) as u64;
                args[4] = libc::SIGCHLD as u64;
                let pid = check(unsafe {
                    libc::syscall(libc::SYS_clone3, args.as_ptr(), mem::size_of_val(&args))
                })?;
                if pid == 0 {
                    unsafe { libc::_exit(0) };
                }
                Ok(pid.to_string())
            }
            ["setns", path] => {
                let fd = check(unsafe { libc::open(c(path).as_ptr(), libc::O_RDONLY) }.into())?;
                done(check(unsafe { libc::setns(fd as i32, 0) }.into()).map(drop))
            }
            ["mount", target] => {
                let (kind, target) = (c("tmpfs"), c(target));
                let result =
                    unsafe { libc::mount(kind.as_ptr(), target.as_ptr(), kind.as_ptr(), 0, ptr::null()) };
                done(check(result.into()).map(drop))
            }
            ["remount", target] => {
                let target = c(target);
                let flags = libc::MS_REMOUNT | libc::MS_BIND;
                let result =
                    unsafe { libc::mount(ptr::null(), target.as_ptr(), ptr::null(), flags, ptr::null()) };
                done(check(result.into()).map(drop))
            }
            ["umount", target] => {
                done(check(unsafe { libc::umount2(c(target).as_ptr(), libc::MNT_DETACH) }.into()).map(drop))
            }
            ["chroot", path] => done(check(unsafe { libc::chroot(c(path).as_ptr()) }.into()).map(drop)),
            ["pivot", path] => {
                let path = c(path);
                done(
                    check(unsafe { libc::syscall(libc::SYS_pivot_root, path.as_ptr(), path.as_ptr()) })
                        .map(drop),
                )
            }
            ["open-tree", path] => {
                let path = c(path);
                done(
                    check(unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), 1) })
                        .map(drop),
                )
            }
            ["fsopen"] => {
                done(check(unsafe { libc::syscall(libc::SYS_fsopen, c("tmpfs").as_ptr(), 0) }).map(drop))
            }
            ["handle", path] => {
                let mut handle = [0_u32; 34];
                handle[0] = 128;
                let (mut mount, path) = (0_i32, c(path));
                done(
                    check(unsafe {
                        libc::syscall(
                            libc::SYS_name_to_handle_at,
                            libc::AT_FDCWD,
                            path.as_ptr(),
                            handle.as_mut_ptr(),
                            &raw mut mount,
                            0,
                        )
                    })
                    .map(drop),
                )
            }
            ["bpf"] => {
                let attributes = [0_u32; 32];
                done(check(unsafe { libc::syscall(libc::SYS_bpf, 0, attributes.as_ptr(), 128) }).map(drop))
            }
            ["perf"] => {
                let mut attributes = [0_u32; 32];
                attributes[0] = 1;
                attributes[1] = 128;
                done(
                    check(unsafe {
                        libc::syscall(libc::SYS_perf_event_open, attributes.as_ptr(), 0, -1, -1, 0)
                    })
                    .map(drop),
                )
            }
            ["userfaultfd"] => done(check(unsafe { libc::syscall(libc::SYS_userfaultfd, 1) }).map(drop)),
            ["keyring"] => {
                let (kind, name) = (c("user"), c("x"));
                done(
                    check(unsafe {
                        libc::syscall(libc::SYS_add_key, kind.as_ptr(), name.as_ptr(), b"x".as_ptr(), 1, -3)
                    })
                    .map(drop),
                )
            }
            ["keyctl"] => done(check(unsafe { libc::syscall(libc::SYS_keyctl, 0, -3, 1) }).map(drop)),
            ["shm"] => done(check(unsafe { libc::shmget(libc::IPC_PRIVATE, 4096, 0o600) }.into()).map(drop)),
            ["msg"] => done(check(unsafe { libc::msgget(libc::IPC_PRIVATE, 0o600) }.into()).map(drop)),
            ["mqueue"] => done(
                check(unsafe { libc::syscall(libc::SYS_mq_open, c("x").as_ptr(), libc::O_CREAT, 0o600, 0) })
                    .map(drop),
            ),
            ["sethostname"] => {
                done(check(unsafe { libc::sethostname(c("owned").as_ptr(), 5) }.into()).map(drop))
            }
            ["settime"] => {
                let now = libc::timespec { tv_sec: 1, tv_nsec: 0 };
                done(
                    check(unsafe { libc::clock_settime(libc::CLOCK_REALTIME, &raw const now) }.into())
                        .map(drop),
                )
            }
            ["reboot"] => done(check(unsafe { libc::reboot(libc::RB_DISABLE_CAD) }.into()).map(drop)),
            ["syslog"] => {
                let mut buffer = [0_i8; 64];
                done(check(unsafe { libc::syscall(libc::SYS_syslog, 3, buffer.as_mut_ptr(), 64) }).map(drop))
            }
            ["quotactl"] => {
                done(check(unsafe { libc::syscall(libc::SYS_quotactl, 0x0080_0001_i64, 0, 0, 0) }).map(drop))
            }
            // The 32-bit table has other numbers: a filter for the 64-bit one must not see them.
            #[cfg(target_arch = "x86_64")]
            ["int80"] => {
                let pid: i64;
                unsafe { std::arch::asm!("int 0x80", inlateout("rax") 20_i64 => pid) };
                check(pid).map(|pid| pid.to_string())
            }
            #[cfg(target_arch = "x86_64")]
            ["x32"] => check(unsafe { libc::syscall(0x4000_0000 + 41, 1, 1, 0) }).map(|fd| fd.to_string()),
            #[cfg(not(target_arch = "x86_64"))]
            ["int80" | "x32"] => Err(Error::other("not on this processor")),
            ["unknown-call"] => check(unsafe { libc::syscall(9_999) }).map(|fd| fd.to_string()),
            ["getpid"] => Ok(process::id().to_string()),
            ["escape-session"] => {
                if unsafe { libc::fork() } == 0 {
                    unsafe { libc::setsid() };
                    unsafe { libc::setpgid(0, 0) };
                    let own = process::id() as i32;
                    let left = unsafe { libc::getsid(0) == own || libc::getpgid(0) == own };
                    unsafe { libc::_exit(left.into()) };
                }
                let mut status = 0;
                check(unsafe { libc::wait(&raw mut status) }.into())?;
                if status == 0 { Err(Error::other("kept")) } else { Ok("a session of its own".to_owned()) }
            }
            // Prints its own number and stays.
            ["daemon", marker] => daemon(marker, true),
            ["daemon-ignoring", marker] => {
                for signal in 1..32 {
                    unsafe { libc::signal(signal, libc::SIG_IGN) };
                }
                daemon(marker, false)
            }
            ["daemon-stopped", marker] => {
                if unsafe { libc::fork() } == 0 {
                    touch_and_stay(marker, true);
                }
                wait_for(marker);
                Err(Error::other("started; whether it stays is another question"))
            }
            ["tree", marker, depth] => {
                for _ in 0..number(depth) {
                    if unsafe { libc::fork() } != 0 {
                        break;
                    }
                }
                touch_and_stay(marker, false)
            }
            ["sleep"] => loop {
                thread::sleep(time::Duration::from_secs(3_600));
            },
            ["stop"] => done(check(unsafe { libc::kill(libc::getpid(), libc::SIGSTOP) }.into()).map(drop)),
            ["forks", count] => {
                let mut made = 0;
                for _ in 0..number(count) {
                    match unsafe { libc::fork() } {
                        0 => loop {
                            unsafe { libc::pause() };
                        },
                        -1 => return Err(Error::last_os_error()),
                        _ => made += 1,
                    }
                }
                Ok(made.to_string())
            }
            ["fork-bomb"] => loop {
                unsafe { libc::fork() };
            },
            ["vfork-threads", count] => {
                let mut made = Vec::new();
                for _ in 0..number(count) {
                    let thread = thread::Builder::new().stack_size(64 << 10).spawn(|| {
                        loop {
                            thread::park();
                        }
                    })?;
                    made.push(thread);
                }
                Ok(made.len().to_string())
            }
            ["memory", mib, processes] => {
                for _ in 1..number(processes) {
                    if unsafe { libc::fork() } == 0 {
                        break;
                    }
                }
                fill(number(mib) as usize, libc::MAP_PRIVATE)?;
                println!("filled");
                thread::sleep(time::Duration::from_secs(3_600));
                Ok(String::new())
            }
            ["shared-memory", mib] => {
                fill(number(mib) as usize, libc::MAP_SHARED)?;
                println!("filled");
                thread::sleep(time::Duration::from_secs(3_600));
                Ok(String::new())
            }
            ["little-memory"] => fill(16, libc::MAP_PRIVATE).map(|()| "filled".to_owned()),
            ["big-file", path, mib] => {
                unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
                let mut file = fs::File::create(path)?;
                let block = vec![1_u8; 1 << 20];
                for _ in 0..number(mib) {
                    file.write_all(&block)?;
                }
                Ok(String::new())
            }
            ["sparse-file", path, mib] => {
                unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
                done(fs::File::create(path)?.set_len((number(mib) as u64) << 20))
            }
            ["fill-disk", folder] => {
                let block = vec![1_u8; 1 << 20];
                for n in 0.. {
                    let mut file = fs::File::create(format!("{folder}/fill-{n}"))?;
                    for _ in 0..16 {
                        file.write_all(&block)?;
                    }
                }
                Ok(String::new())
            }
            ["many-files", folder] => {
                for n in 0.. {
                    fs::File::create(format!("{folder}/f-{n}"))?;
                }
                Ok(String::new())
            }
            ["descriptors", count] => {
                let mut open = Vec::new();
                for _ in 0..number(count) {
                    open.push(fs::File::open("/dev/null")?);
                }
                Ok(open.len().to_string())
            }
            ["mlock", mib] => {
                let size = (number(mib) as usize) << 20;
                let memory = vec![0_u8; size];
                done(check(unsafe { libc::mlock(memory.as_ptr().cast(), size) }.into()).map(drop))
            }
            ["print", bytes] => {
                let mut out = io::stdout().lock();
                let block = [b'x'; 4096];
                for _ in 0..number(bytes) / 4096 {
                    out.write_all(&block)?;
                }
                Ok(String::new())
            }
            ["core-dump"] => {
                process::abort();
            }
            ["oom-score", value] => done(fs::write("/proc/self/oom_score_adj", value)),
            ["say", text] => Ok(text.to_owned()),
            _ => panic!("no such attempt: {words:?}"),
        }
    }

    fn same<T: PartialEq + std::fmt::Debug>(found: T, wanted: T) -> Result<String> {
        if found == wanted { Ok(format!("{found:?}")) } else { Err(Error::other("nothing changed")) }
    }

    fn pair(domain: i32, kind: i32) -> Result<[RawFd; 2]> {
        let mut fds = [0; 2];
        check(unsafe { libc::socketpair(domain, kind, 0, fds.as_mut_ptr()) }.into())?;
        Ok(fds)
    }

    fn address(path: &str) -> libc::sockaddr_un {
        let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
        address.sun_family = libc::AF_UNIX as u16;
        // An @ stands for the NUL of an abstract name.
        for (to, from) in address.sun_path.iter_mut().zip(path.replacen('@', "\0", 1).bytes()) {
            *to = from as libc::c_char;
        }
        address
    }

    fn daemon(marker: &str, closes: bool) -> Result<String> {
        if unsafe { libc::fork() } == 0 {
            unsafe { libc::setsid() };
            if unsafe { libc::fork() } == 0 {
                if closes {
                    for fd in 0..3 {
                        unsafe { libc::close(fd) };
                    }
                }
                touch_and_stay(marker, false);
            }
            unsafe { libc::_exit(0) };
        }
        wait_for(marker);
        Err(Error::other("started; whether it stays is another question"))
    }

    fn touch_and_stay(marker: &str, stopped: bool) -> ! {
        let _ = fs::write(marker, "here");
        if stopped {
            unsafe { libc::kill(libc::getpid(), libc::SIGSTOP) };
        }
        loop {
            thread::sleep(time::Duration::from_secs(3_600));
        }
    }

    fn wait_for(marker: &str) {
        while fs::metadata(marker).is_err() {
            thread::yield_now();
        }
    }

    fn fill(mib: usize, kind: i32) -> Result<()> {
        let size = mib << 20;
        let flags = kind | libc::MAP_ANONYMOUS;
        let memory =
            unsafe { libc::mmap(ptr::null_mut(), size, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
        if memory == libc::MAP_FAILED {
            return Err(Error::last_os_error());
        }
        for page in (0..size).step_by(4096) {
            unsafe { memory.cast::<u8>().add(page).write_volatile(1) };
        }
        Ok(())
    }
}
