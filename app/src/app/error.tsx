"use client";
// What a person sees when a page cannot be shown: why, and the way on.

import { CircleAlert, FileQuestion } from "lucide-react";
import Link from "next/link";
import { Button } from "../components/ui/button.tsx";
import { Empty } from "../components/ui/empty.tsx";
import { codeOf, explain } from "../live/errors.ts";

export default function PageError({ error, reset }: { error: Error; reset: () => void }) {
  const code = codeOf(error);
  const home = (
    <Button asChild>
      <Link href="/">All projects</Link>
    </Button>
  );
  return (
    <main className="grid h-full place-items-center">
      {code === "PROJECT_NOT_FOUND" ? (
        <Empty icon={FileQuestion} title="There is no such project" actions={home}>
          It was deleted, or it belongs to somebody else.
        </Empty>
      ) : (
        <Empty
          icon={CircleAlert}
          title="This page cannot be shown"
          actions={
            <>
              <Button kind="primary" onClick={reset}>
                Try again
              </Button>
              {home}
            </>
          }
        >
          {explain(error)}
        </Empty>
      )}
    </main>
  );
}
