"use client";
// Fenced code of an answer: its language, a copy button, colours once it is complete.

import { useEffect, useState } from "react";
import type { Token } from "../../live/languages.ts";
import { CopyButton } from "../ui/copy-button.tsx";

export function CodeBlock({ code, info, open }: { code: string; info: string; open: boolean }) {
  const tokens = useTokens(code, info, open);
  return (
    <figure className="overflow-hidden rounded-xl border border-line bg-sunken">
      <figcaption className="flex h-9 items-center justify-between border-line border-b pr-1 pl-3 text-faint text-xs">
        <span className="truncate font-mono">{info === "" ? "text" : info}</span>
        <CopyButton text={code} label="Copy code" className="size-7" />
      </figcaption>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <pre className="thin-scroll overflow-x-auto p-3 font-mono text-xs leading-5" tabIndex={0}>
        <code>
          {tokens === undefined
            ? code
            : tokens.map(({ text, classes }, index) =>
                classes === "" ? (
                  text
                ) : (
                  // biome-ignore lint/suspicious/noArrayIndexKey: tokens of one text never move
                  <span key={index} className={classes}>
                    {text}
                  </span>
                ),
              )}
        </code>
      </pre>
    </figure>
  );
}

/** Undefined while the code still grows, and until its grammar is there. */
function useTokens(code: string, info: string, open: boolean): Token[] | undefined {
  const [found, setFound] = useState<{ code: string; tokens: Token[] | undefined }>();
  useEffect(() => {
    if (open || info === "") return;
    let wanted = true;
    import("../../live/languages.ts")
      .then(({ highlight }) => highlight(code, info))
      .then((tokens) => {
        if (wanted) setFound({ code, tokens });
      })
      // Without colours it is still readable.
      .catch(() => undefined);
    return () => {
      wanted = false;
    };
  }, [code, info, open]);
  return found?.code === code ? found.tokens : undefined;
}
