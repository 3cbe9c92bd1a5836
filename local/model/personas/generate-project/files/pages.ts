// One page for each route.

import type { Kind, Product } from "../product.ts";

export function pageFiles(product: Product): [string, string][] {
  const { main, checklist } = product;
  return [
    ["src/pages/Dashboard.tsx", dashboard(product)],
    [`src/pages/${main.plural}.tsx`, list(main)],
    [`src/pages/${main.type}Detail.tsx`, detail(main)],
    [`src/pages/Add${main.type}.tsx`, add(main)],
    ...(checklist === undefined
      ? []
      : [[`src/pages/${checklist.plural}.tsx`, ticked(checklist)] as [string, string]]),
  ];
}

function dashboard({ main, checklist }: Product): string {
  const { plural, names } = main;
  const second =
    checklist === undefined
      ? { imports: "", use: "", card: "" }
      : {
          imports: `import { use${checklist.plural} } from "../hooks/use${checklist.plural}";\n`,
          use: `  const { open } = use${checklist.plural}();\n`,
          card: `\n        <StatCard label="Open ${checklist.names}" value={open.length} to="/${checklist.names}" />`,
        };
  return `import { Link } from "react-router-dom";
import { EmptyState } from "../components/EmptyState";
import { PageHeader } from "../components/PageHeader";
import { StatCard } from "../components/StatCard";
import { use${plural} } from "../hooks/use${plural}";
${second.imports}import { formatDate } from "../utils/format";

const SHOWN = 5;

export function Dashboard() {
  const { ${names} } = use${plural}();
${second.use}
  return (
    <>
      <PageHeader title="Dashboard" />
      <div className="stat-cards">
        <StatCard label="${plural}" value={${names}.length} to="/${names}" />${second.card}
      </div>
      <h2>Recently added</h2>
      {${names}.length === 0 ? (
        <EmptyState>
          There are no ${names} yet. <Link to="/${names}/new">Add the first one</Link>.
        </EmptyState>
      ) : (
        <ul className="item-list">
          {${names}.slice(0, SHOWN).map((${main.name}) => (
            <li key={${main.name}.id}>
              <Link to={\`/${names}/\${${main.name}.id}\`}>{${main.name}.name}</Link>
              <span className="muted">{formatDate(${main.name}.createdAt)}</span>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
`;
}

function list({ plural, name, names }: Kind): string {
  return `import { useState } from "react";
import { Link } from "react-router-dom";
import { EmptyState } from "../components/EmptyState";
import { PageHeader } from "../components/PageHeader";
import { use${plural} } from "../hooks/use${plural}";
import { countOf } from "../utils/format";

export function ${plural}() {
  const { ${names} } = use${plural}();
  const [query, setQuery] = useState("");
  const wanted = query.trim().toLowerCase();
  const found = ${names}.filter((${name}) => ${name}.name.toLowerCase().includes(wanted));

  return (
    <>
      <PageHeader title="${plural}">
        <Link to="/${names}/new" className="button">
          Add ${name}
        </Link>
      </PageHeader>
      <input
        type="search"
        value={query}
        onChange={(event) => setQuery(event.target.value)}
        placeholder="Search"
        aria-label="Search ${names}"
      />
      <p className="muted">{countOf(found.length, "${name}", "${names}")}</p>
      {found.length === 0 ? (
        <EmptyState>{wanted === "" ? "Nothing here yet." : "Nothing matches."}</EmptyState>
      ) : (
        <ul className="item-list">
          {found.map((${name}) => (
            <li key={${name}.id}>
              <Link to={\`/${names}/\${${name}.id}\`}>{${name}.name}</Link>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
`;
}

function detail({ type, plural, name, names, fields }: Kind): string {
  return `import { Link, useNavigate, useParams } from "react-router-dom";
import { EmptyState } from "../components/EmptyState";
import { PageHeader } from "../components/PageHeader";
import { use${plural} } from "../hooks/use${plural}";
import { formatDate } from "../utils/format";

export function ${type}Detail() {
  const { id = "" } = useParams();
  const navigate = useNavigate();
  const { find, remove } = use${plural}();
  const ${name} = find(id);

  if (${name} === undefined) {
    return (
      <EmptyState>
        This ${name} does not exist. <Link to="/${names}">Back to the list</Link>.
      </EmptyState>
    );
  }

  function handleRemove() {
    remove(id);
    navigate("/${names}");
  }

  return (
    <>
      <PageHeader title={${name}.name}>
        <button type="button" className="danger" onClick={handleRemove}>
          Remove
        </button>
      </PageHeader>
      <dl>
${fields
  .slice(1)
  .map(
    (field) => `        <dt>${field.label}</dt>
        <dd>{${name}.${field.name} || "not given"}</dd>`,
  )
  .join("\n")}
        <dt>Added</dt>
        <dd>{formatDate(${name}.createdAt)}</dd>
      </dl>
    </>
  );
}
`;
}

function add({ type, plural, name, names, fields }: Kind): string {
  return `import { type FormEvent, useState } from "react";
import { useNavigate } from "react-router-dom";
import { FormField } from "../components/FormField";
import { PageHeader } from "../components/PageHeader";
import { use${plural} } from "../hooks/use${plural}";
import { textOf } from "../utils/format";

export function Add${type}() {
  const navigate = useNavigate();
  const { add } = use${plural}();
  const [error, setError] = useState("");

  function handleSubmit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    if (textOf(form, "name") === "") {
      setError("Please give a name.");
      return;
    }
    const { id } = add({
${fields.map((field) => `      ${field.name}: textOf(form, "${field.name}"),`).join("\n")}
    });
    navigate(\`/${names}/\${id}\`);
  }

  return (
    <>
      <PageHeader title="Add ${name}" />
      <form className="form" onSubmit={handleSubmit}>
${fields.map(formField).join("\n")}
        {error !== "" && (
          <p className="form-error" role="alert">
            {error}
          </p>
        )}
        <div>
          <button type="submit">Save</button>
        </div>
      </form>
    </>
  );
}
`;
}

function formField({ label, name, type, required }: Kind["fields"][number]): string {
  const kind = type === "text" ? "" : ` type="${type}"`;
  return `        <FormField label="${label}" name="${name}"${kind}${required ? " required" : ""} />`;
}

function ticked({ plural, name, names }: Kind): string {
  return `import { type FormEvent, useState } from "react";
import { EmptyState } from "../components/EmptyState";
import { PageHeader } from "../components/PageHeader";
import { use${plural} } from "../hooks/use${plural}";

export function ${plural}() {
  const { ${names}, add, toggle, remove } = use${plural}();
  const [text, setText] = useState("");

  function handleSubmit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    if (text.trim() === "") return;
    add({ name: text.trim() });
    setText("");
  }

  return (
    <>
      <PageHeader title="${plural}" />
      <form onSubmit={handleSubmit}>
        <input
          value={text}
          onChange={(event) => setText(event.target.value)}
          placeholder="New ${name}"
          aria-label="New ${name}"
        />{" "}
        <button type="submit">Add</button>
      </form>
      {${names}.length === 0 ? (
        <EmptyState>Nothing here yet.</EmptyState>
      ) : (
        <ul className="item-list">
          {${names}.map((${name}) => (
            <li key={${name}.id}>
              <label>
                <input type="checkbox" checked={${name}.done} onChange={() => toggle(${name}.id)} />{" "}
                {${name}.done ? <s>{${name}.name}</s> : ${name}.name}
              </label>
              <button type="button" className="danger" onClick={() => remove(${name}.id)}>
                Remove
              </button>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
`;
}
