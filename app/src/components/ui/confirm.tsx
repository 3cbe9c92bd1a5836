"use client";
// Asks before something that cannot be undone. The safe answer has the focus.

import { AlertDialog } from "radix-ui";
import { type ReactNode, useState } from "react";
import { explain } from "../../live/errors.ts";
import { Button } from "./button.tsx";
import { Notice } from "./notice.tsx";

export function Confirm({
  open,
  onOpenChange,
  title,
  children,
  action,
  onConfirm,
}: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: ReactNode;
  children: ReactNode;
  /** What the button that does it says. */
  action: string;
  onConfirm: () => Promise<unknown>;
}) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();
  const change = (next: boolean): void => {
    if (busy) return;
    setProblem(undefined);
    onOpenChange(next);
  };
  const confirm = async (): Promise<void> => {
    if (busy) return;
    setBusy(true);
    setProblem(undefined);
    try {
      await onConfirm();
      onOpenChange(false);
    } catch (error) {
      setProblem(explain(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <AlertDialog.Root open={open} onOpenChange={change}>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="fixed inset-0 z-40 animate-fade bg-scrim" />
        <AlertDialog.Content className="fixed inset-x-0 top-[max(1rem,18vh)] z-50 mx-auto w-[calc(100%-2rem)] max-w-md animate-appear rounded-2xl border border-line bg-raised p-5 shadow-raised outline-none">
          <AlertDialog.Title className="wrap-anywhere font-semibold text-lg">
            {title}
          </AlertDialog.Title>
          <AlertDialog.Description className="mt-1.5 text-muted text-sm">
            {children}
          </AlertDialog.Description>
          {problem !== undefined && <Notice tone="danger" title={problem} className="mt-4" />}
          <div className="mt-5 flex justify-end gap-2">
            <AlertDialog.Cancel asChild>
              <Button disabled={busy}>Keep it</Button>
            </AlertDialog.Cancel>
            <Button kind="danger" busy={busy} onClick={() => void confirm()}>
              {action}
            </Button>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
