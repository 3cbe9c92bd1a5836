"use client";
// A dialog: title, what it is about, its body. Focus goes in and comes back; Esc closes it.

import { X } from "lucide-react";
import { Dialog } from "radix-ui";
import type { ReactNode } from "react";

export function Modal({
  open,
  onOpenChange,
  title,
  description,
  children,
  locked = false,
}: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  description?: ReactNode;
  children: ReactNode;
  /** While its action is under way nothing closes it. */
  locked?: boolean;
}) {
  return (
    <Dialog.Root open={open} onOpenChange={(next) => (locked ? undefined : onOpenChange(next))}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 animate-fade bg-scrim" />
        <Dialog.Content
          {...(description === undefined ? { "aria-describedby": undefined } : {})}
          className="fixed inset-x-0 top-[max(1rem,12vh)] z-50 mx-auto max-h-[calc(100dvh-2rem)] w-[calc(100%-2rem)] max-w-lg animate-appear overflow-y-auto rounded-2xl border border-line bg-raised p-5 shadow-raised outline-none"
        >
          <div className="flex items-start gap-4">
            <div className="min-w-0 flex-1">
              <Dialog.Title className="font-semibold text-lg">{title}</Dialog.Title>
              {description !== undefined && (
                <Dialog.Description className="mt-1 text-muted text-sm">
                  {description}
                </Dialog.Description>
              )}
            </div>
            <Dialog.Close
              aria-label="Close"
              disabled={locked}
              className="-m-1 grid size-8 shrink-0 place-items-center rounded-lg text-muted hover:bg-hover hover:text-ink disabled:opacity-40"
            >
              <X aria-hidden className="size-4" />
            </Dialog.Close>
          </div>
          {children}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
