"use client";
// Keeps what a person types in one file: saved shortly after the last key, on leaving, and by Ctrl+S.

import { useMutation } from "convex/react";
import { useCallback, useEffect, useReducer, useRef } from "react";
import { api } from "../../../convex/_generated/api.js";
import { edited, isDirty, opened } from "./editing.ts";

const SAVE_AFTER_MS = 1_000;

export function useEditing(fileId: string, stored: string) {
  const updateFile = useMutation(api.files.updateFile);
  const [state, dispatch] = useReducer(edited, stored, opened);
  const latest = useRef(state);
  latest.current = state;
  const saving = useRef(false);

  useEffect(() => dispatch({ kind: "arrived", stored }), [stored]);

  const save = useCallback(async (): Promise<void> => {
    if (saving.current || !isDirty(latest.current)) return;
    saving.current = true;
    dispatch({ kind: "saving" });
    try {
      await updateFile({ id: fileId, content: latest.current.text });
      dispatch({ kind: "saved" });
    } catch {
      dispatch({ kind: "failed" });
    } finally {
      saving.current = false;
    }
  }, [fileId, updateFile]);

  const dirty = isDirty(state);
  const { text, saving: underWay, failed } = state;
  // biome-ignore lint/correctness/useExhaustiveDependencies: each key begins the wait anew
  useEffect(() => {
    if (!dirty || underWay !== undefined || failed) return;
    const timer = setTimeout(() => void save(), SAVE_AFTER_MS);
    return () => clearTimeout(timer);
  }, [dirty, text, underWay, failed, save]);

  useEffect(() => {
    if (!dirty) return;
    const warn = (event: BeforeUnloadEvent): void => event.preventDefault();
    window.addEventListener("beforeunload", warn);
    return () => window.removeEventListener("beforeunload", warn);
  }, [dirty]);

  // Another file is opened, or the page is left within the app.
  useEffect(() => () => void save(), [save]);

  const type = useCallback((next: string) => dispatch({ kind: "typed", text: next }), []);
  const takeOther = useCallback(() => dispatch({ kind: "take-other" }), []);
  const dismiss = useCallback(() => dispatch({ kind: "dismiss" }), []);
  return { state, dirty, type, save, takeOther, dismiss };
}
