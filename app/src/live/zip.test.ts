import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { unzipSync } from "fflate";
import { ApiError } from "./errors.ts";
import { folderName, zipPaths, zipped } from "./zip.ts";

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

  it("has binary files by the address of their bytes, and texts that are empty", () => {
    const image = { ...file("1", "logo.png"), content: undefined, url: "https://example.com/1" };
    const gone = { ...file("2", "gone.png"), content: undefined, url: null };
    assert.deepEqual(
      [...zipPaths([image, gone, file("3", "empty.txt")])],
      [
        ["logo.png", { url: "https://example.com/1" }],
        ["gone.png", { url: null }],
        ["empty.txt", ""],
      ],
    );
  });

  it("holds every byte of a binary file, and is none when one of them is gone", async () => {
    const image = Uint8Array.from({ length: 70_000 }, (_, n) => (n * 31) % 256);
    const server = createServer((request, response) => {
      if (request.url === "/logo") return void response.end(image);
      response.writeHead(404).end();
    });
    await new Promise<void>((settle) => server.listen(0, "127.0.0.1", settle));
    const at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const binary = (id: string, url: string | null) => ({
      ...file(id, `${id}.png`),
      content: undefined,
      url,
    });
    try {
      const rows = [binary("logo", `${at}/logo`), file("2", "ü.txt", undefined, "Grüße")];
      const unpacked = unzipSync(await zipped(rows, "tea"));
      assert.deepEqual(Object.keys(unpacked).sort(), ["tea/logo.png", "tea/ü.txt"]);
      assert.deepEqual(unpacked["tea/logo.png"], image);
      assert.equal(new TextDecoder().decode(unpacked["tea/ü.txt"]), "Grüße");
      for (const url of [`${at}/gone`, null]) {
        await assert.rejects(zipped([...rows, binary("gone", url)], "tea"), (error) => {
          assert.ok(error instanceof ApiError);
          return error.message === "The file gone.png could not be fetched";
        });
      }
    } finally {
      server.closeAllConnections();
      await new Promise((settle) => server.close(settle));
    }
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
