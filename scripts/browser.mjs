// The browser of the browser tests: CHROME_PATH, else an installed Chrome or Chromium, else Debian's
// package when we may install it. Plain Node, no dependency.

import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { run } from "./process.mjs";

const NAMES = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
const PLACES = [
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
  "C:\\Program Files (x86)\\Google\\Chrome\\Application\\chrome.exe",
];

/** The path of a browser, or undefined. */
export function findBrowser(env = process.env) {
  if (env.CHROME_PATH) return env.CHROME_PATH;
  const folders = (env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  const onPath = NAMES.flatMap((name) => folders.map((folder) => join(folder, name)));
  return [...onPath, ...PLACES].find((path) => existsSync(path));
}

/** As `findBrowser`; installs Debian's package where there is none and we are root. */
export async function ensureBrowser() {
  const found = findBrowser();
  if (found !== undefined) return found;
  if (!existsSync("/usr/bin/apt-get") || process.getuid?.() !== 0) return undefined;
  process.stderr.write("polaris: installing Debian's chromium: the browser tests need a browser\n");
  await run("apt-get", ["update"], { quiet: true });
  await run("apt-get", ["install", "-y", "--no-install-recommends", "chromium"], { quiet: true });
  return findBrowser();
}
