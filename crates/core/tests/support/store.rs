//! The server functions of the store, in memory, with a log of every call.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::contract;
use super::http::{Reply, Server};

pub const INTERNAL_KEY: &str = "internal-key-of-the-test";
pub const MESSAGE: &str = "message1";

/// One call as it arrived.
#[derive(Debug, Clone)]
pub struct Call {
    pub at: Instant,
    pub name: String,
    pub args: Value,
    /// The status of the message before the call.
    pub status_before: String,
}

#[derive(Debug, Default)]
pub struct State {
    pub status: String,
    pub content: String,
    pub tool_calls: Vec<Value>,
    pub run_id: Value,
    /// Attempt, number of the last write, finished turns.
    pub journal: Option<(u64, u64, Vec<Value>)>,
    /// The project was deleted.
    pub gone: bool,
    /// A deployment from before writes were numbered.
    pub old: bool,
    /// A deployment from before changes had lines.
    pub takes_no_lines: bool,
    /// The lines of the project's log that tell of files: words and time, each once.
    pub lines: Vec<(String, String)>,
    /// The changes that were made, in order: `wrote a`.
    pub made: Vec<String>,
    pub epoch: u64,
    pub history: Vec<Value>,
    pub files: BTreeMap<String, String>,
    /// How often files were changed: the project's time.
    pub file_changes: u64,
    /// When a file was changed, for those that `applyFileChanges` changed; others were at 1.
    pub file_times: BTreeMap<String, u64>,
    pub log: Vec<Call>,
    /// Appends (counted from 1) that take effect and whose answer is lost.
    pub lose_answers: Vec<usize>,
    pub appends: usize,
    /// At the n-th call: it takes effect or not, and no answer comes.
    pub kill_at: Option<(usize, bool)>,
    /// As `kill_at`, at the next call of a function.
    pub kill_call: Option<(String, bool)>,
    pub killed: Arc<Notify>,
    /// Before each mutation's answer.
    pub latency: Duration,
    /// What the next calls of a function get instead of an answer.
    pub faults: Vec<(String, Reply)>,
}

pub struct Store {
    pub server: Server,
    pub state: Arc<Mutex<State>>,
}

impl Store {
    pub async fn start(user: &str) -> Self {
        let state = Arc::new(Mutex::new(State {
            status: "processing".to_owned(),
            history: vec![json!({ "role": "user", "content": user })],
            ..State::default()
        }));
        let server = Server::start({
            let state = Arc::clone(&state);
            move |request| {
                let body: Value = serde_json::from_slice(&request.body).unwrap();
                let path = body["path"].as_str().unwrap();
                contract::check(path, "args", &body["args"][0]);
                let endpoint = format!("/api/{}", contract::function(path)["kind"].as_str().unwrap());
                assert_eq!(request.path, endpoint);
                let reply = state.lock().unwrap().handle(&body);
                if let Some(value) = answered(&reply) {
                    contract::check(path, "returns", &value);
                }
                reply
            }
        })
        .await;
        Self { server, state }
    }

    pub fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap())
    }

    /// Writes of text that the clock caused.
    pub fn timer_writes(&self) -> Vec<Call> {
        self.with(|s| {
            let is_timer = |c: &&Call| {
                c.name == "streamMessageContent"
                    || (c.name == "appendMessageContent" && c.args.get("status").is_none())
            };
            s.log.iter().filter(is_timer).cloned().collect()
        })
    }

    /// The calls of one function.
    pub fn calls(&self, name: &str) -> Vec<Call> {
        self.with(|s| s.log.iter().filter(|call| call.name == name).cloned().collect())
    }
}

/// The value of a successful answer.
fn answered(reply: &Reply) -> Option<Value> {
    match reply {
        Reply::After(_, inner) => answered(inner),
        Reply::Full { status: 200, body, .. } => {
            let body: Value = serde_json::from_slice(body).unwrap();
            (body["status"] == "success").then(|| body["value"].clone())
        }
        _ => None,
    }
}

fn ok(value: Value) -> Reply {
    Reply::json(200, json!({ "status": "success", "value": value }))
}

fn refused(code: &str, message: &str) -> Reply {
    let data = json!({ "code": code, "message": message });
    Reply::json(
        200,
        json!({ "status": "error", "errorMessage": "[Request ID: 1] Server Error", "errorData": data }),
    )
}

pub fn has_lines(args: &Value) -> bool {
    let in_changes =
        |changes: &Value| changes.as_array().is_some_and(|c| c.iter().any(|c| c.get("line").is_some()));
    args.get("line").is_some() || in_changes(&args["changes"])
}

impl State {
    fn written(&self, applied: bool) -> Reply {
        Reply::After(self.latency, Box::new(ok(json!({ "status": self.status, "applied": applied }))))
    }

    /// A write of an older attempt than the one that began last.
    fn stale(&self, args: &Value) -> bool {
        let Some((_, seq, _)) = &self.journal else { return false };
        let number = |args: &Value| args["seq"].as_u64().or(args["guard"]["seq"].as_u64());
        number(args).is_some_and(|given| given / 1_000_000 < seq / 1_000_000)
    }

    /// A write that has come before; otherwise its number is noted.
    fn repeated(&mut self, args: &Value) -> bool {
        let (Some((_, seq, _)), Some(given)) = (&mut self.journal, args["seq"].as_u64()) else {
            return false;
        };
        let repeated = given <= *seq;
        *seq = given.max(*seq);
        repeated
    }

    fn file_time(&self, path: &str) -> u64 {
        self.file_times.get(path).copied().unwrap_or(1)
    }

    /// Adds a line to the log, if it is not there yet.
    fn tell(&mut self, line: &Value) -> bool {
        let line = (line["message"].as_str().unwrap().to_owned(), line["createdAt"].to_string());
        let is_new = !self.lines.contains(&line);
        if is_new {
            self.lines.push(line);
        }
        is_new
    }

    /// Writes or deletes a file; what its line tells already is not done again.
    fn change(&mut self, change: &Value) -> Result<Value, (&'static str, &'static str)> {
        let path = change["path"].as_str().unwrap().to_owned();
        let unchanged = json!({ "before": self.file_changes, "updatedAt": self.file_changes });
        let is_folder = path == "folder" && change["content"].is_string();
        let is_gone = change["content"].is_null() && !self.files.contains_key(&path);
        let line = change.get("line");
        if line.is_some_and(|line| {
            self.lines
                .contains(&(line["message"].as_str().unwrap().to_owned(), line["createdAt"].to_string()))
        }) {
            return Ok(unchanged);
        }
        if is_folder {
            return Err(("IS_A_FOLDER", "folder is a folder"));
        }
        if is_gone {
            return Err(("FILE_NOT_FOUND", "File not found"));
        }
        if let Some(line) = line {
            self.tell(line);
        }
        match change["content"].as_str() {
            Some(content) => {
                self.made.push(format!("wrote {path}"));
                self.files.insert(path, content.to_owned());
            }
            None => {
                self.made.push(format!("deleted {path}"));
                self.files.remove(&path);
            }
        }
        self.file_changes += 1;
        Ok(json!({ "before": self.file_changes - 1, "updatedAt": self.file_changes }))
    }

    /// The changes that come with a step's calls.
    fn change_all(&mut self, args: &Value) -> Reply {
        let mut answer = json!({ "status": self.status, "applied": true });
        if let Some(changes) = args.get("changes") {
            let outcomes = changes.as_array().unwrap().iter().map(|change| match self.change(change) {
                Ok(made) => made,
                Err((code, message)) => json!({ "code": code, "message": message }),
            });
            answer["changes"] = outcomes.collect();
        }
        Reply::After(self.latency, Box::new(ok(answer)))
    }

    fn handle(&mut self, body: &Value) -> Reply {
        let name = body["path"].as_str().unwrap().strip_prefix("system:").unwrap().to_owned();
        let args = body["args"][0].clone();
        assert_eq!(body["format"], "convex_encoded_json");
        if args["internalKey"] != INTERNAL_KEY {
            return refused("INVALID_INTERNAL_KEY", "Invalid internal key");
        }
        self.log.push(Call {
            at: Instant::now(),
            name: name.clone(),
            args: args.clone(),
            status_before: self.status.clone(),
        });
        let at = self.kill_at.filter(|(n, _)| self.log.len() == *n).map(|(_, takes_effect)| takes_effect);
        let by_name = self.kill_call.as_ref().filter(|(call, _)| *call == name).map(|(_, effect)| *effect);
        if let Some(takes_effect) = at.or(by_name) {
            self.kill_at = None;
            self.kill_call = None;
            if takes_effect {
                self.answer(&name, &args);
            }
            self.killed.notify_one();
            return Reply::After(Duration::from_secs(3_600), Box::new(Reply::Drop));
        }
        self.answer(&name, &args)
    }

    fn answer(&mut self, name: &str, args: &Value) -> Reply {
        if let Some(at) = self.faults.iter().position(|(function, _)| function == name) {
            return self.faults.remove(at).1;
        }
        if args.get("messageId").is_some_and(|id| id != MESSAGE) {
            return refused("MESSAGE_NOT_FOUND", "Message not found");
        }
        let path = args["path"].as_str().unwrap_or_default().to_owned();
        let is_final = self.status != "processing";
        let content = args["content"].as_str();
        match name {
            "beginMessage" if is_final => ok(
                json!({ "state": "final", "status": self.status, "projectId": "p1", "conversationId": "c1" }),
            ),
            "beginMessage" => {
                self.run_id = args["runId"].clone();
                let turns = self.journal.take().map(|(_, _, turns)| turns).unwrap_or_default();
                if turns.is_empty() || self.old {
                    self.content.clear();
                    self.tool_calls.clear();
                }
                let mut answer = json!({ "state": "run", "status": self.status, "projectId": "p1", "conversationId": "c1" });
                if !self.old {
                    self.epoch += 1;
                    let seq = self.epoch * 1_000_000;
                    answer["content"] = json!(self.content);
                    answer["toolCalls"] = json!(self.tool_calls);
                    answer["seq"] = json!(seq);
                    answer["turns"] = json!(turns);
                    self.journal = Some((args["attempt"].as_u64().unwrap(), seq, turns));
                }
                ok(answer)
            }
            "getMessageById" => ok(json!({
                "_id": MESSAGE, "_creationTime": 1.0, "projectId": "p1", "conversationId": "c1",
                "role": "assistant", "status": self.status, "content": self.content, "toolCalls": self.tool_calls,
            })),
            "getMessageContext" => {
                ok(json!({ "projectId": "p1", "conversationId": "c1", "messages": self.history }))
            }
            _ if is_final && args.get("messageId").is_some() => self.written(false),
            _ if args.get("messageId").is_some() && self.stale(args) => Reply::After(
                self.latency,
                Box::new(ok(json!({ "status": self.status, "applied": false, "superseded": true }))),
            ),
            "saveToolCalls" | "writeFileByPath" | "deleteFileByPath" | "applyFileChanges"
                if (self.old || self.takes_no_lines) && has_lines(args) =>
            {
                let error =
                    "ArgumentValidationError: Object contains extra field that is not in the validator.";
                Reply::json(200, json!({ "status": "error", "errorMessage": error }))
            }
            // The write took effect before; of its changes, the lines tell.
            _ if args.get("messageId").is_some() && self.repeated(args) => self.change_all(args),
            "renewLease" => self.written(true),
            "appendMessageContent" if self.old => Reply::json(
                200,
                json!({
                "status": "error", "errorMessage": "Could not find public function for 'system:appendMessageContent'." }),
            ),
            "appendMessageContent" => {
                let stored = self.content.encode_utf16().count();
                if args["offset"] != stored {
                    return ok(json!({ "status": self.status, "applied": false, "length": stored }));
                }
                self.appends += 1;
                self.content.push_str(args["text"].as_str().unwrap());
                if self.lose_answers.contains(&self.appends) {
                    return Reply::Drop;
                }
                if let Some(status) = args["status"].as_str() {
                    self.status = status.to_owned();
                }
                self.written(true)
            }
            "streamMessageContent" => {
                self.content = content.unwrap().to_owned();
                self.written(true)
            }
            "updateMessageContent" => {
                self.content = content.unwrap().to_owned();
                self.status = args["status"].as_str().unwrap().to_owned();
                self.written(true)
            }
            "cancelMessage" => {
                self.content = content.unwrap().to_owned();
                self.status = "cancelled".to_owned();
                self.written(true)
            }
            "saveToolCalls" => {
                if let Some(content) = content {
                    self.content = content.to_owned();
                }
                if let (Some(turn), Some((_, _, turns))) = (args.get("turn"), &mut self.journal) {
                    turns.push(turn.clone());
                }
                for call in args["toolCalls"].as_array().unwrap() {
                    match self.tool_calls.iter_mut().find(|known| known["id"] == call["id"]) {
                        Some(known) => *known = call.clone(),
                        None => self.tool_calls.push(call.clone()),
                    }
                }
                self.change_all(args)
            }
            _ if self.gone && args.get("projectId").is_some() => {
                refused("PROJECT_NOT_FOUND", "Project not found")
            }
            "appendGenerationEvent" if args["type"] == "file" => {
                self.tell(args);
                ok(Value::Null)
            }
            "appendGenerationEvent" | "beginGeneration" => ok(Value::Null),
            "commitFiles" => {
                for change in args["changes"].as_array().unwrap() {
                    let path = change["path"].as_str().unwrap().to_owned();
                    match change["content"].as_str() {
                        Some(content) => drop(self.files.insert(path, content.to_owned())),
                        None => self.files.retain(|p, _| *p != path && !p.starts_with(&format!("{path}/"))),
                    }
                }
                ok(Value::Null)
            }
            "applyFileChanges" => {
                let before = self.file_changes;
                let mut outcomes = Vec::new();
                for change in args["changes"].as_array().unwrap() {
                    let path = change["path"].as_str().unwrap();
                    let found = self.files.contains_key(path).then(|| self.file_time(path));
                    if change["base"].as_f64() != found.map(|time| time as f64) {
                        outcomes.push(json!({ "outcome": "conflict" }));
                        continue;
                    }
                    self.file_changes = self.file_changes.max(1) + 1;
                    self.file_times.insert(path.to_owned(), self.file_changes);
                    match change["content"].as_str() {
                        Some(content) => drop(self.files.insert(path.to_owned(), content.to_owned())),
                        None => drop(self.files.remove(path)),
                    }
                    outcomes.push(json!({ "outcome": "applied" }));
                }
                ok(json!({ "before": before, "updatedAt": self.file_changes, "outcomes": outcomes }))
            }
            "readFileByPath" => ok(match self.files.get(&path) {
                Some(content) => json!({ "kind": "file", "content": content, "updatedAt": 1 }),
                None => Value::Null,
            }),
            "writeFileByPath" | "deleteFileByPath" if self.stale(args) => {
                refused("SUPERSEDED", "A newer attempt works on the message")
            }
            "writeFileByPath" | "deleteFileByPath" => match self.change(args) {
                Ok(made) => ok(made),
                Err((code, message)) => refused(code, message),
            },
            "listFilesByPath" => ok(json!({ "kind": "folder", "entries": [] })),
            "getProjectStructure" => {
                ok(json!({ "files": self.files.keys().collect::<Vec<_>>(), "emptyFolders": [] }))
            }
            "listProjectFilesPage" => {
                let updated_at = self.file_changes;
                if args["unless"] == updated_at {
                    return ok(json!({ "updatedAt": updated_at, "rows": [], "cursor": null }));
                }
                let rows: Vec<Value> = self
                    .files
                    .iter()
                    .map(|(path, content)| {
                        let time = self.file_time(path);
                        let mut row = json!({ "id": path, "name": path, "type": "file", "updatedAt": time });
                        if args["since"].as_f64().unwrap_or(0.0) <= time as f64 {
                            row["content"] = json!(content);
                        }
                        row
                    })
                    .collect();
                ok(json!({ "updatedAt": updated_at, "rows": rows, "cursor": null }))
            }
            other => panic!("no such function: {other}"),
        }
    }
}
