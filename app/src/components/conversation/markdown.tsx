"use client";
// An answer as Markdown, while it grows and afterwards. Never as HTML: what looks like it is shown as
// text. Images are shown as links: a model's answer must not make the browser ask other servers.

import { memo, type ReactNode, useDeferredValue, useState } from "react";
import ReactMarkdown, { type Components } from "react-markdown";
import remarkGfm from "remark-gfm";
import { GrowingBlocks } from "./blocks.ts";
import { CodeBlock } from "./code-block.tsx";
import { GrowingPieces, type Pieces } from "./pieces.ts";

const PLUGINS = [remarkGfm];

/** So many blocks are compared as one: a long answer has more than a thousand. */
const GROUP = 32;

export function Markdown({ text, streaming = false }: { text: string; streaming?: boolean }) {
  // A long answer is drawn in slices, between which the page answers to the person; a finished one is
  // shown at once with what it ends with.
  const inSlices = useDeferredValue(text);
  const drawn = streaming ? inSlices : text;
  const [growing] = useState(() => new GrowingBlocks());
  const blocks = growing.of(drawn);
  const groups = Array.from({ length: Math.ceil(blocks.length / GROUP) }, (_, n) =>
    blocks.slice(n * GROUP, (n + 1) * GROUP),
  );
  return (
    <div className="prose">
      {groups.map((group, index) => (
        <Group
          // biome-ignore lint/suspicious/noArrayIndexKey: groups are only ever added at the end
          key={index}
          blocks={group}
          last={index === groups.length - 1}
          open={streaming && index === groups.length - 1}
        />
      ))}
    </div>
  );
}

interface GroupProps {
  blocks: readonly string[];
  /** Behind the others nothing changes any more. */
  last: boolean;
  /** Its last block may still grow. */
  open: boolean;
}

const Group = memo(
  function Group({ blocks, last, open }: GroupProps) {
    return (
      // What is out of sight is not laid out again for each word.
      <div className={last ? undefined : "prose-group"}>
        {blocks.map((block, index) => (
          <Block
            // biome-ignore lint/suspicious/noArrayIndexKey: as above
            key={index}
            text={block}
            open={open && index === blocks.length - 1}
          />
        ))}
      </div>
    );
  },
  (before, after) =>
    before.open === after.open &&
    before.last === after.last &&
    before.blocks.length === after.blocks.length &&
    before.blocks.every((block, index) => block === after.blocks[index]),
);

const Block = memo(function Block({ text, open }: { text: string; open: boolean }) {
  const [growing] = useState(() => new GrowingPieces());
  return <div className="prose-block">{contentOf(text, growing.of(text), open)}</div>;
});

function contentOf(text: string, cut: Pieces, open: boolean): ReactNode {
  switch (cut.kind) {
    case "whole":
      return <Parsed text={text} open={open} />;
    case "code":
      return <CodeBlock code={cut.code} info={cut.info} open={open} />;
    case "paragraph":
      return (
        <p>
          {cut.pieces.map((piece, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: pieces are only ever added at the end
            <Words key={index} text={piece} />
          ))}
        </p>
      );
    case "list":
      return (
        <div className="prose-pieces">
          {cut.pieces.map((piece, index) => (
            <Parsed
              // biome-ignore lint/suspicious/noArrayIndexKey: pieces are only ever added at the end
              key={index}
              text={piece}
              open={open && index === cut.pieces.length - 1}
            />
          ))}
        </div>
      );
    case "table":
      return (
        <>
          {cut.before !== "" && <Parsed text={cut.before} open={false} />}
          <TableBox>
            {cut.pieces.map((piece, index) => (
              <Rows
                // biome-ignore lint/suspicious/noArrayIndexKey: as above
                key={index}
                text={cut.head + piece}
                first={index === 0}
              />
            ))}
          </TableBox>
        </>
      );
  }
}

const Parsed = memo(function Parsed({ text, open }: { text: string; open: boolean }) {
  return (
    <ReactMarkdown remarkPlugins={PLUGINS} components={open ? OPEN : CLOSED}>
      {text}
    </ReactMarkdown>
  );
});

/** A part of a paragraph, with the space that it ends with. */
const Words = memo(function Words({ text }: { text: string }) {
  return (
    <>
      <ReactMarkdown remarkPlugins={PLUGINS} components={WORDS}>
        {text}
      </ReactMarkdown>
      {text.endsWith(" ") && " "}
    </>
  );
});

/** A part of a table's rows; every part brings the head along, and the first shows it. */
const Rows = memo(function Rows({ text, first }: { text: string; first: boolean }) {
  return (
    <ReactMarkdown remarkPlugins={PLUGINS} components={first ? FIRST_ROWS : MORE_ROWS}>
      {text}
    </ReactMarkdown>
  );
});

function TableBox({ children }: { children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section className="table-scroll thin-scroll" aria-label="Table" tabIndex={0}>
      <table>{children}</table>
    </section>
  );
}

function components(open: boolean): Components {
  return {
    a: ({ href, children }) => <SafeLink href={href}>{children}</SafeLink>,
    img: ({ src, alt }) => (
      <SafeLink href={typeof src === "string" ? src : undefined}>
        {alt === undefined || alt === "" ? "Image" : alt}
      </SafeLink>
    ),
    table: ({ children }) => <TableBox>{children}</TableBox>,
    pre: ({ node }) => {
      const code = node?.children[0];
      if (code?.type !== "element") return null;
      const { className } = code.properties;
      const names = Array.isArray(className) ? className.map(String) : [];
      const info = names.find((name) => name.startsWith("language-"))?.slice("language-".length);
      const [text] = code.children;
      const value = text?.type === "text" ? text.value.replace(/\n$/, "") : "";
      return <CodeBlock code={value} info={info ?? ""} open={open} />;
    },
  };
}

const OPEN = components(true);
const CLOSED = components(false);
const WORDS: Components = { ...CLOSED, p: ({ children }) => <>{children}</> };
const FIRST_ROWS: Components = { ...CLOSED, table: ({ children }) => <>{children}</> };
const MORE_ROWS: Components = { ...FIRST_ROWS, thead: () => null };

function SafeLink({ href, children }: { href: string | undefined; children: ReactNode }) {
  // react-markdown leaves only harmless protocols; an empty address is what it made of the others.
  if (href === undefined || href === "") return <span>{children}</span>;
  return (
    <a href={href} target="_blank" rel="noopener noreferrer nofollow">
      {children}
    </a>
  );
}
