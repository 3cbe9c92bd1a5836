//! The nine-step plan of a project generation, as a pure state machine: the host says what has
//! happened and asks what is next. Nothing here calls a model, a store or a clock.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::error::{CoreError, ErrorCode, Result};

/// The version of the steps; part of every step's idempotency key, so that a step of an older plan
/// is not taken for one of this.
pub const PLAN_VERSION: u32 = 1;

/// The longest description that is taken, in UTF-8 bytes: it goes along with each of nine requests.
pub const MAX_DESCRIPTION_BYTES: usize = 64 << 10;

/// One step of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Its name, in events and keys.
    pub id: &'static str,
    /// Model turns, at most.
    pub max_steps: u32,
    /// The tool that the first turn must call.
    pub first_tool: &'static str,
}

const fn step(id: &'static str, max_steps: u32, first_tool: &'static str) -> Step {
    Step { id, max_steps, first_tool }
}

/// The steps, in order. Both plans have these; they differ in their prompts.
pub const STEPS: [Step; 9] = [
    step("generate-config-files", 8, "writeFile"),
    step("generate-source-structure", 8, "writeFile"),
    step("generate-components", 8, "writeFile"),
    step("generate-pages", 8, "writeFile"),
    step("generate-hooks", 6, "writeFile"),
    step("generate-types", 4, "writeFile"),
    step("generate-utilities", 6, "writeFile"),
    step("finalize-readme", 4, "writeFile"),
    step("verify-project", 2, "listFiles"),
];

/// The extra step behind the ninth, for those who ask for it ([`Verify::Repair`]); job `generation-step`
/// takes it by this name.
pub const REPAIR_STEP: &str = "repair-project";

/// What follows the ninth step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum Verify {
    /// Nothing.
    #[default]
    Off,
    /// What the inspection found is repaired, as far as that goes.
    Repair,
}

/// The step called `id`.
///
/// # Errors
/// `PAYLOAD_INVALID` if there is none.
pub fn find_step(id: &str) -> Result<&'static Step> {
    STEPS.iter().find(|step| step.id == id).ok_or_else(|| {
        let known = STEPS.map(|step| step.id).join(", ");
        CoreError::new(
            ErrorCode::PayloadInvalid,
            format!("payload.step: there is no step {id:?}; there are: {known}"),
        )
    })
}

/// Whose prompts a generation follows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum PlanName {
    /// The parts of a client management product.
    #[default]
    Default,
    /// What the description says.
    General,
}

impl PlanName {
    /// The name, as payloads and keys have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::General => "general",
        }
    }

    /// The prompts that ship with the package.
    pub const fn shipped(self) -> &'static str {
        match self {
            Self::Default => include_str!("../../../../prompts/generate-project.default.md"),
            Self::General => include_str!("../../../../prompts/generate-project.general.md"),
        }
    }
}

/// The prompts of a plan, read from one file: the system prompt, and behind each line `## <step>`
/// that step's instruction. The bytes between are sent as they are, without the blank lines around.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanPrompts {
    /// The system prompt.
    pub system: String,
    instructions: Vec<(String, String)>,
}

impl PlanPrompts {
    /// Reads a file of prompts.
    ///
    /// # Errors
    /// `CONFIG_INVALID` names the step that is missing, blank or unknown.
    pub fn parse(text: &str) -> Result<Self> {
        let invalid =
            |why: String| CoreError::new(ErrorCode::ConfigInvalid, format!("the plan's prompts: {why}"));
        let mut sections: Vec<(Option<&str>, String)> = vec![(None, String::new())];
        for line in text.split_inclusive('\n') {
            match line.strip_prefix("## ") {
                Some(title) => sections.push((Some(title.trim()), String::new())),
                None => {
                    if let Some((_, body)) = sections.last_mut() {
                        body.push_str(line);
                    }
                }
            }
        }
        let mut sections = sections.into_iter();
        let system = sections.next().map(|(_, body)| body.trim().to_owned()).unwrap_or_default();
        if system.is_empty() {
            return Err(invalid("there is no system prompt before the first step".to_owned()));
        }
        let instructions: Vec<(String, String)> =
            sections.filter_map(|(id, body)| Some((id?.to_owned(), body.trim().to_owned()))).collect();
        let known = || STEPS.iter().map(|step| step.id).chain([REPAIR_STEP]);
        if let Some((id, _)) = instructions.iter().find(|(id, _)| !known().any(|step| step == id)) {
            return Err(invalid(format!("there is no step {id:?}")));
        }
        for step in known() {
            let mut found = instructions.iter().filter(|(id, body)| id == step && !body.is_empty());
            match (found.next(), found.next()) {
                (Some(_), None) => {}
                // Plans from before it was there go without: what ships is sent then.
                (None, _) if step == REPAIR_STEP => {}
                (None, _) => return Err(invalid(format!("{step} has no instruction"))),
                (Some(_), Some(_)) => return Err(invalid(format!("{step} is there twice"))),
            }
        }
        Ok(Self { system, instructions })
    }

    /// What the file says of a step; the step of [`REPAIR_STEP`] may be missing.
    pub fn instruction(&self, step: &str) -> Option<&str> {
        self.instructions.iter().find(|(id, _)| id == step).map(|(_, instruction)| instruction.as_str())
    }

    /// The message that asks for `step` of a project with this description.
    pub fn request(&self, step: &Step, description: &str) -> String {
        asked(description, self.instruction(step.id).unwrap_or_default())
    }
}

/// The message that gives a project's description with an instruction.
pub(super) fn asked(description: &str, instruction: &str) -> String {
    format!("Project description:\n{description}\n\n{instruction}")
}

/// What is wrong with a description; `None` if it can be worked with.
pub fn description_problem(description: &str) -> Option<String> {
    if description.trim().is_empty() {
        return Some("description is required".to_owned());
    }
    let bytes = description.len();
    (bytes > MAX_DESCRIPTION_BYTES)
        .then(|| format!("description is {bytes} bytes long, at most {MAX_DESCRIPTION_BYTES} are taken"))
}

/// Where a generation stands: how many steps are finished.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GenerationState {
    /// Whether the input was found to be good.
    pub validated: bool,
    /// Steps that are finished, from the first.
    pub finished: u32,
    /// What follows the ninth.
    #[serde(default)]
    #[ts(as = "Option<Verify>", optional)]
    pub verify: Verify,
    /// How many problems the inspection behind the last finished step found, if there was one.
    #[serde(default)]
    #[ts(optional)]
    pub problems: Option<u32>,
    /// Whether the extra step is finished.
    #[serde(default)]
    #[ts(as = "Option<bool>", optional)]
    pub repaired: bool,
}

/// What the host does next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum NextAction {
    /// Check the input (job `generation-validate`).
    Validate,
    /// Run this step as a child, under this key, and wait for it.
    Step {
        /// The step.
        step: String,
        /// Which one it is, from 1.
        number: u32,
        /// How many there are.
        of: u32,
        /// Idempotency key of global scope.
        key: String,
    },
    /// Run the extra step as a child, under this key, and wait for it.
    Repair {
        /// The step.
        step: String,
        /// Idempotency key of global scope.
        key: String,
    },
    /// All is done.
    Done,
}

/// What is next for the generation `generation_id` in `state`. Asking again changes nothing.
///
/// # Errors
/// `PAYLOAD_INVALID` for a state that cannot be.
pub fn next(generation_id: &str, plan: PlanName, state: GenerationState) -> Result<NextAction> {
    if !state.validated {
        return match state.finished {
            0 => Ok(NextAction::Validate),
            _ => Err(CoreError::new(
                ErrorCode::PayloadInvalid,
                "steps cannot be finished before the input is checked",
            )),
        };
    }
    let finished = state.finished as usize;
    if finished > STEPS.len() {
        let of = STEPS.len();
        return Err(CoreError::new(
            ErrorCode::PayloadInvalid,
            format!("{finished} steps are finished, there are {of}"),
        ));
    }
    let key = |step: &str| format!("{generation_id}/{step}/{}.{PLAN_VERSION}", plan.as_str());
    if let Some(step) = STEPS.get(finished) {
        return Ok(NextAction::Step {
            step: step.id.to_owned(),
            number: state.finished + 1,
            of: u32::try_from(STEPS.len()).unwrap_or(u32::MAX),
            key: key(step.id),
        });
    }
    // A project that nothing is wrong with needs no run to say so again.
    let is_due = state.verify == Verify::Repair && !state.repaired && state.problems != Some(0);
    Ok(match is_due {
        true => NextAction::Repair { step: REPAIR_STEP.to_owned(), key: key(REPAIR_STEP) },
        false => NextAction::Done,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_steps_come_in_order_and_once() {
        let mut state = GenerationState::default();
        assert_eq!(next("g", PlanName::Default, state).unwrap(), NextAction::Validate);
        state.validated = true;
        let mut ids = Vec::new();
        let mut keys = std::collections::HashSet::new();
        while let NextAction::Step { step, number, of, key } = next("g", PlanName::Default, state).unwrap() {
            assert_eq!((number, of), (state.finished + 1, 9));
            assert!(keys.insert(key));
            ids.push(step);
            state.finished += 1;
        }
        assert_eq!(ids, STEPS.map(|step| step.id));
        assert_eq!(next("g", PlanName::Default, state).unwrap(), NextAction::Done);
    }

    #[test]
    fn the_key_names_generation_step_and_plan() {
        let state = GenerationState { validated: true, finished: 2, ..GenerationState::default() };
        let NextAction::Step { key, .. } = next("gen_1", PlanName::General, state).unwrap() else { panic!() };
        assert_eq!(key, "gen_1/generate-components/general.1");
    }

    #[test]
    fn repair_follows_the_ninth_step_once_where_it_is_asked_for_and_something_is_wrong() {
        let done = GenerationState { validated: true, finished: 9, ..GenerationState::default() };
        let repair = GenerationState { verify: Verify::Repair, ..done };
        let after = |state| match next("gen_1", PlanName::Default, state).unwrap() {
            NextAction::Repair { key, .. } => Some(key),
            other => {
                assert_eq!(other, NextAction::Done);
                None
            }
        };
        assert_eq!(after(done), None);
        assert_eq!(after(GenerationState { problems: Some(3), ..done }), None);
        let key = "gen_1/repair-project/default.1";
        assert_eq!(after(repair).as_deref(), Some(key), "nobody has looked");
        assert_eq!(after(GenerationState { problems: Some(3), ..repair }).as_deref(), Some(key));
        assert_eq!(after(GenerationState { problems: Some(0), ..repair }), None);
        assert_eq!(after(GenerationState { repaired: true, problems: Some(1), ..repair }), None);
        let eighth = GenerationState { finished: 8, ..repair };
        assert!(matches!(next("g", PlanName::Default, eighth).unwrap(), NextAction::Step { number: 9, .. }));
    }

    #[test]
    fn states_that_cannot_be_are_refused() {
        for state in [
            GenerationState { validated: false, finished: 1, ..GenerationState::default() },
            GenerationState { validated: true, finished: 10, ..GenerationState::default() },
        ] {
            assert_eq!(next("g", PlanName::Default, state).unwrap_err().code, ErrorCode::PayloadInvalid);
        }
    }

    #[test]
    fn both_shipped_plans_have_all_prompts() {
        for plan in [PlanName::Default, PlanName::General] {
            let prompts = PlanPrompts::parse(plan.shipped()).unwrap();
            let request = prompts.request(&STEPS[0], "A shop");
            assert!(
                request.starts_with("Project description:\nA shop\n\nCreate the configuration"),
                "{request}"
            );
        }
        let pages = |plan: PlanName| PlanPrompts::parse(plan.shipped()).unwrap().request(&STEPS[3], "x");
        assert!(pages(PlanName::Default).contains("ClientDetail"));
        assert!(!pages(PlanName::General).contains("Client"));
    }

    #[test]
    fn prompts_that_do_not_fit_the_plan_name_the_step() {
        let shipped = PlanName::Default.shipped();
        let cases = [
            (shipped.replace("## generate-types", "## generate-typos"), "generate-typos"),
            (
                shipped.split("## verify-project").next().unwrap().to_owned(),
                "verify-project has no instruction",
            ),
            (format!("{shipped}\n## generate-types\nagain\n"), "generate-types is there twice"),
            (shipped[shipped.find("## ").unwrap()..].to_owned(), "no system prompt"),
        ];
        let old = shipped.split("## repair-project").next().unwrap();
        assert_eq!(PlanPrompts::parse(old).unwrap().instruction(REPAIR_STEP), None);
        for (text, expected) in cases {
            let error = PlanPrompts::parse(&text).unwrap_err();
            assert!(error.code == ErrorCode::ConfigInvalid && error.message.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_description_must_say_something_and_not_everything() {
        assert_eq!(description_problem(" \n").as_deref(), Some("description is required"));
        assert!(description_problem(&"x".repeat(1 << 20)).unwrap().contains("at most 65536"));
        assert_eq!(description_problem("A shop"), None);
    }
}
