// Loaded into the official CLI before its own code (`node --import`). Plain JavaScript: it must run
// without a loader. It changes no behaviour of the CLI but two things that only matter locally:
// one request to the internet that has no switch, and whose process it is.

// The CLI asks this address which packages are never bundled, five times with pauses (7.5 s), before
// it builds with the answer "none". Without a network that is only waiting.
const EXTERNALS_URL = "https://jsonhero.io/j/GU7CwoDOL40k.json";

const fetchOfNode = globalThis.fetch;
globalThis.fetch = async (input, init) => {
  const url = input instanceof Request ? input.url : String(input);
  if (url === EXTERNALS_URL) {
    return new Response('{"externals":[]}', { headers: { "content-type": "application/json" } });
  }
  return fetchOfNode(input, init);
};

// Only the CLI itself needs this file: its workers, and what tasks start, get the variable without it.
process.env.NODE_OPTIONS = (process.env.NODE_OPTIONS ?? "")
  .split(" ")
  .filter((flag) => flag !== "" && flag !== `--import=${import.meta.url}`)
  .join(" ");
if (process.env.NODE_OPTIONS === "") delete process.env.NODE_OPTIONS;

// The standard input is a pipe that only the starting process holds open. When it ends, that process
// is gone, however it went (also by SIGKILL), and the whole group goes: the CLI, its bundler, its
// index and run workers, even one whose thread is busy. The CLI's watchdog has a group of its own; it
// notices within a second, reports the runs as ended and goes too.
if (process.env.POLARIS_CLI_LIFELINE === "stdin") {
  // Read once; workers inherit the environment and must not watch their own standard input.
  delete process.env.POLARIS_CLI_LIFELINE;
  const end = () => process.kill(-process.pid, "SIGKILL");
  process.stdin.on("end", end);
  process.stdin.on("error", end);
  process.stdin.resume();
  // Waiting for the pipe alone must not keep a CLI that is done alive.
  process.stdin.unref();
}
