//! One process of the language server: started, spoken to, and gone when dropped. It is asked one
//! thing at a time; what it asks itself is answered at once.

use std::io;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::wire::{frame, read_message};

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failed {
    /// The process is gone, or does not speak the protocol.
    Died,
    /// It takes too long.
    Slow,
    /// It refused.
    Refused,
}

/// A server that runs. Dropped, it is killed.
pub(super) struct Session {
    child: Child,
    send: mpsc::UnboundedSender<Value>,
    answers: mpsc::UnboundedReceiver<Value>,
    last: u64,
    _tasks: JoinSet<()>,
}

impl Session {
    /// Starts what `command` says and waits until it is ready for the folder at `root`.
    pub(super) async fn start(mut command: Command, root: &str, time: Duration) -> io::Result<Self> {
        use std::process::Stdio;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("no pipes"));
        };
        let (send, mut outgoing) = mpsc::unbounded_channel::<Value>();
        let (deliver, answers) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Some(message) = outgoing.recv().await {
                if input.write_all(&frame(&message)).await.is_err() || input.flush().await.is_err() {
                    break;
                }
            }
        });
        let reply = send.clone();
        tasks.spawn(async move {
            let mut output = BufReader::new(output);
            // The end of this task is the end of `answers`: the process is gone.
            while let Ok(Some(message)) = read_message(&mut output).await {
                match (message.get("method"), message.get("id")) {
                    (Some(_), None) => {}
                    (Some(_), Some(id)) => drop(reply.send(answer_to(&message, id))),
                    (None, _) => drop(deliver.send(message)),
                }
            }
        });
        let mut session = Self { child, send, answers, last: 0, _tasks: tasks };
        let begin = json!({
            // It must not look for a process that it may not be able to see.
            "processId": null,
            "rootUri": root,
            "workspaceFolders": [{ "uri": root, "name": "project" }],
            "capabilities": {
                "general": { "positionEncodings": ["utf-16"] },
                "workspace": { "didChangeWatchedFiles": { "dynamicRegistration": true } },
                "textDocument": { "hover": { "contentFormat": ["plaintext"] } },
            },
        });
        session
            .request("initialize", begin, time)
            .await
            .map_err(|_| io::Error::other("it does not begin"))?;
        session.notify("initialized", json!({}));
        Ok(session)
    }

    /// The process, while it runs.
    pub(super) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    pub(super) fn notify(&self, method: &str, params: Value) {
        // A process that is gone is noticed by the next request.
        let _ = self.send.send(json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    pub(super) async fn request(
        &mut self,
        method: &str,
        params: Value,
        time: Duration,
    ) -> Result<Value, Failed> {
        self.last += 1;
        let id = self.last;
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.send.send(message).map_err(|_| Failed::Died)?;
        let answer = async {
            loop {
                let mut message = self.answers.recv().await.ok_or(Failed::Died)?;
                // An answer that came too late is nobody's.
                if message["id"].as_u64() != Some(id) {
                    continue;
                }
                return match message.get_mut("result") {
                    Some(result) => Ok(result.take()),
                    None => Err(Failed::Refused),
                };
            }
        };
        tokio::time::timeout(time, answer).await.unwrap_or(Err(Failed::Slow))
    }
}

/// To `workspace/configuration` as many answers as questions; to all else that it is noted.
fn answer_to(message: &Value, id: &Value) -> Value {
    let result = match (message["method"].as_str(), message["params"]["items"].as_array()) {
        (Some("workspace/configuration"), Some(items)) => vec![Value::Null; items.len()].into(),
        _ => Value::Null,
    };
    json!({ "jsonrpc": "2.0", "id": id, "result": result })
}
