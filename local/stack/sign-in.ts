// The key of this installation with which the app signs in the developer of this machine, and the
// public half that the Convex host believes. Made on first use, kept in the state folder for its
// owner alone. Only the app is ever given the private half.

import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from "jose";

export interface SignInKeys {
  /** JSON of the private key (ES256). */
  privateKey: string;
  /** The public keys as a `data:` URL. */
  jwks: string;
}

const FILE = "sign-in-key.json";

export async function signInKeys(state: string): Promise<SignInKeys> {
  await mkdir(state, { recursive: true, mode: 0o700 });
  const path = join(state, FILE);
  const privateJwk = (await stored(path)) ?? (await made(path));
  const { d: _secret, ...publicJwk } = privateJwk;
  const set = JSON.stringify({ keys: [{ ...publicJwk, use: "sig" }] });
  return {
    privateKey: JSON.stringify(privateJwk),
    jwks: `data:application/json;base64,${Buffer.from(set).toString("base64")}`,
  };
}

async function stored(path: string): Promise<JWK | undefined> {
  try {
    const jwk = JSON.parse(await readFile(path, "utf8")) as JWK;
    return jwk.d === undefined ? undefined : jwk;
  } catch {
    return undefined;
  }
}

async function made(path: string): Promise<JWK> {
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  const jwk = await exportJWK(privateKey);
  const named = { ...jwk, alg: "ES256", kid: await calculateJwkThumbprint(jwk) };
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, `${JSON.stringify(named)}\n`, { mode: 0o600 });
  await rename(draft, path);
  return named;
}
