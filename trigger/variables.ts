// Variables of the environment, read when they are asked for. An empty one counts as unset.

export function variable(name: string): string | undefined {
  const value = process.env[name]?.trim();
  return value === undefined || value === "" ? undefined : value;
}
