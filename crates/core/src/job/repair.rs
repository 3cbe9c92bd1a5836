//! The extra step of a generation: what the inspection found is put right, first without a model, then
//! by a model that sees the failing files only. Everything is tried on a copy: what does not lower the
//! number of problems never reaches the project, and what somebody else has changed meanwhile stays.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use serde::Serialize;
use ts_rs::TS;

use super::Context;
use super::generate_project::{PlanName, PlanPrompts, REPAIR_STEP, asked};
use super::generation_log::Log;
use super::generation_step::{Done, GenerationStepPayload, StepOutput, prompts};
use super::inspection::Inspection;
use crate::agent::{Agent, Answer};
use crate::code::index::{Index, Indexer, is_code, on_thread};
use crate::code::inspect::{Problem, ProblemKind, inspect};
use crate::code::repair::fixes;
use crate::error::{CoreError, ErrorCode, Result};
use crate::model::ChatMessage;
use crate::store::functions::LogKind;
use crate::tool::command::batches;
use crate::tool::files::change_line;
use crate::tool::registry::Registry;
use crate::workspace::convex::ConvexFiles;
use crate::workspace::memory::MemoryFiles;
use crate::workspace::snapshot::{Content, Project, Snapshot};
use crate::workspace::watched::{Rule, WatchedFiles};
use crate::workspace::{FileChange, FileError, Outcome, ProjectFiles};

/// How often the model is asked, as long as the number of problems falls.
const MAX_ROUNDS: u32 = 3;
/// Model turns of one round.
const MAX_TURNS: u32 = 8;
/// A fix may uncover the next one: a package.json that can be read lists what is missing.
const MAX_PASSES: usize = 5;
/// Bytes of failing files that a round shows the model; others it may read.
const MAX_SHOWN_BYTES: usize = 96 << 10;
/// Problems that a round shows the model.
const MAX_SHOWN_PROBLEMS: usize = 100;
/// Fixes that the log and the result name.
const MAX_NAMED: usize = 20;

/// What was repaired.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, TS)]
pub struct Repair {
    /// Problems before it.
    pub before: u32,
    /// Problems after it.
    pub after: u32,
    /// What was put right without a model, the first of it, in one line each.
    pub fixes: Vec<String>,
    /// How often the model was asked for the rest.
    pub rounds: u32,
    /// Why it ended before everything was right.
    #[ts(optional)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}

/// A project in memory, which is tried out.
struct Copy {
    project: Arc<Project>,
    texts: BTreeMap<String, String>,
}

/// A copy as the inspection sees it.
struct Seen {
    index: Arc<Index>,
    problems: Vec<Problem>,
}

impl Copy {
    /// `None` if the project is too large to be known as a whole.
    fn of(project: Arc<Project>) -> Option<Self> {
        if project.is_cut() {
            return None;
        }
        let mut texts = BTreeMap::new();
        for (path, file) in project.files() {
            let text = match &file.content {
                Content::Text(text) => text.to_string(),
                Content::LeftOut if is_code(path) || path.ends_with(".json") => return None,
                // It is there, and may be imported.
                Content::LeftOut | Content::Binary => String::new(),
            };
            texts.insert(path.to_string(), text);
        }
        Some(Self { project, texts })
    }

    fn is_text(&self, path: &str) -> bool {
        self.project.get(path).is_none_or(|file| file.text().is_some())
    }

    /// What turns the project into these texts; files without text stay.
    fn changes(&self, texts: &BTreeMap<String, String>) -> Vec<FileChange> {
        let changed = texts
            .iter()
            .filter(|(path, text)| self.is_text(path) && self.texts.get(path.as_str()) != Some(text));
        let change = |(path, text): (&String, &String)| FileChange {
            path: path.clone(),
            base: self.project.get(path).map(|file| file.updated_at),
            content: Some(text.clone()),
            line: None,
        };
        changed.map(change).collect()
    }
}

async fn look(texts: &BTreeMap<String, String>) -> Result<Seen> {
    let snapshot = Arc::new(Snapshot::new(Arc::new(MemoryFiles::new(texts.clone()))));
    let index = Indexer::new(snapshot).current().await.map_err(of_store)?;
    let seen = Arc::clone(&index);
    let problems = on_thread(move |_| inspect(&seen)).await.map_err(of_store)?;
    Ok(Seen { index, problems })
}

fn of_store(error: FileError) -> CoreError {
    match error {
        FileError::Store(error) => error,
        FileError::Refused(why) => CoreError::new(ErrorCode::StoreFunctionFailed, why),
    }
}

/// Repairs the project.
pub(super) async fn run(context: &Context, payload: &GenerationStepPayload, log: &Log) -> Result<Done> {
    let files = Arc::new(ConvexFiles::new(log.log.files()));
    let snapshot = Arc::new(Snapshot::new(Arc::clone(&files) as _));
    let mut step = Step { context, payload, log, files, snapshot, written: BTreeSet::new() };
    let (mut repair, mut answer) = (Repair::default(), Answer::default());
    let Some(mut copy) = step.copy().await? else {
        let why = "the project is too large to be repaired".to_owned();
        log.say(LogKind::Info, format!("Repair: {why}"));
        repair.stopped = Some(why);
        return Ok(Done { repair: Some((repair, None)), ..Done::default() });
    };
    let mut seen = look(&copy.texts).await?;
    repair.before = count(&seen.problems);
    if step.without_model(&copy, &seen, &mut repair).await? {
        (copy, seen) = step.again(copy).await?;
    }
    while !seen.problems.is_empty() {
        if repair.rounds == MAX_ROUNDS {
            repair.stopped = Some(format!("after {MAX_ROUNDS} rounds"));
            break;
        }
        repair.rounds += 1;
        let round = repair.rounds;
        let (texts, told) = match step.ask(&copy, &seen).await {
            Ok(asked) => asked,
            // Somebody else's attempt may have more luck; what was repaired so far is kept.
            Err(error) if error.retryable() && !context.options.attempt.is_last() => return Err(error),
            Err(error) => {
                repair.stopped = Some(format!("the model did not help: {error}"));
                break;
            }
        };
        join(&mut answer, told);
        let left = look(&texts).await?.problems.len();
        let of = seen.problems.len();
        if left >= of {
            repair.stopped =
                Some(format!("round {round} would leave {left} of {of} problem(s), and was dropped"));
            break;
        }
        step.keep(&copy, &texts).await?;
        log.say(LogKind::Info, format!("Repair: round {round} left {left} of {of} problem(s)"));
        (copy, seen) = step.again(copy).await?;
    }
    if let Some(why) = &repair.stopped {
        log.say(LogKind::Info, format!("Repair: stopped: {why}"));
    }
    repair.after = count(&seen.problems);
    let written = step.written.into_iter().collect();
    Ok(Done { answer, written, repair: Some((repair, Some(Inspection::new(seen.problems)))) })
}

fn count(problems: &[Problem]) -> u32 {
    u32::try_from(problems.len()).unwrap_or(u32::MAX)
}

fn join(sum: &mut Answer, other: Answer) {
    sum.steps += other.steps;
    sum.tool_calls += other.tool_calls;
    sum.usage += other.usage;
    sum.model = other.model;
    sum.used_fallback |= other.used_fallback;
}

struct Step<'a> {
    context: &'a Context,
    payload: &'a GenerationStepPayload,
    log: &'a Log,
    files: Arc<ConvexFiles>,
    snapshot: Arc<Snapshot>,
    written: BTreeSet<String>,
}

impl Step<'_> {
    /// The project as it is stored now.
    async fn copy(&self) -> Result<Option<Copy>> {
        Ok(Copy::of(self.snapshot.current().await.map_err(of_store)?))
    }

    async fn again(&self, before: Copy) -> Result<(Copy, Seen)> {
        let copy = self.copy().await?.unwrap_or(before);
        let seen = look(&copy.texts).await?;
        Ok((copy, seen))
    }

    /// Whether anything was put right without a model.
    async fn without_model(&mut self, copy: &Copy, seen: &Seen, repair: &mut Repair) -> Result<bool> {
        let mut texts = copy.texts.clone();
        let mut index = Arc::clone(&seen.index);
        let (mut made, mut left) = (Vec::new(), seen.problems.len());
        for _ in 0..MAX_PASSES {
            let now = Arc::clone(&index);
            let found = on_thread(move |_| fixes(&now)).await.map_err(of_store)?;
            if found.is_empty() {
                break;
            }
            for fix in found.into_iter().filter(|fix| copy.is_text(&fix.path)) {
                made.extend(fix.changes.iter().map(|change| format!("{}: {change}", fix.path)));
                texts.insert(fix.path, fix.text);
            }
            let after = look(&texts).await?;
            (index, left) = (after.index, after.problems.len());
        }
        if left >= seen.problems.len() {
            return Ok(false);
        }
        self.keep(copy, &texts).await?;
        let more = made.len().saturating_sub(MAX_NAMED);
        made.truncate(MAX_NAMED);
        for fix in &made {
            self.log.say(LogKind::Info, format!("Repair: {fix}"));
        }
        if more > 0 {
            self.log.say(LogKind::Info, format!("Repair: and {more} more like these"));
        }
        repair.fixes = made;
        Ok(true)
    }

    /// Stores what differs from the copy, each file only if it is still as it was found.
    async fn keep(&mut self, copy: &Copy, texts: &BTreeMap<String, String>) -> Result<()> {
        let mut changes = copy.changes(texts);
        for change in &mut changes {
            let at = self.log.now() as f64;
            change.line = Some(change_line(&change.path, change.content.as_deref(), at));
        }
        for batch in batches(&changes) {
            let applied = self.files.apply(batch).await.map_err(of_store)?;
            for (FileChange { path, .. }, told) in batch.iter().zip(&applied.outcomes) {
                match told.outcome {
                    Outcome::Applied => {
                        self.written.insert(path.clone());
                    }
                    Outcome::Conflict => {
                        let line =
                            format!("Repair: {path} was left alone: somebody has changed it meanwhile");
                        self.log.say(LogKind::Info, line);
                    }
                    Outcome::Refused => {
                        let why = told.reason.as_deref().unwrap_or("the project does not allow it");
                        self.log.say(LogKind::Info, format!("Repair: {path} was left alone: {why}"));
                    }
                }
            }
        }
        Ok(())
    }

    /// One round: the texts as the model would have them.
    async fn ask(&self, copy: &Copy, seen: &Seen) -> Result<(BTreeMap<String, String>, Answer)> {
        let (context, options) = (self.context, &self.context.options);
        let prompts = prompts(context, self.payload.plan).await?;
        let may_change = failing(copy, &seen.problems);
        let request = request(&prompts, &self.payload.description, copy, &seen.problems, &may_change)?;
        let memory = Arc::new(MemoryFiles::new(copy.texts.clone()));
        let files = WatchedFiles::new(Arc::clone(&memory) as _, Rule::Only(may_change));
        let files: Arc<dyn ProjectFiles> = Arc::new(files);
        let mut limits = options.limits.clone();
        limits.max_steps = MAX_TURNS;
        let offered = Registry::for_project(&files, limits.max_tool_result_bytes as usize);
        let tools = context.tools(offered, Some(&self.payload.project_id), None)?;
        let models = context.models()?;
        let agent = Agent { may_use_up_steps: true, limits: &limits, ..context.agent(&models, &tools) };
        let messages = vec![ChatMessage::System(prompts.system.clone()), ChatMessage::User(request)];
        let output = StepOutput { log: self.log, step: REPAIR_STEP };
        let answer = agent.run(messages, None, &output).await?;
        Ok((memory.snapshot(), answer))
    }
}

/// The files that a problem stands in or is about: the model may change these.
fn failing(copy: &Copy, problems: &[Problem]) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for Problem { path, kind, related, .. } in problems {
        paths.insert(path.clone());
        paths.extend(related.clone());
        match kind {
            ProblemKind::Package => drop(paths.insert("package.json".to_owned())),
            ProblemKind::Entry => drop(paths.insert("index.html".to_owned())),
            _ => {}
        }
    }
    paths.retain(|path| copy.is_text(path));
    paths
}

fn request(
    prompts: &PlanPrompts,
    description: &str,
    copy: &Copy,
    problems: &[Problem],
    failing: &BTreeSet<String>,
) -> Result<String> {
    let instruction = match prompts.instruction(REPAIR_STEP) {
        Some(instruction) => instruction.to_owned(),
        // A file of one's own from before there was this step.
        None => {
            let shipped = PlanPrompts::parse(PlanName::General.shipped())?;
            shipped.instruction(REPAIR_STEP).unwrap_or_default().to_owned()
        }
    };
    let mut text = asked(description, &instruction);
    text.push_str("\n\nProblems:\n");
    for Problem { path, line, message, .. } in problems.iter().take(MAX_SHOWN_PROBLEMS) {
        let _ = writeln!(text, "- {path}:{line}: {message}");
    }
    text.push_str("\nFiles:\n");
    let mut bytes = 0;
    for path in failing {
        let Some(content) = copy.texts.get(path) else { continue };
        bytes += content.len();
        if bytes > MAX_SHOWN_BYTES {
            let _ = writeln!(text, "\n{path} (read it with readFile)");
            continue;
        }
        let _ = writeln!(text, "\n{path}\n{}\n{content}\n{}", fence(content), fence(content));
    }
    Ok(text)
}

/// A fence that the content does not end.
fn fence(content: &str) -> String {
    let mut longest = 2;
    let mut run = 0;
    for c in content.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    "`".repeat(longest + 1)
}
