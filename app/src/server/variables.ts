// Variables of the environment as they are at the time of the call; an empty one counts as unset.

/** By a name that the bundler does not see: it would replace `process.env.NEXT_PUBLIC_*` by values. */
export function variable(name: string): string | undefined {
  const value = process.env[name]?.trim();
  return value === undefined || value === "" ? undefined : value;
}
