//! The view of the machine at level `full`: a root folder made of nothing but what
//! [`crate::places`] names, the workspace, the temporary folder and a `/tmp` of its own. All of it
//! read-only but the last three. Whoever is not named does not exist in it: no other process, no
//! network, no file.

use std::ffi::{CStr, CString};
use std::fs;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::path::{Path, PathBuf};

use polaris_sandbox::Request;

use crate::places;
use crate::sys::{c_string, check};

/// What the first process of the command is started with.
pub(crate) const FLAGS: i32 = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS;

/// Something of the machine that will be seen again under the same path.
struct Source {
    path: PathBuf,
    kind: Kind,
}

enum Kind {
    Link(PathBuf),
    Folder(OwnedFd),
    File(OwnedFd),
}

/// All that will be seen. Collected while the machine's files are still there, and by the user who
/// may reach them.
pub(crate) struct View {
    sources: Vec<Source>,
    place: OwnedFd,
}

impl View {
    /// Must be made in the new mount namespace.
    pub(crate) fn collect(request: &Request) -> io::Result<Self> {
        // Nothing of what follows may be seen outside.
        mount(None, c"/", None, libc::MS_REC | libc::MS_PRIVATE)?;
        let mut view = Self { sources: Vec::new(), place: open_path(&request.temp)? };
        for path in places::PROGRAMS {
            view.add(Path::new(path), Some(ACCESS_READ))?;
        }
        for path in ["/etc/ld.so.cache", "/etc/localtime"] {
            view.add(Path::new(path), Some(ACCESS_READ))?;
        }
        for path in places::DEVICES.iter().chain(places::RANDOM) {
            view.add(Path::new(path), None)?;
        }
        for path in &request.read {
            view.add(path, Some(ACCESS_READ))?;
        }
        view.add(&request.workspace, Some(ACCESS_WRITE))?;
        view.add(&request.temp, Some(ACCESS_WRITE))?;
        Ok(view)
    }

    fn add(&mut self, path: &Path, access: Option<u64>) -> io::Result<()> {
        if self.sources.iter().any(|known| known.path == path) {
            return Ok(());
        }
        // What this machine does not have is not seen.
        let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
        let kind = if found.is_symlink() && !path.starts_with("/etc") {
            Kind::Link(fs::read_link(path)?)
        } else {
            let tree = open_tree(path)?;
            if let Some(attributes) = access {
                set_attributes(&tree, attributes)?;
            }
            if fs::metadata(path)?.is_dir() { Kind::Folder(tree) } else { Kind::File(tree) }
        };
        self.sources.push(Source { path: path.to_owned(), kind });
        Ok(())
    }

    /// Makes the view the root of this process. Must be called by the user who will own it.
    pub(crate) fn enter(self) -> io::Result<()> {
        let root = new_tmpfs(&ROOT)?;
        attach(&root, self.place.as_raw_fd(), c"")?;
        check_unit(
            // SAFETY: takes no pointers.
            unsafe { libc::fchdir(root.as_raw_fd()) },
        )?;
        fs::create_dir("tmp")?;
        attach(&new_tmpfs(&TMP)?, libc::AT_FDCWD, c"tmp")?;
        for Source { path, kind } in self.sources {
            let relative = path.strip_prefix("/").unwrap_or(&path);
            if let Some(parent) = relative.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                create_way(parent)?;
            }
            match kind {
                Kind::Link(to) => symlink(to, relative)?,
                Kind::Folder(tree) => {
                    fs::create_dir_all(relative)?;
                    attach(&tree, libc::AT_FDCWD, &c_string(relative)?)?;
                }
                Kind::File(tree) => {
                    fs::File::create(relative)?;
                    attach(&tree, libc::AT_FDCWD, &c_string(relative)?)?;
                }
            }
        }
        write_settings()?;
        for (to, path) in [
            ("/proc/self/fd", "dev/fd"),
            ("/proc/self/fd/0", "dev/stdin"),
            ("/proc/self/fd/1", "dev/stdout"),
            ("/proc/self/fd/2", "dev/stderr"),
        ] {
            symlink(to, path)?;
        }
        for folder in ["proc", "var", "run"] {
            fs::create_dir_all(folder)?;
        }
        mount(
            Some(c"proc"),
            c"proc",
            Some(c"proc"),
            libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC | libc::MS_RDONLY,
        )?;
        set_attributes_here(&root, libc::MOUNT_ATTR_RDONLY | ACCESS_WRITE)?;
        // The old root ends up on top of the new one, and is taken off.
        // SAFETY: both strings outlive the call.
        check(unsafe { libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr()) })?;
        // SAFETY: the string outlives the call.
        check_unit(unsafe { libc::umount2(c".".as_ptr(), libc::MNT_DETACH) })?;
        std::env::set_current_dir("/")
    }
}

const ACCESS_WRITE: u64 = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
const ACCESS_READ: u64 = ACCESS_WRITE | libc::MOUNT_ATTR_RDONLY;

/// Makes the folders that lead to something seen. Those in `/tmp` can be passed but not listed, so that
/// a script that empties `/tmp` does not empty a workspace some folders below it: a mishap, since the
/// command owns them and its workspace.
fn create_way(folder: &Path) -> io::Result<()> {
    let mode = if folder.starts_with("tmp") { 0o111 } else { 0o755 };
    fs::DirBuilder::new().recursive(true).mode(mode).create(folder)
}

/// The settings as they are inside: this machine's are nobody's business there.
fn write_settings() -> io::Result<()> {
    fs::create_dir_all("etc")?;
    let (uid, gid) = (crate::sys::uid(), crate::sys::gid());
    fs::write("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")?;
    fs::write("etc/resolv.conf", "")?;
    fs::write("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n")?;
    fs::write("etc/passwd", format!("project:x:{uid}:{gid}:project:/tmp:/bin/sh\n"))?;
    fs::write("etc/group", format!("project:x:{gid}:\n"))
}

fn check_unit(result: i32) -> io::Result<()> {
    check(result).map(drop)
}

fn mount(source: Option<&CStr>, target: &CStr, kind: Option<&CStr>, flags: u64) -> io::Result<()> {
    let pointer = |text: Option<&CStr>| text.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: the strings outlive the call; null is allowed for the others.
    check_unit(unsafe {
        libc::mount(pointer(source), target.as_ptr(), pointer(kind), flags, std::ptr::null())
    })
}

fn open_path(path: &Path) -> io::Result<OwnedFd> {
    let path = c_string(path)?;
    // SAFETY: the string outlives the call.
    let fd = check(unsafe { libc::open(path.as_ptr(), libc::O_PATH | libc::O_CLOEXEC) })?;
    // SAFETY: the kernel made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn owned(fd: libc::c_long) -> io::Result<OwnedFd> {
    let fd = RawFd::try_from(check(fd)?).map_err(io::Error::other)?;
    // SAFETY: the kernel made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A copy of what is mounted at `path`, not yet seen anywhere.
fn open_tree(path: &Path) -> io::Result<OwnedFd> {
    let path = c_string(path)?;
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | libc::AT_RECURSIVE as u32;
    // SAFETY: the string outlives the call.
    owned(unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) })
}

/// A folder in memory: options of tmpfs(5).
struct InMemory {
    size: &'static CStr,
    files: &'static CStr,
    mode: &'static CStr,
}

/// Nothing but names and a few lines stand in it.
const ROOT: InMemory = InMemory { size: c"1m", files: c"4096", mode: c"755" };

/// For programs that write to `/tmp` whatever `TMPDIR` says. In memory, which no limit of the
/// command counts: so it is small.
const TMP: InMemory = InMemory { size: c"16m", files: c"1024", mode: c"1777" };

fn new_tmpfs(options: &InMemory) -> io::Result<OwnedFd> {
    let set = |fs: &OwnedFd, key: &CStr, value: &CStr| -> io::Result<()> {
        // SAFETY: the strings outlive the call.
        check(unsafe {
            libc::syscall(
                libc::SYS_fsconfig,
                fs.as_raw_fd(),
                libc::FSCONFIG_SET_STRING,
                key.as_ptr(),
                value.as_ptr(),
                0,
            )
        })
        .map(drop)
    };
    // SAFETY: the string outlives the call.
    let fs = owned(unsafe { libc::syscall(libc::SYS_fsopen, c"tmpfs".as_ptr(), libc::FSOPEN_CLOEXEC) })?;
    set(&fs, c"size", options.size)?;
    set(&fs, c"nr_inodes", options.files)?;
    set(&fs, c"mode", options.mode)?;
    let none = std::ptr::null::<u8>();
    // SAFETY: this command takes neither key nor value.
    check(unsafe {
        libc::syscall(libc::SYS_fsconfig, fs.as_raw_fd(), libc::FSCONFIG_CMD_CREATE, none, none, 0)
    })?;
    // SAFETY: takes no pointers.
    owned(unsafe { libc::syscall(libc::SYS_fsmount, fs.as_raw_fd(), libc::FSMOUNT_CLOEXEC, ACCESS_WRITE) })
}

fn set_attributes(tree: &OwnedFd, attributes: u64) -> io::Result<()> {
    mount_setattr(tree, attributes, libc::AT_RECURSIVE)
}

fn set_attributes_here(tree: &OwnedFd, attributes: u64) -> io::Result<()> {
    mount_setattr(tree, attributes, 0)
}

fn mount_setattr(tree: &OwnedFd, attributes: u64, flags: i32) -> io::Result<()> {
    // SAFETY: all zeroes is a valid mount_attr.
    let mut change: libc::mount_attr = unsafe { std::mem::zeroed() };
    change.attr_set = attributes;
    // SAFETY: `change` and the string outlive the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | flags,
            &raw const change,
            size_of::<libc::mount_attr>(),
        )
    })
    .map(drop)
}

/// Shows `tree` at `path` below `folder`; an empty path is the folder itself.
fn attach(tree: &OwnedFd, folder: RawFd, path: &CStr) -> io::Result<()> {
    let empty = if path.is_empty() { libc::MOVE_MOUNT_T_EMPTY_PATH } else { 0 };
    let from = CString::default();
    // SAFETY: both strings outlive the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree.as_raw_fd(),
            from.as_ptr(),
            folder,
            path.as_ptr(),
            libc::MOVE_MOUNT_F_EMPTY_PATH | empty,
        )
    })
    .map(drop)
}
