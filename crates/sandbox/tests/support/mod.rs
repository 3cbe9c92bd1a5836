//! A machine in miniature around one confined command: things outside that must stay as they are,
//! and the helper, started as root or as an ordinary user.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code)]

use std::fs::{self, DirBuilder, Permissions};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use polaris_sandbox::{FrameKind, HEADER, Level, Limits, Report, Request, parse_header};

/// Who starts the helper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Root,
    /// Everything, outside too, belongs to this user.
    User,
}

pub(crate) const HELPER: &str = env!("CARGO_BIN_EXE_polaris-sandbox");
/// The first of the ordinary users, if root runs the tests: each world has its own, so that what
/// one world leaves behind is not taken for another's.
const USER: u32 = 1_800_000_000;

pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// As /proc tells it; the process outside was started with it.
fn own_nice() -> String {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    stat.rsplit_once(") ").unwrap().1.split(' ').nth(16).unwrap().to_owned()
}

fn unique() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    std::process::id() % 10_000 * 1_000 + NEXT.fetch_add(1, Ordering::Relaxed) % 1_000
}

/// The program that makes the attempts, and the helper, where everybody can reach them while a
/// [`World`] is there.
pub(crate) fn programs() -> PathBuf {
    std::env::temp_dir().join(format!("polaris-corpus-{}", std::process::id()))
}

/// The last one to drop it removes the programs.
struct Programs;

/// How many there are.
static USERS: Mutex<usize> = Mutex::new(0);

impl Programs {
    fn provide() -> Self {
        let mut users = USERS.lock().unwrap_or_else(PoisonError::into_inner);
        if *users == 0 {
            let place = programs();
            folder(&place, 0o755);
            let built = Path::new(HELPER).parent().unwrap();
            for (from, name) in
                [(built.join("examples/attempt"), "attempt"), (HELPER.into(), "polaris-sandbox")]
            {
                fs::copy(from, place.join(name)).unwrap();
                fs::set_permissions(place.join(name), Permissions::from_mode(0o755)).unwrap();
            }
        }
        *users += 1;
        Self
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        let mut users = USERS.lock().unwrap_or_else(PoisonError::into_inner);
        *users -= 1;
        if *users == 0 {
            let _ = fs::remove_dir_all(programs());
        }
    }
}

fn folder(path: &Path, mode: u32) {
    DirBuilder::new().mode(mode).create(path).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

pub(crate) struct World {
    pub(crate) who: Who,
    pub(crate) level: Level,
    pub(crate) base: PathBuf,
    pub(crate) outside: PathBuf,
    /// A file in the folder that belongs to everybody.
    everybody: PathBuf,
    pub(crate) workspace: PathBuf,
    pub(crate) temp: PathBuf,
    pub(crate) secret: String,
    pub(crate) victim: Child,
    /// Ends the server.
    over: Arc<AtomicBool>,
    _programs: Programs,
    tcp: TcpListener,
    udp: UdpSocket,
    stream: UnixListener,
    datagram: UnixDatagram,
    abstract_stream: UnixListener,
    abstract_datagram: UnixDatagram,
    /// Of the helper; of the command, if root starts the helper.
    helper_user: u32,
    command_user: u32,
}

pub(crate) struct Outcome {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) report: Report,
}

const ORIGINAL: &str = "as it was";
const OLD: Duration = Duration::from_secs(1_000_000_000);

impl World {
    pub(crate) fn new(who: Who, level: Level) -> Self {
        let _programs = Programs::provide();
        let n = unique();
        let secret =
            format!("SECRET-{n}-{:x}", SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos());
        let base = std::env::temp_dir().join(format!("polaris-world-{n}"));
        let everybody = Path::new("/tmp").join(format!("polaris-everybody-{n}"));
        fs::write(&everybody, &secret).unwrap();
        fs::set_permissions(&everybody, Permissions::from_mode(0o666)).unwrap();
        folder(&base, 0o711);
        let (outside, workspace, temp) = (base.join("outside"), base.join("workspace"), base.join("temp"));
        folder(&outside, 0o777);
        folder(&workspace, 0o700);
        folder(&temp, 0o700);
        folder(&outside.join("folder"), 0o777);
        fs::write(outside.join("secret.txt"), &secret).unwrap();
        fs::write(outside.join("program"), format!("#!/bin/sh\necho GOT {secret}\n")).unwrap();
        fs::write(outside.join("script.js"), format!("console.log('GOT {secret}')")).unwrap();
        fs::write(outside.join("module.json"), format!("{{\"x\":\"{secret}\"}}")).unwrap();
        fs::write(outside.join("gitconfig"), format!("[user]\n\tname = {secret}\n")).unwrap();
        fs::write(workspace.join("own.txt"), "mine").unwrap();
        fs::write(workspace.join("second.txt"), "mine").unwrap();
        fs::write(
            workspace.join("package.json"),
            r#"{"name":"x","version":"1.0.0","scripts":{"ok":"node -e \"console.log('GOT it')\""}}"#,
        )
        .unwrap();
        for name in ["writable.txt", "folder/inner.txt"] {
            fs::write(outside.join(name), ORIGINAL).unwrap();
        }
        for name in ["secret.txt", "writable.txt", "folder/inner.txt", "program"] {
            let mode = if name == "program" { 0o755 } else { 0o666 };
            fs::set_permissions(outside.join(name), Permissions::from_mode(mode)).unwrap();
            fs::File::options()
                .write(true)
                .open(outside.join(name))
                .unwrap()
                .set_modified(UNIX_EPOCH + OLD)
                .unwrap();
        }
        let own = fs::metadata("/proc/self").unwrap().uid();
        let helper_user = if is_root() && who == Who::User { USER + n } else { own };
        // A user for each world: what one leaves behind is not taken for another's.
        let command_user = if who == Who::Root { 1_900_000_000 + n } else { helper_user };
        let stream = UnixListener::bind(outside.join("stream.sock")).unwrap();
        let datagram = UnixDatagram::bind(outside.join("datagram.sock")).unwrap();
        for name in ["stream.sock", "datagram.sock"] {
            fs::set_permissions(outside.join(name), Permissions::from_mode(0o777)).unwrap();
        }
        if is_root() {
            for path in [
                &workspace,
                &temp,
                &workspace.join("own.txt"),
                &workspace.join("second.txt"),
                &workspace.join("package.json"),
            ] {
                chown(path, Some(command_user), Some(command_user)).unwrap();
            }
            for name in ["", "secret.txt", "writable.txt", "folder", "folder/inner.txt", "program"] {
                chown(outside.join(name), Some(helper_user), Some(helper_user)).unwrap();
            }
        }
        let name = |kind: &str| SocketAddr::from_abstract_name(format!("polaris-{kind}-{n}")).unwrap();
        let abstract_stream = UnixListener::bind_addr(&name("stream")).unwrap();
        let abstract_datagram = UnixDatagram::bind_addr(&name("datagram")).unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        tcp.set_nonblocking(true).unwrap();
        udp.set_nonblocking(true).unwrap();
        stream.set_nonblocking(true).unwrap();
        datagram.set_nonblocking(true).unwrap();
        abstract_stream.set_nonblocking(true).unwrap();
        abstract_datagram.set_nonblocking(true).unwrap();
        let mut victim = Command::new(programs().join("attempt"));
        victim.arg("sleep").env("CANARY", &secret).stdin(Stdio::null()).stdout(Stdio::null());
        if helper_user != own {
            victim.uid(helper_user).gid(helper_user);
        }
        Self {
            who,
            level,
            outside,
            everybody,
            workspace,
            temp,
            secret,
            victim: victim.spawn().unwrap(),
            over: Arc::default(),
            _programs,
            tcp,
            udp,
            stream,
            datagram,
            abstract_stream,
            abstract_datagram,
            helper_user,
            command_user,
            base,
        }
    }

    /// Replaces what stands for this world's things.
    pub(crate) fn fill(&self, text: &str) -> String {
        let place = |path: &Path| path.display().to_string();
        let n = self.base.display().to_string();
        let n = n.rsplit('-').next().unwrap();
        text.replace("{out}", &place(&self.outside))
            .replace("{ws}", &place(&self.workspace))
            .replace("{tmp}", &place(&self.temp))
            .replace("{base}", &place(&self.base))
            .replace("{everybody}", &self.everybody.file_name().unwrap().to_string_lossy())
            .replace("{pid}", &self.victim.id().to_string())
            .replace("{me}", &std::process::id().to_string())
            .replace("{n}", n)
            .replace("{tcp}", &self.tcp.local_addr().unwrap().port().to_string())
            .replace("{udp}", &self.udp.local_addr().unwrap().port().to_string())
            .replace("{attempt}", &place(&programs().join("attempt")))
    }

    pub(crate) fn request(&self, program: &str, arguments: &[&str]) -> Request {
        let mut argv = vec![program.to_owned()];
        argv.extend(arguments.iter().map(|argument| self.fill(argument)));
        let program = match program {
            "attempt" => programs().join("attempt"),
            "./tool" => self.workspace.join("tool"),
            name => ["/usr/local/bin", "/usr/bin", "/bin"]
                .map(|folder| Path::new(folder).join(name))
                .into_iter()
                .find(|path| path.exists())
                .unwrap_or_else(|| panic!("{name} is not installed")),
        };
        let temp = self.temp.display().to_string();
        let env = [
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("HOME", &temp),
            ("TMPDIR", &temp),
            ("LANG", "C.UTF-8"),
            ("CI", "true"),
            ("npm_config_offline", "true"),
            ("npm_config_update_notifier", "false"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_AUTHOR_NAME", "a"),
            ("GIT_AUTHOR_EMAIL", "a@b"),
            ("GIT_COMMITTER_NAME", "a"),
            ("GIT_COMMITTER_EMAIL", "a@b"),
        ];
        Request {
            level: self.level,
            program,
            argv,
            env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            cwd: self.workspace.clone(),
            workspace: self.workspace.clone(),
            temp: self.temp.clone(),
            read: vec![programs()],
            connect: None,
            limits: Limits::default(),
        }
    }

    /// A server that the command may connect to. It answers each connection, and ends with its world.
    pub(crate) fn serve(&self) -> PathBuf {
        let path = self.base.join("server.sock");
        let listener = UnixListener::bind(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
        let over = Arc::clone(&self.over);
        std::thread::spawn(move || {
            let mut held = Vec::new();
            for mut stream in listener.incoming().map_while(Result::ok) {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let mut request = [0; 512];
                let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
                if let Ok(1..) = stream.read(&mut request) {
                    let _ = stream.write_all(
                        b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nSERVED",
                    );
                } else {
                    held.push(stream);
                }
            }
        });
        path
    }

    /// A file of the project.
    pub(crate) fn put(&self, name: &str, text: &str) {
        let path = self.workspace.join(name);
        let mut folder = path.parent().unwrap().to_owned();
        fs::create_dir_all(&folder).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        if is_root() {
            chown(&path, Some(self.command_user), Some(self.command_user)).unwrap();
            while folder != self.workspace {
                chown(&folder, Some(self.command_user), Some(self.command_user)).unwrap();
                folder.pop();
            }
        }
    }

    /// Starts the helper with a request; its input stays open.
    pub(crate) fn start(&self, request: &Request) -> Child {
        let mut helper = Command::new(programs().join("polaris-sandbox"));
        // The core passes nothing on; the helper must not either.
        helper.env_clear().env("CANARY", &self.secret);
        helper.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        if self.helper_user != fs::metadata("/proc/self").unwrap().uid() {
            helper.uid(self.helper_user).gid(self.helper_user);
        }
        let mut child = helper.spawn().unwrap();
        let mut line = serde_json::to_vec(request).unwrap();
        line.push(b'\n');
        child.stdin.as_mut().unwrap().write_all(&line).unwrap();
        child
    }

    pub(crate) fn run(&self, request: &Request) -> Outcome {
        finish(self.start(request))
    }

    /// Everything outside is as it was, and nobody is left. The first thing that is not.
    pub(crate) fn damage(&mut self) -> Option<String> {
        let outside = |name: &str| self.outside.join(name);
        for (name, text) in
            [("secret.txt", self.secret.as_str()), ("writable.txt", ORIGINAL), ("folder/inner.txt", ORIGINAL)]
        {
            let Ok(found) = fs::symlink_metadata(outside(name)) else {
                return Some(format!("{name} is gone"));
            };
            if fs::read_to_string(outside(name)).ok().as_deref() != Some(text) {
                return Some(format!("{name} was changed"));
            }
            if found.mode() & 0o7777 != 0o666 || found.uid() != self.helper_user || found.nlink() != 1 {
                return Some(format!(
                    "{name}: mode {:o}, user {}, links {}",
                    found.mode(),
                    found.uid(),
                    found.nlink()
                ));
            }
            if found.modified().unwrap() != UNIX_EPOCH + OLD {
                return Some(format!("{name}: its times were changed"));
            }
        }
        if fs::read_to_string(&self.everybody).ok().as_deref() != Some(self.secret.as_str()) {
            return Some("everybody's file was changed".to_owned());
        }
        if Path::new(&self.fill("/tmp/owned-{n}")).exists() {
            return Some("everybody's folder has a file more".to_owned());
        }
        if !self.workspace.join("package.json").exists() {
            return Some("the workspace was emptied".to_owned());
        }
        for (folder, count) in [("", 9), ("folder", 1)] {
            let names: Vec<_> =
                fs::read_dir(outside(folder)).unwrap().flatten().map(|e| e.file_name()).collect();
            if names.len() != count {
                return Some(format!("outside/{folder} has {names:?}"));
            }
        }
        if self.tcp.accept().is_ok() || self.stream.accept().is_ok() || self.abstract_stream.accept().is_ok()
        {
            return Some("somebody connected".to_owned());
        }
        let mut buffer = [0; 16];
        if self.udp.recv(&mut buffer).is_ok()
            || self.datagram.recv(&mut buffer).is_ok()
            || self.abstract_datagram.recv(&mut buffer).is_ok()
        {
            return Some("somebody sent a datagram".to_owned());
        }
        if let Some(status) = self.victim.try_wait().unwrap() {
            return Some(format!("the process outside ended: {status}"));
        }
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.victim.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        if fields[0] == "T" || fields[0] == "t" || fields[16] != own_nice() {
            return Some(format!("the process outside is {}, nice {}", fields[0], fields[16]));
        }
        let limits = fs::read_to_string(format!("/proc/{}/limits", self.victim.id())).unwrap();
        if limits.lines().any(|line| line.starts_with("Max open files") && line.contains("  3  ")) {
            return Some("the limits of the process outside were changed".to_owned());
        }
        let survivors = self.survivors();
        (!survivors.is_empty()).then(|| format!("still running: {survivors:?}"))
    }

    /// Processes of the command's user, but for the one outside.
    pub(crate) fn survivors(&self) -> Vec<String> {
        let own = fs::metadata("/proc/self").unwrap().uid();
        let numbers = fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
        let found = numbers.filter(|&pid| pid != self.victim.id()).filter_map(|pid| {
            let user = fs::metadata(format!("/proc/{pid}")).ok()?.uid();
            let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            // When nobody can be told apart by user: by what they run.
            let ours = match self.command_user == own {
                false => user == self.command_user,
                true => {
                    let base = self.base.display().to_string();
                    let cwd = fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
                    user == own && (line.contains(&base) || cwd.starts_with(&base))
                }
            };
            ours.then_some(line)
        });
        found.collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = UnixStream::connect(self.base.join("server.sock"));
        let _ = self.victim.kill();
        let _ = self.victim.wait();
        let _ = fs::remove_dir_all(&self.base);
        let _ = fs::remove_file(&self.everybody);
    }
}

/// Reads what the helper says to its end.
pub(crate) fn finish(mut helper: Child) -> Outcome {
    let mut out = helper.stdout.take().unwrap();
    let (mut stdout, mut stderr, mut report) = (Vec::new(), Vec::new(), None);
    loop {
        let mut header = [0; HEADER];
        if out.read_exact(&mut header).is_err() {
            break;
        }
        let (kind, length) = parse_header(header).unwrap();
        let mut bytes = vec![0; length];
        out.read_exact(&mut bytes).unwrap();
        match kind {
            FrameKind::Stdout => stdout.extend(bytes),
            FrameKind::Stderr => stderr.extend(bytes),
            FrameKind::Report => report = Some(serde_json::from_slice(&bytes).unwrap()),
        }
    }
    helper.wait().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Outcome { stdout: text(stdout), stderr: text(stderr), report: report.expect("a report") }
}
