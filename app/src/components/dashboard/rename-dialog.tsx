"use client";

import { useMutation } from "convex/react";
import { api } from "../../../convex/_generated/api.js";
import { Modal } from "../ui/modal.tsx";
import { NameForm } from "./name-form.tsx";

export function RenameDialog({
  id,
  name,
  open,
  onOpenChange,
}: {
  id: string;
  name: string;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  const rename = useMutation(api.projects.rename);
  return (
    <Modal open={open} onOpenChange={onOpenChange} title="Rename project">
      <NameForm
        label="Name"
        initial={name}
        action="Rename"
        onCancel={() => onOpenChange(false)}
        onName={async (next) => {
          await rename({ id, name: next });
          onOpenChange(false);
        }}
      />
    </Modal>
  );
}
