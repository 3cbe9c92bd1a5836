// From `npm start` to the list of projects in a browser, on a machine where everything has been set up:
// packages, addon, the production build, a state folder of an earlier start.

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Browser, chromium } from "playwright-core";
import { ensureBuild } from "../local/app/build.ts";
import { REPOSITORY } from "../local/stack/index.ts";
import { findBrowser } from "../scripts/browser.mjs";

const NPM = process.platform === "win32" ? "npm.cmd" : "npm";
const MAX_MS = 120_000;

/** Milliseconds of each start after the first, which sets up what is missing. */
export async function firstPages(runs: number): Promise<number[]> {
  await ensureBuild((line) => process.stderr.write(`polaris: ${line}\n`));
  const executablePath = findBrowser();
  if (executablePath === undefined) throw new Error("there is no Chrome or Chromium");
  const state = await mkdtemp(join(tmpdir(), "polaris-start-"));
  // It stands for the browser that a person has open.
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  try {
    const times: number[] = [];
    for (let n = 0; n <= runs; n++) {
      const time = await firstPage(browser, state);
      if (n > 0) times.push(time);
    }
    return times;
  } finally {
    await browser.close();
    await rm(state, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

async function firstPage(browser: Browser, state: string): Promise<number> {
  const page = await browser.newPage();
  const begun = performance.now();
  const child = spawn(NPM, ["start", "--silent", "--", "--port", "0", "--state", state], {
    cwd: REPOSITORY,
    stdio: ["ignore", "pipe", "ignore"],
    // A group of its own: Ctrl-C in a terminal reaches all of it, npm alone would keep it.
    detached: true,
  });
  const ended = new Promise<void>((settle) => child.once("close", () => settle()));
  try {
    const url = await new Promise<string>((settle, fail) => {
      const late = setTimeout(() => fail(new Error("npm start was not ready")), MAX_MS);
      createInterface({ input: child.stdout }).on("line", (line) => {
        const found = /^Ready: (http\S+?)\.(?:\s|$)/.exec(line)?.[1];
        if (found === undefined) return;
        clearTimeout(late);
        settle(found);
      });
      void ended.then(() => fail(new Error("npm start ended before it was ready")));
    });
    await page.goto(url);
    await page.getByRole("list", { name: "Projects" }).getByRole("link").first().waitFor();
    return performance.now() - begun;
  } finally {
    if (child.exitCode === null) process.kill(-(child.pid as number), "SIGINT");
    await ended;
    await page.close();
  }
}
