import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { filesOf, lineWords, previewOf, progressOf } from "./log-words.ts";

const line = (message: string, filePath?: string) => ({ type: "step" as const, message, filePath });

describe("the generation log", () => {
  it("counts the files that were written and are still there", () => {
    const lines = [
      line("Starting generate-config-files"),
      line("Wrote a.ts", "a.ts"),
      line("Wrote b.ts", "b.ts"),
      line("Wrote a.ts", "a.ts"),
      line("Deleted b.ts", "b.ts"),
    ];
    assert.equal(filesOf(lines), 1);
  });

  it("speaks of steps by their names", () => {
    assert.equal(lineWords(line("Starting generate-pages")).text, "Pages: started");
    assert.equal(lineWords(line("Completed validate-input")).text, "Description: done");
    assert.equal(
      lineWords(line("generate-hooks emitted 1 tool call(s)")).text,
      "Hooks: 1 tool call",
    );
    assert.equal(lineWords(line("generate-types failed: no: way")).text, "Types failed: no: way");
    assert.equal(lineWords(line("Generation queued (abc)")).text, "Queued");
    assert.equal(lineWords(line("something else")).text, "something else");
  });

  it("names files apart from what happened to them", () => {
    assert.deepEqual(lineWords(line("Wrote a b.ts", "a b.ts")), { text: "Wrote", path: "a b.ts" });
  });

  it("knows how far it got", () => {
    assert.deepEqual(progressOf([]), { step: 0, finished: false });
    const first = line("Starting generate-config-files");
    assert.deepEqual(progressOf([first, line("Wrote x")]), { step: 1, finished: false });
    const last = [line("Starting verify-project"), line("Completed verify-project")];
    assert.deepEqual(progressOf([first, ...last]), { step: 9, finished: true });
  });

  it("cuts previews to twelve lines", () => {
    assert.equal(previewOf("a\nb"), "a\nb");
    assert.equal(previewOf("x\n".repeat(40)).split("\n").length, 13);
  });
});
