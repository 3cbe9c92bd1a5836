// Reads a description: the things that it names, what it says about them, what the product is called.
// Guesses, and always the same for the same words.

const MAX_NAME_CHARS = 40;

/** `called "…"`, or the capitalised words behind it. */
const NAMED = /\b(?:called|named)\s+(?:["“'`]([^"”'`\n]+)["”'`]|((?:\p{Lu}[\p{L}\d]*[ -]?){1,4}))/u;

export function nameIn(description: string): string | undefined {
  const name = NAMED.exec(description)
    ?.slice(1)
    .find((found) => found !== undefined);
  return name?.trim().slice(0, MAX_NAME_CHARS);
}

/** Words that name no thing that a product keeps. */
const NO_THINGS = new Set(
  `about after agency all also and any application are base beautiful before best between
  board both build business but can category categories catalog catalogue clean collection company
  cost costs create daily dark data design different during each easy every for freelancer from full
  general generate has have help her his how its keep kind lets lib library like lists local made
  make manage management manager many minimal mobile mode modern monthly more named nice not notes
  one only our out overview own people per personal plan plans platform please price prices product program
  project quantity rating react responsive see should shop shopping show simple site small software
  some somebody stock store system tags team that the their them then they things this timetable
  tool tools track tracker tracking typescript use user users using various via view views vite want
  web website weekly were what when where which who will with work world would you your`.split(
    /\s+/,
  ),
);

/** Words that the language or the generated code uses for something else. */
const TAKEN = new Set(
  `add app array boolean break case change class const continue count date default delete do
  dashboard else enum error event export field find form fragment function id import input
  interface item key label layout link list map name navbar navigate new null number object open
  page package private promise protected public query remove return root route set sidebar static
  string super switch symbol text this throw toggle try type typeof use var void wanted while with
  yield`.split(/\s+/),
);

/** The first things that are named, in the singular. */
export function thingsIn(description: string, most: number): string[] {
  const words = description.toLowerCase().match(/\p{L}[\p{L}'-]*/gu) ?? [];
  const things = words
    .filter((word) => /^[a-z]{3,20}$/.test(word) && !NO_THINGS.has(word))
    .filter((word) => !/(ing|ed|ly|ble|ful|ous|ive)$/.test(word))
    .map(singular)
    .filter((word) => word.length > 2 && !NO_THINGS.has(word) && !TAKEN.has(word));
  return [...new Set(things)].slice(0, most);
}

export function singular(word: string): string {
  if (/ies$/.test(word) && word.length > 4) return `${word.slice(0, -3)}y`;
  if (/(ss|us|is|news|series|species|calendar)$/.test(word)) return word;
  if (/(ch|sh|x|z|ss)es$/.test(word)) return word.slice(0, -2);
  return word.replace(/s$/, "");
}

export function plural(word: string): string {
  if (/[^aeiou]y$/.test(word)) return `${word.slice(0, -1)}ies`;
  return /(ch|sh|x|z|s)$/.test(word) ? `${word}es` : `${word}s`;
}

export const capital = (word: string): string => word.slice(0, 1).toUpperCase() + word.slice(1);
