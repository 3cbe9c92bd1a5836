import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { findServer } from "./typescript.ts";

test("the language server is the one of this platform's optional package, or none", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "polaris-typescript-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const asked: string[] = [];
  const resolve = (id: string) => {
    asked.push(id);
    return join(folder, "package.json");
  };
  assert.equal(findServer("linux", "x64", resolve), undefined, "the package without its program");
  mkdirSync(join(folder, "lib"));
  for (const name of ["tsc", "tsc.exe"]) writeFileSync(join(folder, "lib", name), "");
  assert.equal(findServer("linux", "x64", resolve), join(folder, "lib", "tsc"));
  assert.equal(findServer("win32", "arm64", resolve), join(folder, "lib", "tsc.exe"));
  assert.deepEqual(asked, [
    "@typescript/typescript-linux-x64/package.json",
    "@typescript/typescript-linux-x64/package.json",
    "@typescript/typescript-win32-arm64/package.json",
  ]);
  const missing = () => {
    throw new Error("not found");
  };
  assert.equal(findServer("linux", "x64", missing), undefined);
});
