// The machine presets that a task may name. On this machine they only set the worker's heap limit.
// Sizes: the official list (vCPU, GB). Nothing is charged here.

import { MachineConfig, type MachinePreset, MachinePresetName } from "@trigger.dev/core/v3";

const SIZES: Record<MachinePresetName, { cpu: number; memory: number }> = {
  micro: { cpu: 0.25, memory: 0.25 },
  "small-1x": { cpu: 0.5, memory: 0.5 },
  "small-2x": { cpu: 1, memory: 1 },
  "medium-1x": { cpu: 1, memory: 2 },
  "medium-2x": { cpu: 2, memory: 4 },
  "large-1x": { cpu: 4, memory: 8 },
  "large-2x": { cpu: 8, memory: 16 },
};

const DEFAULT: MachinePresetName = "small-1x";

export function machinePreset(name: string | undefined): MachinePreset {
  const parsed = MachinePresetName.safeParse(name);
  const preset = parsed.success ? parsed.data : DEFAULT;
  return { name: preset, ...SIZES[preset], centsPerMs: 0 };
}

/** The preset of a run: what it was triggered or retried with, else what its task declares. */
export function machineOf(chosen: string | undefined, declared: unknown): MachinePreset {
  if (chosen !== undefined) return machinePreset(chosen);
  const config = MachineConfig.safeParse(declared ?? {});
  if (!config.success) return machinePreset(DEFAULT);
  const { preset, cpu, memory } = config.data;
  if (preset !== undefined) return machinePreset(preset);
  if (cpu === undefined || memory === undefined) return machinePreset(DEFAULT);
  const fitting = MachinePresetName.options.find(
    (name) => SIZES[name].cpu >= cpu && SIZES[name].memory >= memory,
  );
  return machinePreset(fitting);
}
