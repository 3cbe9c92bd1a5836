"use client";
// What was typed and is not known to be stored, kept per project in this tab: a failed send, a change
// of the view and a reload lose nothing.

import { useCallback, useEffect, useMemo, useRef, useState } from "react";

export interface Draft {
  text: string;
  change: (text: string) => void;
  /** Takes a text out of the field while it is being sent; it is kept until one of the next two. */
  hold: (text: string) => void;
  confirm: () => void;
  /** Puts it back, before whatever was typed meanwhile. */
  restore: () => void;
}

export function useDraft(projectId: string): Draft {
  const key = `polaris:draft:${projectId}`;
  const [text, setText] = useState("");
  const typed = useRef("");
  const held = useRef("");

  const show = useCallback(
    (next: string) => {
      typed.current = next;
      setText(next);
      write(key, joined(held.current, next));
    },
    [key],
  );

  useEffect(() => {
    const kept = read(key);
    // What was typed before this ran wins.
    if (kept !== "" && typed.current === "") {
      typed.current = kept;
      setText(kept);
    }
  }, [key]);

  const actions = useMemo(
    () => ({
      change: show,
      hold: (given: string) => {
        held.current = given;
        show("");
      },
      confirm: () => {
        held.current = "";
        write(key, typed.current);
      },
      restore: () => {
        const all = joined(held.current, typed.current);
        held.current = "";
        show(all);
      },
    }),
    [show, key],
  );
  return { text, ...actions };
}

function joined(first: string, second: string): string {
  return first === "" || second === "" ? first + second : `${first}\n${second}`;
}

function read(key: string): string {
  try {
    return sessionStorage.getItem(key) ?? "";
  } catch {
    return "";
  }
}

function write(key: string, text: string): void {
  try {
    if (text === "") sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, text);
  } catch {
    // Storage is full or forbidden: the text stays on the page at least.
  }
}
