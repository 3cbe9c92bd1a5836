// npm run test:live: the least calls that prove the way to each real service, by the keys of .env.local
// or the environment. Without a service's keys it is skipped and said so. It writes nothing but, with
// SENTRY_DSN, one error report. Some calls cost a fraction of a cent.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { main, ROOT, setup } from "./setup.mjs";
import { summary } from "./tests.mjs";

const ANSWER_MS = 60_000;

await main(async () => {
  await setup();
  const { register } = await import("tsx/esm/api");
  register();
  const variables = { ...readSettings(), ...process.env };
  const value = (name) => variables[name]?.trim() || undefined;
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const { name, needs, prove } of services(value)) {
    const missing = needs.filter((each) => value(each) === undefined);
    if (missing.length > 0) {
      counts.skipped++;
      say(name, `never run (${missing.join(", ")} not set)`);
      continue;
    }
    try {
      await prove();
      counts.passed++;
      say(name, `real, passed on ${new Date().toISOString().slice(0, 10)}`);
    } catch (error) {
      counts.failed++;
      say(name, `FAILED: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  process.stdout.write(`${summary(counts)}\n`);
  process.exitCode = counts.failed > 0 ? 1 : 0;
});

function readSettings() {
  try {
    return parseEnv(readFileSync(join(ROOT, ".env.local"), "utf8"));
  } catch {
    return {};
  }
}

function services(value) {
  const model = (name, baseUrl, id, key) => ({
    name,
    needs: [key],
    prove: () => ask({ baseUrl, model: id, key: value(key) }),
  });
  const convexUrl = value("CONVEX_URL") ?? value("NEXT_PUBLIC_CONVEX_URL");
  return [
    {
      name: "Trigger.dev",
      needs: ["TRIGGER_SECRET_KEY"],
      prove: async () => {
        const { TriggerClient } = await import("@trigger.dev/sdk");
        const baseURL = value("TRIGGER_API_URL") ?? "https://api.trigger.dev";
        const client = new TriggerClient({ accessToken: value("TRIGGER_SECRET_KEY"), baseURL });
        await client.runs.list({ limit: 1 });
      },
    },
    {
      name: "Convex",
      needs: ["NEXT_PUBLIC_CONVEX_URL", "POLARIS_CONVEX_INTERNAL_KEY"],
      prove: async () => {
        const { ConvexHttpClient } = await import("convex/browser");
        const { anyApi } = await import("convex/server");
        const internalKey = value("POLARIS_CONVEX_INTERNAL_KEY");
        const call = { internalKey, messageId: "none" };
        const found = await new ConvexHttpClient(convexUrl).query(
          anyApi.system.getMessageById,
          call,
        );
        if (found !== null) throw new Error("a message that does not exist was found");
      },
    },
    model(
      "OpenRouter",
      "https://openrouter.ai/api/v1",
      "moonshotai/kimi-k2.5",
      "OPENROUTER_API_KEY",
    ),
    model("Cerebras", "https://api.cerebras.ai/v1", "zai-glm-4.7", "CEREBRAS_API_KEY"),
    {
      name: "Firecrawl",
      needs: ["FIRECRAWL_API_KEY"],
      prove: async () => {
        const base = value("FIRECRAWL_API_URL") ?? "https://api.firecrawl.dev";
        const answer = await fetch(`${base}/v2/scrape`, {
          method: "POST",
          headers: {
            authorization: `Bearer ${value("FIRECRAWL_API_KEY")}`,
            "content-type": "application/json",
          },
          body: JSON.stringify({ url: "https://example.com", formats: ["markdown"] }),
          signal: AbortSignal.timeout(ANSWER_MS),
        });
        const { success, data } = await answer.json();
        if (success !== true || !/Example Domain/.test(data?.markdown ?? "")) {
          throw new Error(`no page came back (${answer.status})`);
        }
      },
    },
    {
      name: "Sentry",
      needs: ["SENTRY_DSN"],
      prove: async () => {
        await sendToSentry(value("SENTRY_DSN"));
      },
    },
  ];
}

/** One short answer through the core, as a run has it. */
async function ask({ baseUrl, model, key }) {
  const { startRun } = await import("polaris-agent");
  process.env.POLARIS_PRIMARY_BASE_URL = baseUrl;
  process.env.POLARIS_PRIMARY_MODEL = model;
  process.env.POLARIS_PRIMARY_API_KEY = key;
  delete process.env.POLARIS_FALLBACK_BASE_URL;
  const { text } = await startRun({
    job: "agent",
    payload: { messages: [{ role: "user", content: "Answer with the word yes." }] },
    options: { limits: { maxOutputTokens: 400, runMs: ANSWER_MS } },
  }).result();
  if (!/yes/i.test(text ?? "")) throw new Error(`unexpected answer: ${String(text).slice(0, 80)}`);
}

/** By hand, because the SDK does not say whether what it sent was taken. */
async function sendToSentry(dsn) {
  const { origin, username, pathname } = new URL(dsn);
  const id = crypto.randomUUID().replaceAll("-", "");
  const event = { event_id: id, level: "info", platform: "node", message: "npm run test:live" };
  const lines = [{ event_id: id }, { type: "event" }, event].map((line) => JSON.stringify(line));
  const { status } = await fetch(`${origin}/api${pathname}/envelope/`, {
    method: "POST",
    headers: { "x-sentry-auth": `Sentry sentry_version=7, sentry_key=${username}` },
    body: `${lines.join("\n")}\n`,
  });
  if (status !== 200) throw new Error(`the report was refused (${status})`);
}

function say(name, line) {
  process.stdout.write(`${name.padEnd(12)} ${line}\n`);
}
