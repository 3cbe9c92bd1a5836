// Types of process.mjs for the TypeScript that goes on in the same process.

export function onParentGone(callback: () => void): void;
export function run(
  command: string,
  args: readonly string[],
  options?: {
    cwd?: string;
    env?: NodeJS.ProcessEnv;
    quiet?: boolean;
    onLine?: (line: string) => void;
    toStderr?: boolean;
  },
): Promise<{ code: number; output: string; errors: string }>;
