// Whose tokens are believed. A deployment refuses this file when it reads a variable that is not set,
// so each is read by itself; the addresses are Stack Auth's own (docs.stack-auth.com/docs/others/convex).
import type { AuthConfig, AuthProvider } from "convex/server";
import { LOCAL_AUDIENCE, LOCAL_ISSUER } from "./model/issuers";

function read(variable: () => string | undefined): string | undefined {
  try {
    return variable() || undefined;
  } catch {
    return undefined;
  }
}

function providers(): AuthProvider[] {
  const projectId =
    read(() => process.env.STACK_PROJECT_ID) ??
    read(() => process.env.NEXT_PUBLIC_STACK_PROJECT_ID);
  if (projectId !== undefined) {
    const base = read(() => process.env.STACK_API_URL) ?? "https://api.stack-auth.com";
    const issuer = `${base}/api/v1/projects/${projectId}`;
    return [
      {
        type: "customJwt",
        issuer,
        applicationID: projectId,
        jwks: `${issuer}/.well-known/jwks.json`,
        algorithm: "ES256",
      },
    ];
  }
  // The developer of this machine; only the local host is ever given these keys.
  const jwks = read(() => process.env.POLARIS_LOCAL_AUTH_JWKS);
  if (jwks === undefined) return [];
  return [
    {
      type: "customJwt",
      issuer: LOCAL_ISSUER,
      applicationID: LOCAL_AUDIENCE,
      jwks,
      algorithm: "ES256",
    },
  ];
}

export default { providers: providers() } satisfies AuthConfig;
