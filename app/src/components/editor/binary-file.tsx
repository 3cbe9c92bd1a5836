"use client";
// A file that is no text: an image is shown, everything else can be saved.

import { FileQuestion } from "lucide-react";
import { Empty } from "../ui/empty.tsx";

/** Not SVG: that is a document, and stored as text anyway. */
const IMAGE = /\.(png|jpe?g|gif|webp|avif|bmp|ico)$/i;

export function BinaryFile({ name, url }: { name: string; url: string | null | undefined }) {
  if (url === null || url === undefined) {
    return (
      <Empty icon={FileQuestion} title={name}>
        This file holds no text, and its bytes are not there any more.
      </Empty>
    );
  }
  const link = (
    <a
      href={url}
      download={name}
      target="_blank"
      rel="noopener noreferrer"
      className="text-accent text-sm underline underline-offset-2"
    >
      Open {name}
    </a>
  );
  if (!IMAGE.test(name)) {
    return (
      <Empty icon={FileQuestion} title={name} actions={link}>
        This file holds no text, so there is nothing to edit.
      </Empty>
    );
  }
  return (
    <figure className="flex h-full flex-col items-center justify-center gap-4 p-6">
      {/* biome-ignore lint/performance/noImgElement: it is a file of the project, not of the page */}
      <img
        src={url}
        alt={name}
        className="min-h-0 max-w-full rounded-lg border border-line bg-sunken object-contain"
      />
      <figcaption>{link}</figcaption>
    </figure>
  );
}
