"use client";
// Signing in, or up, with email and password.

import { type FormEvent, useState } from "react";
import { explain } from "../../live/errors.ts";
import { request } from "../../live/request.ts";
import { Button } from "../ui/button.tsx";
import { TextField } from "../ui/field.tsx";
import { Notice } from "../ui/notice.tsx";
import { Logo } from "./logo.tsx";

const MODES = {
  in: {
    title: "Sign in",
    path: "/api/auth/sign-in",
    other: "up",
    ask: "No account yet?",
    change: "Create one",
  },
  up: {
    title: "Create an account",
    path: "/api/auth/sign-up",
    other: "in",
    ask: "There is one already?",
    change: "Sign in",
  },
} as const;

export function SignInForm() {
  const [mode, setMode] = useState<keyof typeof MODES>("in");
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);
  const { title, path, other, ask, change } = MODES[mode];

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setProblem(undefined);
    try {
      await request("POST", path, { email: email.trim(), password });
      // Everything on the page belongs to somebody else from here on.
      window.location.reload();
    } catch (error) {
      setProblem(explain(error));
      setBusy(false);
    }
  };

  return (
    <div className="w-full max-w-sm p-6 sm:rounded-2xl sm:border sm:border-line sm:bg-surface sm:p-8 sm:shadow-raised">
      <Logo className="size-8" />
      <h1 className="mt-4 font-semibold text-2xl tracking-tight">{title}</h1>
      <form className="mt-5 space-y-1" onSubmit={(event) => void submit(event)}>
        <TextField
          label="Email"
          type="email"
          autoComplete="email"
          required
          value={email}
          onChange={(event) => setEmail(event.target.value)}
        />
        <TextField
          label="Password"
          type="password"
          autoComplete={mode === "in" ? "current-password" : "new-password"}
          required
          value={password}
          onChange={(event) => setPassword(event.target.value)}
        />
        {problem !== undefined && <Notice tone="danger" title={problem} className="mb-3" />}
        <Button kind="primary" type="submit" busy={busy} className="w-full">
          {title}
        </Button>
      </form>
      <p className="mt-5 text-muted text-sm">
        {ask}{" "}
        <button
          type="button"
          className="text-accent underline underline-offset-2"
          onClick={() => {
            setMode(other);
            setProblem(undefined);
          }}
        >
          {change}
        </button>
      </p>
    </div>
  );
}
