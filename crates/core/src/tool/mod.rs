//! Tools: what the model may call. A failure has exactly two fates: text for the model, which may
//! try something else, or an error that ends the run.

pub mod cap;
mod checked;
pub mod command;
mod context;
mod edit;
pub mod files;
mod language;
pub mod own;
mod project;
pub mod registry;
mod search;
#[cfg(test)]
mod testing;
mod text_search;
mod typed;
mod untyped;

use std::time::Duration;

use futures::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::CoreError;
use crate::event::OutputStream;
use crate::model::ToolSpec;

/// How a call failed.
#[derive(Debug)]
pub enum ToolError {
    /// The model reads this and goes on.
    Text(String),
    /// The run ends.
    Fatal(CoreError),
}

/// What a call touches, so that the scheduler knows what may run side by side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Reads this path (normalised; `""` is the whole project).
    Read(String),
    /// Changes this path and all below it.
    Write(String),
}

impl Access {
    /// Whether two calls must keep their order.
    pub fn conflicts(&self, other: &Access) -> bool {
        let (Self::Read(a) | Self::Write(a)) = self;
        let (Self::Read(b) | Self::Write(b)) = other;
        let writes = matches!(self, Self::Write(_)) || matches!(other, Self::Write(_));
        writes && crate::workspace::path::overlap(a, b)
    }
}

/// Hears what a tool prints while it works. Must not wait.
pub type Printed<'a> = dyn Fn(OutputStream, &str) + Send + Sync + 'a;

/// One tool.
pub trait Tool: Send + Sync {
    /// What the model is told of it.
    fn spec(&self) -> ToolSpec;
    /// What a call with these arguments touches. In doubt: `Write("")`.
    fn access(&self, args: &Value) -> Access;
    /// How long a call may take, where that is not the limit of the run.
    fn limit(&self, of_run: Duration) -> Duration {
        of_run
    }
    /// Whether what a call changes reaches the store with the record of its turn, or after it: other calls
    /// that change something wait until their turn is recorded.
    fn keeps_order(&self) -> bool {
        false
    }
    /// Runs a call. Dropping the future stops it. `at` (ms since 1970) is the call's own time: what
    /// it notes under that time is noted once, however often it is made up for.
    fn call<'a>(&'a self, args: &'a Value, at: f64) -> BoxFuture<'a, Result<String, ToolError>>;
    /// As [`Tool::call`], for a tool that prints while it works: `printed` hears of it at once.
    fn call_aloud<'a>(
        &'a self,
        args: &'a Value,
        at: f64,
        _printed: &'a Printed<'a>,
    ) -> BoxFuture<'a, Result<String, ToolError>> {
        self.call(args, at)
    }
    /// Makes up for a call that an earlier attempt began and whose outcome nobody knows. The effect
    /// must not happen twice; a tool without effects just runs.
    fn recover<'a>(&'a self, args: &'a Value, at: f64) -> BoxFuture<'a, Result<String, ToolError>> {
        self.call(args, at)
    }
}

/// Reads arguments into their type; what does not fit is text that names the parameter.
///
/// # Errors
/// `Text` for the model.
pub fn parse_args<T: DeserializeOwned>(tool: &str, args: &Value) -> Result<T, ToolError> {
    serde_path_to_error::deserialize(args).map_err(|error| {
        let path = error.path().to_string();
        let at = if path == "." { String::new() } else { format!(" at `{path}`") };
        ToolError::Text(format!(
            "Error: invalid arguments for {tool}{at}: {}. The tool was not run.",
            error.inner()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_that_change_what_the_other_touches_keep_their_order() {
        let (read, write) = (|p: &str| Access::Read(p.into()), |p: &str| Access::Write(p.into()));
        assert!(!read("a").conflicts(&read("a")));
        assert!(write("a").conflicts(&read("a")));
        assert!(write("src").conflicts(&write("src/a.ts")));
        assert!(read("").conflicts(&write("src/a.ts")));
        assert!(!write("a").conflicts(&write("b")));
    }
}
