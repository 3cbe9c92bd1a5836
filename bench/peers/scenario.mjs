// What each scenario of bench/server sends, computed again to check what arrived, and the one tool
// that all clients offer. Agrees with bench/server/src/scenario.rs, by hand and by every measurement.

const LOOP_TOOL_TURNS = 9;
const LOOP_CALLS = 3;
const LOOP_TEXT = 20;
const LOOP_LAST_TEXT = 200;
const LOOP_FRAGMENT_CHARS = 6;

/** The user's message; what it says does not matter. */
export const PROMPT = "go";
export const MODEL = "moonshotai/kimi-k2.5";
/** What the replaced app asked for. */
export const TEMPERATURE = 0.7;
export const MAX_TOKENS = 2000;
export const MAX_STEPS = 10;

export const TOOL = {
  name: "writeFile",
  description: "Create a file or replace its contents. Parent folders are created as needed.",
};

/** @param {number} n */
function delta(n) {
  return `${n.toString(36).padStart(3 + (n % 5), "x")} `;
}

/** @param {number} count */
function deltas(count) {
  let text = "";
  for (let n = 0; n < count; n++) text += delta(n);
  return text;
}

/**
 * @param {string} scenario
 * @returns {{ text: string, files: Map<string, string>, deltas: number, turns: number }} `deltas`
 *   counts text deltas and fragments of arguments
 */
export function expected(scenario) {
  const [kind, ...numbers] = scenario.split("-");
  const count = Number(numbers.at(-1));
  const files = new Map();
  switch (kind) {
    case "flat":
    case "chunked":
    case "paced":
      return { text: deltas(count), files, deltas: count, turns: 1 };
    case "first":
      return { text: deltas(1), files, deltas: 1, turns: 1 };
    case "args":
      files.set("src/big.ts", deltas(count));
      return { text: deltas(1), files, deltas: count, turns: 2 };
    case "loop": {
      let fragments = 0;
      for (let step = 0; step < LOOP_TOOL_TURNS; step++) {
        for (let n = 0; n < LOOP_CALLS; n++) {
          const path = `src/step-${step}/part-${n}.ts`;
          const content = `export const part = ${n};\n`;
          files.set(path, content);
          fragments += Math.ceil(JSON.stringify({ path, content }).length / LOOP_FRAGMENT_CHARS);
        }
      }
      const text = deltas(LOOP_TEXT).repeat(LOOP_TOOL_TURNS) + deltas(LOOP_LAST_TEXT);
      const count = LOOP_TOOL_TURNS * LOOP_TEXT + LOOP_LAST_TEXT + fragments;
      return { text, files, deltas: count, turns: LOOP_TOOL_TURNS + 1 };
    }
    default:
      throw new Error(`no such scenario: ${scenario}`);
  }
}

/** Whether a scenario's model calls tools. @param {string} scenario */
export function usesTools(scenario) {
  return scenario.startsWith("args") || scenario.startsWith("loop");
}

/** The base URL of a scenario's model. @param {string} base @param {string} scenario */
export function modelUrl(base, scenario) {
  return `${base}/s/${scenario}/v1`;
}

/**
 * The clients' tool: a project in memory.
 * @param {Map<string, string>} files
 */
export function writeFile(files) {
  return ({ path, content }) => {
    files.set(path, content);
    return `Wrote ${path}`;
  };
}

/** One of a kind per key, as a program would keep its clients. */
export function kept(make) {
  const known = new Map();
  return (key) => {
    let value = known.get(key);
    if (value === undefined) {
      value = make(key);
      known.set(key, value);
    }
    return value;
  };
}
