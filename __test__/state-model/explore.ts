// Every reachable state, breadth first, with what breaks on the way.

import { broken, endsInSilence, NEVER_STUCK } from "./invariants.ts";
import { type Bounds, first, type State, type Step, steps } from "./model.ts";
import { type Rules, rules } from "./store.ts";

export interface Node {
  readonly state: State;
  /** How it was reached first. */
  readonly from: Node | null;
  readonly step: Step | null;
}

export interface Explored {
  states: number;
  edges: number;
  /** One for each invariant that breaks, with the shortest way there. */
  violations: { invariant: string; path: string[] }[];
}

/** `seen` is shown every edge. */
export function explore(
  bounds: Bounds,
  store: Rules = rules,
  seen: (from: Node, step: Step) => void = () => undefined,
): Explored {
  const start: Node = { state: first(bounds), from: null, step: null };
  const known = new Set([keyOf(start.state)]);
  const violations = new Map<string, string[]>();
  let layer = [start];
  let edges = 0;
  const note = (invariant: string, node: Node, step?: Step): void => {
    if (!violations.has(invariant))
      violations.set(invariant, [...namesOf(node), ...(step ? [nameOf(step)] : [])]);
  };
  while (layer.length > 0) {
    const next: Node[] = [];
    for (const node of layer) {
      if (!endsInSilence(node.state, store)) note(NEVER_STUCK, node);
      for (const step of steps(node.state, store)) {
        edges++;
        for (const invariant of broken(node.state, step)) note(invariant, node, step);
        seen(node, step);
        const key = keyOf(step.state);
        if (known.has(key)) continue;
        known.add(key);
        next.push({ state: step.state, from: node, step });
      }
    }
    layer = next;
  }
  return {
    states: known.size,
    edges,
    violations: [...violations].map(([invariant, path]) => ({ invariant, path })),
  };
}

/** Parts are shared by many states, so their text is made once. */
const texts = new WeakMap<object, string>();

function textOf(part: object): string {
  let text = texts.get(part);
  if (text === undefined) {
    text = JSON.stringify(part);
    texts.set(part, text);
  }
  return text;
}

function keyOf({ stored, workers: [one, two], ...rest }: State): string {
  return `${textOf(stored)}${textOf(one)}${textOf(two)}${Object.values(rest).join()}`;
}

/** The steps that lead to a node. */
export function pathTo(node: Node): Step[] {
  const path: Step[] = [];
  for (let at: Node | null = node; at?.step; at = at.from) path.push(at.step);
  return path.reverse();
}

function namesOf(node: Node): string[] {
  return pathTo(node).map(nameOf);
}

export function nameOf({ action: { name, by } }: Step): string {
  return by === undefined ? name : `${name} (attempt ${by})`;
}
