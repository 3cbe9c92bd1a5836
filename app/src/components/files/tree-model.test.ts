import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Entry, moveOf, ROOT, sorted, typedAhead, visibleRows } from "./tree-model.ts";

function entry(name: string, type: Entry["type"] = "file", parentId?: string): Entry {
  return { id: name, parentId, name, type };
}

const contents = new Map([
  [ROOT, sorted([entry("b.ts"), entry("a10.ts"), entry("a2.ts"), entry("src", "folder")])],
  ["src", [entry("App.tsx", "file", "src"), entry("main.tsx", "file", "src")]],
]);
const names = (expanded: string[]) =>
  visibleRows(contents, new Set(expanded)).map(({ entry: { name }, level }) => `${level} ${name}`);

describe("the file tree", () => {
  it("has folders first, then files as people count them", () => {
    assert.deepEqual(names([]), ["1 src", "1 a2.ts", "1 a10.ts", "1 b.ts"]);
    assert.deepEqual(names(["src"]).slice(0, 3), ["1 src", "2 App.tsx", "2 main.tsx"]);
  });

  it("says of each row where it stands among its siblings", () => {
    const rows = visibleRows(contents, new Set(["src"]));
    const app = rows.find(({ entry: { name } }) => name === "main.tsx");
    assert.deepEqual([app?.level, app?.position, app?.siblings], [2, 2, 2]);
  });

  it("shows a folder as loading until its contents are there", () => {
    const [src] = visibleRows(new Map([[ROOT, [entry("src", "folder")]]]), new Set(["src"]));
    assert.equal(src?.loading, true);
  });

  it("is walked with the arrow keys", () => {
    const closed = visibleRows(contents, new Set());
    const open = visibleRows(contents, new Set(["src"]));
    assert.deepEqual(moveOf("ArrowRight", closed, 0), { kind: "expand", id: "src" });
    assert.deepEqual(moveOf("ArrowRight", open, 0), { kind: "focus", index: 1 });
    assert.deepEqual(moveOf("ArrowLeft", open, 2), { kind: "focus", index: 0 });
    assert.deepEqual(moveOf("ArrowLeft", open, 0), { kind: "collapse", id: "src" });
    assert.deepEqual(moveOf("ArrowUp", open, 0), { kind: "focus", index: 0 });
    assert.deepEqual(moveOf("End", open, 0), { kind: "focus", index: 5 });
    assert.deepEqual(moveOf("Enter", open, 1), { kind: "open", id: "App.tsx" });
    assert.equal(moveOf("ArrowDown", [], 0), undefined);
  });

  it("finds what is typed, from where the reader is", () => {
    const rows = visibleRows(contents, new Set(["src"]));
    assert.equal(typedAhead(rows, 0, "a"), 1);
    assert.equal(typedAhead(rows, 1, "a"), 3);
    assert.equal(typedAhead(rows, 0, "a1"), 4);
    assert.equal(typedAhead(rows, 0, "zz"), undefined);
  });
});
