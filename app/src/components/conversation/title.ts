// The title of a conversation that begins with a message. Pure.

const MAX_TITLE_CHARS = 60;

export function titleOf(text: string): string {
  const [line = ""] = text.trim().split("\n", 1);
  const words = line.replace(/\s+/g, " ");
  if (words.length <= MAX_TITLE_CHARS) return words;
  const cut = words.slice(0, MAX_TITLE_CHARS);
  const space = cut.lastIndexOf(" ");
  return `${(space > MAX_TITLE_CHARS / 2 ? cut.slice(0, space) : cut).trimEnd()}…`;
}
