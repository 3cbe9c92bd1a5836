// The routes of messages and generations: who may do what, what is stored, and what becomes of it when
// answers get lost, people click twice, or somebody stops in the wrong moment.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { api } from "../../app/convex/_generated/api.js";
import { runner } from "../../app/src/server/clients.ts";
import {
  type Answered,
  type Asked,
  METHODS,
  type Method,
  type Path,
  ROUTES,
  Site,
} from "./fixtures/site.ts";

const DESCRIPTION = "A shop for tea with a cart";
const TOO_LARGE_BYTES = 10 * 1024 * 1024;

let site: Site;

before(async () => {
  site = await Site.start();
});
after(() => site?.close());
beforeEach(() => site.gate.reset());

function error(answer: Answered, status: number): string {
  assert.equal(answer.status, status, JSON.stringify(answer.body));
  const { error: text } = answer.body;
  assert.ok(typeof text === "string" && text !== "", "an error has words");
  return text;
}

const send = (conversationId: string, as = "anna", message = "hello") =>
  site.ask("POST", "/api/messages", { as, body: { conversationId, message } });
const stop = (messageId: unknown, as = "anna") =>
  site.ask("DELETE", "/api/messages", { as, body: { messageId } });
const generate = (body: object, as = "anna") =>
  site.ask("POST", "/api/projects/generate", { as, body });
const stopGeneration = (projectId: unknown, as = "anna") =>
  site.ask("DELETE", "/api/projects/generate", { as, body: { projectId } });

async function generation(projectId: unknown) {
  const convex = await site.as("anna");
  return await convex.query(api.projects.getGeneration, { projectId: String(projectId) });
}

describe("bad requests", () => {
  const handled: Record<Path, Method[]> = {
    "/api/messages": ["POST", "DELETE"],
    "/api/projects/generate": ["POST", "DELETE"],
    "/api/projects/check-limit": ["POST", "PUT"],
    "/api/projects/create": ["POST"],
    "/api/projects/delete": ["DELETE"],
    "/api/demo/generate": ["POST"],
    "/api/demo/error": ["POST"],
    "/api/auth/token": ["GET"],
    "/api/auth/sign-in": ["POST"],
    "/api/auth/sign-up": ["POST"],
    "/api/auth/sign-out": ["POST"],
  };
  /** These look at no body. */
  const bodiless = new Set([
    "/api/projects/check-limit",
    "/api/projects/delete",
    "/api/auth/sign-out",
  ]);

  it("with the wrong method are told the right ones", async () => {
    for (const path of Object.keys(ROUTES) as Path[]) {
      for (const method of METHODS) {
        if (handled[path].includes(method)) continue;
        const answer = await site.ask(method, path, method === "GET" ? {} : { body: {} });
        error(answer, 405);
        assert.equal(answer.headers.get("allow"), handled[path].join(", "));
      }
    }
  });

  it("store nothing and get a 4xx, whatever their body is", async () => {
    const { conversationId, projectId } = await site.conversation("anna");
    const before = await site.rows();
    const endless = () =>
      new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(new Uint8Array(64 * 1024).fill(97)),
      });
    const bodies: (() => Asked)[] = [
      () => ({}),
      () => ({ raw: "" }),
      () => ({ raw: "{" }),
      () => ({ raw: "\u0000" }),
      () => ({ body: null }),
      () => ({ body: [] }),
      () => ({ body: 5 }),
      () => ({ body: "text" }),
      () => ({ body: { conversationId, message: 5 } }),
      () => ({ body: { conversationId: 5, message: "x" } }),
      () => ({ body: { conversationId: {}, message: [] } }),
      () => ({ body: { messageId: 7 } }),
      () => ({ body: { messageId: null } }),
      () => ({ body: { projectId: 5 } }),
      () => ({ body: { description: DESCRIPTION, plan: "secret" } }),
      () => ({ body: { description: DESCRIPTION, projectName: 5 } }),
      () => ({ body: { description: DESCRIPTION, generationId: "a b" } }),
      () => ({ body: { description: "short" } }),
      () => ({ body: { description: `${" ".repeat(40)}short` } }),
      () => ({ body: { description: "x".repeat(64 * 1024 + 1) } }),
      () => ({ body: { conversationId, message: "x".repeat(600 * 1024) } }),
      () => ({ raw: "x".repeat(TOO_LARGE_BYTES) }),
      () => ({ body: { conversationId, message: "x".repeat(TOO_LARGE_BYTES) } }),
      () => ({ raw: endless() }),
      () => ({ body: { __proto__: null, constructor: "x" } }),
    ];
    for (const path of Object.keys(ROUTES) as Path[]) {
      for (const method of handled[path]) {
        if (method === "GET" || bodiless.has(path)) continue;
        for (const body of bodies) {
          const asked = body();
          const answer = await site.ask(method, path, { as: "anna", ...asked });
          assert.ok(
            answer.status >= 400 && answer.status < 500,
            `${method} ${path} ${answer.status} ${JSON.stringify(asked.body)?.slice(0, 80)}`,
          );
          error(answer, answer.status);
        }
      }
    }
    for (const query of ["", "?projectId=", "?projectId=nothing", `?projectId=${conversationId}`]) {
      const answer = await site.ask("DELETE", "/api/projects/delete", { as: "anna", query });
      error(answer, query.length < 12 ? 400 : 404);
    }
    assert.deepEqual(await site.rows(), before);
    assert.equal(site.gate.triggers, 0);
    assert.deepEqual(await site.runs(projectId), []);
  });

  it("about what is somebody else's, or nothing at all, are answered alike", async () => {
    const { conversationId, projectId } = await site.conversation("anna");
    const { body } = await send(conversationId);
    const before = await site.rows();
    for (const id of [conversationId, projectId, body.messageId, "none", ""].map(String)) {
      assert.equal(error(await send(id, "ben"), 404), "Conversation not found");
      assert.equal(error(await stop(id, "ben"), 404), "Message not found");
      assert.equal(error(await stopGeneration(id, "ben"), 404), "Project not found");
      assert.equal(error(await generate({ projectId: id }, "ben"), 404), "Project not found");
      const retried = { as: "ben", body: { retryOf: id } };
      assert.equal(
        error(await site.ask("POST", "/api/messages", retried), 404),
        "Message not found",
      );
      if (id === "") continue;
      const query = `?projectId=${id}`;
      error(await site.ask("DELETE", "/api/projects/delete", { as: "ben", query }), 404);
    }
    assert.deepEqual(await site.rows(), before);
    assert.equal((await site.message(body.messageId))?.status, "processing");
  });

  it("without a session, or from another site's page, are not let in", async () => {
    const { conversationId } = await site.conversation("local-developer");
    const body = { conversationId, message: "hi" };
    const before = await site.rows();
    const refused: Asked[] = [
      { headers: { cookie: "polaris-local-user=forged" } },
      { headers: { origin: "https://evil.example" } },
      { headers: { "sec-fetch-site": "cross-site" } },
      { headers: { "sec-fetch-site": "same-site" } },
      { headers: { host: "evil.example" } },
    ];
    for (const asked of refused) {
      for (const path of ["/api/messages", "/api/projects/generate"] as const) {
        assert.equal(error(await site.ask("POST", path, { body, ...asked }), 401), "Unauthorized");
      }
      error(await site.ask("GET", "/api/auth/token", asked), 401);
    }
    assert.deepEqual(await site.rows(), before);
    const own = { "sec-fetch-site": "same-origin", origin: "http://localhost:3000" };
    const { status } = await site.ask("POST", "/api/messages", { body, headers: own });
    assert.equal(status, 200);
  });

  it("to a server without its keys are told so, and store nothing", async () => {
    const { conversationId } = await site.conversation("anna");
    const before = await site.rows();
    for (const [name, text] of [
      ["POLARIS_CONVEX_INTERNAL_KEY", /^Internal key not configured$/],
      ["TRIGGER_SECRET_KEY", /TRIGGER_SECRET_KEY is not set/],
    ] as const) {
      const value = process.env[name];
      process.env[name] = "";
      try {
        assert.match(error(await send(conversationId), 500), text);
        assert.match(error(await generate({ description: DESCRIPTION }), 500), text);
      } finally {
        process.env[name] = value;
      }
    }
    assert.deepEqual(await site.rows(), before);
  });
});

describe("sending", () => {
  it("stores the message, its empty answer and the run that fills it", async () => {
    const { conversationId, projectId } = await site.conversation("anna");
    const { status, body } = await send(conversationId, "anna", "");
    assert.equal(status, 200);
    assert.deepEqual(Object.keys(body).sort(), ["messageId", "runId", "success"]);
    const answer = await site.message(body.messageId);
    assert.deepEqual([answer?.status, answer?.triggerRunId], ["processing", body.runId]);
    const [run] = await site.runs(projectId);
    assert.deepEqual([run?.id, run?.taskIdentifier], [body.runId, "process-message"]);
  });

  it("twice at once: one passes, the other is told which one", async () => {
    const { conversationId, projectId } = await site.conversation("anna");
    const both = await Promise.all([send(conversationId), send(conversationId)]);
    const [passed, refused] = both.sort((a, b) => a.status - b.status) as [Answered, Answered];
    assert.equal(passed.status, 200);
    assert.equal(error(refused, 409), "A message is already being processed");
    assert.equal(refused.body.messageId, passed.body.messageId);
    assert.equal((await site.runs(projectId)).length, 1);
    const rows = await site.as("anna");
    const shown = await rows.query(api.conversations.getMessages, { conversationId });
    assert.equal(shown.length, 1, "what the refused one said is not stored");
  });

  it("starts one run, though the runner's first answer was lost", async () => {
    const { conversationId, projectId } = await site.conversation("anna");
    site.gate.loses = 1;
    const { status, body } = await send(conversationId);
    assert.equal(status, 200);
    assert.equal(site.gate.triggers, 2);
    const runs = await site.runs(projectId);
    assert.deepEqual(
      runs.map(({ id }) => id),
      [body.runId],
    );
    assert.equal((await site.message(body.messageId))?.triggerRunId, body.runId);
  });

  it("fails the message when the runner does not take it, and the next one passes", async (t) => {
    const { conversationId, convex } = await site.conversation("anna");
    site.gate.refuses = true;
    const logged = t.mock.method(console, "error", () => undefined);
    const refused = await send(conversationId);
    // The person gets words, the log gets the cause.
    const [line, cause] = logged.mock.calls.at(-1)?.arguments ?? [];
    logged.mock.restore();
    assert.equal(line, "POST /api/messages failed:");
    assert.ok(cause instanceof Error && cause.cause instanceof Error);
    assert.match(cause.cause.message, /no such task/);
    assert.match(error(refused, 502), /could not be started/);
    const failed = await convex.query(api.messages.streaming, {
      messageId: String(refused.body.messageId),
    });
    assert.deepEqual([failed.status, failed.error?.code], ["failed", "TRIGGER_FAILED"]);
    site.gate.refuses = false;
    const retried = await site.ask("POST", "/api/messages", {
      as: "anna",
      body: { retryOf: refused.body.messageId },
    });
    assert.equal(retried.status, 200);
    error(await send(conversationId), 409);
  });

  it("is not held up by an answer whose run is dead", async () => {
    const { conversationId } = await site.conversation("anna");
    const first = await send(conversationId);
    // As somebody does on the runner's own page.
    await runner().runs.cancel(String(first.body.runId));
    assert.equal((await send(conversationId)).status, 200);
    assert.equal((await site.message(first.body.messageId))?.status, "cancelled");
  });
});

describe("stopping an answer", () => {
  it("cancels it and its run, and once more changes nothing", async () => {
    const { conversationId } = await site.conversation("anna");
    const { body } = await send(conversationId);
    for (let time = 0; time < 2; time++) {
      const stopped = await stop(body.messageId);
      assert.deepEqual([stopped.status, stopped.body.success], [200, true]);
    }
    assert.equal((await site.message(body.messageId))?.status, "cancelled");
    assert.equal(await site.status(body.runId), "CANCELED");
    assert.equal((await send(conversationId)).status, 200);
  });

  it("before its run is known cancels the run all the same", async () => {
    const { conversationId, convex } = await site.conversation("anna");
    site.gate.onTriggered = async () => {
      const newest = await convex.query(api.messages.newest, { conversationId });
      assert.equal((await stop(newest?._id)).status, 200);
    };
    const { status, body } = await send(conversationId);
    assert.equal(status, 200);
    assert.equal((await site.message(body.messageId))?.status, "cancelled");
    assert.equal(await site.status(body.runId), "CANCELED");
  });
});

describe("generating a project", () => {
  it("makes the project as the user, and starts the run that fills it", async () => {
    const { status, body } = await generate({
      description: DESCRIPTION,
      projectName: "Tea",
      plan: "general",
    });
    assert.equal(status, 200);
    const convex = await site.as("anna");
    const project = await convex.query(api.projects.getById, { id: String(body.projectId) });
    assert.deepEqual([project.name, project.ownerId], ["Tea", "anna"]);
    const [run] = await site.runs(body.projectId);
    assert.deepEqual([run?.id, run?.taskIdentifier], [body.runId, "generate-project"]);
    const { payload } = await runner().runs.retrieve(String(body.runId));
    const { generationId } = await generation(body.projectId);
    assert.deepEqual(payload, {
      projectId: body.projectId,
      description: DESCRIPTION,
      generationId,
      plan: "general",
    });
  });

  it("twice with one id, also at once or after a lost answer, is one project and one run", async () => {
    const asked = { description: DESCRIPTION, generationId: "clicked-twice" };
    site.gate.loses = 1;
    const answers = [
      ...(await Promise.all([generate(asked), generate(asked)])),
      await generate(asked),
    ];
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200],
    );
    assert.equal(new Set(answers.map(({ body }) => body.projectId)).size, 1);
    assert.equal(new Set(answers.map(({ body }) => body.runId)).size, 1);
    assert.equal((await site.runs(answers[0]?.body.projectId)).length, 1);
  });

  it("that the runner does not take is failed in its log, and can be tried again", async () => {
    site.gate.refuses = true;
    const refused = await generate({ description: DESCRIPTION });
    assert.match(error(refused, 502), /could not be started/);
    const { projectId } = refused.body;
    assert.equal((await generation(projectId)).status, "failed");
    site.gate.refuses = false;
    const again = await generate({ projectId });
    assert.equal(again.status, 200);
    assert.equal((await generation(projectId)).status, "running");
    assert.equal(
      error(await generate({ projectId }), 409),
      "The project is already being generated",
    );
    assert.equal((await site.runs(projectId)).length, 1);
  });

  it("of a project that began without one is no question", async () => {
    const { projectId } = await site.conversation("anna");
    assert.match(error(await generate({ projectId }), 400), /did not begin with a generation/);
  });

  it("is stopped, once", async () => {
    const { body } = await generate({ description: DESCRIPTION });
    for (let time = 0; time < 2; time++) {
      assert.deepEqual((await stopGeneration(body.projectId)).body, {
        success: true,
        status: "cancelled",
      });
    }
    assert.equal(await site.status(body.runId), "CANCELED");
    assert.equal((await generation(body.projectId)).status, "cancelled");
  });

  it("is stopped before its run is known, too", async () => {
    let projectId: string | undefined;
    site.gate.onTriggered = async () => {
      const convex = await site.as("anna");
      projectId = (await convex.query(api.projects.getPartial, { limit: 1 }))[0]?._id;
      const stopped = await stopGeneration(projectId);
      assert.deepEqual(stopped.body, { success: true, status: "cancelled" });
    };
    const { status, body } = await generate({ description: DESCRIPTION });
    assert.deepEqual([status, body.projectId], [200, projectId]);
    assert.equal(await site.status(body.runId), "CANCELED");
    assert.equal((await generation(projectId)).status, "cancelled");
  });

  it("whose run died without a word is failed when somebody looks after it", async () => {
    const { body } = await generate({ description: DESCRIPTION });
    await runner().runs.cancel(String(body.runId));
    assert.equal((await generation(body.projectId)).status, "running");
    const again = await generate({ projectId: body.projectId });
    assert.equal(again.status, 200);
    assert.notEqual(again.body.runId, body.runId);
  });
});

describe("deleting a project", () => {
  it("stops what works on it", async () => {
    const begun = await generate({ description: DESCRIPTION });
    const convex = await site.as("anna");
    const projectId = String(begun.body.projectId);
    const conversationId = await convex.mutation(api.conversations.create, { projectId });
    const sent = await send(conversationId);
    const query = `?projectId=${projectId}`;
    const { status } = await site.ask("DELETE", "/api/projects/delete", { as: "anna", query });
    assert.equal(status, 200);
    assert.equal(await site.status(begun.body.runId), "CANCELED");
    assert.equal(await site.status(sent.body.runId), "CANCELED");
    error(await site.ask("DELETE", "/api/projects/delete", { as: "anna", query }), 404);
    error(await send(conversationId), 404);
  });
});

describe("demo jobs", () => {
  it("are started in development, and are not there in production", async () => {
    const { status, body } = await site.ask("POST", "/api/demo/error", { body: {} });
    assert.equal(status, 200);
    assert.equal(await site.status(body.runId), "QUEUED");
    const asked = { body: { prompt: "What is on https://example.com?" } };
    assert.equal((await site.ask("POST", "/api/demo/generate", asked)).status, 200);
    const mode = process.env.NODE_ENV;
    Object.assign(process.env, { NODE_ENV: "production" });
    try {
      error(await site.ask("POST", "/api/demo/error", { body: {} }), 404);
      error(await site.ask("POST", "/api/demo/generate", asked), 404);
      // The local stack's own production build.
      process.env.POLARIS_DEMO_ROUTES = "allowed";
      assert.equal((await site.ask("POST", "/api/demo/error", { body: {} })).status, 200);
    } finally {
      delete process.env.POLARIS_DEMO_ROUTES;
      if (mode === undefined) delete (process.env as Record<string, string | undefined>).NODE_ENV;
      else Object.assign(process.env, { NODE_ENV: mode });
    }
  });
});
