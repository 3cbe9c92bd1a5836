//! Installing packages from the registry that the operator names, and reaching nothing else.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::net::TcpListener as Listener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

use polaris_core::workspace::materialise::packages::LOCKS;
use polaris_core::workspace::{ChangeLine, ProjectFiles as _};

use super::lab::{FILES, Lab, Packages, files, is_full};

const TOKEN: &str = "canary-token";

/// A registry with a few packages on the loopback interface.
struct Registry {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// An archive of a package whose scripts leave a mark, and its digest as lock files hold it.
fn archive(name: &str) -> (Vec<u8>, String) {
    let place = unique();
    std::fs::create_dir_all(place.join("package")).unwrap();
    let manifest = format!(
        r#"{{"name":"{name}","version":"1.0.0","main":"index.js","scripts":{{"postinstall":"node -e \"require('fs').writeFileSync('/../../ran.txt','')\" && echo ran > ../../ran.txt"}}}}"#
    );
    std::fs::write(place.join("package/package.json"), manifest).unwrap();
    std::fs::write(place.join("package/index.js"), format!("module.exports = '{name} is here';\n")).unwrap();
    let made = Command::new("tar").args(["czf", "a.tgz", "package"]).current_dir(&place).status().unwrap();
    assert!(made.success());
    let bytes = std::fs::read(place.join("a.tgz")).unwrap();
    let script =
        "require('crypto').createHash('sha512').update(require('fs').readFileSync('a.tgz')).digest('base64')";
    let digest = Command::new("node").args(["-p", script]).current_dir(&place).output().unwrap().stdout;
    std::fs::remove_dir_all(place).unwrap();
    (bytes, format!("sha512-{}", String::from_utf8(digest).unwrap().trim()))
}

fn unique() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("polaris-packages-test-{}-{n}", std::process::id()))
}

impl Registry {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/npm/", listener.local_addr().unwrap());
        let mut answers: HashMap<String, (&str, Vec<u8>)> = HashMap::new();
        for name in ["left-pad", "right-pad"] {
            let tarball = format!("{url}{name}/-/{name}-1.0.0.tgz");
            let (bytes, integrity) = archive(name);
            let dist = serde_json::json!({ "tarball": tarball, "integrity": integrity });
            let data = serde_json::json!({
                "name": name,
                "dist-tags": { "latest": "1.0.0" },
                // What is too new, some managers do not install.
                "time": { "1.0.0": "2020-01-01T00:00:00.000Z" },
                "versions": { "1.0.0": { "name": name, "version": "1.0.0", "dist": dist } },
            });
            answers.insert(format!("/npm/{name}"), ("application/json", data.to_string().into_bytes()));
            let path = format!("/npm/{name}/-/{name}-1.0.0.tgz");
            answers.insert(path, ("application/octet-stream", bytes));
        }
        let (asked, answers) = (Arc::<Mutex<Vec<String>>>::default(), Arc::new(answers));
        let log = Arc::clone(&asked);
        let server = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (log, answers) = (Arc::clone(&log), Arc::clone(&answers));
                let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                    let token = request.headers().get("authorization");
                    let token = token.map(|token| token.to_str().unwrap().to_owned());
                    let line = format!("{} {}", request.method(), request.uri().path());
                    log.lock().unwrap().push(line);
                    let found = answers.get(request.uri().path()).filter(|_| {
                        token.as_deref() == Some("Bearer canary-token") && request.method() == "GET"
                    });
                    let response = match found {
                        Some((kind, body)) => Response::builder()
                            .header("content-type", *kind)
                            .body(Full::new(Bytes::from(body.clone()))),
                        None => Response::builder().status(404).body(Full::new("{}".into())),
                    };
                    futures::future::ready(Ok::<_, Infallible>(response.unwrap()))
                });
                tokio::spawn(async move {
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { url, asked, server }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn variables(&self) -> [(&str, &str); 2] {
        [("POLARIS_NPM_REGISTRY", self.url.as_str()), ("POLARIS_NPM_REGISTRY_TOKEN", TOKEN)]
    }
}

#[tokio::test]
async fn a_package_is_installed_from_the_registry_and_stays_for_the_next_command_and_run() {
    let registry = Registry::start().await;
    let store = files(FILES);
    let project = unique().display().to_string();
    let lab = Lab::on(Arc::clone(&store), &registry.variables(), 60_000).of_project(&project);
    let text = lab.ok("npm install left-pad --ignore-scripts=false && node -p 'require(`left-pad`)'").await;
    assert!(text.contains("added 1 package") && text.contains("left-pad is here"), "{text}");
    assert!(text.ends_with("Files changed: A 1, M 1, D 0"), "{text}");
    let stored = store.snapshot();
    assert!(stored["package.json"].contains("left-pad"), "{}", stored["package.json"]);
    let lock = &stored["package-lock.json"];
    assert!(lock.contains(&format!("{}left-pad/-/left-pad-1.0.0.tgz", registry.url)), "{lock}");
    assert!(!lock.contains("4873") && !text.contains(TOKEN) && !lock.contains(TOKEN));
    assert!(!stored.contains_key("ran.txt"), "scripts of packages do not run");
    assert_eq!(registry.asked(), ["GET /npm/left-pad", "GET /npm/left-pad/-/left-pad-1.0.0.tgz"]);
    assert_eq!(lab.ok("node -p 'require(`left-pad`)'").await, "left-pad is here");
    assert_eq!(lab.ok("git status --short").await.lines().next(), Some("M package.json"));
    let root = lab.root().await;
    drop(lab);
    while root.exists() {
        tokio::task::yield_now().await;
    }
    // The next run of the same project, without any registry.
    let lab = Lab::on(Arc::clone(&store), &[], 30_000).of_project(&project);
    assert_eq!(lab.ok("node -p 'require(`left-pad`)'").await, "left-pad is here");
    let status = lab.ok("git status --short").await;
    assert!(status.starts_with("Command completed successfully (no output)"), "{status}");
    // Somebody else's project with the same lock file has to install for itself.
    let lab = Lab::on(Arc::clone(&store), &[], 30_000).of_project("somebody else's");
    assert!(lab.err("node -p 'require(`left-pad`)'").await.contains("Cannot find module"));
    // By the lock file, which names the registry.
    let lab = Lab::on(store, &registry.variables(), 60_000);
    assert!(lab.ok("npm ci").await.contains("added 1 package"));
    assert_eq!(lab.ok("node -p 'require(`left-pad`)'").await, "left-pad is here");
    assert!(registry.asked().iter().all(|line| line.starts_with("GET ")), "{:?}", registry.asked());
}

/// What code does that npm runs while it installs: it reaches the registry's packages and nothing else.
const PROBE: &str = r#"
const net = require('net'), http = require('http'), dgram = require('dgram');
const ask = (options) => new Promise((done) => {
  const request = http.request({ host: '127.0.0.1', port: 4873, path: '/npm/left-pad', ...options }, (answer) => {
    let text = ''; answer.on('data', (part) => text += part);
    answer.on('end', () => done(answer.statusCode + ' ' + text.slice(0, 80)));
  });
  request.on('error', (error) => done(error.code)); request.end(options.body);
});
const raw = (text) => new Promise((done) => {
  const socket = net.connect(PORT, '127.0.0.1', () => socket.write(text));
  let got = ''; const first = () => done(got.split('\r\n')[0]);
  socket.on('data', (part) => { got += part; first(); }).on('close', first).on('error', () => {});
});
(async () => {
  const lines = {
    package: (await ask({})).slice(0, 3),
    other: await ask({ host: '127.0.0.1', port: PORT }),
    metadata: await ask({ host: '169.254.169.254', port: 80, path: '/latest/meta-data/' }),
    host: await ask({ headers: { host: '127.0.0.1:PORT' } }),
    post: await ask({ method: 'POST', body: 'secret' }),
    put: await ask({ method: 'PUT', body: 'secret' }),
    service: await ask({ path: '/npm/-/whoami' }),
    above: await ask({ path: '/admin' }),
    up: await ask({ path: '/npm/%2e%2e/admin' }),
    tunnel: await raw('CONNECT 127.0.0.1:PORT HTTP/1.1\r\nhost: 127.0.0.1:PORT\r\n\r\n'),
    absolute: await raw('GET http://127.0.0.1:PORT/npm/left-pad HTTP/1.1\r\nhost: 127.0.0.1:4873\r\nconnection: close\r\n\r\n'),
    noise: await raw('\x16\x03\x01 hello\r\n\r\n'),
    udp: await new Promise((done) => {
      const socket = dgram.createSocket('udp4').on('error', (error) => done(error.code));
      socket.send('x', PORT, '127.0.0.1', (error) => done(error ? error.code : 'sent'));
    }),
    unix: await new Promise((done) => net.connect('SOCKET', () => done('connected')).on('error', (error) => done(error.code))),
    listen: await new Promise((done) => net.createServer().listen(0, () => done('listens')).on('error', (error) => done(error.code))),
  };
  require('fs').writeFileSync('probe.json', JSON.stringify(lines));
  process.exit(1);
})();
"#;

#[tokio::test]
async fn while_it_installs_every_other_address_stays_closed() {
    let registry = Registry::start().await;
    let other = Listener::bind("127.0.0.1:0").unwrap();
    other.set_nonblocking(true).unwrap();
    let port = other.local_addr().unwrap().port().to_string();
    let socket = unique();
    let beside = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    beside.set_nonblocking(true).unwrap();
    // npm starts the program that its settings call git, to fetch a package from a repository.
    let probe = format!("#!/usr/bin/env node\n{PROBE}")
        .replace("PORT", &port)
        .replace("SOCKET", &socket.display().to_string());
    let store = files(&[
        ("package.json", r#"{"name":"demo","version":"1.0.0"}"#),
        (".npmrc", "git=./probe.js\nregistry=http://127.0.0.1:1/\nignore-scripts=false\n"),
        ("probe.js", &probe),
    ]);
    let lab = Lab::on(Arc::clone(&store), &registry.variables(), 60_000);
    let text = lab.err("npm install git+https://127.0.0.1/x.git").await;
    let stored = store.snapshot();
    let found = stored.get("probe.json").unwrap_or_else(|| panic!("{text}"));
    let found: HashMap<String, String> = serde_json::from_str(found).unwrap();
    let starts = |what: &str, with: &str| assert!(found[what].starts_with(with), "{what}: {found:#?}");
    starts("package", "200");
    for what in ["other", "metadata", "host"] {
        starts(what, r#"403 {"error":"only the configured package registry can be reached"#);
    }
    for what in ["post", "put"] {
        starts(what, r#"405 {"error":"packages can be read here"#);
    }
    for what in ["service", "above", "up"] {
        starts(what, r#"403 {"error":"only packages can be read"#);
    }
    starts("tunnel", "HTTP/1.1 405");
    starts("absolute", "HTTP/1.1 403");
    assert!(found["noise"].is_empty() || found["noise"].starts_with("HTTP/1.1 400"), "{found:#?}");
    for what in ["udp", "unix", "listen"] {
        starts(what, "EPERM");
    }
    assert!(other.accept().is_err(), "somebody connected");
    assert!(beside.accept().is_err(), "somebody connected");
    assert_eq!(registry.asked(), ["GET /npm/left-pad"], "nothing else arrived");
    std::fs::remove_file(socket).unwrap();
    // With the same settings, a command that installs nothing has no connection at all.
    let script = "node -e 'require(`net`).connect(4873,`127.0.0.1`,()=>console.log(`open`)).on(`error`,e=>console.log(e.code))'";
    assert_eq!(lab.ok(script).await, "EPERM");
}

#[tokio::test]
async fn what_is_wrong_with_an_installation_is_said_at_once() {
    let registry = Registry::start().await;
    let lab = Lab::with(&registry.variables(), 60_000);
    let text = lab.err("npm install no-such-package").await;
    assert!(text.contains("404") && text.contains("no-such-package"), "{text}");
    let lab = Lab::with(&[("POLARIS_NPM_REGISTRY", "npm.example")], 30_000);
    assert_eq!(lab.err("npm install left-pad").await, "Command blocked: POLARIS_NPM_REGISTRY is not a URL");
    let closed = {
        let listener = Listener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let lab = Lab::with(&[("POLARIS_NPM_REGISTRY", &closed)], 60_000);
    let text = lab.err("npm install left-pad").await;
    assert!(text.contains("502") && text.contains("the registry cannot be reached"), "{text}");
}

/// Keeps its locks in `/tmp` itself, which only level `full` has.
const PNPM_12: &str = "@pnpm/exe.linux-x64";

/// The other package managers: name, package and program.
const MANAGERS: [(&str, &str, &str); 5] = [
    ("pnpm", "pnpm", "bin/pnpm.cjs"),
    ("pnpm", PNPM_12, "pnpm"),
    ("yarn", "yarn", "bin/yarn.js"),
    ("yarn", "@yarnpkg/cli-dist", "bin/yarn.js"),
    ("bun", "@oven/bun-linux-x64", "bin/bun"),
];

/// Node with a package manager beside it, as a version manager installs them; goes away with it.
struct Installed(PathBuf);

impl Installed {
    fn new(tools: &Path, (program, package, file): (&str, &str, &str)) -> Option<Self> {
        let from = tools.join(package);
        if !from.join(file).is_file() {
            eprintln!("left out: {package} has no program for this machine");
            return None;
        }
        let installed = Self(unique());
        let to = installed.0.join("lib/node_modules").join(package);
        for folder in [to.parent().unwrap(), &installed.bin()] {
            std::fs::create_dir_all(folder).unwrap();
        }
        assert!(Command::new("cp").arg("-r").args([&from, &to]).status().unwrap().success());
        let node = Command::new("node").args(["-p", "process.execPath"]).output().unwrap().stdout;
        let node = String::from_utf8(node).unwrap();
        std::os::unix::fs::symlink(node.trim(), installed.bin().join("node")).unwrap();
        std::os::unix::fs::symlink(to.join(file), installed.bin().join(program)).unwrap();
        Some(installed)
    }

    fn bin(&self) -> PathBuf {
        self.0.join("bin")
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn every_package_manager_asks_the_one_registry_and_its_lock_file_names_it() {
    let Some(tools) = Packages::Managers.place() else { return };
    for manager in MANAGERS {
        let (program, package, _) = manager;
        let Some(installed) = Installed::new(&tools, manager) else { continue };
        if package == PNPM_12 && !is_full() {
            eprintln!("left out: {package} below level full");
            continue;
        }
        let path = installed.bin().display().to_string();
        let registry = Registry::start().await;
        let store = files(&[
            (
                "package.json",
                r#"{"name":"demo","version":"1.0.0","dependenciesMeta":{"left-pad":{"built":true}}}"#,
            ),
            (".yarnrc.yml", "nodeLinker: node-modules\nenableScripts: true\n"),
            (".yarnrc", "--install.ignore-scripts false\n"),
        ]);
        let mut variables = registry.variables().to_vec();
        variables.push(("PATH", &path));
        let another_machine = || Lab::on(Arc::clone(&store), &variables, 60_000);
        let project = unique().display().to_string();
        let use_it = "node -p 'require(`left-pad`)'";
        let lab = another_machine().of_project(&project);
        let text = lab.ok(&format!("{program} add left-pad")).await;
        assert_eq!(lab.ok(use_it).await, "left-pad is here", "{package}: {text}");
        let stored = store.snapshot();
        assert!(stored["package.json"].contains("left-pad"), "{package}: {stored:#?}");
        let lock = |stored: &BTreeMap<String, String>| {
            let lock = LOCKS.iter().find_map(|lock| stored.get(*lock)).cloned();
            lock.unwrap_or_else(|| panic!("{package}: {text}: {stored:#?}"))
        };
        let text = lock(&stored);
        assert!(text.contains("left-pad") && !text.contains("4873"), "{package}: {text}");
        assert!(!stored.contains_key("ran.txt"), "{package}: scripts of packages do not run");
        let root = lab.root().await;
        drop(lab);
        while root.exists() {
            tokio::task::yield_now().await;
        }
        // The next run, with what is kept.
        let lab = another_machine().of_project(&project);
        lab.ok(&format!("{program} add right-pad")).await;
        lab.ok("node -p 'require(`left-pad`) + require(`right-pad`)'").await;
        // By the lock file, which names what is usual.
        if package == "yarn" {
            let lock = store.snapshot()["yarn.lock"].replace(&registry.url, "https://registry.yarnpkg.com/");
            store.write("yarn.lock", &lock, &ChangeLine::default()).await.unwrap();
        }
        let stored = store.snapshot();
        let lab = another_machine();
        lab.ok(&format!("{program} install")).await;
        assert_eq!(lab.ok(use_it).await, "left-pad is here", "{package}");
        assert_eq!(store.snapshot(), stored, "{package}");
        // What somebody has written into package.json.
        let mut wanted: serde_json::Value = serde_json::from_str(&stored["package.json"]).unwrap();
        wanted["dependencies"] = serde_json::json!({ "right-pad": "1.0.0" });
        store.write("package.json", &wanted.to_string(), &ChangeLine::default()).await.unwrap();
        let lab = another_machine();
        lab.ok(&format!("{program} install")).await;
        assert_eq!(lab.ok("node -p 'require(`right-pad`)'").await, "right-pad is here", "{package}");
        assert!(lab.err(use_it).await.contains("Cannot find module"), "{package}");
        assert_ne!(lock(&store.snapshot()), lock(&stored), "{package}");
        let is_read = |line: &String| line.starts_with("GET /npm/") || line.starts_with("HEAD /npm/");
        assert!(registry.asked().iter().all(is_read), "{package}: {:?}", registry.asked());
    }
}
