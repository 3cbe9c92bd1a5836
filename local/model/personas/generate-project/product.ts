// What a description asks for: a title, the things that the product keeps, and which of them can be
// ticked off. The same words always give the same product, so that steps that know nothing of each
// other fit together.

import { capital, nameIn, plural, thingsIn } from "./words.ts";

export interface Field {
  name: string;
  label: string;
  type: "text" | "email" | "tel" | "number" | "date";
  required: boolean;
}

/** A kind of thing that the product keeps. */
export interface Kind {
  /** As a type's name: `Client`. */
  type: string;
  /** As the name of a page and a list: `Clients`. */
  plural: string;
  /** As a variable: `client`. */
  name: string;
  /** As a variable and in a path: `clients`. */
  names: string;
  fields: readonly Field[];
}

export interface Product {
  title: string;
  /** For `package.json`. */
  slug: string;
  description: string;
  main: Kind;
  /** Ticked off when done; a list on a page of its own. */
  checklist: Kind | undefined;
}

const MAX_SUMMARY_CHARS = 300;

const NAME: Field = { name: "name", label: "Name", type: "text", required: true };

const CLIENT_FIELDS: readonly Field[] = [
  NAME,
  { name: "email", label: "Email", type: "email", required: true },
  { name: "company", label: "Company", type: "text", required: false },
  { name: "phone", label: "Phone", type: "tel", required: false },
];

/** The product of the default plan, whatever the description says beside its name. */
export function clientProduct(description: string): Product {
  return {
    ...headOf(description, "Client Manager"),
    main: kindOf("client", CLIENT_FIELDS),
    checklist: kindOf("task", [NAME]),
  };
}

/** The product that the description's own words name. */
export function describedProduct(description: string): Product {
  const [main = "entry", other] = thingsIn(description, 2);
  return {
    ...headOf(description, capital(plural(main))),
    main: kindOf(main, fieldsFor(description)),
    checklist: other === undefined ? undefined : kindOf(other, [NAME]),
  };
}

const optional = (name: string, type: Field["type"]): Field => ({
  name,
  label: capital(name),
  type,
  required: false,
});

const FIELDS: readonly [RegExp, Field][] = [
  [/\b(e-?mail|contact)/i, optional("email", "email")],
  [/\b(price|cost|budget|amount|expense|invoice|salary)/i, optional("amount", "number")],
  [/\b(rating|score|review)/i, optional("rating", "number")],
  [/\b(quantity|stock|inventory)/i, optional("quantity", "number")],
  [/\b(date|deadline|due|calendar|schedule|appointment|event)/i, optional("date", "date")],
  [/\b(categor|tag|genre|cuisine)/i, optional("category", "text")],
];

function fieldsFor(description: string): Field[] {
  const found = FIELDS.filter(([words]) => words.test(description)).map(([, field]) => field);
  return [NAME, ...found, optional("notes", "text")];
}

function kindOf(name: string, fields: readonly Field[]): Kind {
  const names = plural(name);
  return { type: capital(name), plural: capital(names), name, names, fields };
}

function headOf(
  description: string,
  otherwise: string,
): Pick<Product, "title" | "slug" | "description"> {
  // It stands in JSX and HTML as it is.
  const title = (nameIn(description) ?? otherwise).replace(/[^\p{L}\p{N}-]+/gu, " ").trim();
  const slug = title
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
  return {
    title: title === "" ? otherwise : title,
    slug: slug === "" ? "app" : slug,
    description: description.replace(/\s+/g, " ").trim().slice(0, MAX_SUMMARY_CHARS),
  };
}
