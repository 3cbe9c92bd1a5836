// Types of browser.mjs for the TypeScript of the browser tests.

export function findBrowser(env?: NodeJS.ProcessEnv): string | undefined;
export function ensureBrowser(): Promise<string | undefined>;
