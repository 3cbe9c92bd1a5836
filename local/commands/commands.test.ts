import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keepsInterval, timerWrites } from "./demo/message.ts";
import type { ConvexCall } from "./demo/servers.ts";
import { formatTable, toolLine } from "./format.ts";

function write(at: number, wroteText: number, status = "processing"): ConvexCall {
  const path = "system:streamMessageContent";
  return { seq: at, at, path, ok: true, documentsChanged: ["m"], wroteText, status };
}

describe("counting timer writes", () => {
  it("leaves out the final write and what other functions wrote", () => {
    const commits = [
      { ...write(1, 0), path: "system:beginMessage" },
      write(10, 3),
      write(110, 5),
      { ...write(120, 0), path: "system:saveToolCalls" },
      write(210, 8),
      write(220, 9, "completed"),
    ];
    assert.deepEqual(
      timerWrites(commits).map((call) => call.at),
      [10, 110, 210],
    );
  });

  it("finds writes that come too often, and forgives one late stamp", () => {
    assert.ok(keepsInterval([]));
    assert.ok(keepsInterval([0, 100, 200.5, 301]));
    assert.ok(keepsInterval([0, 115, 200]), "the first was read late");
    assert.ok(!keepsInterval([0, 60]));
    assert.ok(!keepsInterval([0, 90, 180, 270]), "a little too often, all the time");
  });
});

describe("what a person sees", () => {
  it("is a table of services", () => {
    const table = formatTable([
      { service: "Convex", real: false, variable: "NEXT_PUBLIC_CONVEX_URL", url: "http://a" },
      { service: "Model", real: true, variable: "OPENROUTER_API_KEY", url: "https://b" },
    ]);
    assert.deepEqual(table.split("\n"), [
      "Service  Real or stand-in                             URL",
      "───────  ───────────────────────────────────────────  ─────────",
      "Convex   stand-in (real with NEXT_PUBLIC_CONVEX_URL)  http://a",
      "Model    real (OPENROUTER_API_KEY)                    https://b",
    ]);
  });

  it("is one short line per tool call", () => {
    assert.equal(toolLine("readFile", { path: "src/App.tsx" }), "readFile(src/App.tsx)");
    assert.equal(
      toolLine("writeFile", { content: "x".repeat(500), path: "a" }),
      "writeFile(a, content: 500 characters)",
    );
    assert.equal(toolLine("getProjectStructure", {}), "getProjectStructure()");
    assert.equal(toolLine("odd", null), "odd()");
  });
});
