//! Where the questions of a run are answered, one by one: keeps the copy of the project and the process
//! that reads it, starts that anew when it dies, and gives it up when it does so again and again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::{Semaphore, SemaphorePermit};
use url::Url;

use super::replica::{How, Replica};
use super::session::{Failed, Session};
use super::{Answer, Ask, At, Diagnostic, Location, MemoryLeft, Question, Silence, Source, memory};
use crate::code::index::Index;
use crate::config::Env;
use crate::confine::Confinement;
use crate::workspace::materialise::folder::Folders;
use crate::workspace::materialise::follow::Changed;

/// Servers in a process, at most: one takes 0.2 GB with 1,000 files, 1.3 GB with 10,000.
const MAX_SERVERS: usize = 4;
/// After that, a server is taken for dead: when it starts, loads a project, and later.
const START: Duration = Duration::from_secs(30);
const LOAD: Duration = Duration::from_secs(120);
const ANSWER: Duration = Duration::from_secs(20);
/// After so many deaths in a run it is not started again.
const MAX_DEATHS: u32 = 3;

static SERVERS: Semaphore = Semaphore::const_new(MAX_SERVERS);

#[derive(Debug, Deserialize)]
struct Range {
    start: At,
}

/// Where questions are answered, one by one. Fields are dropped in order: the process before its files.
pub(super) struct Desk {
    session: Option<Session>,
    copy: Option<Replica>,
    permit: Option<SemaphorePermit<'static>>,
    program: PathBuf,
    env: Env,
    left: MemoryLeft,
    folders: Folders,
    pid: Arc<AtomicU32>,
    /// Memory was no place for the copy.
    on_disk: bool,
    deaths: u32,
    given_up: Option<Silence>,
}

impl Desk {
    pub(super) fn new(
        program: PathBuf,
        env: Env,
        left: MemoryLeft,
        pid: Arc<AtomicU32>,
        folders: Folders,
    ) -> Self {
        let (session, copy, permit, given_up) = (None, None, None, None);
        let (on_disk, deaths) = (false, 0);
        Self { session, copy, permit, program, env, left, folders, pid, on_disk, deaths, given_up }
    }

    pub(super) fn has_given_up(&self) -> bool {
        self.given_up.is_some()
    }

    pub(super) async fn answer(&mut self, ask: &Ask, is_warm: bool) -> Result<Answer, Silence> {
        if let Some(why) = &self.given_up {
            return Err(why.clone());
        }
        let answer = self.try_answer(ask, is_warm).await;
        if let Err(why @ (Silence::Memory { .. } | Silence::Outside(_))) = &answer {
            // The project or what else runs here may change, but a run does not get smaller.
            self.session = None;
            if matches!(why, Silence::Memory { .. }) {
                self.give_up(why.clone());
            }
        }
        answer
    }

    /// Counts a death, and gives up after too many.
    fn died(&mut self) {
        self.deaths += 1;
        if self.deaths >= MAX_DEATHS {
            self.give_up(Silence::Failed);
        }
    }

    fn give_up(&mut self, why: Silence) {
        self.session = None;
        self.copy = None;
        self.permit = None;
        self.given_up = Some(why);
    }

    async fn try_answer(&mut self, ask: &Ask, is_warm: bool) -> Result<Answer, Silence> {
        let needed = memory::RESERVE_BYTES
            + if self.session.is_some() { 0 } else { memory::needed(ask.index.code().count()) };
        if let Some(left) = (self.left)().filter(|&left| left < needed) {
            return Err(Silence::Memory { needed, left });
        }
        if self.permit.is_none() {
            self.permit = Some(SERVERS.try_acquire().map_err(|_| Silence::Busy)?);
        }
        let changes = self.update_copy(&ask.index).await?;
        for replay in [false, true] {
            if self.session.is_none() {
                self.begin().await?;
            } else if !changes.is_empty() && !replay {
                self.tell(&changes);
            }
            match self.put(ask, is_warm).await {
                Ok(answer) => return self.read(ask, answer).await,
                Err(Failed::Refused) => return Err(Silence::Failed),
                Err(failed) => {
                    self.session = None;
                    self.died();
                    if self.has_given_up() {
                        return Err(Silence::Failed);
                    }
                    if matches!(failed, Failed::Slow) {
                        return Err(Silence::Slow);
                    }
                }
            }
        }
        Err(Silence::Failed)
    }

    /// Makes the copy what the index has; what changed in it.
    async fn update_copy(&mut self, index: &Arc<Index>) -> Result<Vec<(Arc<str>, Changed)>, Silence> {
        if let Some(copy) = self.copy.as_ref().filter(|copy| Arc::ptr_eq(&copy.of, index)) {
            return copy.outside.clone().map_or(Ok(Vec::new()), |file| Err(Silence::Outside(file)));
        }
        let confined = Confinement::find(&self.env).await.is_ok_and(|found| found.confines_reading());
        let may_use_memory = !self.on_disk && self.copy.is_none() && self.has_ample_memory(index);
        let how = How { confined, may_use_memory, folders: self.folders.clone() };
        let (copy, index) = (self.copy.take(), Arc::clone(index));
        let before = copy.as_ref().map(|copy| copy.root.clone());
        let updated = tokio::task::spawn_blocking(move || Replica::update(copy, &index, &how));
        let Some((copy, changes)) = updated.await.ok().and_then(Result::ok) else {
            // What a server has read is gone with the copy.
            self.session = None;
            self.on_disk = true;
            self.died();
            return Err(Silence::Failed);
        };
        if before.is_some_and(|root| root != copy.root) {
            self.session = None;
        }
        let outside = copy.outside.clone();
        self.copy = Some(copy);
        outside.map_or(Ok(changes), |file| Err(Silence::Outside(file)))
    }

    fn has_ample_memory(&self, index: &Index) -> bool {
        memory::is_ample(index.code().count(), MAX_SERVERS as u64, (self.left)(), memory::free())
    }

    async fn begin(&mut self) -> Result<(), Silence> {
        let Some(copy) = &self.copy else { return Err(Silence::Failed) };
        let root = Url::from_file_path(&copy.root).map_err(|()| Silence::Failed)?;
        let is_ample = self.has_ample_memory(&copy.of);
        let mut command = match Confinement::find(&self.env).await {
            Ok(found) if found.confines_reading() => found.reader(&self.program, &copy.root),
            _ => Command::new(&self.program),
        };
        command
            .args(["--lsp", "--stdio"])
            // Without a PATH it finds no npm, which it would have install types.
            .env_clear()
            .env("HOME", copy.temp())
            .env("TMPDIR", copy.temp())
            .envs(memory::garbage(is_ample, (self.left)()))
            .current_dir(&copy.root);
        #[cfg(unix)]
        command.process_group(0);
        let session = Session::start(command, root.as_str(), START).await;
        match session {
            Ok(session) => {
                self.pid.store(session.pid().unwrap_or_default(), Ordering::Relaxed);
                self.session = Some(session);
                Ok(())
            }
            Err(_) => {
                if self.copy.take_if(|copy| copy.is_in_memory()).is_some() {
                    // Perhaps it may not read there.
                    self.on_disk = true;
                } else {
                    self.died();
                }
                Err(Silence::Failed)
            }
        }
    }

    fn tell(&self, changes: &[(Arc<str>, Changed)]) {
        let (Some(session), Some(copy)) = (&self.session, &self.copy) else { return };
        let changes = changes.iter().filter_map(|(path, changed)| {
            let kind = match changed {
                Changed::Created => 1,
                Changed::Written => 2,
                Changed::Deleted => 3,
            };
            Some(json!({ "uri": copy.uri(path)?, "type": kind }))
        });
        session.notify("workspace/didChangeWatchedFiles", json!({ "changes": changes.collect::<Vec<_>>() }));
    }

    async fn put(&mut self, ask: &Ask, is_warm: bool) -> Result<Value, Failed> {
        let (Some(session), Some(copy)) = (&mut self.session, &self.copy) else { return Err(Failed::Died) };
        let uri = copy.uri(&ask.path).ok_or(Failed::Refused)?;
        let mut params = json!({ "textDocument": { "uri": uri } });
        let method = match ask.question {
            Question::Diagnostics => "textDocument/diagnostic",
            Question::Definition(at) => {
                params["position"] = json!(at);
                "textDocument/definition"
            }
            Question::References(at) => {
                params["position"] = json!(at);
                params["context"] = json!({ "includeDeclaration": true });
                "textDocument/references"
            }
        };
        session.request(method, params, if is_warm { ANSWER } else { LOAD }).await
    }

    async fn read(&mut self, ask: &Ask, answer: Value) -> Result<Answer, Silence> {
        let Some(copy) = &self.copy else { return Err(Silence::Failed) };
        if let Question::Diagnostics = ask.question {
            return Ok(Answer::Diagnostics(self.diagnostics(copy, &answer)));
        }
        #[derive(Deserialize)]
        struct Found {
            uri: Url,
            range: Range,
        }
        let found: Option<Vec<Found>> = serde_json::from_value(answer).map_err(|_| Silence::Failed)?;
        let mut locations = Vec::new();
        for Found { uri, range: Range { start } } in found.into_iter().flatten() {
            let Ok(path) = uri.to_file_path() else { continue };
            let file = match path.strip_prefix(&copy.root) {
                Ok(inside) => {
                    let inside = inside.to_string_lossy().replace('\\', "/");
                    Source::Project(inside.into())
                }
                Err(_) => {
                    let line = self.library_line(&path, start.line).await;
                    Source::Library { name: library_name(&path), line, what: None }
                }
            };
            locations.push(Location { file, at: start });
        }
        if let (Question::Definition(at), Some(session)) = (ask.question, &mut self.session)
            && locations.iter().any(|location| matches!(location.file, Source::Library { .. }))
            && let Some(uri) = copy.uri(&ask.path)
        {
            let params = json!({ "textDocument": { "uri": uri }, "position": at });
            let hover = session.request("textDocument/hover", params, ANSWER).await.unwrap_or_default();
            let told = hover["contents"]["value"].as_str().and_then(what);
            for location in &mut locations {
                if let Source::Library { what, .. } = &mut location.file {
                    what.clone_from(&told);
                }
            }
        }
        Ok(Answer::Locations(locations))
    }

    fn diagnostics(&self, copy: &Replica, answer: &Value) -> Vec<Diagnostic> {
        #[derive(Deserialize)]
        struct Item {
            range: Range,
            #[serde(default)]
            severity: Option<u32>,
            #[serde(default)]
            code: Value,
            message: String,
        }
        let root = format!("{}/", copy.root.display());
        let libraries = self.program.parent().map(|folder| format!("{}/", folder.display()));
        let items = answer["items"].as_array().into_iter().flatten();
        let items = items.filter_map(|item| Item::deserialize(item).ok());
        let items = items.map(|Item { range, severity, code, message }| {
            let message = message.replace(&root, "");
            let message = libraries.iter().fold(message, |text, folder| text.replace(folder, ""));
            Diagnostic { at: range.start, severity: severity.unwrap_or(1), code: code.as_u64(), message }
        });
        items.collect()
    }

    /// A line of a library of the server itself; of nothing else.
    async fn library_line(&self, path: &Path, line: u32) -> String {
        if self.program.parent().is_none_or(|folder| !path.starts_with(folder)) {
            return String::new();
        }
        let text = tokio::fs::read_to_string(path).await.unwrap_or_default();
        text.lines().nth(line as usize).unwrap_or_default().to_owned()
    }
}

/// `react/index.d.ts` of a package, `lib.es5.d.ts` of the standard library.
pub(super) fn library_name(path: &Path) -> String {
    let path = path.to_string_lossy().replace('\\', "/");
    let name = path.rsplit('/').next().unwrap_or_default();
    match path.rsplit_once("/node_modules/") {
        Some((_, inside)) if !name.starts_with("lib.") => inside.to_owned(),
        _ => name.to_owned(),
    }
}

/// Kind and name from what an editor would show: `(method) Array<T>.map(…)`, `interface Foo`.
pub(super) fn what(hover: &str) -> Option<(String, String)> {
    let line = hover.trim_start_matches(['`', '\n']).lines().next()?.trim();
    let (kind, rest) = match line.strip_prefix('(') {
        Some(rest) => rest.split_once(')')?,
        None => line.split_once(' ')?,
    };
    let end = rest.find(['(', ':', '=', '{']).unwrap_or(rest.len());
    // Type arguments are no part of the name.
    let mut depth = 0;
    let name: String = rest[..end]
        .chars()
        .filter(|c| {
            depth += i32::from(*c == '<');
            let keep = depth == 0;
            depth -= i32::from(*c == '>');
            keep
        })
        .collect();
    let name = name.trim().rsplit(['.', ' ']).next()?.to_owned();
    (!name.is_empty()).then(|| (kind.to_owned(), name))
}
