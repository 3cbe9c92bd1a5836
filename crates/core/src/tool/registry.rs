//! The tools of a run, by name and in the order in which the model is told of them: what a job
//! offers, of that what the task chose, and the task's own.

use std::sync::Arc;

use super::command::ExecuteCommand;
use super::files::file_tools;
use super::language::LanguageTool;
use super::own::{About, OwnCalls, OwnTool};
use super::project::Looking;
use super::search::SearchTool;
use super::{Tool, context, language, search};
use crate::code::index::Indexer;
use crate::code::server::LanguageServer;
use crate::config::tools::{ALL, DROP, OwnToolSpec, ToolChoice};
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

    /// Keeps the tools that `choices` name, in the order of the registry, and adds the host's own
    /// behind them; one that replaces a tool stands in its place. `None` keeps all.
    ///
    /// # Errors
    /// `CONFIG_INVALID` for a name that no tool has, and for a tool of one's own that cannot be
    /// offered: by what [`OwnToolSpec::check`] says, or because its name is taken.
    pub fn choose(
        self,
        choices: Option<&[ToolChoice]>,
        calls: &OwnCalls,
        about: &About,
        max_result_bytes: usize,
    ) -> Result<Self> {
        let Some(choices) = choices else { return Ok(self) };
        let mut kept = vec![false; self.tools.len()];
        let mut own: Vec<&OwnToolSpec> = Vec::new();
        for choice in choices {
            match choice {
                ToolChoice::Name(name) if name == ALL => kept.fill(true),
                ToolChoice::Name(name) => match name.strip_prefix(DROP) {
                    Some(dropped) => kept[self.position(dropped)?] = false,
                    None => kept[self.position(name)?] = true,
                },
                ToolChoice::Own(spec) => {
                    self.check_own(spec, &own)?;
                    own.push(spec);
                }
            }
        }
        let bind = |spec: &OwnToolSpec| -> Arc<dyn Tool> {
            let (spec, calls, about) = (spec.clone(), calls.clone(), about.clone());
            Arc::new(OwnTool { spec, calls, about, max_result_bytes })
        };
        let mut tools = Vec::new();
        for ((spec, tool), kept) in self.tools.into_iter().zip(kept) {
            if let Some(at) = own.iter().position(|own| own.name == spec.name) {
                let tool = bind(own.remove(at));
                tools.push((tool.spec(), tool));
            } else if kept {
                tools.push((spec, tool));
            }
        }
        tools.extend(own.into_iter().map(bind).map(|tool| (tool.spec(), tool)));
        Ok(Self { tools })
    }

    fn position(&self, name: &str) -> Result<usize> {
        self.tools.iter().position(|(spec, _)| spec.name == name).ok_or_else(|| {
            let known = self.names().collect::<Vec<_>>().join(", ");
            invalid(format!("there is no tool {name:?}; there are: {known}"))
        })
    }

    fn check_own(&self, spec: &OwnToolSpec, others: &[&OwnToolSpec]) -> Result<()> {
        spec.check()?;
        let name = &spec.name;
        if others.iter().any(|other| other.name == *name) {
            return Err(invalid(format!("two tools of one's own are called {name:?}")));
        }
        match (self.get(name).is_some(), spec.replaces.unwrap_or(false)) {
            (true, false) => Err(invalid(format!(
                "{name:?} is a tool of this job; set `replaces: true` to take its place, or choose another name"
            ))),
            (false, true) => Err(invalid(format!(
                "{name:?} replaces no tool of this job; there are: {}",
                self.names().collect::<Vec<_>>().join(", ")
            ))),
            _ => Ok(()),
        }
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

fn invalid(why: String) -> CoreError {
    CoreError::new(ErrorCode::ConfigInvalid, format!("options.tools: {why}"))
}
