/** A file's path, of which the end is always to be seen. */
export function FilePath({ names }: { names: readonly string[] }) {
  const folders = names.slice(0, -1);
  return (
    <h2 className="flex min-w-0 items-baseline font-mono text-xs">
      {folders.length > 0 && (
        <span className="truncate text-faint">
          <bdi>{folders.join("/")}</bdi>/
        </span>
      )}
      <bdi className="max-w-full shrink-0 truncate text-ink">{names.at(-1)}</bdi>
    </h2>
  );
}
