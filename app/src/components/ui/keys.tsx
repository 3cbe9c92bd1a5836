// A keyboard shortcut as it is written on the keys.

import { cx } from "./cx.ts";

export function Keys({ keys, inverted = false }: { keys: string; inverted?: boolean }) {
  return (
    <kbd
      className={cx(
        "rounded border px-1 font-sans text-2xs",
        inverted ? "border-canvas/30 text-canvas" : "border-line text-faint",
      )}
    >
      {keys}
    </kbd>
  );
}
