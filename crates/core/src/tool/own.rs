//! Tools that the host runs. A call waits in a queue until the host pulls it, and the host answers
//! it by its number: nothing is called back, and nothing here waits for JavaScript but the call
//! itself, which has its deadline.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{Notify, oneshot};
use ts_rs::TS;

use super::{Access, Tool, ToolError, cap};
use crate::config::tools::OwnToolSpec;
use crate::error::{CoreError, ErrorCode};
use crate::model::ToolSpec;

/// What the host of a run is told about its tools.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum OwnToolMessage {
    /// A tool is to run.
    Call {
        /// The number by which it is answered.
        id: u32,
        /// The tool.
        name: String,
        /// What the model gave it, an object.
        #[ts(type = "Record<string, unknown>")]
        args: Value,
        /// The project that the run works on, for jobs that have one.
        project_id: Option<String>,
        /// The runner's id of the run.
        run_id: Option<String>,
        /// The same when a call is made up for after a crash, and of no other call.
        idempotency_key: String,
        /// Bytes of the result that the model gets, at most.
        max_bytes: u32,
    },
    /// Nobody waits for this call any more: its time is up, or the run ends.
    Abort {
        /// Its number.
        id: u32,
    },
}

/// How a call of the host's ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnToolAnswer {
    /// A result. Of one that is much too long, the host may leave out the middle.
    Text {
        /// The result, or its head and its tail.
        text: String,
        /// The bytes of the whole result.
        bytes: usize,
    },
    /// It failed, and the model reads why.
    Failed(String),
    /// It failed, and the run ends.
    Fatal {
        /// Why.
        message: String,
        /// Whether a new attempt of the run can help.
        retryable: bool,
    },
}

#[derive(Debug, Default)]
struct State {
    last: u32,
    out: VecDeque<OwnToolMessage>,
    open: HashMap<u32, oneshot::Sender<OwnToolAnswer>>,
    closed: bool,
}

/// The calls of one run. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct OwnCalls {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

impl OwnCalls {
    /// What is new, or `None` when there will be nothing more. One receiver at a time.
    pub async fn next(&self) -> Option<Vec<OwnToolMessage>> {
        loop {
            {
                let mut state = self.lock();
                if !state.out.is_empty() {
                    return Some(std::mem::take(&mut state.out).into());
                }
                if state.closed {
                    return None;
                }
            }
            self.changed.notified().await;
        }
    }

    /// Answers a call. Whether somebody still waited for it.
    pub fn answer(&self, id: u32, answer: OwnToolAnswer) -> bool {
        let waiting = self.lock().open.remove(&id);
        waiting.is_some_and(|waiting| waiting.send(answer).is_ok())
    }

    /// No more calls: the receiver gets what is left, then `None`.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, message: impl FnOnce(u32) -> OwnToolMessage) -> Open<'_> {
        let (sender, answer) = oneshot::channel();
        let mut state = self.lock();
        state.last += 1;
        let id = state.last;
        if !state.closed {
            state.open.insert(id, sender);
            state.out.push_back(message(id));
        }
        drop(state);
        self.changed.notify_one();
        Open { calls: self, id, answer }
    }
}

/// A call that is waited for; the host learns when nobody does any more.
struct Open<'c> {
    calls: &'c OwnCalls,
    id: u32,
    answer: oneshot::Receiver<OwnToolAnswer>,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let mut state = self.calls.lock();
        if state.open.remove(&self.id).is_none() {
            return;
        }
        // The host need not begin what it has not pulled yet.
        let before = state.out.len();
        state.out.retain(|message| !matches!(message, OwnToolMessage::Call { id, .. } if *id == self.id));
        if state.out.len() == before {
            state.out.push_back(OwnToolMessage::Abort { id: self.id });
        }
        drop(state);
        self.calls.changed.notify_one();
    }
}

/// What each call of a run's own tools is told about the run.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// The project, for jobs that have one.
    pub project_id: Option<String>,
    /// The runner's id.
    pub run_id: Option<String>,
    /// What the run's work is about, the same in every attempt: keys begin with it.
    pub work: String,
}

/// A tool that the host runs.
#[derive(Debug)]
pub struct OwnTool {
    /// What is known of it.
    pub spec: OwnToolSpec,
    /// Where its calls go.
    pub calls: OwnCalls,
    /// What they are told.
    pub about: About,
    /// The run's bound of a result.
    pub max_result_bytes: usize,
}

impl Tool for OwnTool {
    fn spec(&self) -> ToolSpec {
        let OwnToolSpec { name, description, parameters, .. } = self.spec.clone();
        ToolSpec { name, description, parameters }
    }

    /// The whole project: nobody knows what it touches.
    fn access(&self, _args: &Value) -> Access {
        match self.spec.read_only {
            Some(true) => Access::Read(String::new()),
            _ => Access::Write(String::new()),
        }
    }

    fn limit(&self, of_run: Duration) -> Duration {
        self.spec.timeout().unwrap_or(of_run)
    }

    fn call<'a>(&'a self, args: &'a Value, at: f64) -> BoxFuture<'a, Result<String, ToolError>> {
        async move {
            let own = self.spec.max_result_bytes.map_or(usize::MAX, |bytes| bytes as usize);
            let max = own.min(self.max_result_bytes);
            let name = &self.spec.name;
            let About { project_id, run_id, work } = self.about.clone();
            let mut open = self.calls.open(|id| OwnToolMessage::Call {
                id,
                name: name.clone(),
                args: args.clone(),
                project_id,
                run_id,
                idempotency_key: format!("{work}:{at}"),
                max_bytes: u32::try_from(max).unwrap_or(u32::MAX),
            });
            match (&mut open.answer).await {
                Ok(OwnToolAnswer::Text { text, bytes }) => Ok(cap::head_and_tail_of(text, bytes, max)),
                Ok(OwnToolAnswer::Failed(why)) => Err(ToolError::Text(cap::head_and_tail(why, max))),
                Ok(OwnToolAnswer::Fatal { message, retryable }) => {
                    let code = if retryable { ErrorCode::ToolUnavailable } else { ErrorCode::ToolFatal };
                    Err(ToolError::Fatal(CoreError::new(code, format!("{name}: {message}"))))
                }
                Err(_) => Err(ToolError::Text(format!("Error: {name} was not run: the run is ending."))),
            }
        }
        .boxed()
    }

    fn recover<'a>(&'a self, args: &'a Value, at: f64) -> BoxFuture<'a, Result<String, ToolError>> {
        if self.spec.read_only == Some(true) || self.spec.idempotent == Some(true) {
            return self.call(args, at);
        }
        let name = &self.spec.name;
        let text = format!(
            "Error: the worker stopped while {name} ran, and nobody knows whether it had its effect. \
             It was not run again: find out before you call it again."
        );
        futures::future::ready(Err(ToolError::Text(text))).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tool(calls: &OwnCalls, change: impl FnOnce(&mut OwnToolSpec)) -> OwnTool {
        let spec = json!({ "name": "own", "description": "Own.", "parameters": { "type": "object" } });
        let mut spec: OwnToolSpec = serde_json::from_value(spec).unwrap();
        change(&mut spec);
        let about = About { project_id: Some("p".into()), run_id: None, work: "m".into() };
        OwnTool { spec, calls: calls.clone(), about, max_result_bytes: 100 }
    }

    /// Answers the next call.
    async fn host(calls: &OwnCalls, answer: OwnToolAnswer) -> OwnToolMessage {
        let message = calls.next().await.unwrap().remove(0);
        let OwnToolMessage::Call { id, .. } = &message else { unreachable!("{message:?}") };
        assert!(calls.answer(*id, answer.clone()));
        assert!(!calls.answer(*id, answer), "a second answer finds nobody");
        message
    }

    #[tokio::test]
    async fn a_call_is_pulled_answered_and_told_what_it_is_about() {
        let calls = OwnCalls::default();
        let (tool, args) = (tool(&calls, |_| {}), json!({ "a": 1 }));
        let answer = OwnToolAnswer::Text { text: "done".into(), bytes: 4 };
        let (result, message) = tokio::join!(tool.call(&args, 7.0), host(&calls, answer));
        assert_eq!(result.unwrap(), "done");
        let expected = OwnToolMessage::Call {
            id: 1,
            name: "own".into(),
            args,
            project_id: Some("p".into()),
            run_id: None,
            idempotency_key: "m:7".into(),
            max_bytes: 100,
        };
        assert_eq!(message, expected);
        calls.close();
        assert_eq!(calls.next().await, None, "a call that was answered is not aborted");
    }

    #[tokio::test]
    async fn a_failure_is_text_unless_it_is_fatal() {
        let calls = OwnCalls::default();
        let (tool, args) = (tool(&calls, |_| {}), json!({}));
        let (result, _) =
            tokio::join!(tool.call(&args, 0.0), host(&calls, OwnToolAnswer::Failed("Error: no".into())));
        assert!(matches!(result, Err(ToolError::Text(text)) if text == "Error: no"));
        for (retryable, code) in [(false, ErrorCode::ToolFatal), (true, ErrorCode::ToolUnavailable)] {
            let fatal = OwnToolAnswer::Fatal { message: "gone".into(), retryable };
            let (result, _) = tokio::join!(tool.call(&args, 0.0), host(&calls, fatal));
            let Err(ToolError::Fatal(error)) = result else { unreachable!() };
            assert_eq!((error.code, error.message.as_str()), (code, "own: gone"));
        }
    }

    #[tokio::test]
    async fn who_is_not_waited_for_any_more_is_told_and_not_begun_if_it_was_not_pulled() {
        let calls = OwnCalls::default();
        let (tool, args) = (tool(&calls, |_| {}), json!({}));
        let mut call = tool.call(&args, 0.0);
        assert!(futures::poll!(&mut call).is_pending());
        drop(call);
        let mut call = tool.call(&args, 0.0);
        assert!(futures::poll!(&mut call).is_pending());
        let pulled = calls.next().await.unwrap();
        assert!(matches!(pulled[..], [OwnToolMessage::Call { id: 2, .. }]), "{pulled:?}");
        drop(call);
        calls.close();
        assert_eq!(calls.next().await, Some(vec![OwnToolMessage::Abort { id: 2 }]));
        assert_eq!(calls.next().await, None);
        assert!(!calls.answer(2, OwnToolAnswer::Failed(String::new())));
        let late = tool.call(&args, 0.0).await;
        assert!(matches!(late, Err(ToolError::Text(text)) if text.contains("the run is ending")));
    }

    #[tokio::test]
    async fn a_huge_result_is_cut_with_the_bytes_that_it_had() {
        let calls = OwnCalls::default();
        let tool = tool(&calls, |spec| spec.max_result_bytes = Some(40));
        let answer = OwnToolAnswer::Text { text: "x".repeat(80), bytes: 50_000_000 };
        let args = json!({});
        let (result, _) = tokio::join!(tool.call(&args, 0.0), host(&calls, answer));
        let result = result.unwrap();
        assert!(result.contains("of 50000000 bytes left out") && result.len() < 100, "{result}");
    }

    #[tokio::test]
    async fn only_what_may_run_twice_is_made_up_for() {
        let calls = OwnCalls::default();
        let args = json!({});
        let result = tool(&calls, |_| {}).recover(&args, 0.0).await;
        assert!(matches!(result, Err(ToolError::Text(text)) if text.contains("nobody knows")));
        type Change = fn(&mut OwnToolSpec);
        let changes: [Change; 2] = [|spec| spec.read_only = Some(true), |spec| spec.idempotent = Some(true)];
        for change in changes {
            let tool = tool(&calls, change);
            let answer = OwnToolAnswer::Text { text: "again".into(), bytes: 5 };
            let (result, _) = tokio::join!(tool.recover(&args, 0.0), host(&calls, answer));
            assert_eq!(result.unwrap(), "again");
        }
    }
}
