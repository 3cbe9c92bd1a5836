// A generated project: files of about 90 lines with three imports each, half of them by alias; two in
// a hundred hold one real type error. The same for the same number of files.

/** Contents by path. */
export function project(count: number): Record<string, string> {
  const files: Record<string, string> = {
    "package.json": JSON.stringify({ name: "generated", dependencies: {} }),
    "tsconfig.json": JSON.stringify({
      compilerOptions: {
        target: "es2022",
        module: "esnext",
        moduleResolution: "bundler",
        lib: ["es2022", "dom"],
        strict: true,
        skipLibCheck: true,
        noEmit: true,
        jsx: "preserve",
        paths: { "@/*": ["./src/*"] },
      },
    }),
  };
  for (let n = 0; n < count; n++) files[pathOf(n, count)] = fileOf(n, count);
  return files;
}

/** The folder holds a hundred files. */
export function pathOf(n: number, count: number): string {
  const kind = ["lib", "hooks", "server", "features"][n % 4];
  return `src/${kind}/group${Math.floor(n / 100) % Math.max(1, Math.ceil(count / 100))}/module${n}.ts`;
}

function fileOf(n: number, count: number): string {
  const lines: string[] = [];
  const imported: number[] = [];
  for (const step of [1, 7, 31]) {
    const other = (n * 3 + step * 11 + 5) % count;
    if (other === n || imported.includes(other)) continue;
    imported.push(other);
    const path = pathOf(other, count).replace(/\.ts$/, "");
    const source = step === 7 ? `../../${path.slice(4)}` : `@/${path.slice(4)}`;
    lines.push(`import { compute${other}, type Shape${other} } from "${source}";`);
  }
  lines.push(
    "",
    `export interface Shape${n} {`,
    "  id: string;",
    "  size: number;",
    "  tags: string[];",
    "}",
  );
  lines.push(
    "",
    `export class Store${n} {`,
    `  private readonly items = new Map<string, Shape${n}>();`,
  );
  lines.push(`  add(item: Shape${n}): void {`, "    this.items.set(item.id, item);", "  }");
  lines.push("  get size(): number {", "    return this.items.size;", "  }", "}", "");
  for (let f = 0; f < 8; f++) {
    lines.push(
      `export const helper${n}_${f} = (values: number[], factor = ${f + 1}): number[] => {`,
      `  // Scales by factor ${f}, and leaves out what is not finite.`,
      "  const scaled = values.map((value) => value * factor);",
      "  return scaled.filter((value) => Number.isFinite(value));",
      "};",
      "",
    );
  }
  lines.push(`export function compute${n}(input: Shape${n}): number {`);
  lines.push(`  const store = new Store${n}();`, "  store.add(input);");
  for (const other of imported) {
    lines.push(`  const shape${other}: Shape${other} = { id: input.id, size: 1, tags: [] };`);
    lines.push(`  if (input.size > ${other}) return compute${other}(shape${other});`);
  }
  lines.push(`  const total = helper${n}_1([input.size]).reduce((sum, value) => sum + value, 0);`);
  if (n % 50 === 7) lines.push(`  const wrong: string = total;`, "  console.log(wrong);");
  lines.push(`  return total + store.size; // marker-${n}-end`, "}", "");
  return lines.join("\n");
}
