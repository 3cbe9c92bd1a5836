// Finds and runs tests, Rust's and ours, and counts them. Used by npm test and its parts.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "./process.mjs";
import { ROOT } from "./setup.mjs";

/** A condition that never comes must end a test, not a run of all tests. */
const TEST_TIMEOUT_MS = 300_000;

export const NONE = Object.freeze({ passed: 0, failed: 0, skipped: 0 });

export function sum(...all) {
  const total = { ...NONE };
  for (const counts of all) {
    for (const key of Object.keys(total)) total[key] += counts[key];
  }
  return total;
}

/** The line that every test command closes with. */
export function summary({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

/** libtest's own summary line. */
export function parseLibtest(line) {
  const match = /^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored;/.exec(
    line.replaceAll(ANSI, ""),
  );
  if (match === null) return undefined;
  const [, passed, failed, skipped] = match.map(Number);
  return { passed, failed, skipped };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with a control character
const ANSI = /\u001b\[[0-9;]*m/g;

/** Test files below the given folders (or the given files), sorted. */
export function findTests(places, root = ROOT) {
  const found = [];
  const walk = (path) => {
    let entries;
    try {
      entries = readdirSync(join(root, path), { withFileTypes: true });
    } catch (error) {
      if (error.code === "ENOTDIR") found.push(path);
      else if (error.code !== "ENOENT") throw error;
      return;
    }
    for (const entry of entries) {
      const name = entry.name;
      if (entry.isDirectory()) {
        const skip = name.startsWith(".") || name === "node_modules" || name === "target";
        if (!skip) walk(`${path}/${name}`);
      } else if (/\.test\.(ts|tsx|mjs)$/.test(name)) found.push(`${path}/${name}`);
    }
  };
  for (const place of places) walk(place.replace(/\/$/, ""));
  return [...new Set(found)].sort();
}

/**
 * @param {readonly string[]} files
 * @param {{ concurrency?: number, quiet?: boolean, timeoutMs?: number }} options `timeoutMs` is that of
 *   each file, too
 */
export async function runNodeTests(
  files,
  { concurrency = 2, quiet = false, timeoutMs = TEST_TIMEOUT_MS } = {},
) {
  if (files.length === 0) return NONE;
  const folder = mkdtempSync(join(tmpdir(), "polaris-test-"));
  const counted = join(folder, "counts.json");
  try {
    const { code } = await run(
      process.execPath,
      [
        "--import",
        "tsx",
        "--test",
        `--test-concurrency=${concurrency}`,
        `--test-timeout=${timeoutMs}`,
        "--test-reporter=spec",
        "--test-reporter-destination=stdout",
        `--test-reporter=${join(ROOT, "scripts", "count-reporter.mjs")}`,
        `--test-reporter-destination=${counted}`,
        ...files,
      ],
      { cwd: ROOT, env: testEnv(), quiet },
    );
    const counts = readCounts(counted);
    // The runner says failed and the counts do not: believe the runner.
    // Nor may files that ran nothing at all pass for success.
    const nothing = counts.passed + counts.failed + counts.skipped === 0;
    if ((code !== 0 || nothing) && counts.failed === 0) return { ...counts, failed: 1 };
    return counts;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readCounts(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return NONE;
  }
}

/**
 * @param {{ packages?: readonly string[], args?: readonly string[] }} options
 */
export async function runCargoTests({ packages = ["--workspace"], args = [] } = {}) {
  let counts = NONE;
  const { code } = await run("cargo", ["test", ...packages, "--no-fail-fast", ...args], {
    cwd: ROOT,
    env: testEnv(),
    onLine: (line) => {
      const found = parseLibtest(line);
      if (found !== undefined) counts = sum(counts, found);
    },
  });
  if (code === 127 && process.env.CI === undefined) {
    process.stderr.write("polaris: cargo is not installed, so Rust's tests are left out\n");
    return { ...NONE, skipped: 1 };
  }
  if (code !== 0 && counts.failed === 0) return { ...counts, failed: 1 };
  return counts;
}

/** Variables of ours that are meant for tests: recorded streams, another addon, packed files. */
const FOR_TESTS = new Set([
  "POLARIS_STREAM_CORPUS",
  "POLARIS_NATIVE_LIBRARY_PATH",
  "POLARIS_PACKED",
  "POLARIS_NODES",
  "POLARIS_REQUIRE_PORTABLE",
]);
const PRODUCT =
  /^(POLARIS_|TRIGGER_|CONVEX_|NEXT_PUBLIC_|SENTRY_|OPENROUTER_|CEREBRAS_|FIRECRAWL_|AUTUMN_|STACK_)/;

/** Tests never see real services, nor that a test runner runs them: no such variable gets through. */
function testEnv() {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => FOR_TESTS.has(name) || !(PRODUCT.test(name) || name.startsWith("NODE_TEST_")),
    ),
  );
}
