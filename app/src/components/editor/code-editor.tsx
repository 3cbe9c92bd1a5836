"use client";
// The text field of the editor: CodeMirror with the file's language. It shows the text it is given and
// reports what a person typed; what comes from outside moves the cursor as little as it can.

import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import {
  bracketMatching,
  foldGutter,
  foldKeymap,
  indentOnInput,
  syntaxHighlighting,
} from "@codemirror/language";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { Annotation, Compartment, EditorState } from "@codemirror/state";
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  keymap,
  lineNumbers,
} from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";
import { useEffect, useRef } from "react";
import { languageOfFile } from "../../live/languages.ts";
import { smallestChange } from "./editing.ts";

export interface CodeEditorProps {
  name: string;
  text: string;
  onText: (text: string) => void;
  onSave: () => void;
  onBlur: () => void;
}

/** Marks what did not come from the keyboard. */
const FromOutside = Annotation.define<boolean>();

const THEME = EditorView.theme({
  "&": { height: "100%", fontSize: "0.8125rem", backgroundColor: "var(--color-surface)" },
  ".cm-scroller": { fontFamily: "var(--font-mono)", lineHeight: "1.25rem" },
  "&.cm-focused": { outline: "none" },
  ".cm-content": { caretColor: "var(--color-ink)", padding: "0.5rem 0 4rem" },
  ".cm-cursor": { borderLeftColor: "var(--color-ink)" },
  ".cm-gutters": {
    backgroundColor: "var(--color-surface)",
    color: "var(--color-faint)",
    border: "none",
  },
  ".cm-lineNumbers .cm-gutterElement": { padding: "0 0.25rem 0 0.875rem" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "transparent" },
  "&.cm-focused .cm-activeLine, &.cm-focused .cm-activeLineGutter": {
    backgroundColor: "var(--color-sunken)",
  },
  ".cm-activeLineGutter": { color: "var(--color-ink)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground":
    { backgroundColor: "var(--color-accent-soft)" },
  ".cm-panels": {
    backgroundColor: "var(--color-raised)",
    color: "var(--color-ink)",
    borderColor: "var(--color-line)",
  },
  ".cm-textfield, .cm-button": {
    background: "var(--color-surface)",
    border: "1px solid var(--color-line-strong)",
    borderRadius: "6px",
  },
  ".cm-searchMatch": { backgroundColor: "var(--color-warn-soft)" },
  ".cm-searchMatch-selected": { outline: "1px solid var(--color-warn)" },
  ".cm-foldPlaceholder": {
    background: "var(--color-sunken)",
    border: "1px solid var(--color-line)",
    color: "var(--color-muted)",
  },
  "&.cm-focused .cm-matchingBracket": {
    backgroundColor: "var(--color-hover)",
    outline: "1px solid var(--color-line-strong)",
  },
});

export function CodeEditor(props: CodeEditorProps) {
  const { name, text } = props;
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(null);
  const handlers = useRef(props);
  handlers.current = props;

  // biome-ignore lint/correctness/useExhaustiveDependencies: later texts come through the next effect
  useEffect(() => {
    if (host.current === null) return;
    const language = new Compartment();
    const editor = new EditorView({
      parent: host.current,
      state: EditorState.create({
        doc: text,
        extensions: [
          lineNumbers(),
          foldGutter(),
          history(),
          drawSelection(),
          indentOnInput(),
          bracketMatching(),
          highlightActiveLine(),
          highlightActiveLineGutter(),
          highlightSelectionMatches(),
          search({ top: true }),
          syntaxHighlighting(classHighlighter),
          language.of([]),
          keymap.of([
            {
              key: "Mod-s",
              preventDefault: true,
              run: () => {
                handlers.current.onSave();
                return true;
              },
            },
            ...searchKeymap,
            ...foldKeymap,
            ...historyKeymap,
            ...defaultKeymap,
            indentWithTab,
          ]),
          THEME,
          EditorView.contentAttributes.of({
            "aria-label": `${name}, editor. Esc, then Tab leaves it.`,
            spellcheck: "false",
            // It is focusable anyway; this says so to those who look from outside.
            tabindex: "0",
          }),
          EditorView.domEventHandlers({ blur: () => handlers.current.onBlur() }),
          EditorView.updateListener.of((update) => {
            const outside = update.transactions.some((transaction) =>
              transaction.annotation(FromOutside),
            );
            if (update.docChanged && !outside) {
              handlers.current.onText(update.state.doc.toString());
            }
          }),
        ],
      }),
    });
    view.current = editor;
    languageOfFile(name)
      .then((support) => {
        if (support !== undefined && view.current === editor) {
          editor.dispatch({ effects: language.reconfigure(support) });
        }
      })
      // Without colours it is still readable.
      .catch(() => undefined);
    // Its lines were measured with another font where ours was not there yet.
    const measure = (): void => editor.requestMeasure();
    document.fonts.addEventListener("loadingdone", measure);
    return () => {
      document.fonts.removeEventListener("loadingdone", measure);
      view.current = null;
      editor.destroy();
    };
  }, [name]);

  useEffect(() => {
    const editor = view.current;
    if (editor === null) return;
    const change = smallestChange(editor.state.doc.toString(), text);
    if (change === undefined) return;
    editor.dispatch({ changes: change, annotations: FromOutside.of(true) });
  }, [text]);

  return <div ref={host} className="h-full min-h-0 overflow-hidden" />;
}
