"use client";
// Says that a job wrote the file that a person edits, and lets them choose.

import { Button } from "../ui/button.tsx";
import { Notice } from "../ui/notice.tsx";
import type { Editing } from "./editing.ts";

export function Conflict({
  notice,
  failed,
  onTakeOther,
  onDismiss,
  onSave,
}: {
  notice: Editing["notice"];
  failed: boolean;
  onTakeOther: () => void;
  onDismiss: () => void;
  onSave: () => void;
}) {
  return (
    <>
      {failed && (
        <Notice
          tone="danger"
          title="The file could not be saved. Your text is kept here."
          className="m-2 mb-0"
          actions={
            <Button size="sm" onClick={onSave}>
              Save again
            </Button>
          }
        />
      )}
      {notice !== undefined && (
        <Notice
          tone="warn"
          alert
          className="m-2 mb-0"
          title={
            notice.kind === "kept-mine"
              ? "Polaris wrote this file while you were editing it. Your version is kept."
              : "Polaris wrote this file after you saved it. You see its version."
          }
          actions={
            <>
              <Button size="sm" onClick={onTakeOther}>
                {notice.kind === "kept-mine" ? "Use its version" : "Bring mine back"}
              </Button>
              <Button size="sm" kind="quiet" onClick={onDismiss}>
                {notice.kind === "kept-mine" ? "Keep mine" : "Keep this"}
              </Button>
            </>
          }
        />
      )}
    </>
  );
}
