// What a description must be; the route checks the same again. Pure.

const MIN_DESCRIPTION_CHARS = 10;
export const MAX_DESCRIPTION_CHARS = 10_000;

export function descriptionProblem(text: string): string | undefined {
  const length = text.trim().length;
  if (length === 0) return "Say in a sentence or two what you want to build";
  if (length < MIN_DESCRIPTION_CHARS) {
    return `A little more, please: at least ${MIN_DESCRIPTION_CHARS} characters`;
  }
  return undefined;
}
