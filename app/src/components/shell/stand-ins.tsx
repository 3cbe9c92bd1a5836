// Says which services are stand-ins of this machine, and which variable makes each one real. Quiet:
// one line, more when it is unfolded.

import { FlaskConical } from "lucide-react";
import type { StandIn } from "../../server/public-settings.ts";

export function StandIns({ standIns }: { standIns: readonly StandIn[] }) {
  if (standIns.length === 0) return null;
  const names = standIns.map(({ service }) => service).join(", ");
  return (
    <details className="group shrink-0 border-line border-t bg-sunken text-xs">
      <summary className="flex h-7 cursor-pointer list-none items-center gap-2 px-4 text-muted hover:text-ink">
        <FlaskConical aria-hidden className="size-3.5 shrink-0" />
        <span className="truncate">
          Local stand-ins in use: {names}
          <span className="ml-2 text-faint underline decoration-dotted underline-offset-2 group-open:hidden">
            make real
          </span>
        </span>
      </summary>
      <div className="px-4 pt-1 pb-3 text-muted">
        <p>Set these in .env.local to use the real services:</p>
        <ul className="mt-1 space-y-0.5">
          {standIns.map(({ service, variable }) => (
            <li key={service}>
              {service}: <code className="font-mono text-ink">{variable}</code>
            </li>
          ))}
        </ul>
      </div>
    </details>
  );
}
