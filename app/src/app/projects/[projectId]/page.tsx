import { viewOf } from "../../../components/project/views.ts";
import { Workspace } from "../../../components/project/workspace.tsx";

export default async function ProjectPage({
  params,
  searchParams,
}: {
  params: Promise<{ projectId: string }>;
  searchParams: Promise<Record<string, string | string[] | undefined>>;
}) {
  const [{ projectId }, { view }] = await Promise.all([params, searchParams]);
  return (
    <Workspace
      key={projectId}
      projectId={projectId}
      initialView={viewOf(typeof view === "string" ? view : undefined)}
    />
  );
}
