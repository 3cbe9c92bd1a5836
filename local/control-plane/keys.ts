// The identity of one local installation: keys, project and environment ids, random per state folder.
// Kept in a file that only its owner may read; never logged, never sent anywhere but the ready line.

import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const Keys = z.object({
  secretKey: z.string().startsWith("tr_dev_"),
  accessToken: z.string().startsWith("tr_pat_"),
  adminKey: z.string().min(20),
  projectRef: z.string().startsWith("proj_"),
  projectId: z.string(),
  environmentId: z.string(),
  organizationId: z.string(),
});

export type Keys = z.infer<typeof Keys>;

const FILE = "control-plane-keys.json";

export function loadKeys(state: string, projectRef?: string): Keys {
  mkdirSync(state, { recursive: true });
  const path = join(state, FILE);
  const stored = read(path);
  const keys = stored ?? create();
  const wanted = projectRef ? { ...keys, projectRef } : keys;
  if (stored === undefined || wanted.projectRef !== stored.projectRef) {
    // Written beside and renamed: a kill in the middle leaves the old keys or the new ones.
    const draft = `${path}.${process.pid}.tmp`;
    writeFileSync(draft, `${JSON.stringify(Keys.parse(wanted), null, 2)}\n`, { mode: 0o600 });
    renameSync(draft, path);
  }
  chmodSync(path, 0o600);
  return wanted;
}

function read(path: string): Keys | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const parsed = Keys.safeParse(JSON.parse(text));
  if (!parsed.success) {
    throw new Error(`${path} is not a control plane's key file: delete it to get new keys`);
  }
  return parsed.data;
}

function create(): Keys {
  return {
    secretKey: `tr_dev_${random(24)}`,
    accessToken: `tr_pat_${random(40)}`,
    adminKey: random(32),
    projectRef: `proj_${random(20)}`,
    projectId: random(24),
    environmentId: random(24),
    organizationId: random(24),
  };
}

function random(length: number): string {
  const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
  let text = "";
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      // 252 is the largest multiple of 36 in a byte: without the rest no character is likelier.
      if (byte < 252 && text.length < length) text += alphabet[byte % 36];
    }
  }
  return text;
}
