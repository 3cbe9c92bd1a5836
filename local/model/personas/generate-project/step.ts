// Which step of a generation a request asks for. Told by the tools on offer, a forced tool and what
// the instruction names first; never by a whole sentence, so that other prompts are understood too.

import type { ConversationView } from "../../request.ts";

export const STEPS = [
  "config",
  "structure",
  "components",
  "pages",
  "hooks",
  "types",
  "utilities",
  "readme",
  "verify",
  "repair",
] as const;
export type Step = (typeof STEPS)[number];

export interface StepRequest {
  step: Step;
  description: string;
  /** The description decides what the product is, and not the instructions. */
  general: boolean;
}

const LABEL = /^\s*project\s+description\s*:\s*/i;

/** What an instruction begins with to ask for a step; the first to be named is meant. */
const NAMED: readonly [Step, RegExp][] = [
  ["config", /\bconfig(uration)?\b|package\.json/i],
  ["structure", /\bentry[ -]points?\b|\bskeleton\b|src\/main\b/i],
  ["components", /\bcomponents?\b|\breusable\b|\bnavbar\b|\bsidebar\b/i],
  ["pages", /\bpages?\b/i],
  ["hooks", /\bhooks?\b/i],
  ["types", /\btype definitions?\b|\btypes\b|\binterfaces\b/i],
  ["utilities", /\butilit(y|ies)\b|\bhelpers?\b/i],
  ["readme", /\breadme\b/i],
];
/** What a request to repair lists, in a paragraph of its own. */
const PROBLEMS = /^Problems:\n- /m;
const VERIFIES = /\b(confirm|verify|check)\b[^.]*\bcomplete/i;
const DESCRIPTION_DECIDES =
  /\bdescription\s+(decides|determines|defines|says|implies)\b|\bdescribed (product|views)\b/i;

export function stepRequestOf(view: ConversationView): StepRequest | undefined {
  if (!view.tools.has("writeFile") || !LABEL.test(view.userText)) return undefined;
  const paragraphs = view.userText.replace(LABEL, "").split(/\n\s*\n/);
  if (view.forcedTool === undefined && PROBLEMS.test(view.userText)) {
    return { step: "repair", description: paragraphs[0] ?? "", general: false };
  }
  // The instruction stands last; a description may have paragraphs too.
  for (let from = paragraphs.length - 1; from > 0; from--) {
    const instruction = paragraphs.slice(from).join("\n\n");
    const step = stepOf(instruction, view.forcedTool);
    if (step === undefined) continue;
    const description = paragraphs.slice(0, from).join("\n\n").trim();
    const general = DESCRIPTION_DECIDES.test(view.system) || DESCRIPTION_DECIDES.test(instruction);
    return { step, description, general };
  }
  return undefined;
}

function stepOf(instruction: string, forcedTool: string | undefined): Step | undefined {
  if (forcedTool === "listFiles") return "verify";
  const named = NAMED.map(([step, words]) => ({ step, at: instruction.search(words) }))
    .filter(({ at }) => at >= 0)
    .sort((one, other) => one.at - other.at)[0]?.step;
  if (forcedTool !== "writeFile" && VERIFIES.test(instruction)) return "verify";
  return named;
}
