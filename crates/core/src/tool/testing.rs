//! Runs tools on a project in memory, for their tests.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::ToolError;
use super::command::ExecuteCommand;
use super::registry::Registry;
use crate::code::server::LanguageServer;
use crate::config::Env;
use crate::workspace::memory::MemoryFiles;
use crate::workspace::snapshot::Snapshot;
use crate::workspace::{ChangeLine, ProjectFiles as _};

pub(super) struct Lab {
    pub tools: Registry,
    pub snapshot: Arc<Snapshot>,
}

impl Lab {
    pub(super) fn new<P: AsRef<str>, T: AsRef<str>>(files: &[(P, T)]) -> Self {
        let files: BTreeMap<String, String> =
            files.iter().map(|(path, text)| (path.as_ref().to_owned(), text.as_ref().to_owned())).collect();
        Self::over(Arc::new(Snapshot::new(Arc::new(MemoryFiles::new(files)))))
    }

    pub(super) fn over(snapshot: Arc<Snapshot>) -> Self {
        let command = ExecuteCommand::new(Arc::clone(&snapshot), Env::default(), 30_000);
        let server = Arc::new(LanguageServer::new(&Env::default()));
        Self { tools: Registry::for_code(&snapshot, 64 << 10, command, &server), snapshot }
    }

    /// The text that the model gets.
    pub(super) async fn run(&self, tool: &str, args: Value) -> String {
        match self.tools.get(tool).unwrap().call(&args, 1.0).await {
            Ok(text) | Err(ToolError::Text(text)) => text,
            Err(ToolError::Fatal(error)) => panic!("{error}"),
        }
    }

    pub(super) async fn write(&self, path: &str, text: &str) {
        self.snapshot.write(path, text, &ChangeLine::default()).await.unwrap();
    }
}
