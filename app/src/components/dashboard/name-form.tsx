"use client";
// A form of one name, with its problem beside it.

import { type FormEvent, useState } from "react";
import { explain } from "../../live/errors.ts";
import { Button } from "../ui/button.tsx";
import { TextField } from "../ui/field.tsx";

export function NameForm({
  label,
  initial = "",
  action,
  onName,
  onCancel,
}: {
  label: string;
  initial?: string;
  action: string;
  onName: (name: string) => Promise<void>;
  onCancel: () => void;
}) {
  const [name, setName] = useState(initial);
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (busy) return;
    if (name.trim() === "") return setProblem("A name is needed");
    setBusy(true);
    try {
      await onName(name.trim());
    } catch (error) {
      setProblem(explain(error));
    }
    setBusy(false);
  };
  return (
    <form className="mt-4" noValidate onSubmit={(event) => void submit(event)}>
      <TextField
        label={label}
        autoFocus
        autoComplete="off"
        maxLength={200}
        value={name}
        error={problem}
        onFocus={({ currentTarget }) => currentTarget.select()}
        onChange={(event) => {
          setName(event.target.value);
          setProblem(undefined);
        }}
      />
      <div className="mt-3 flex justify-end gap-2">
        <Button onClick={onCancel}>Cancel</Button>
        <Button kind="primary" type="submit" busy={busy}>
          {action}
        </Button>
      </div>
    </form>
  );
}
