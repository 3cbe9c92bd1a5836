// One client of the benchmark `cancel`: node bench/cancel-child.mjs <client> <base URL> <streams>
// <at once>. Starts streams, cancels each after a few deltas, and prints when it did, one epoch time in
// milliseconds per path of a stream, as JSON. Plain JavaScript: nothing else may be loaded beside.

import { aiAnthropic, polaris } from "./peers/cancel.mjs";

const CLIENTS = { polaris, aiAnthropic };
/** The moment moves over so many deltas, so that it is not always the same part of a read. */
const MOMENTS = 20;

const [client, base, streams, atOnce] = process.argv.slice(2);
const start = await CLIENTS[client]();
const cancelled = {};
let next = 0;
await Promise.all(Array.from({ length: Number(atOnce) }, one));
process.stdout.write(`${JSON.stringify(cancelled)}\n`);

async function one() {
  while (next < Number(streams)) {
    const path = `/${client}/${next}`;
    let left = 1 + (next++ % MOMENTS);
    let due;
    const isDue = new Promise((settle) => {
      due = settle;
    });
    const { cancel, over } = start(`${base}${path}/v1`, () => {
      if (--left === 0) due();
    });
    await Promise.race([isDue, over.then(() => Promise.reject(new Error(`${path} ended early`)))]);
    cancelled[path] = performance.timeOrigin + performance.now();
    cancel();
    await over;
  }
}
