import { FileQuestion } from "lucide-react";
import Link from "next/link";
import { Empty } from "../components/ui/empty.tsx";

export default function NotFound() {
  return (
    <main className="grid h-full place-items-center">
      <Empty
        icon={FileQuestion}
        title="There is no such page"
        actions={
          <Link
            href="/"
            className="inline-flex h-9 items-center rounded-lg border border-line-strong bg-surface px-3.5 font-medium hover:bg-hover"
          >
            All projects
          </Link>
        }
      />
    </main>
  );
}
