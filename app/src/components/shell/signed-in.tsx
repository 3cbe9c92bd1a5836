"use client";
// Shows the page to who is signed in; says to the others why there is nothing to see.

import { useConvexAuth } from "convex/react";
import { LogIn } from "lucide-react";
import type { ReactNode } from "react";
import { Empty } from "../ui/empty.tsx";
import { Spinner } from "../ui/spinner.tsx";

export function SignedIn({ children }: { children: ReactNode }) {
  const { isLoading, isAuthenticated } = useConvexAuth();
  if (isAuthenticated) return children;
  return (
    <main className="grid h-full place-items-center">
      {isLoading ? (
        <div role="status" className="text-faint">
          <Spinner className="size-5" />
          <span className="sr-only">Connecting</span>
        </div>
      ) : (
        <Empty icon={LogIn} title="You are not signed in">
          Sign in to see your projects.
        </Empty>
      )}
    </main>
  );
}
