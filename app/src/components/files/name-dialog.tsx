"use client";
// Asks for the name of a file or folder: a new one, or another for one that is there.

import { type FormEvent, useState } from "react";
import { explain } from "../../live/errors.ts";
import { Button } from "../ui/button.tsx";
import { TextField } from "../ui/field.tsx";
import { Modal } from "../ui/modal.tsx";

export interface NameRequest {
  title: string;
  action: string;
  initial: string;
  /** Where it will be, for people. */
  place?: string | undefined;
  onName: (name: string) => Promise<void>;
}

export function NameDialog({
  request,
  onClose,
}: {
  request: NameRequest | undefined;
  onClose: () => void;
}) {
  return (
    <Modal
      open={request !== undefined}
      onOpenChange={(open) => (open ? undefined : onClose())}
      title={request?.title ?? ""}
      {...(request?.place === undefined ? {} : { description: request.place })}
    >
      {request !== undefined && <Form request={request} onClose={onClose} />}
    </Modal>
  );
}

function Form({ request, onClose }: { request: NameRequest; onClose: () => void }) {
  const [name, setName] = useState(request.initial);
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    const wanted = name.trim();
    const wrong = nameProblem(wanted);
    if (wrong !== undefined) return setProblem(wrong);
    if (wanted === request.initial) return onClose();
    setBusy(true);
    try {
      await request.onName(wanted);
      onClose();
    } catch (error) {
      setProblem(explain(error));
      setBusy(false);
    }
  };
  return (
    <form className="mt-4" onSubmit={(event) => void submit(event)}>
      <TextField
        label="Name"
        autoFocus
        autoComplete="off"
        spellCheck={false}
        value={name}
        error={problem}
        onFocus={({ currentTarget }) => {
          const end = currentTarget.value.lastIndexOf(".");
          currentTarget.setSelectionRange(0, end > 0 ? end : currentTarget.value.length);
        }}
        onChange={(event) => {
          setName(event.target.value);
          setProblem(undefined);
        }}
      />
      <div className="mt-3 flex justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button kind="primary" type="submit" busy={busy}>
          {request.action}
        </Button>
      </div>
    </form>
  );
}

/** Pure; the store checks again. */
function nameProblem(name: string): string | undefined {
  if (name === "") return "A name is needed";
  if (/[/\\]/.test(name)) return "A name has no slashes";
  if (name === "." || name === "..") return "This name is reserved";
  return undefined;
}
