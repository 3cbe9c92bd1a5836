import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { folderName, zipPaths } from "./zip.ts";

const file = (id: string, name: string, parentId?: string, content = "") =>
  ({ id, name, parentId, type: "file", content }) as const;
const folder = (id: string, name: string, parentId?: string) =>
  ({ id, name, parentId, type: "folder", content: undefined }) as const;

describe("a project as a .zip", () => {
  it("has files below their folders, and empty folders too", () => {
    const rows = [folder("1", "src"), file("2", "a.ts", "1", "A"), folder("3", "empty", "1")];
    assert.deepEqual(
      [...zipPaths(rows)],
      [
        ["src/a.ts", "A"],
        ["src/empty/", ""],
      ],
    );
  });

  it("leaves out what would be unpacked elsewhere, and rows that hang nowhere", () => {
    const rows = [
      file("1", ".."),
      file("2", "../../evil"),
      file("3", "lost", "gone"),
      folder("4", "loop", "5"),
      folder("5", "loop", "4"),
    ];
    assert.deepEqual([...zipPaths(rows)], []);
  });

  it("is named after the project, as file systems take it", () => {
    assert.equal(folderName("  My Café: v2! "), "my-cafe-v2");
    assert.equal(folderName("…"), "project");
  });
});
