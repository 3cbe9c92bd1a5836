"use client";
// Fenced code of an answer: its language, a copy button, colours once it is complete. Long code is drawn
// in parts, of which those out of sight are not laid out.

import { memo, startTransition, useEffect, useMemo, useState } from "react";
import type { Token } from "../../live/languages.ts";
import { CopyButton } from "../ui/copy-button.tsx";
import { codeParts, LINES_PER_PART, tokenParts } from "./code-parts.ts";

/** `leading-5`; every line has one, since none is broken. */
const LINE_PX = 20;

export function CodeBlock({ code, info, open }: { code: string; info: string; open: boolean }) {
  const tokens = useTokens(code, info, open);
  const parts = useMemo(() => codeParts(code), [code]);
  return (
    <figure className="overflow-hidden rounded-xl border border-line bg-sunken">
      <figcaption className="flex h-9 items-center justify-between border-line border-b pr-1 pl-3 text-faint text-xs">
        <span className="truncate font-mono">{info === "" ? "text" : info}</span>
        <CopyButton text={code} label="Copy code" className="size-7" />
      </figcaption>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <pre className="thin-scroll overflow-x-auto p-3 font-mono text-xs leading-5" tabIndex={0}>
        <code>
          {parts.map((text, index) => (
            <Part
              // biome-ignore lint/suspicious/noArrayIndexKey: parts are only ever added at the end
              key={index}
              text={text}
              tokens={tokens?.[index]}
              full={index < parts.length - 1}
            />
          ))}
        </code>
      </pre>
    </figure>
  );
}

const FULL_PART = {
  contentVisibility: "auto",
  containIntrinsicSize: `auto none auto ${LINES_PER_PART * LINE_PX}px`,
} as const;

const Part = memo(function Part({
  text,
  tokens,
  full,
}: {
  text: string;
  tokens: readonly Token[] | undefined;
  /** Nothing is added to it any more. */
  full: boolean;
}) {
  return (
    <span className="block w-max min-w-full" style={full ? FULL_PART : undefined}>
      {tokens === undefined
        ? text
        : tokens.map(({ text: word, classes }, index) =>
            classes === "" ? (
              word
            ) : (
              // biome-ignore lint/suspicious/noArrayIndexKey: tokens of one text never move
              <span key={index} className={classes}>
                {word}
              </span>
            ),
          )}
    </span>
  );
});

/** By part; undefined while the code still grows, and until its grammar is there. */
function useTokens(
  code: string,
  info: string,
  open: boolean,
): readonly (readonly Token[])[] | undefined {
  const [found, setFound] = useState<{ code: string; parts: Token[][] | undefined }>();
  useEffect(() => {
    if (open || info === "") return;
    let wanted = true;
    import("../../live/languages.ts")
      .then(({ highlight }) => highlight(code, info))
      .then((tokens) => {
        const parts = tokens === undefined ? undefined : tokenParts(tokens);
        // Nobody waits for colours: what the person does goes first.
        if (wanted) startTransition(() => setFound({ code, parts }));
      })
      // Without colours it is still readable.
      .catch(() => undefined);
    return () => {
      wanted = false;
    };
  }, [code, info, open]);
  return found?.code === code ? found.parts : undefined;
}
