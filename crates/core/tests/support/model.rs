//! A scripted OpenAI-compatible model: the n-th request gets the n-th turn.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::http::{Part, Reply, Server};

/// The data of one event.
pub fn event(data: &Value) -> String {
    format!("data: {data}\n\n")
}

pub fn text(text: &str) -> String {
    event(&json!({ "choices": [{ "index": 0, "delta": { "content": text } }] }))
}

pub fn finish(reason: &str) -> String {
    event(&json!({
        "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }],
        "usage": { "prompt_tokens": 10, "completion_tokens": 5, "cost": 0.5 },
    })) + "data: [DONE]\n\n"
}

pub fn call(index: u32, id: &str, name: &str, arguments: &str) -> String {
    event(&json!({ "choices": [{ "index": 0, "delta": { "tool_calls": [
        { "index": index, "id": id, "type": "function", "function": { "name": name, "arguments": arguments } },
    ] } }] }))
}

/// A call as Gemini makes it: signed, and refused without the signature in the next turn.
pub fn signed_call(index: u32, id: &str, name: &str, arguments: &str, extra: &Value) -> String {
    event(&json!({ "choices": [{ "index": 0, "delta": { "tool_calls": [{
        "index": index, "id": id, "type": "function", "extra_content": extra,
        "function": { "name": name, "arguments": arguments },
    }] } }] }))
}

/// A stream that sends `body` at once.
pub fn stream(body: impl Into<String>) -> Reply {
    parts(vec![Part::Bytes(body.into().into_bytes())])
}

pub fn parts(parts: Vec<Part>) -> Reply {
    Reply::Stream { headers: "content-type: text/event-stream\r\n".to_owned(), parts }
}

/// `deltas` texts of `size` characters, one every `pause`, then the end.
pub fn paced(deltas: usize, size: usize, pause: Duration) -> Reply {
    let mut all = Vec::new();
    for n in 0..deltas {
        all.push(Part::Bytes(text(&format!("{n:0size$} ")).into_bytes()));
        all.push(Part::Pause(pause));
    }
    all.push(Part::Bytes(finish("stop").into_bytes()));
    parts(all)
}

pub struct Model {
    pub server: Server,
    /// The bodies of the requests.
    pub requests: Arc<Mutex<Vec<Value>>>,
    pub heads: Arc<Mutex<Vec<String>>>,
}

impl Model {
    /// A model that answers with `turns` in order, and with the last one from then on.
    pub async fn start(turns: Vec<Reply>) -> Self {
        Self::start_at("/v1/chat/completions", turns).await
    }

    pub async fn start_at(path: &'static str, turns: Vec<Reply>) -> Self {
        let count = AtomicUsize::new(0);
        let next = move |_: &Value| turns[count.fetch_add(1, Ordering::SeqCst).min(turns.len() - 1)].clone();
        Self::serve(path, next).await
    }

    /// A model that answers by what it is asked.
    pub async fn start_with(answer: impl Fn(&Value) -> Reply + Send + Sync + 'static) -> Self {
        Self::serve("/v1/chat/completions", answer).await
    }

    async fn serve(path: &'static str, answer: impl Fn(&Value) -> Reply + Send + Sync + 'static) -> Self {
        let requests: Arc<Mutex<Vec<Value>>> = Arc::default();
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let server = Server::start({
            let (requests, heads) = (Arc::clone(&requests), Arc::clone(&heads));
            move |request| {
                assert_eq!(request.path, path);
                let body: Value = serde_json::from_slice(&request.body).unwrap();
                let reply = answer(&body);
                requests.lock().unwrap().push(body);
                heads.lock().unwrap().push(request.head);
                reply
            }
        })
        .await;
        Self { server, requests, heads }
    }

    pub fn request(&self, n: usize) -> Value {
        self.requests.lock().unwrap()[n].clone()
    }
}
