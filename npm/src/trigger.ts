// The build extension for trigger.config.ts: `extensions: [polarisAgent()]`. It keeps this package out
// of the bundle (it finds its addon and prompts beside its own files) and puts it, with its exact
// version, into a deployed image. It loads no addon where tasks are only bundled or deployed, and
// imports little: this module is part of what runs in the worker, too.

import { sep } from "node:path";
import { native, packageRoot } from "./native.ts";
import { packageVersion } from "./version.ts";

/** What of a build extension's context is used here. */
export interface PolarisBuildContext {
  target: string;
  logger: { warn(...args: unknown[]): void };
  addLayer(layer: { id: string; dependencies: Record<string, string> }): void;
}

/** Fits the `extensions` of `defineConfig`, whichever version of the runner's packages is installed. */
export interface PolarisAgentExtension {
  name: string;
  externalsForTarget(target: string): string[];
  installedPackagesForTarget(target: string): string[];
  onBuildStart(context: PolarisBuildContext): void;
  onBuildComplete(context: PolarisBuildContext): void;
}

const PACKAGE = "polaris-agent";

/** Makes `trigger.dev dev` and `trigger.dev deploy` work with tasks that import `polaris-agent`. */
export function polarisAgent(): PolarisAgentExtension {
  return {
    name: PACKAGE,
    externalsForTarget: () => [PACKAGE],
    installedPackagesForTarget: () => [PACKAGE],
    onBuildStart({ target, logger }) {
      if (target === "deploy") warnOfCheckout(logger);
      else warnOfAddon(logger);
    },
    onBuildComplete({ target, addLayer }) {
      // Also for a project whose tasks reach the package by other ways than an import.
      if (target === "deploy")
        addLayer({ id: PACKAGE, dependencies: { [PACKAGE]: packageVersion } });
    },
  };
}

/** The image installs the published package: changes of a checkout would not be in it. */
function warnOfCheckout(logger: PolarisBuildContext["logger"]): void {
  if (packageRoot.includes(`${sep}node_modules${sep}`)) return;
  logger.warn(
    `${PACKAGE}: the image will install ${PACKAGE}@${packageVersion} as published; it must be published, and what is changed in this checkout is not in it.`,
  );
}

/** Said when the CLI starts, and not only by the first run that fails. */
function warnOfAddon(logger: PolarisBuildContext["logger"]): void {
  try {
    native();
  } catch (error) {
    logger.warn(error instanceof Error ? error.message : String(error));
  }
}
