// What production forbids or fixes inside functions: no fetch and no timers in queries and mutations,
// a clock that stands still there, console output that becomes log lines. Installed once, in the
// host's own process; outside of functions the globals behave as ever.
import { inspect } from "node:util";
import { currentFrame, type Frame } from "./frame.ts";
import { MAX_LOG_LINE_LENGTH, MAX_LOG_LINES } from "./limits.ts";

const LEVELS = {
  log: "LOG",
  info: "INFO",
  debug: "DEBUG",
  warn: "WARN",
  error: "ERROR",
  trace: "LOG",
} as const;

export function installGuards(): void {
  guardClock();
  guardConsole();
  forbid("fetch", "fetch()");
  forbid("setTimeout", "setTimeout");
  forbid("setInterval", "setInterval");
}

function deterministicFrame(): Frame | undefined {
  const frame = currentFrame();
  return frame === undefined || frame.kind === "action" ? undefined : frame;
}

function forbid(name: "fetch" | "setTimeout" | "setInterval", shown: string): void {
  const original = globalThis[name] as (...args: unknown[]) => unknown;
  const guarded = (...args: unknown[]): unknown => {
    if (deterministicFrame() !== undefined) {
      throw new Error(
        `Can't use ${shown} in queries and mutations. Please consider using an action. ` +
          "See https://docs.convex.dev/functions/actions for more details.",
      );
    }
    return original(...args);
  };
  // Copies `util.promisify.custom`, so that node:util keeps working on the guarded timers.
  Object.defineProperties(guarded, Object.getOwnPropertyDescriptors(original));
  Object.assign(globalThis, { [name]: guarded });
}

function guardClock(): void {
  const RealDate = Date;
  const now = RealDate.now;
  const current = (): number => deterministicFrame()?.now ?? now();
  RealDate.now = current;
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args, newTarget) =>
      Reflect.construct(target, args.length === 0 ? [current()] : args, newTarget),
    apply: () => new RealDate(current()).toString(),
  });
}

function guardConsole(): void {
  for (const [method, level] of Object.entries(LEVELS)) {
    const name = method as keyof typeof LEVELS;
    const original = console[name].bind(console);
    console[name] = (...args: unknown[]): void => {
      const frame = currentFrame();
      if (frame === undefined) {
        original(...args);
        return;
      }
      const text = args
        .map((arg) => (typeof arg === "string" ? `'${arg}'` : inspect(arg)))
        .join(" ");
      const line = `[${level}] ${text}`.slice(0, MAX_LOG_LINE_LENGTH);
      if (frame.logs.length < MAX_LOG_LINES) frame.logs.push(line);
      process.stderr.write(`[${frame.kind} ${frame.path}] ${line}\n`);
    };
  }
}
