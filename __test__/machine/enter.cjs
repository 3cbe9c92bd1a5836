// Loaded into every Node process that the CLI starts: one that will run tasks enters the control groups of
// the test before it does anything else. CommonJS, since `--import` is taken by the runner itself.

const { writeFileSync } = require("node:fs");

if (/run-worker/.test(process.argv[1] ?? "")) {
  for (const folder of (process.env.POLARIS_TEST_GROUPS ?? "").split(":").filter(Boolean)) {
    writeFileSync(`${folder}/cgroup.procs`, String(process.pid));
  }
}
