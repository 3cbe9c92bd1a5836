// What the functions of app/convex do to a project's files.
import assert from "node:assert/strict";
import { test } from "node:test";
import { api } from "../../app/convex/_generated/api.js";
import { startConvex } from "./index.ts";
import { errorCode } from "./testing/harness.ts";
import { World } from "./testing/world.ts";

const { system } = api;

test("files by path", async (t) => {
  const convex = await startConvex();
  t.after(() => convex.close());
  const world = new World(convex);
  const { client, key } = world;
  const projectId = await world.project();
  const at = (path: string) => ({ ...key, projectId, path });
  const write = (path: string, content = "x") =>
    client.mutation(system.writeFileByPath, { ...at(path), content });
  const read = (path: string) => client.query(system.readFileByPath, at(path));
  const list = (path: string) => client.query(system.listFilesByPath, at(path));
  const structure = () => client.query(system.getProjectStructure, { ...key, projectId });
  const rows = () => world.admin.table("files");

  await t.test("an empty project is an empty folder", async () => {
    assert.deepEqual(await list(""), { kind: "folder", entries: [] });
    assert.deepEqual(await structure(), { files: [], emptyFolders: [] });
    assert.equal(await list("nowhere"), null);
    assert.equal(await read("nowhere.ts"), null);
  });

  await t.test(
    "writing makes the folders on the way, and one spelling of a path is every spelling",
    async () => {
      await write("/src//lib/./a.ts", "one");
      await write("./src/lib/a.ts", "two");
      const found = await read("src/lib/a.ts");
      assert.ok(found?.kind === "file" && found.content === "two" && found.updatedAt > 0);
      assert.equal((await rows()).length, 3);
      assert.deepEqual(await read("src"), { kind: "folder" });
      assert.deepEqual(await read("/"), { kind: "folder" });
      assert.deepEqual(await list("src/lib/a.ts"), { kind: "file" });
    },
  );

  await t.test("an empty file is a file", async () => {
    await write("empty.txt", "");
    const found = await read("empty.txt");
    assert.ok(found?.kind === "file" && found.content === "");
  });

  await t.test(
    "paths that leave the project or cannot be names are refused, and nothing is written",
    async () => {
      const before = await rows();
      for (const path of [
        "",
        "/",
        "./.",
        "../a",
        "src/../../a",
        "src/..",
        "a\\b",
        "a\nb",
        "a\0",
        "x".repeat(1025),
      ]) {
        assert.equal(await errorCode(write(path)), "INVALID_PATH", JSON.stringify(path));
      }
      for (const path of ["..", "a\\b"]) {
        assert.equal(await errorCode(read(path)), "INVALID_PATH");
        assert.equal(await errorCode(list(path)), "INVALID_PATH");
        assert.equal(
          await errorCode(client.mutation(system.deleteFileByPath, at(path))),
          "INVALID_PATH",
        );
      }
      assert.deepEqual(await rows(), before);
    },
  );

  await t.test(
    "a file is no folder and a folder no file; a refused write leaves no stray folders",
    async () => {
      const before = await rows();
      assert.equal(await errorCode(write("src/lib/a.ts/new/b.ts")), "PARENT_IS_A_FILE");
      assert.equal(await errorCode(write("empty.txt/b.ts")), "PARENT_IS_A_FILE");
      assert.equal(await errorCode(write("src/lib")), "IS_A_FOLDER");
      assert.equal(
        await errorCode(write("new/deep/big.txt", "x".repeat(1024 * 1024))),
        "FILE_TOO_LARGE",
      );
      assert.deepEqual(await rows(), before);
    },
  );

  await t.test("the largest file that fits is stored, one byte more says both sizes", async () => {
    const refusal = await write("big.txt", "é".repeat(700_000)).then(
      () => "",
      (error: { data?: { message?: string } }) => error.data?.message ?? "",
    );
    const [, size, limit] =
      /has (\d+) bytes, but a file may have at most (\d+)/.exec(refusal) ?? [];
    assert.equal(size, "1400000");
    await write("big.txt", "x".repeat(Number(limit)));
    assert.equal(
      await errorCode(write("big.txt", "x".repeat(Number(limit) + 1))),
      "FILE_TOO_LARGE",
    );
    await client.mutation(system.deleteFileByPath, at("big.txt"));
  });

  await t.test(
    "folders are listed first, then files, by name; the structure is sorted by code units",
    async () => {
      for (const path of ["b.ts", "a.ts", "C.ts", "10.ts", "zz/x.ts", "Aa/x.ts"]) await write(path);
      const listed = await list("");
      assert.ok(listed?.kind === "folder");
      assert.deepEqual(
        listed.entries.map(({ name }) => name),
        ["Aa", "src", "zz", "10.ts", "a.ts", "b.ts", "C.ts", "empty.txt"],
      );
      const { files } = await structure();
      assert.deepEqual(files, [...files].sort());
      assert.deepEqual(files.slice(0, 4), ["10.ts", "Aa/x.ts", "C.ts", "a.ts"]);
    },
  );

  await t.test(
    "a folder is deleted with all that is in it; a folder that became empty is shown",
    async () => {
      await client.mutation(system.deleteFileByPath, at("src/lib/a.ts"));
      assert.deepEqual((await structure()).emptyFolders, ["src/lib"]);
      await write("src/lib/deep/er/a.ts");
      await client.mutation(system.deleteFileByPath, at("src"));
      assert.equal(await list("src"), null);
      assert.ok((await rows()).every((row) => !["lib", "deep", "er"].includes(String(row.name))));
      assert.equal(
        await errorCode(client.mutation(system.deleteFileByPath, at("src"))),
        "FILE_NOT_FOUND",
      );
      assert.equal(
        await errorCode(client.mutation(system.deleteFileByPath, at(""))),
        "FILE_NOT_FOUND",
      );
    },
  );

  await t.test("all files come with their paths, text and times", async () => {
    const all = await client.query(system.getAllProjectFiles, { ...key, projectId });
    const file = all.find(({ path }) => path === "zz/x.ts");
    assert.deepEqual([file?.type, file?.content, typeof file?.updatedAt], ["file", "x", "number"]);
    assert.ok(all.some(({ path, type }) => path === "zz" && type === "folder"));
  });
});

test("a whole project in pages", async (t) => {
  const convex = await startConvex();
  t.after(() => convex.close());
  const world = new World(convex);
  const { client, key } = world;
  const projectId = await world.project();
  const write = (path: string, content: string) =>
    client.mutation(system.writeFileByPath, { ...key, projectId, path, content });
  const page = (args: { cursor?: string | null; since?: number; unless?: number } = {}) =>
    client.query(system.listProjectFilesPage, { ...key, projectId, cursor: null, ...args });

  await t.test("more text than one transaction may read comes in several pages", async () => {
    const half = "x".repeat(900_000);
    for (let n = 0; n < 20; n++) await write(`src/${n % 4}/${n}.txt`, half + n);
    const texts = new Map<string, string | undefined>();
    let pages = 0;
    for (let cursor: string | null = null; pages === 0 || cursor !== null; pages++) {
      const found: Awaited<ReturnType<typeof page>> = await page({ cursor });
      for (const row of found.rows) texts.set(row.name, row.content);
      cursor = found.cursor;
    }
    assert.ok(pages > 2, `${pages} pages`);
    assert.equal(texts.size, 25);
    assert.equal(texts.get("7.txt"), `${half}7`);
    assert.equal(texts.get("src"), undefined);
    for (const path of ["src/0", "src/1", "src/2", "src"]) {
      await client.mutation(system.deleteFileByPath, { ...key, projectId, path });
    }
  });

  await t.test("every change has a time of its own, and tells the one before", async () => {
    const changes = [await write("a.ts", "a"), await write("a.ts", "b"), await write("b.ts", "")];
    changes.push(
      await client.mutation(system.deleteFileByPath, { ...key, projectId, path: "b.ts" }),
    );
    for (const [n, { before, updatedAt }] of changes.entries()) {
      assert.ok(updatedAt > before);
      if (n > 0) assert.equal(before, changes[n - 1]?.updatedAt);
    }
    const { updatedAt, rows, cursor } = await page();
    assert.equal(updatedAt, changes.at(-1)?.updatedAt);
    assert.equal(cursor, null);
    assert.deepEqual(
      rows.map(({ name, type, content, updatedAt }) => ({ name, type, content, updatedAt })),
      [{ name: "a.ts", type: "file", content: "b", updatedAt: changes[1]?.updatedAt }],
    );
  });

  await t.test("a check of what is known already costs no rows, and old texts stay", async () => {
    const { updatedAt } = await page();
    assert.deepEqual(await page({ unless: updatedAt }), { updatedAt, rows: [], cursor: null });
    const { updatedAt: since } = await write("c/d.ts", "");
    const { rows } = await page({ unless: updatedAt, since });
    const [a, c, d] = rows;
    assert.deepEqual([a?.name, a?.content], ["a.ts", undefined]);
    assert.deepEqual([c?.name, c?.type, d?.parentId], ["c", "folder", c?.id]);
    assert.deepEqual([d?.name, d?.content, d?.binary], ["d.ts", "", undefined]);
  });
});

test("a change and its line in the log are one", async (t) => {
  const convex = await startConvex();
  t.after(() => convex.close());
  const world = new World(convex);
  const { client, key } = world;
  const projectId = await world.project();
  const at = (path: string) => ({ ...key, projectId, path });
  const line = (message: string, createdAt: number, preview?: string) => ({
    line: { message, createdAt, ...(preview === undefined ? {} : { preview }) },
  });
  const lines = async () =>
    (await world.admin.table("generationEvents")).map(({ message, filePath }) => [
      message,
      filePath,
    ]);
  const textOf = async (path: string) => {
    const found = await client.query(system.readFileByPath, at(path));
    return found?.kind === "file" ? found.content : found?.kind;
  };

  await t.test("what the log has told is not done again, whoever wrote meanwhile", async () => {
    const write = { ...at("/a.ts"), content: "one", ...line("Wrote a.ts", 5, "one") };
    const { updatedAt } = await client.mutation(system.writeFileByPath, write);
    assert.deepEqual(await client.mutation(system.writeFileByPath, write), {
      before: updatedAt,
      updatedAt,
    });
    await client.mutation(system.writeFileByPath, { ...at("a.ts"), content: "two" });
    await client.mutation(system.writeFileByPath, write);
    assert.equal(await textOf("a.ts"), "two");
    assert.deepEqual(await lines(), [["Wrote a.ts", "a.ts"]]);
  });

  await t.test("another text under the same words and time is another change", async () => {
    const write = { ...at("a.ts"), content: "three", ...line("Wrote a.ts", 5, "three") };
    await client.mutation(system.writeFileByPath, write);
    assert.equal(await textOf("a.ts"), "three");
  });

  await t.test("a deletion that is repeated is done, one of nothing is refused", async () => {
    const gone = { ...at("a.ts"), ...line("Deleted a.ts", 6) };
    await client.mutation(system.deleteFileByPath, gone);
    await client.mutation(system.deleteFileByPath, gone);
    const never = { ...at("never.ts"), ...line("Deleted never.ts", 7) };
    assert.equal(
      await errorCode(client.mutation(system.deleteFileByPath, never)),
      "FILE_NOT_FOUND",
    );
    assert.deepEqual((await lines()).at(-1), ["Deleted a.ts", "a.ts"]);
  });

  await t.test("of the changes of a command, what is made is told, and once", async () => {
    const changes = [
      { path: "c.ts", base: null, content: "c", ...line("Wrote c.ts", 8, "c") },
      { path: "c.ts", base: 1, content: "other", ...line("Wrote c.ts", 9, "other") },
    ];
    for (let n = 0; n < 2; n++) {
      await client.mutation(system.applyFileChanges, { ...key, projectId, changes });
    }
    assert.deepEqual((await lines()).slice(-2), [
      ["Deleted a.ts", "a.ts"],
      ["Wrote c.ts", "c.ts"],
    ]);
  });
});
