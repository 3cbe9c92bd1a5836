"use client";
// An empty project; its files come from the person or from the conversation.

import { useRouter } from "next/navigation";
import { request } from "../../live/request.ts";
import { Modal } from "../ui/modal.tsx";
import { NameForm } from "./name-form.tsx";

export function NewProjectDialog({
  open,
  onOpenChange,
}: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  const router = useRouter();
  return (
    <Modal
      open={open}
      onOpenChange={onOpenChange}
      title="New project"
      description="It begins empty. Add files yourself, or ask for them in its conversation."
    >
      <NameForm
        label="Name"
        action="Create project"
        onCancel={() => onOpenChange(false)}
        onName={async (name) => {
          const { projectId } = await request("POST", "/api/projects/create", { name });
          onOpenChange(false);
          router.push(`/projects/${String(projectId)}`);
        }}
      />
    </Modal>
  );
}
