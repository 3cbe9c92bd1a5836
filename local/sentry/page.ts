// The page at the root of the Sentry stand-in: the latest errors, readable without any tool.

import type { ReceivedItem } from "./index.ts";

interface ErrorEvent {
  exception?: { values?: { type?: string; value?: string }[] };
  message?: string;
  tags?: Record<string, unknown>;
}

const MAX_ROWS = 100;

export function page(items: readonly ReceivedItem[]): string {
  const events = items
    .filter((item) => item.type === "event")
    .slice(-MAX_ROWS)
    .reverse();
  const rows = events.map((item) => {
    const event = item.payload as ErrorEvent;
    const error = event.exception?.values?.at(-1);
    const title =
      error === undefined ? (event.message ?? "(no message)") : `${error.type}: ${error.value}`;
    const tags = Object.entries(event.tags ?? {}).map(
      ([name, value]) => `${name}=${String(value)}`,
    );
    return `<tr><td>${new Date(item.at).toISOString()}</td><td><details><summary>${escapeHtml(title)}</summary><pre>${escapeHtml(JSON.stringify(event, null, 2))}</pre></details></td><td>${escapeHtml(tags.join(" "))}</td></tr>`;
  });
  const transactions = items.filter((item) => item.type === "transaction").length;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5"><title>Errors</title>
<style>body{font:14px/1.5 system-ui;margin:2rem;color-scheme:light dark}table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.4rem .8rem;border-bottom:1px solid #8884;vertical-align:top}pre{white-space:pre-wrap}</style></head>
<body><h1>Errors</h1><p>${events.length === 0 ? "Nothing has been reported." : `${events.length} shown, newest first.`} ${transactions} transaction${transactions === 1 ? "" : "s"}. This page stands in for Sentry.</p>
<table><thead><tr><th>When</th><th>Error</th><th>Tags</th></tr></thead><tbody>${rows.join("\n")}</tbody></table></body></html>`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
}
