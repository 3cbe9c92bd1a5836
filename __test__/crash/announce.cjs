// Loaded into the run workers of the official CLI (`node --require`). Says which process works on
// which run: with processes that are kept alive, nothing else does. It changes nothing: one line in a
// file, written before the worker itself hears of the run.

const { appendFileSync } = require("node:fs");

const file = process.env.POLARIS_CRASH_ANNOUNCEMENTS;
if (file !== undefined && typeof process.send === "function") {
  // Not a listener: with one, messages would be read before the worker is there to take them.
  const emit = process.emit;
  process.emit = function announced(name, ...rest) {
    if (name === "message") announce(rest[0]?.message);
    return emit.call(this, name, ...rest);
  };
}

function announce(message) {
  if (message?.type !== "EXECUTE_TASK_RUN") return;
  const { run, attempt } = message.payload.execution;
  appendFileSync(file, `${process.pid} ${run.id} ${attempt.number}\n`);
}
