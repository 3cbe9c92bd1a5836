//! The tools of a run, by name and in the order in which the model is told of them.

use std::sync::Arc;

use super::command::ExecuteCommand;
use super::files::file_tools;
use super::language::LanguageTool;
use super::project::Looking;
use super::search::SearchTool;
use super::{Tool, context, language, search};
use crate::code::index::Indexer;
use crate::code::server::LanguageServer;
use crate::error::{CoreError, ErrorCode, Result};
use crate::model::ToolSpec;
use crate::workspace::ProjectFiles;
use crate::workspace::snapshot::Snapshot;

/// The tools of a run.
#[derive(Clone, Default)]
pub struct Registry {
    tools: Vec<(ToolSpec, Arc<dyn Tool>)>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl Registry {
    /// All tools: those that work on single files, those that look at the project as a whole, and
    /// the one that runs commands on it.
    pub fn for_code(
        snapshot: &Arc<Snapshot>,
        max_result_bytes: usize,
        command: ExecuteCommand,
        server: &Arc<LanguageServer>,
    ) -> Self {
        let files: Arc<dyn ProjectFiles> = Arc::clone(snapshot) as _;
        let indexer = Arc::new(Indexer::new(Arc::clone(snapshot)));
        let looking = Looking { indexer, max_result_bytes };
        let mut tools = file_tools(&files, max_result_bytes);
        for tool in LanguageTool::ALL {
            tools.push(Arc::new(language::Bound {
                tool,
                looking: looking.clone(),
                server: Arc::clone(server),
            }));
        }
        for tool in SearchTool::ALL {
            tools.push(Arc::new(search::Bound { tool, looking: looking.clone() }));
        }
        tools.push(Arc::new(command));
        tools.push(Arc::new(context::Bound { looking }));
        Self { tools: tools.into_iter().map(|tool| (tool.spec(), tool)).collect() }
    }

    /// The tools that work on single files.
    pub fn for_project(files: &Arc<dyn ProjectFiles>, max_result_bytes: usize) -> Self {
        let tools = file_tools(files, max_result_bytes).into_iter().map(|tool| (tool.spec(), tool)).collect();
        Self { tools }
    }

    /// Keeps only the tools that `names` lists, if it is given.
    ///
    /// # Errors
    /// `CONFIG_INVALID` for a name that no tool has.
    pub fn only(mut self, names: Option<&[String]>) -> Result<Self> {
        let Some(names) = names else { return Ok(self) };
        if let Some(unknown) = names.iter().find(|name| self.get(name).is_none()) {
            let known = self.names().collect::<Vec<_>>().join(", ");
            return Err(CoreError::new(
                ErrorCode::ConfigInvalid,
                format!("options.tools: there is no tool {unknown:?}; there are: {known}"),
            ));
        }
        self.tools.retain(|(spec, _)| names.contains(&spec.name));
        Ok(self)
    }

    /// The tool called `name`.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Tool>> {
        self.tools.iter().find(|(spec, _)| spec.name == name).map(|(_, tool)| tool)
    }

    /// What the model is told.
    pub fn specs(&self) -> Vec<ToolSpec> {
        self.tools.iter().map(|(spec, _)| spec.clone()).collect()
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tools.iter().map(|(spec, _)| spec.name.as_str())
    }
}
