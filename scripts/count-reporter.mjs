// A reporter for node's test runner that writes one JSON line of counts: tests, not suites.

// biome-ignore lint/style/noDefaultExport: the test runner takes a reporter as a default export
export default async function* countReporter(source) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for await (const { type, data } of source) {
    if (type !== "test:pass" && type !== "test:fail") continue;
    if (data.details?.type === "suite") continue;
    const left = (mark) => mark !== undefined && mark !== false;
    if (left(data.skip)) counts.skipped++;
    else if (type === "test:pass") counts.passed++;
    // A test marked as to do may fail.
    else if (!left(data.todo)) counts.failed++;
  }
  yield `${JSON.stringify(counts)}\n`;
}
