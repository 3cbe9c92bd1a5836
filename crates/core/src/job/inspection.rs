//! The inspection of a project between the steps of its generation: asks no model, changes nothing,
//! and never fails a step.

use std::sync::Arc;

use serde::Serialize;
use serde_json::json;
use ts_rs::TS;

use super::Context;
use crate::code::index::{Indexer, on_thread};
use crate::code::inspect::{self, Problem};
use crate::store::functions::FileStore;
use crate::workspace::FileError;
use crate::workspace::convex::ConvexFiles;
use crate::workspace::snapshot::Snapshot;

/// Problems that a result names; the others are counted.
const MAX_SHOWN: usize = 50;
/// Problems that the project's log names.
const MAX_LOGGED: usize = 20;

/// What is wrong with a project.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, TS)]
pub struct Inspection {
    /// How many problems there are.
    pub count: u32,
    /// The first of them, by file and line.
    pub problems: Vec<Problem>,
}

impl Inspection {
    pub(super) fn new(mut problems: Vec<Problem>) -> Self {
        let count = u32::try_from(problems.len()).unwrap_or(u32::MAX);
        problems.truncate(MAX_SHOWN);
        Self { count, problems }
    }

    /// The report as lines of the project's log.
    pub(super) fn lines(&self) -> Vec<String> {
        let count = self.count;
        let mut lines = vec![match count {
            0 => "Inspection: no problems found".to_owned(),
            1 => "Inspection: 1 problem found".to_owned(),
            _ => format!("Inspection: {count} problems found"),
        }];
        let shown = self.problems.iter().take(MAX_LOGGED);
        lines.extend(
            shown.map(|Problem { path, line, message, .. }| format!("Inspection: {path}:{line}: {message}")),
        );
        lines
    }
}

/// Looks at the project as it is stored; `None` if that cannot be done now.
pub(super) async fn inspect(context: &Context, store: &FileStore) -> Option<Inspection> {
    let snapshot = Arc::new(Snapshot::new(Arc::new(ConvexFiles::new(store.clone()))));
    let looked = async {
        let index = Indexer::new(snapshot).current().await?;
        on_thread(move |_| inspect::inspect(&index)).await
    };
    match looked.await {
        Ok(problems) => {
            context.telemetry.breadcrumb("run", "inspection", json!({ "problems": problems.len() }));
            Some(Inspection::new(problems))
        }
        Err(FileError::Store(error)) => {
            context.telemetry.error("store", &error);
            None
        }
        Err(FileError::Refused(_)) => None,
    }
}
