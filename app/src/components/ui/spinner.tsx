import { LoaderCircle } from "lucide-react";
import { cx } from "./cx.ts";

/** Says that something is under way; what it is stands in words beside it. */
export function Spinner({ className }: { className?: string }) {
  return <LoaderCircle aria-hidden className={cx("size-4 shrink-0 animate-spin", className)} />;
}
