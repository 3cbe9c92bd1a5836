// Files of this package in a project: each says in its first line which version wrote it and what it was
// then, so that a later init can tell a file that nobody has touched, which it upgrades, from one that
// somebody has, which it leaves. Formatting does not count.

import { createHash } from "node:crypto";

const LINE = /^\/\/ polaris-agent (\S+) ([0-9a-f]{16}): .*\n/;

/** The text with its first line. */
export function marked(text: string, version: string): string {
  return `// polaris-agent ${version} ${digest(text)}: as the package has it; npx polaris-agent init upgrades it unless it was changed.\n${text}`;
}

/** Whether a file is as some version of this package wrote it. */
export function isUntouched(text: string): boolean {
  const [line, , wanted] = LINE.exec(text) ?? [];
  return line !== undefined && digest(text.slice(line.length)) === wanted;
}

/** Whether two files differ in more than their first lines and their formatting. */
export function isSame(one: string, other: string): boolean {
  return digest(one.replace(LINE, "")) === digest(other.replace(LINE, ""));
}

/** What formatters change is left out: blanks, quotes, commas, semicolons, parentheses. */
function digest(text: string): string {
  const bare = text.replace(/[\s"'`,;()]/g, "");
  return createHash("sha256").update(bare).digest("hex").slice(0, 16);
}
