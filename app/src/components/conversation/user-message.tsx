import { memo } from "react";

/** What the person wrote, as they wrote it. */
export const UserMessage = memo(function UserMessage({ text }: { text: string }) {
  return (
    <article aria-label="You" className="flex justify-end">
      <p className="max-w-[88%] whitespace-pre-wrap rounded-2xl rounded-br-md bg-accent-soft px-3.5 py-2 [overflow-wrap:anywhere]">
        {text}
      </p>
    </article>
  );
});
