"use client";
// Asks what is to be built and starts the generation. The same request again (a second click, a retry
// after a lost reply) is the same generation: it carries one id until the text is changed.

import { useRouter } from "next/navigation";
import { type FormEvent, useRef, useState } from "react";
import { explain } from "../../live/errors.ts";
import { request } from "../../live/request.ts";
import { Button } from "../ui/button.tsx";
import { TextArea, TextField } from "../ui/field.tsx";
import { Modal } from "../ui/modal.tsx";
import { Notice } from "../ui/notice.tsx";
import { descriptionProblem, MAX_DESCRIPTION_CHARS, nameFrom } from "./description.ts";

export function GenerateDialog({
  open,
  onOpenChange,
}: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  const router = useRouter();
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [asked, setAsked] = useState(false);
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);
  const started = useRef(false);
  const generationId = useRef<string>(undefined);
  const invalid = descriptionProblem(description);

  const change = (set: (text: string) => void) => (text: string) => {
    set(text);
    setProblem(undefined);
    generationId.current = undefined;
  };

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setAsked(true);
    if (invalid !== undefined || started.current) return;
    started.current = true;
    setBusy(true);
    setProblem(undefined);
    generationId.current ??= crypto.randomUUID();
    try {
      const projectName = name.trim() || nameFrom(description);
      const { projectId } = await request("POST", "/api/projects/generate", {
        description: description.trim(),
        ...(projectName === undefined ? {} : { projectName }),
        generationId: generationId.current,
        plan: "general",
      });
      router.push(`/projects/${String(projectId)}?view=log`);
      onOpenChange(false);
      setName("");
      setDescription("");
      setAsked(false);
      generationId.current = undefined;
    } catch (error) {
      setProblem(explain(error));
    } finally {
      started.current = false;
      setBusy(false);
    }
  };

  return (
    <Modal
      open={open}
      onOpenChange={onOpenChange}
      locked={busy}
      title="Generate project"
      description="Polaris writes a complete project in nine steps. You can watch, and stop it at any time."
    >
      <form className="mt-4 space-y-2" noValidate onSubmit={(event) => void submit(event)}>
        <TextArea
          label="What shall it be?"
          rows={5}
          autoFocus
          maxLength={MAX_DESCRIPTION_CHARS}
          disabled={busy}
          value={description}
          onChange={(event) => change(setDescription)(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void submit(event);
          }}
          placeholder="A reading list: books with author and status, a page for each, and a yearly goal"
          error={asked ? invalid : undefined}
          hint="Pages, data and words come from this. At least ten characters."
        />
        <TextField
          label="Name (optional)"
          autoComplete="off"
          maxLength={200}
          disabled={busy}
          placeholder={nameFrom(description)}
          value={name}
          onChange={(event) => change(setName)(event.target.value)}
        />
        {problem !== undefined && <Notice tone="danger" title={problem} />}
        <div className="flex justify-end gap-2 pt-2">
          <Button disabled={busy} onClick={() => onOpenChange(false)}>
            Cancel
          </Button>
          <Button kind="primary" type="submit" busy={busy}>
            {busy ? "Starting…" : "Generate"}
          </Button>
        </div>
      </form>
    </Modal>
  );
}
