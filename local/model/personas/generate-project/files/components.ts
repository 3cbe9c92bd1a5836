// The interface parts that App and the pages use.

import type { Product } from "../product.ts";

export function componentFiles(product: Product): [string, string][] {
  return [
    ["src/components/Layout.tsx", LAYOUT],
    ["src/components/Navbar.tsx", navbar(product)],
    ["src/components/Sidebar.tsx", sidebar(product)],
    ["src/components/PageHeader.tsx", PAGE_HEADER],
    ["src/components/StatCard.tsx", STAT_CARD],
    ["src/components/EmptyState.tsx", EMPTY_STATE],
    ["src/components/FormField.tsx", FORM_FIELD],
    ["src/components/components.css", STYLES],
  ];
}

const LAYOUT = `import type { ReactNode } from "react";
import { Navbar } from "./Navbar";
import { Sidebar } from "./Sidebar";
import "./components.css";

export function Layout({ children }: { children: ReactNode }) {
  return (
    <div className="layout">
      <Navbar />
      <div className="layout-body">
        <Sidebar />
        <main className="layout-main">{children}</main>
      </div>
    </div>
  );
}
`;

const navbar = ({ title, main }: Product): string => `import { Link } from "react-router-dom";

export function Navbar() {
  return (
    <header className="navbar">
      <Link to="/" className="navbar-title">
        ${title}
      </Link>
      <Link to="/${main.names}/new" className="button">
        Add ${main.name}
      </Link>
    </header>
  );
}
`;

function sidebar({ main, checklist }: Product): string {
  const links = [
    ["/", "Dashboard"],
    [`/${main.names}`, main.plural],
    ...(checklist === undefined ? [] : [[`/${checklist.names}`, checklist.plural]]),
  ];
  return `import { NavLink } from "react-router-dom";

const LINKS = [
${links.map(([to, label]) => `  { to: "${to}", label: "${label}" },`).join("\n")}
];

export function Sidebar() {
  return (
    <nav className="sidebar" aria-label="Pages">
      <ul>
        {LINKS.map(({ to, label }) => (
          <li key={to}>
            <NavLink to={to} end={to === "/"}>
              {label}
            </NavLink>
          </li>
        ))}
      </ul>
    </nav>
  );
}
`;
}

const PAGE_HEADER = `import type { ReactNode } from "react";

interface PageHeaderProps {
  title: string;
  children?: ReactNode;
}

/** The title of a page, with its actions beside it. */
export function PageHeader({ title, children }: PageHeaderProps) {
  return (
    <div className="page-header">
      <h1>{title}</h1>
      {children}
    </div>
  );
}
`;

const STAT_CARD = `import { Link } from "react-router-dom";

interface StatCardProps {
  label: string;
  value: number;
  to: string;
}

export function StatCard({ label, value, to }: StatCardProps) {
  return (
    <Link to={to} className="stat-card">
      <span className="stat-value">{value}</span>
      <span>{label}</span>
    </Link>
  );
}
`;

const EMPTY_STATE = `import type { ReactNode } from "react";

/** Stands where a list would, as long as there is nothing in it. */
export function EmptyState({ children }: { children: ReactNode }) {
  return <p className="empty-state">{children}</p>;
}
`;

const FORM_FIELD = `import { useId } from "react";

interface FormFieldProps {
  label: string;
  name: string;
  type?: "text" | "email" | "tel" | "number" | "date";
  required?: boolean;
}

export function FormField({ label, name, type = "text", required = false }: FormFieldProps) {
  const id = useId();
  return (
    <div className="form-field">
      <label htmlFor={id}>{label}</label>
      <input id={id} name={name} type={type} required={required} />
    </div>
  );
}
`;

const STYLES = `.navbar {
  display: flex;
  align-items: center;
  justify-content: space-between;
  padding: 0.75rem 1.25rem;
  border-bottom: 1px solid var(--line);
}

.navbar-title {
  color: var(--text);
  font-weight: 650;
  text-decoration: none;
}

.layout-body {
  display: flex;
  min-height: calc(100vh - 4rem);
}

.layout-main {
  flex: 1;
  max-width: 60rem;
  padding: 1.25rem;
}

.sidebar {
  width: 11rem;
  padding: 1.25rem;
  border-right: 1px solid var(--line);
}

.sidebar ul {
  margin: 0;
  padding: 0;
  list-style: none;
}

.sidebar a {
  display: block;
  padding: 0.35rem 0;
  text-decoration: none;
}

.sidebar a.active {
  font-weight: 650;
}

.page-header {
  display: flex;
  align-items: center;
  justify-content: space-between;
  gap: 1rem;
}

.stat-cards {
  display: flex;
  flex-wrap: wrap;
  gap: 1rem;
}

.stat-card {
  display: flex;
  flex-direction: column;
  min-width: 9rem;
  padding: 1rem;
  border: 1px solid var(--line);
  border-radius: 8px;
  background: var(--raised);
  color: var(--text);
  text-decoration: none;
}

.stat-value {
  font-size: 1.75rem;
  font-weight: 650;
}

.empty-state,
.muted {
  color: var(--muted);
}

.item-list {
  padding: 0;
  list-style: none;
}

.item-list li {
  display: flex;
  align-items: center;
  justify-content: space-between;
  gap: 1rem;
  padding: 0.5rem 0;
  border-bottom: 1px solid var(--line);
}

.form {
  display: grid;
  gap: 0.9rem;
  max-width: 26rem;
}

.form-field {
  display: grid;
  gap: 0.25rem;
}

.form-field input {
  padding: 0.45rem 0.6rem;
  border: 1px solid var(--line);
  border-radius: 6px;
  font: inherit;
}

.form-error {
  color: var(--danger);
}
`;
