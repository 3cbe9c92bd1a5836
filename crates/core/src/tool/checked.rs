//! A tool that changes a file and says what is wrong with it then: writeFile and editFile with the
//! errors of the file as it is after the change.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::time::timeout;

use super::language;
use super::{Access, Tool, ToolError};
use crate::code::index::is_code;
use crate::model::ToolSpec;
use crate::workspace::path::normalise_file;

/// How long a change waits for what is wrong with it. It is made by then, whatever comes of this.
const TIME: Duration = Duration::from_secs(10);

/// A tool with diagnostics behind its result.
pub(super) struct Checked {
    pub tool: Arc<dyn Tool>,
    pub language: Arc<language::Bound>,
}

impl Tool for Checked {
    fn spec(&self) -> ToolSpec {
        let spec = self.tool.spec();
        let description =
            format!("{} Gives the TypeScript errors of the file after the change.", spec.description);
        ToolSpec { description, ..spec }
    }

    fn access(&self, args: &Value) -> Access {
        self.tool.access(args)
    }

    fn limit(&self, of_run: Duration) -> Duration {
        self.tool.limit(of_run) + TIME
    }

    fn keeps_order(&self) -> bool {
        self.tool.keeps_order()
    }

    fn call<'a>(&'a self, args: &'a Value, at: f64) -> BoxFuture<'a, Result<String, ToolError>> {
        async move { Ok(self.with_errors(args, self.tool.call(args, at).await?).await) }.boxed()
    }

    fn recover<'a>(&'a self, args: &'a Value, at: f64) -> BoxFuture<'a, Result<String, ToolError>> {
        async move { Ok(self.with_errors(args, self.tool.recover(args, at).await?).await) }.boxed()
    }
}

impl Checked {
    async fn with_errors(&self, args: &Value, result: String) -> String {
        let path = args.get("path").and_then(Value::as_str).unwrap_or_default();
        if !normalise_file(path).is_ok_and(|path| is_code(&path)) {
            return result;
        }
        let errors = match timeout(TIME, self.language.errors_of(path)).await {
            Ok(Ok(text) | Err(ToolError::Text(text))) => text,
            Ok(Err(ToolError::Fatal(error))) => format!("The file could not be checked: {error}"),
            Err(_) => format!("The file was not checked within {} s.", TIME.as_secs()),
        };
        format!("{result}\n\n{errors}")
    }
}
