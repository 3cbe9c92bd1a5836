// What a person waits for on the page of a project, in a real browser against a production build of
// the app on the local stack: the first text, Stop, long answers without a frozen page. Times of the
// model and the store are read from their own logs; the page's are taken inside the page. And what they
// wait for before that: from `npm start` to their projects.

import { randomUUID } from "node:crypto";
import type { Page } from "playwright-core";
import { Lab as BrowserLab } from "../__test__/browser/fixtures/lab.ts";
import type { ProjectPage } from "../__test__/browser/fixtures/project-page.ts";
import { firstPages } from "./page-start.ts";
import type { Row } from "./report.ts";
import type { Suite } from "./suites.ts";

const MAX_STOP_MS = 500;
const MAX_FIRST_TEXT_MS = 250;
const MAX_FRAME_MS = 100;
const MAX_RERUNS = 1;
const MAX_START_MS = 10_000;
/** Of a long answer: one every 100 ms at most. */
const LEAST_WRITES = 10;
/** Faster than any provider, slow enough that the page has to draw it many times. */
const LONG_TOKENS_PER_SECOND = 1_000;

/** An answer as models write them: paragraphs, lists, code. */
const PARTS = [
  "## Part {n}\n\nThe page keeps its state in one place, so that a reload finds it again. ",
  "It reads the list once and follows **every change** of it; see `src/App.tsx` for how.\n\n",
  "- first it asks for the list\n- then it listens\n- at the end it says what has changed\n\n",
  "```ts\nexport function part{n}(items: readonly string[]): string {\n",
  '  return items.map((item, index) => index + ": " + item).join(", ");\n}\n```\n\n',
];

/** What a model without line breaks writes: every word makes the one paragraph longer. */
const ONE_PARAGRAPH = [
  "The page keeps its state in **one place** (see `src/App{n}.tsx`), and asks once. ",
];

export const page: Suite = async ({ sizes, runs }) => {
  const starts = await firstPages(runs);
  const lab = await BrowserLab.start("bench-page");
  try {
    const stops: number[] = [];
    const firsts: number[] = [];
    const longs: Long[] = [];
    const paragraphs: Long[] = [];
    // The first of each warms the worker, the app and the browser.
    for (let n = 0; n <= runs; n++) {
      const [first, stop] = [await firstText(lab), await stopToCancelled(lab)];
      if (n === 0) continue;
      firsts.push(first);
      stops.push(stop);
      longs.push(await longAnswer(lab, longText(sizes.pageTokens, PARTS)));
      paragraphs.push(await longAnswer(lab, longText(sizes.pageTokens, ONE_PARAGRAPH)));
      await lab.tidy();
    }
    const tokens = sizes.pageTokens.toLocaleString("en");
    return [
      atMost("npm start to the first page, on a set-up machine", "ms", starts, MAX_START_MS),
      atMost("Stop to Cancelled on the page", "ms", stops, MAX_STOP_MS),
      atMost(
        "first text on the page after the model's first token",
        "ms",
        firsts,
        MAX_FIRST_TEXT_MS,
      ),
      atMost(
        `longest frame of an answer of ${tokens} tokens`,
        "ms",
        longs.map(({ frame }) => frame),
        MAX_FRAME_MS,
      ),
      atMost(
        `longest frame of one paragraph of ${tokens} tokens`,
        "ms",
        paragraphs.map(({ frame }) => frame),
        MAX_FRAME_MS,
      ),
      atMost(
        "query re-runs per write",
        "",
        longs.map(({ reruns }) => reruns),
        MAX_RERUNS,
      ),
    ];
  } finally {
    await lab.close();
  }
};

function atMost(metric: string, unit: string, values: readonly number[], limit: number): Row {
  // What a person feels is the bad case, not the middle one.
  const worst = Math.max(...values);
  const ours = Math.round(worst * 100) / 100;
  const row = { metric: `${metric}, worst of ${values.length}`, unit, ours };
  return { ...row, atMost: limit, met: ours <= limit };
}

async function firstText(lab: BrowserLab): Promise<number> {
  const text = `First text ${randomUUID()}`;
  await lab.world.script(text, [
    { text: "Here is the first word, and more. ".repeat(20), deltasPerSecond: 50 },
  ]);
  const project = await lab.project("First text");
  const shown = await watch(project.page, ".prose");
  await project.say(text);
  const at = await shown();
  await project.answered("completed");
  const { at: sent } = await lab.world.model.waitFor({ contains: text, type: "first-byte" });
  await project.page.close();
  return at - sent;
}

async function stopToCancelled(lab: BrowserLab): Promise<number> {
  const text = `Stop it ${randomUUID()}`;
  await lab.world.script(text, [{ text: "On and on. ".repeat(4_000), deltasPerSecond: 100 }]);
  const project = await lab.project("Stopped answer");
  await project.say(text);
  await project.streams();
  const cancelled = await watch(project.page, 'article[data-status="cancelled"]');
  const clicked = await project.stop.evaluate((button) => {
    (button as HTMLElement).click();
    return performance.timeOrigin + performance.now();
  });
  const at = await cancelled();
  await project.page.close();
  return at - clicked;
}

interface Long {
  /** Milliseconds. */
  frame: number;
  reruns: number;
}

async function longAnswer(lab: BrowserLab, chunks: string[]): Promise<Long> {
  const text = `A long answer ${randomUUID()}`;
  await lab.world.script(text, [{ chunks, deltasPerSecond: LONG_TOKENS_PER_SECOND }]);
  const project = await lab.project("Long answer");
  await project.page.evaluate(() => {
    const seen = window as unknown as { longestFrame: number };
    // Only longer ones are heard of.
    seen.longestFrame = 50;
    // What still belongs to opening the page is no part of the answer.
    const opened = performance.now();
    new PerformanceObserver((list) => {
      for (const { startTime, duration } of list.getEntries()) {
        if (startTime >= opened) seen.longestFrame = Math.max(seen.longestFrame, duration);
      }
    }).observe({ type: "long-animation-frame" });
  });
  const before = (await lab.world.convex.calls()).at(-1)?.seq ?? 0;
  await project.say(text);
  await project.streams();
  const begun = (await lab.world.convex.calls()).at(-1)?.seq ?? before;
  await lab.world.model.waitFor({ contains: text, type: "finished", timeout: 300_000 });
  const ended = (await lab.world.convex.calls()).at(-1)?.seq ?? begun;
  await finished(project);
  const frame = await project.page.evaluate(
    () => (window as unknown as { longestFrame: number }).longestFrame,
  );
  const during = (await lab.world.convex.calls()).filter(({ seq }) => seq > begun && seq <= ended);
  const writes = during.filter(({ ok, documentsChanged }) => ok && documentsChanged.length > 0);
  // What runs again for the writes before them may stand behind the first of them.
  const counted = writes.slice(1);
  const from = counted[0]?.seq ?? ended;
  if (counted.length < LEAST_WRITES) throw new Error(`${writes.length} writes are no long answer`);
  const reruns = during.filter(({ live, seq }) => live === true && seq > from);
  await project.page.close();
  return { frame, reruns: reruns.length / counted.length };
}

async function finished(project: ProjectPage): Promise<void> {
  await project.answered("completed");
}

/** The epoch milliseconds at which something appears on the page. */
async function watch(page: Page, selector: string): Promise<() => Promise<number>> {
  const key = `seen-${randomUUID()}`;
  await page.evaluate(
    ([wanted, name]) => {
      const holder = window as unknown as Record<string, Promise<number>>;
      holder[name] = new Promise((settle) => {
        const observer = new MutationObserver(() => {
          if (document.querySelector(wanted) === null) return;
          observer.disconnect();
          requestAnimationFrame(() => settle(performance.timeOrigin + performance.now()));
        });
        observer.observe(document, { subtree: true, childList: true, attributes: true });
      });
    },
    [selector, key] as const,
  );
  return () =>
    page.evaluate((name) => (window as unknown as Record<string, Promise<number>>)[name] ?? 0, key);
}

/** About four characters each, as tokens are. */
function longText(tokens: number, parts: readonly string[]): string[] {
  const chunks: string[] = [];
  for (let part = 1; chunks.length < tokens; part++) {
    const text = parts.join("").replaceAll("{n}", String(part));
    for (let at = 0; at < text.length && chunks.length < tokens; at += 4) {
      chunks.push(text.slice(at, at + 4));
    }
  }
  return chunks;
}
