// Every tool that has a counterpart in TypeScript, held against TypeScript's own answers: for every name in
// the corpus where it is defined and used, for every file what is wrong with it and what it declares,
// imports, exports and calls. Where an answer differs, it is listed here with the rule that it follows.

import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { ask, type Call, HIDDEN } from "./ask.ts";
import { BROKEN } from "./corpus.ts";
import {
  CODE,
  declared,
  definitions,
  errors,
  type Identifier,
  identifiers,
  references,
  type Said,
  said,
  unique,
} from "./oracle.ts";

const WHOLE = CODE.filter((path) => !BROKEN.includes(path));
const NAMES = WHOLE.flatMap(identifiers);
/** How CommonJS names hang together is no fact of the language: both versions of TypeScript differ. */
const isCommon = ({ path }: Identifier) => path.endsWith(".cjs");

const BY_RULE: Record<string, readonly string[]> = {
  "a namespace import leads to its module": [
    ...["src/namespaces.ts:4:22", "src/namespaces.ts:6:26", "src/namespaces.ts:9:20"],
    "src/uses-defaults.ts:5:73",
  ],
  "an import that leads nowhere says why": [
    ...["src/wrong.ts:1:15", "src/wrong.ts:2:10", "src/wrong.ts:3:8"],
    ...["src/wrong.ts:5:24", "src/wrong.ts:5:33", "src/wrong.ts:5:42"],
  ],
  "the declaration of a function with overloads leads to all of them": [
    ...["src/generics.ts:6:17", "src/generics.ts:7:17", "src/generics.ts:8:17"],
  ],
  "TypeScript 7 leads nowhere from the parameter of a type or of an overload": [
    ...["src/generics.ts:1:57", "src/generics.ts:1:69", "src/generics.ts:6:28"],
    ...["src/generics.ts:7:28", "src/decorators.ts:2:44", "src/decorators.ts:8:44"],
  ],
  "TypeScript 7 names the file of a default export beside the value": ["src/uses-defaults.ts:5:62"],
  "a name that stands for the rest is declared where it stands": ["src/default-value.ts:3:37"],
};
const EXPECTED = new Set(Object.values(BY_RULE).flat());

function callsAt(tool: string, names: readonly Identifier[]): Call[] {
  return names.map(({ path, line, column }) => ({ tool, args: { path, line, column } }));
}

/** The places that an answer names; of a library, its name. */
function places(answer: string): string[] {
  if (/^No /.test(answer)) return [];
  assert.ok(/^(?:Found|Definition found)/.test(answer), answer);
  assert.ok(!/showing first|without type information/.test(answer), answer);
  const found = answer.split("\n").flatMap((line) => {
    const at = /^(?:\[[\w ]+\] )?(?:.* - )?(?: {2})?(\S+):(\d+):(\d+)(?: - .*)?$/.exec(line);
    if (at === null) return [];
    const [, path = "", row, column] = at;
    return [/^lib\..*d\.ts$/.test(path) ? path : `${path}:${row}:${column}`];
  });
  return unique(found);
}

/** What differs, by place. */
function compare(
  names: readonly Identifier[],
  answers: readonly string[],
  oracle: (name: Identifier) => string[],
): Map<string, string> {
  const differing = new Map<string, string>();
  for (const [n, name] of names.entries()) {
    const [ours, theirs] = [places(answers[n] ?? ""), oracle(name)];
    const place = `${name.path}:${name.line}:${name.column}`;
    if (ours.join() !== theirs.join()) {
      differing.set(place, `${name.name} at ${place}: [${ours}], TypeScript: [${theirs}]`);
    }
  }
  return differing;
}

describe("with types, for every name of the corpus", { skip: HIDDEN }, () => {
  const names = NAMES.filter((name) => !isCommon(name));
  let defined: string[];
  let used: string[];
  before(async () => {
    const calls = [...callsAt("goToDefinition", names), ...callsAt("getReferences", names)];
    const answers = await ask(calls, true);
    defined = answers.slice(0, names.length);
    used = answers.slice(names.length);
    assert.ok(names.length > 350, `${names.length} names`);
  });

  it("goToDefinition leads where TypeScript leads", () => {
    const differing = compare(names, defined, definitions);
    for (const place of EXPECTED) differing.delete(place);
    assert.deepEqual([...differing.values()], []);
  });

  it("getReferences finds what TypeScript finds in the project", () => {
    const inProject = (name: Identifier) =>
      references(name).filter((place) => !place.startsWith("lib."));
    assert.deepEqual([...compare(names, used, inProject).values()], []);
  });
});

it("getDiagnostics reports TypeScript's errors, but for what is only not installed", {
  skip: HIDDEN,
}, async () => {
  const answers = await ask(
    CODE.map((path) => ({ tool: "getDiagnostics", args: { path, severity: "error" } })),
    true,
  );
  for (const [n, path] of CODE.entries()) {
    const ours = (answers[n] ?? "").split("\n").flatMap((line) => {
      const at = /^\[error\] \S+?:(\d+:\d+) - (TS\d+)/.exec(line);
      return at === null ? [] : [`${at[1]} ${at[2]}`];
    });
    // "react" is listed in package.json: that it is not there is no error of the file.
    const theirs = errors(path).filter(
      (error) => !(path === "src/wrong.ts" && error === "2:26 TS2307"),
    );
    if (BROKEN.includes(path)) assert.equal(ours[0], theirs[0], `${path}: ${answers[n]}`);
    else assert.deepEqual(ours.sort(), theirs.sort(), `${path}: ${answers[n]}`);
  }
});

/** Of lines such as `[kind] name - place`, kind and place of those with exactly this name. */
function listed(answer: string, name: string): string[] {
  return answer
    .split("\n")
    .flatMap((line) => {
      const [, kind, shown = "", place = ""] = /^\[(\w+)\] (.+) - (\S+)$/.exec(line) ?? [];
      const isName = shown === name || shown.endsWith(`.${name}`);
      const isWhole = WHOLE.some((path) => place.startsWith(`${path}:`));
      return isName && isWhole ? [`${kind} ${place}`] : [];
    })
    .sort();
}

it("findSymbol knows every declaration, once, by kind and place", async () => {
  const all = WHOLE.flatMap(declared);
  const names = unique(all.map(({ name }) => name));
  const answers = await ask(
    names.map((query) => ({ tool: "findSymbol", args: { query } })),
    false,
  );
  for (const [n, name] of names.entries()) {
    const theirs = all.filter((one) => one.name === name).map(({ kind, at }) => `${kind} ${at}`);
    assert.deepEqual(listed(answers[n] ?? "", name), theirs.sort(), name);
  }
});

describe("searchCodebase finds what the syntax tree has:", () => {
  const all = WHOLE.flatMap(said);
  const types: Said["type"][] = ["import", "export", "function", "class", "variable", "call"];
  for (const type of types) {
    it(`every ${type}`, async () => {
      const some = all.filter((one) => one.type === type);
      const names = unique(some.map(({ name }) => name));
      const answers = await ask(
        names.map((searchTerm) => ({
          tool: "searchCodebase",
          args: { patternType: type, searchTerm },
        })),
        false,
      );
      for (const [n, name] of names.entries()) {
        const theirs = some.filter((one) => one.name === name).map(({ line }) => `${type} ${line}`);
        assert.deepEqual(listed(answers[n] ?? "", name), theirs.sort(), name);
      }
    });
  }
});

it("what does not parse gives what is whole in it", async () => {
  const [path = ""] = BROKEN;
  const [symbols = "", calls = ""] = await ask(
    [
      { tool: "findSymbol", args: { query: "" } },
      { tool: "searchCodebase", args: { patternType: "call", filePattern: path } },
    ],
    false,
  );
  assert.match(symbols, /^Found \d+ symbol\(s\) \(showing first 50\):/);
  assert.match(calls, new RegExp(`\\[call\\] add - ${path}:3\\n`));
  assert.match(calls, new RegExp(`\\[call\\] whole - ${path}:7\\n`));
});
