// How far something is, in steps.

import { Progress } from "radix-ui";

export function ProgressBar({ value, max, label }: { value: number; max: number; label: string }) {
  const share = max === 0 ? 0 : Math.min(1, value / max);
  return (
    <Progress.Root
      value={value}
      max={Math.max(max, 1)}
      aria-label={label}
      getValueLabel={() => label}
      className="h-1.5 w-full overflow-hidden rounded-full bg-hover"
    >
      <Progress.Indicator
        className="h-full rounded-full bg-accent transition-[width] duration-300"
        style={{ width: `${share * 100}%` }}
      />
    </Progress.Root>
  );
}
