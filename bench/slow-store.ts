// A message into a store whose writes take long: what is sent, and what the waiting costs. The peer is
// the replaced app's loop, which awaits each write where it happens.

import type { Plan, Sample } from "./harness.ts";
import { bound, type Row } from "./report.ts";
import type { Lab } from "./suites.ts";

/** As on a deployment nearby. */
const WRITE_MS = 20;
/** As on one far away or under load. */
const SLOW_WRITE_MS = 200;
const RATE = 100;
/** What the model takes for a turn of the loop. */
const TURN_MS = 200;

const perByte = ({ bytes, textBytes }: Sample) => bytes / textBytes;

export async function slowStore({ sizes, rounds, harness }: Lab): Promise<Row[]> {
  const ours = (scenario: string, writeMs: number): Plan => ({
    client: "ours-store",
    scenario,
    writeMs,
  });
  const replaced = (scenario: string, writeMs: number): Plan => ({
    client: "replaced-store",
    scenario,
    writeMs,
  });
  const loop = `loop-${TURN_MS}`;
  const deltas = sizes.storeSeconds * RATE;
  const paced = `paced-${RATE}-${deltas}`;
  const measured = await rounds({
    loop: ours(loop, WRITE_MS),
    loopAlone: ours(loop, 0),
    peerLoop: replaced(loop, WRITE_MS),
    peerLoopAlone: replaced(loop, 0),
    answer: ours(paced, WRITE_MS),
    peerAnswer: replaced(paced, WRITE_MS),
    slow: ours(paced, SLOW_WRITE_MS),
  });
  const nominalMs = ((deltas - 1) * 1000) / RATE;
  const rows = [
    bound(measured, {
      metric: `tool loop of ten steps, ${WRITE_MS} ms per write, over the same without`,
      unit: "x",
      value: ({ loop, loopAlone }) => loop.wallMs / loopAlone.wallMs,
      atMost: 1.2,
      peer: {
        key: "peerLoop",
        value: ({ peerLoop, peerLoopAlone }) => peerLoop.wallMs / peerLoopAlone.wallMs,
      },
    }),
    bound(measured, {
      metric: `bytes to the store per byte of text, ${deltas} deltas`,
      unit: "x",
      value: ({ answer }) => perByte(answer),
      atMost: 5,
      peer: { key: "peerAnswer", value: ({ peerAnswer }) => perByte(peerAnswer) },
    }),
    bound(measured, {
      metric: `a stream of ${sizes.storeSeconds} s, ${SLOW_WRITE_MS} ms per write: wall less one write, over nominal`,
      unit: "x",
      value: ({ slow }) => (slow.wallMs - SLOW_WRITE_MS) / nominalMs,
      atMost: 1.05,
    }),
  ];
  if (sizes.longAnswer > 0) {
    const scenario = `paced-${RATE}-${sizes.longAnswer}`;
    // Bytes do not depend on the machine, so one measurement will do, both at once.
    const [long, peerLong] = await Promise.all([
      harness.measure(ours(scenario, WRITE_MS)),
      harness.measure(replaced(scenario, WRITE_MS)),
    ]);
    rows.push(
      bound([{ long, peerLong }], {
        metric: `bytes to the store per byte of text, ${sizes.longAnswer} deltas`,
        unit: "x",
        value: ({ long }) => perByte(long),
        atMost: 5,
        peer: { key: "peerLong", value: ({ peerLong }) => perByte(peerLong) },
      }),
    );
  }
  return rows;
}
