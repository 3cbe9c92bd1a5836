"use client";
// Where a message is written. Enter sends, Shift+Enter begins a new line, Esc stops a running answer.
// While an answer is under way Send is Stop; writing goes on meanwhile.

import { ArrowUp, Square } from "lucide-react";
import { type KeyboardEvent, type RefObject, useId } from "react";
import { cx } from "../ui/cx.ts";
import { Keys } from "../ui/keys.tsx";
import { Notice } from "../ui/notice.tsx";
import { Spinner } from "../ui/spinner.tsx";
import { Tip } from "../ui/tip.tsx";

export interface ComposerProps {
  field: RefObject<HTMLTextAreaElement | null>;
  text: string;
  onText: (text: string) => void;
  state: "idle" | "sending" | "answering" | "stopping";
  onSend: () => void;
  onStop: () => void;
  /** What went wrong with sending or stopping. */
  problem?: string | undefined;
}

export function Composer({ field, text, onText, state, onSend, onStop, problem }: ComposerProps) {
  const hintId = useId();
  const answering = state === "answering" || state === "stopping";
  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>): void => {
    // An input method takes Enter for itself.
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      if (!answering) onSend();
    }
  };
  return (
    <div className="border-line border-t bg-surface px-3 pt-3 pb-2">
      {problem !== undefined && <Notice tone="danger" title={problem} className="mb-2" />}
      <div className="flex items-end gap-2 rounded-2xl border border-control bg-canvas p-1.5 pl-3.5 focus-within:border-accent focus-within:ring-2 focus-within:ring-accent/25">
        <textarea
          ref={field}
          value={text}
          rows={1}
          aria-label="Message"
          aria-describedby={hintId}
          placeholder="Ask for a change, or about the code"
          onChange={(event) => onText(event.target.value)}
          onKeyDown={onKeyDown}
          className="field-sizing-content thin-scroll max-h-48 min-h-8 flex-1 resize-none bg-transparent py-1.5 text-base leading-5 outline-none"
        />
        {answering ? (
          <RoundButton
            label="Stop"
            keys="Esc"
            disabled={state === "stopping"}
            onClick={onStop}
            className="bg-ink text-canvas hover:opacity-85"
          >
            {state === "stopping" ? (
              <Spinner className="size-3.5" />
            ) : (
              <Square aria-hidden className="size-3 fill-current" />
            )}
          </RoundButton>
        ) : (
          <RoundButton
            label="Send"
            keys="Enter"
            disabled={state === "sending" || text.trim() === ""}
            onClick={onSend}
            className="bg-accent text-on-accent hover:bg-accent-strong"
          >
            {state === "sending" ? (
              <Spinner className="size-4" />
            ) : (
              <ArrowUp aria-hidden className="size-4" />
            )}
          </RoundButton>
        )}
      </div>
      <p
        id={hintId}
        className="mt-1.5 flex h-4 items-center gap-1.5 px-1 text-2xs text-faint pointer-coarse:sr-only"
      >
        {answering ? (
          <>
            <Keys keys="Esc" /> stops the answer
          </>
        ) : (
          <>
            <Keys keys="Enter" /> sends, <Keys keys="Shift+Enter" /> begins a new line
          </>
        )}
      </p>
    </div>
  );
}

function RoundButton({
  label,
  keys,
  className,
  disabled,
  onClick,
  children,
}: {
  label: string;
  keys: string;
  className: string;
  disabled: boolean;
  onClick: () => void;
  children: React.ReactNode;
}) {
  return (
    <Tip label={label} keys={keys}>
      <button
        type="button"
        aria-label={label}
        disabled={disabled}
        onClick={onClick}
        className={cx(
          "grid size-8 shrink-0 place-items-center rounded-xl transition-colors disabled:cursor-not-allowed disabled:bg-hover disabled:text-faint",
          className,
        )}
      >
        {children}
      </button>
    </Tip>
  );
}
