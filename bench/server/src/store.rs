//! A stand-in for Convex: takes as long as it is told for each mutation, answers what the functions
//! of `app/convex/system.ts` answer, and counts what it was sent. Keeps nothing but the counts and the
//! last text.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

/// What one measurement sent.
#[derive(Debug, Default, Clone)]
struct Account {
    mutations: u64,
    queries: u64,
    /// Request bodies of all calls.
    bytes: u64,
    text: String,
    status: String,
}

/// The accounts by measurement.
#[derive(Debug, Default)]
pub struct Store(Mutex<HashMap<String, Account>>);

impl Store {
    /// Books a call to `endpoint` (`query` or `mutation`) and gives its answer.
    pub fn call(&self, account: &str, endpoint: &str, body: &[u8]) -> String {
        let call: Value = serde_json::from_slice(body).unwrap_or_default();
        let path = call["path"].as_str().unwrap_or_default();
        let args = &call["args"][0];
        let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let account = accounts.entry(account.to_owned()).or_default();
        account.bytes += body.len() as u64;
        match endpoint {
            "query" => account.queries += 1,
            _ => account.mutations += 1,
        }
        // All that is written here is ASCII: a byte is a UTF-16 unit.
        let misplaced = args["offset"].as_f64().is_some_and(|offset| offset != account.text.len() as f64);
        if let Some(status) = args["status"].as_str().filter(|_| !misplaced) {
            status.clone_into(&mut account.status);
        } else if args["isComplete"] == true {
            "completed".clone_into(&mut account.status);
        }
        let status = if account.status.is_empty() { "processing" } else { account.status.as_str() };
        let value = match path.rsplit(':').next().unwrap_or_default() {
            "beginMessage" => json!({
                "state": "run", "status": status, "projectId": "p", "conversationId": "c",
                "content": "", "toolCalls": [], "seq": 1, "turns": [],
            }),
            "streamMessageContent" | "updateMessageContent" => {
                args["content"].as_str().unwrap_or_default().clone_into(&mut account.text);
                json!({ "status": status, "applied": true })
            }
            "appendMessageContent" if misplaced => {
                json!({ "status": status, "applied": true, "length": account.text.len() })
            }
            "appendMessageContent" => {
                account.text.push_str(args["text"].as_str().unwrap_or_default());
                json!({ "status": status, "applied": true })
            }
            "getMessageContext" => json!({
                "projectId": "p", "conversationId": "c", "messages": [{ "role": "user", "content": "go" }],
            }),
            "getMessageById" => json!({ "status": status }),
            "saveToolCalls" => {
                if let Some(text) = args["content"].as_str() {
                    text.clone_into(&mut account.text);
                }
                let changes = args["changes"].as_array().map_or(0, Vec::len);
                let made = json!({ "before": 1, "updatedAt": 1 });
                json!({ "status": status, "applied": true, "changes": vec![made; changes] })
            }
            name if name.contains("Message") || name.contains("ToolCall") || name == "renewLease" => {
                json!({ "status": status, "applied": true })
            }
            _ => Value::Null,
        };
        json!({ "status": "success", "value": value, "logLines": [] }).to_string()
    }

    /// What an account has come to, as JSON; the account is closed.
    pub fn take(&self, account: &str) -> String {
        let account =
            self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(account).unwrap_or_default();
        let Account { mutations, queries, bytes, text, status } = account;
        json!({ "mutations": mutations, "queries": queries, "bytes": bytes, "text": text, "status": status })
            .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_added_only_where_the_stored_text_ends() {
        let store = Store::default();
        let append = |offset: usize, text: &str| {
            let body = json!({
                "path": "system:appendMessageContent", "args": [{ "offset": offset, "text": text }],
            });
            let answer: Value =
                serde_json::from_str(&store.call("a", "mutation", body.to_string().as_bytes())).unwrap();
            answer["value"]["length"].as_u64()
        };
        assert_eq!((append(0, "ab"), append(1, "x"), append(2, "cd")), (None, Some(2), None));
        let account: Value = serde_json::from_str(&store.take("a")).unwrap();
        assert_eq!(account["text"], "abcd");
    }

    #[test]
    fn it_counts_bytes_and_keeps_the_last_text() {
        let store = Store::default();
        let body = br#"{"path":"system:streamMessageContent","args":[{"content":"ab"}]}"#;
        store.call("a", "mutation", body);
        let answer: Value = serde_json::from_str(&store.call("a", "query", b"{}")).unwrap();
        assert_eq!(answer["status"], "success");
        let account: Value = serde_json::from_str(&store.take("a")).unwrap();
        assert_eq!(
            account,
            json!({ "mutations": 1, "queries": 1, "bytes": body.len() + 2, "text": "ab", "status": "" })
        );
    }
}
