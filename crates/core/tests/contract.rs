//! Every function that the core calls exists in the deployment with the kind that the core expects.
//! The arguments and answers of each call are checked in all tests that use the store.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use polaris_core::store::convex::Kind;
use polaris_core::store::functions::ALL;
use serde_json::json;
use support::contract::{function, mismatch};

#[test]
fn every_function_that_is_called_is_in_the_contract() {
    for called in ALL {
        let kind = if called.kind == Kind::Query { "query" } else { "mutation" };
        assert_eq!(function(called.path)["kind"], kind, "{}", called.path);
    }
}

#[test]
fn the_check_itself_finds_what_does_not_fit() {
    let args = &function("system:streamMessageContent")["args"];
    let good = json!({ "internalKey": "k", "messageId": "m", "content": "c" });
    assert_eq!(mismatch(args, &good, "args"), None);
    for (field, value) in [("content", json!(1)), ("extra", json!(1)), ("messageId", json!(null))] {
        let mut bad = good.clone();
        bad[field] = value;
        assert!(mismatch(args, &bad, "args").is_some(), "{field}");
    }
    assert!(mismatch(args, &json!({ "internalKey": "k" }), "args").unwrap().ends_with("is missing"));
}
