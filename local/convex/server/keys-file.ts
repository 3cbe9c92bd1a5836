// The keys of one installation: random, made on first use, kept beside its data and readable by its
// owner only.
import { randomBytes } from "node:crypto";
import { chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

export interface Keys {
  adminKey: string;
  /** What functions compare `internalKey` with. */
  internalKey: string;
}

export async function loadKeys(state: string, internalKey: string | undefined): Promise<Keys> {
  await mkdir(state, { recursive: true });
  const path = join(state, "convex-keys.json");
  const stored = await readFile(path, "utf8").then(
    (text) => JSON.parse(text) as Partial<Keys>,
    () => ({}) as Partial<Keys>,
  );
  const kept: Keys = {
    adminKey: stored.adminKey ?? randomKey(),
    internalKey: stored.internalKey ?? randomKey(),
  };
  const temporary = `${path}.${process.pid}`;
  await writeFile(temporary, `${JSON.stringify(kept)}\n`, { mode: 0o600 });
  await chmod(temporary, 0o600);
  await rename(temporary, path);
  return { adminKey: kept.adminKey, internalKey: internalKey ?? kept.internalKey };
}

function randomKey(): string {
  return randomBytes(24).toString("base64url");
}
