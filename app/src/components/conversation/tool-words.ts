// Tool calls in words. Pure. Names are those of the core's tools; one that is not known keeps its own.

export interface ToolCall {
  id: string;
  name: string;
  args: unknown;
  /** Absent until the tool has answered. */
  result?: unknown;
}

const VERBS: Readonly<Record<string, string>> = {
  readFile: "Read",
  writeFile: "Write",
  deleteFile: "Delete",
  listFiles: "List",
  getProjectStructure: "Look at the project",
  findSymbol: "Find symbol",
  getReferences: "Find references",
  getDiagnostics: "Check",
  goToDefinition: "Go to definition",
  searchFiles: "Search",
  searchCodebase: "Search code",
  findFilesByPattern: "Find files",
  getRelevantFiles: "Find relevant files",
  executeCommand: "Run",
};

/** The argument that says what the call is about, in the order of preference. */
const SUBJECTS = ["path", "command", "pattern", "query", "searchTerm", "patternType"];

const MAX_SUBJECT_CHARS = 200;
/** Enough to see what it is; the whole stands in the store. */
const MAX_SHOWN_CHARS = 20_000;

export function callTitle({ name, args }: ToolCall): { verb: string; object: string } {
  const given = typeof args === "object" && args !== null ? (args as Record<string, unknown>) : {};
  const subject = SUBJECTS.map((key) => given[key]).find(
    (value) => typeof value === "string" && value !== "",
  );
  return {
    verb: VERBS[name] ?? name,
    object: typeof subject === "string" ? subject.slice(0, MAX_SUBJECT_CHARS) : "",
  };
}

/** Tools tell the model of their failures in a text that begins so. */
export function isErrorResult(result: unknown): boolean {
  return typeof result === "string" && /^(?:Error\b|File not found\b)/.test(result);
}

export function shown(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value, null, 2) ?? "");
  if (text === "") return "(empty)";
  if (text.length <= MAX_SHOWN_CHARS) return text;
  return `${text.slice(0, MAX_SHOWN_CHARS)}\n… ${text.length - MAX_SHOWN_CHARS} more characters`;
}
