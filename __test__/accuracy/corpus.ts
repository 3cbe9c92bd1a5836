// A small project in which each file has one way of naming things that tools get wrong. It is complete:
// what is wrong in it is wrong on purpose. No comments inside, since columns count.

/** Longer than what is read of a line anywhere. */
const WIDE = `export const wide = [${"'x',".repeat(250_000)}];export const behindWide = wide;\n`;

export const CORPUS: Readonly<Record<string, string>> = {
  "package.json": '{ "name": "corpus", "dependencies": { "react": "19.0.0" } }',
  "tsconfig.json": JSON.stringify({
    compilerOptions: {
      strict: true,
      target: "es2022",
      module: "esnext",
      moduleResolution: "bundler",
      lib: ["es2022", "dom"],
      types: [],
      jsx: "preserve",
      allowJs: true,
      noEmit: true,
      skipLibCheck: true,
      paths: { "@/*": ["./src/*"], "~math": ["./src/math.ts"] },
    },
  }),
  "src/math.ts": `export function add(left: number, right: number): number {
  return left + right;
}
export const twice = (value: number) => add(value, value);
export class Counter {
  count = 0;
  increase(by = 1): this {
    this.count = add(this.count, by);
    return this;
  }
  static of(count: number): Counter {
    const counter = new Counter();
    counter.count = count;
    return counter;
  }
}
export interface Shape {
  size: number;
}
export type Pair<First, Second = First> = [First, Second];
export enum Level {
  Low,
  High = 10,
}
let hidden = 1;
hidden += twice(hidden);
export { hidden as shown };
`,
  "src/aliases.ts": `import { add as sum, twice } from "@/math";
import { Counter } from "~math";
import { add } from "./math";
export const three = sum(1, 2) + add(0, twice(1));
export const counter = new Counter().increase();
`,
  "src/index.ts": `export * from "./math";
export * as math from "./math";
export { add as plus, Counter as default } from "./math";
export type { Shape } from "./math";
`,
  "src/re-exports.ts": `import Default, { add, math, plus, type Shape } from "./index";
import { shown } from ".";
export const shape: Shape = { size: plus(add(1, shown), math.twice(2)) };
export const made = Default.of(shape.size);
`,
  "src/namespaces.ts": `import * as all from "./math";
import type * as types from "./math";
export namespace Tools {
  export const add = all.add;
  export namespace Inner {
    export const level = all.Level.High;
  }
}
export const used: types.Shape = { size: Tools.add(1, Tools.Inner.level) };
export namespace Tools {
  export const more = add(1, 2);
}
export const again = Tools.more;
`,
  "src/default-function.ts": `export default function named(input: string) {
  return input.length;
}
export const length = named("x");
`,
  "src/default-value.ts": `const value = { deep: { deeper: 1 } };
export default value;
export const { deep: { deeper }, ...rest } = value;
`,
  "src/default-arrow.ts": `export default (input: number) => input + 1;
`,
  "src/uses-defaults.ts": `import named from "./default-function";
import value, { deeper, rest } from "./default-value";
import arrow, * as whole from "./default-arrow";
import { default as again } from "./default-function";
export const sum = named("a") + value.deep.deeper + deeper + arrow(1) + whole.default(2) + again("b");
export { rest };
`,
  "src/type-only.ts": `import type { Pair, Shape } from "@/math";
import { type Level, Counter } from "@/math";
export type Shapes = Pair<Shape>;
export const pick = <Key extends keyof Shape>(shape: Shape, key: Key): Shape[Key] => shape[key];
export const level = (level: Level): Level => level;
export declare const counterClass: typeof Counter;
`,
  "src/view.tsx": `import { Counter } from "./math";
declare global {
  namespace JSX {
    interface IntrinsicElements {
      div: { title?: string; children?: unknown };
    }
    type Element = { kind: string };
  }
}
interface Props {
  title: string;
  children?: unknown;
}
export const Card = ({ title, children }: Props) => <div title={title}>{children}</div>;
export function View({ counter }: { counter: Counter }) {
  const label = \`count \${counter.count}\`;
  return (
    <Card title={label}>
      <>
        <div>{counter.increase().count}</div>
      </>
    </Card>
  );
}
`,
  "src/common.cjs": `const { promisify } = require("./common-lib.cjs");
const lib = require("./common-lib.cjs");
module.exports = { run: promisify(lib.twice), twice: lib.twice };
exports.extra = lib.twice(2);
`,
  "src/common-lib.cjs": `function twice(value) {
  return value * 2;
}
module.exports.twice = twice;
module.exports.promisify = (call) => async (value) => call(value);
`,
  "src/plain.js": `import { add } from "./math";
/** @param {number} value */
export function half(value) {
  return add(value, 0) / 2;
}
var late = half(1);
export let early = late;
`,
  "src/satisfies.ts": `import type { Shape } from "./math";
export const config = {
  small: { size: 1 },
  large: { size: 2 },
} satisfies Record<string, Shape>;
export const size = config.small.size;
const key = "small" as const;
export const chosen = config[key]!.size;
`,
  "src/decorators.ts": `import { add } from "./math";
function logged(target: (this: Service, ...args: number[]) => number, context: ClassMethodDecoratorContext) {
  context.name;
  return function (this: Service, ...args: number[]) {
    return target.call(this, ...args);
  };
}
const sealed = <T extends abstract new (...args: never[]) => object>(target: T, _: ClassDecoratorContext) => target;
@sealed
export class Service {
  #total = 0;
  accessor limit = 10;
  get total(): number {
    return this.#total;
  }
  set total(value: number) {
    this.#total = value;
  }
  @logged
  raise(by: number): number {
    this.total = add(this.total, by);
    return this.total;
  }
}
export const raised = new Service().raise(2);
`,
  "src/mixed-ends.ts": `import { add } from "./math";\r\nexport const first = add(1, 2);\nexport const second = first;\r\nexport const third = add(second, first);\r`,
  "src/wide-characters.ts": `import { add } from "./math";
export const 𝒳 = add(1, 2); export const größe = 𝒳;
export const text = "😀👩‍👩‍👧", after = größe + 𝒳;
/* 😀 */ export const last = after;
`,
  "src/wide-line.ts": WIDE,
  "src/uses-wide-line.ts": `import { behindWide } from "./wide-line";
export const count = behindWide.length;
`,
  "src/generics.ts": `export function map<Item, Result>(items: Item[], call: (item: Item, index: number) => Result): Result[] {
  const results: Result[] = [];
  for (const [index, item] of items.entries()) results.push(call(item, index));
  return results;
}
export function overloaded(value: string): string;
export function overloaded(value: number): number;
export function overloaded(value: string | number): string | number {
  return value;
}
export const lengths = map(["a"], (item) => overloaded(item).length);
label: for (let at = 0; at < 3; at++) {
  if (at === 1) continue label;
}
try {
  lengths.push(1);
} catch (problem) {
  throw problem;
}
`,
  "src/dynamic.ts": `export async function load() {
  const { add, Counter: Imported } = await import("./math");
  const whole = await import("@/math");
  return new Imported().increase(add(1, whole.twice(2)));
}
export type Loaded = import("./math").Shape;
`,
  "src/wrong.ts": `import { add, missing } from "./math";
import { useState } from "react";
import other from "not-listed";
export const text: string = add(1, 2);
export const counted = useState(other) + missing;
add("1", 2);
const unused = undefinedName;
`,
  "src/broken.ts": `import { add } from "./math";
export function whole(value: number) {
  return add(value, 1);
}
export function open( {
  const inner = 1;
export const behind = whole(2);
class Behind {
  method() {}
}
`,
  "src/empty.ts": "",
};

/** What no parser reads as it was meant; rules of its own hold for it. */
export const BROKEN = ["src/broken.ts"];
