//! The tools of a run, by name and in the order in which the model is told of them: what a job
//! offers, of that what the task chose, and the task's own.

use std::sync::Arc;

use super::checked::Checked;
use super::command::ExecuteCommand;
use super::edit::edit_tools;
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
    tools: Vec<Entry>,
}

#[derive(Clone)]
struct Entry {
    /// What a task names it by: its name, or the name of the tool whose form it is, `+` and what is
    /// more of it.
    key: String,
    spec: ToolSpec,
    tool: Arc<dyn Tool>,
    /// Offered to a task that chooses nothing.
    is_default: bool,
}

impl Entry {
    fn of(tool: Arc<dyn Tool>) -> Self {
        let spec = tool.spec();
        Self { key: spec.name.clone(), spec, tool, is_default: true }
    }

    fn named((key, tool): (&str, Arc<dyn Tool>)) -> Self {
        Self { key: key.to_owned(), is_default: false, ..Self::of(tool) }
    }
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
        let of =
            |tool| Arc::new(language::Bound { tool, looking: looking.clone(), server: Arc::clone(server) });
        let Self { mut tools } = Self::for_project(&files, max_result_bytes);
        // Forms of tools that change files, with what is wrong with a file behind the result.
        let errors = of(LanguageTool::Diagnostics);
        for (key, of) in [("writeFile+diagnostics", "writeFile"), ("editFile+diagnostics", "editFile")] {
            if let Some(entry) = tools.iter().find(|entry| entry.key == of) {
                let (tool, language) = (Arc::clone(&entry.tool), Arc::clone(&errors));
                insert(&mut tools, Entry::named((key, Arc::new(Checked { tool, language }))));
            }
        }
        tools.extend(LanguageTool::ALL.into_iter().map(|tool| Entry::of(of(tool))));
        let search = |tool| Entry::of(Arc::new(search::Bound { tool, looking: looking.clone() }));
        tools.extend(SearchTool::ALL.into_iter().map(search));
        tools.push(Entry::of(Arc::new(command)));
        tools.push(Entry::of(Arc::new(context::Bound { looking })));
        Self { tools }
    }

    /// The tools that work on single files.
    pub fn for_project(files: &Arc<dyn ProjectFiles>, max_result_bytes: usize) -> Self {
        let mut tools: Vec<Entry> = file_tools(files, max_result_bytes).into_iter().map(Entry::of).collect();
        for named in edit_tools(files, max_result_bytes) {
            insert(&mut tools, Entry::named(named));
        }
        Self { tools }
    }

    /// Keeps the tools that `choices` name, in the order of the registry, and adds the host's own
    /// behind them; one that replaces a tool stands in its place. `None` keeps all that are offered by
    /// default.
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
        let all = [ToolChoice::Name(ALL.to_owned())];
        let mut kept = vec![false; self.tools.len()];
        let mut own: Vec<&OwnToolSpec> = Vec::new();
        for choice in choices.unwrap_or(&all) {
            match choice {
                ToolChoice::Name(name) if name == ALL => self.keep_defaults(&mut kept),
                ToolChoice::Name(name) => match name.strip_prefix(DROP) {
                    Some(dropped) => self.keep_only(&mut kept, self.position(dropped)?, false),
                    None => self.keep_only(&mut kept, self.position(name)?, true),
                },
                ToolChoice::Own(spec) => {
                    self.check_own(spec, &own)?;
                    own.push(spec);
                }
            }
        }
        let bind = |spec: &OwnToolSpec| {
            let (spec, calls, about) = (spec.clone(), calls.clone(), about.clone());
            Entry::of(Arc::new(OwnTool { spec, calls, about, max_result_bytes }))
        };
        let mut tools: Vec<Entry> = Vec::new();
        for (entry, kept) in self.tools.into_iter().zip(kept) {
            if let Some(at) = own.iter().position(|own| own.name == entry.spec.name) {
                tools.push(bind(own.remove(at)));
            } else if kept && tools.iter().all(|other| other.spec.name != entry.spec.name) {
                tools.push(entry);
            }
        }
        tools.extend(own.into_iter().map(bind));
        Ok(Self { tools })
    }

    /// Keeps what is offered by default, where no other form of it is kept.
    fn keep_defaults(&self, kept: &mut [bool]) {
        for (at, entry) in self.tools.iter().enumerate() {
            let mut forms = self.tools.iter().zip(kept.iter());
            let has_form = forms.any(|(other, &kept)| kept && other.spec.name == entry.spec.name);
            kept[at] |= entry.is_default && !has_form;
        }
    }

    /// Keeps one form of a tool, or none.
    fn keep_only(&self, kept: &mut [bool], at: usize, keep: bool) {
        for (other, kept) in self.tools.iter().zip(kept.iter_mut()) {
            *kept &= other.spec.name != self.tools[at].spec.name;
        }
        kept[at] = keep;
    }

    fn position(&self, key: &str) -> Result<usize> {
        self.tools
            .iter()
            .position(|entry| entry.key == key)
            .ok_or_else(|| invalid(format!("there is no tool {key:?}; there are: {}", self.known(|_| true))))
    }

    fn known(&self, which: impl Fn(&Entry) -> bool) -> String {
        let known = self.tools.iter().filter(|entry| which(entry)).map(|entry| entry.key.as_str());
        known.collect::<Vec<_>>().join(", ")
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
                self.known(|entry| entry.key == entry.spec.name)
            ))),
            _ => Ok(()),
        }
    }

    /// The tool called `name`.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Tool>> {
        self.tools.iter().find(|entry| entry.spec.name == name).map(|entry| &entry.tool)
    }

    /// What the model is told.
    pub fn specs(&self) -> Vec<ToolSpec> {
        self.tools.iter().map(|entry| entry.spec.clone()).collect()
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tools.iter().map(|entry| entry.spec.name.as_str())
    }
}

/// Adds a tool: another form of one behind that one, else at the end.
fn insert(tools: &mut Vec<Entry>, entry: Entry) {
    let at = tools.iter().rposition(|other| other.spec.name == entry.spec.name);
    tools.insert(at.map_or(tools.len(), |at| at + 1), entry);
}

fn invalid(why: String) -> CoreError {
    CoreError::new(ErrorCode::ConfigInvalid, format!("options.tools: {why}"))
}
