// What a description must be, which the route checks again, and what a project is called that was given
// no name. Pure.

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

const MAX_NAME_CHARS = 40;
/** A name ends before what merely tells more. */
const MORE = /[.,:;!?()\n]|\s(?:with|that|which|where|for|so|and|to|in|on|from)\s/i;
const ARTICLE =
  /^(?:(?:please\s+)?(?:build|create|generate|make|write)\s+(?:me\s+)?)?(?:an?|the|my|our)\s+/i;

/** What the description is about, in a few words; undefined: it does not say. */
export function nameFrom(description: string): string | undefined {
  const text = description.trim().replace(ARTICLE, "");
  const [first = ""] = /^[^\s.,:;!?()]*/.exec(text) ?? [];
  // Not before its first word is over.
  const end = text.slice(first.length).search(MORE);
  const clause = end < 0 ? text : text.slice(0, first.length + end);
  let name = "";
  for (const word of clause.split(/\s+/)) {
    const longer = name === "" ? word : `${name} ${word}`;
    if (longer.length > MAX_NAME_CHARS) break;
    name = longer;
  }
  name = name.replace(/[.,:;!?()]+$/, "");
  return name === "" ? undefined : name.charAt(0).toUpperCase() + name.slice(1);
}
