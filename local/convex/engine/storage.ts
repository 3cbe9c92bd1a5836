// `ctx.storage`: blobs in the same SQLite file as the documents of `_storage` that describe them, so
// that a mutation that deletes one and then fails has deleted nothing. Upload addresses are random
// and good for an hour.
import { createHash, randomBytes } from "node:crypto";
import type { JSONValue } from "convex/values";
import type { Engine } from "./engine.ts";
import { currentFrame, type Frame } from "./frame.ts";
import type { Transaction } from "./transaction.ts";

const TABLE = "_storage";
const UPLOAD_MS = 60 * 60 * 1000;

const clock = Date.now;

export interface StoredBlob {
  bytes: Buffer;
  contentType: string | null;
}

export class Blobs {
  readonly #engine: Engine;
  readonly #uploads = new Map<string, number>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  uploadUrl(): string {
    const token = randomBytes(16).toString("hex");
    this.#uploads.set(token, clock() + UPLOAD_MS);
    return `${this.#engine.options.publicUrl()}/api/storage/upload?token=${token}`;
  }

  /** An upload address works once. */
  acceptsUpload(token: string): boolean {
    const until = this.#uploads.get(token) ?? 0;
    this.#uploads.delete(token);
    return until > clock();
  }

  url(id: string): string {
    return `${this.#engine.options.publicUrl()}/api/storage/${id}`;
  }

  insert(transaction: Transaction, blob: StoredBlob, sha256?: string): string {
    const digest = createHash("sha256").update(blob.bytes).digest("base64");
    if (sha256 !== undefined && sha256 !== digest)
      throw new Error("The blob's sha256 does not match");
    const id = transaction.insert(TABLE, {
      sha256: digest,
      size: blob.bytes.length,
      ...(blob.contentType ? { contentType: blob.contentType } : {}),
    });
    transaction.store.saveBlob(id, blob.bytes);
    return id;
  }

  read(transaction: Transaction, id: string): StoredBlob | null {
    const json = transaction.get(id, "get", TABLE);
    const bytes = json === null ? null : transaction.store.blob(id);
    if (json === null || bytes === null) return null;
    const { contentType } = JSON.parse(json) as { contentType?: string };
    return { bytes, contentType: contentType ?? null };
  }

  remove(transaction: Transaction, id: string): void {
    if (transaction.get(id, "get", TABLE) === null) throw new Error(`storage id ${id} not found`);
    transaction.remove(id);
    transaction.store.deleteBlob(id);
  }

  /** Actions hand over real Blobs instead of JSON. */
  readonly jsSyscall = async (
    operation: string,
    args: { blob?: Blob; storageId?: string; options?: { sha256?: string } },
  ): Promise<Blob | string | null> => {
    if (currentFrame() === undefined) throw new Error("Not inside a Convex function");
    if (operation === "storage/storeBlob") {
      const blob = args.blob as Blob;
      const bytes = Buffer.from(await blob.arrayBuffer());
      return await this.#engine.write(async (transaction) =>
        this.insert(transaction, { bytes, contentType: blob.type || null }, args.options?.sha256),
      );
    }
    if (operation === "storage/getBlob") {
      const found = await this.#engine.write(async (transaction) =>
        this.read(transaction, args.storageId as string),
      );
      if (found === null) return null;
      return new Blob([new Uint8Array(found.bytes)], { type: found.contentType ?? "" });
    }
    throw new Error(`Unknown operation: ${operation} is not supported by this Convex host`);
  };
}

type StorageCall = (frame: Frame, args: Record<string, JSONValue>) => Promise<string>;

export function storageCalls(engine: Engine): Record<string, StorageCall> {
  /** In the function's own transaction, or in one of its own when an action asks. */
  const within = async <T>(frame: Frame, work: (transaction: Transaction) => T): Promise<T> =>
    frame.transaction === undefined
      ? await engine.write(async (transaction) => work(transaction))
      : work(frame.transaction);
  return {
    "1.0/storageGenerateUploadUrl": async () => JSON.stringify(engine.blobs.uploadUrl()),
    "1.0/storageGetUrl": async (frame, { storageId }) =>
      await within(frame, (transaction) => {
        const id = storageId as string;
        const exists = transaction.get(id, "get", TABLE) !== null;
        return JSON.stringify(exists ? engine.blobs.url(id) : null);
      }),
    "1.0/storageGetMetadata": async (frame, { storageId }) =>
      await within(frame, (transaction) => {
        const json = transaction.get(storageId as string, "get", TABLE);
        if (json === null) return "null";
        const { sha256, size, contentType } = JSON.parse(json) as Record<string, JSONValue>;
        return JSON.stringify({ storageId, sha256, size, contentType: contentType ?? null });
      }),
    "1.0/storageDelete": async (frame, { storageId }) =>
      await within(frame, (transaction) => {
        transaction.requireWritable();
        engine.blobs.remove(transaction, storageId as string);
        return "null";
      }),
    "1.0/storageStore": async (frame, { blob, contentType, sha256 }) =>
      await within(frame, (transaction) => {
        transaction.requireWritable();
        const bytes = Buffer.from(blob as string, "base64");
        const stored = { bytes, contentType: (contentType as string) || null };
        return JSON.stringify(
          engine.blobs.insert(transaction, stored, sha256 as string | undefined),
        );
      }),
    "1.0/storageGet": async (frame, { storageId }) =>
      await within(frame, (transaction) => {
        const found = engine.blobs.read(transaction, storageId as string);
        if (found === null) return "null";
        return JSON.stringify({
          blob: found.bytes.toString("base64"),
          contentType: found.contentType,
        });
      }),
  };
}
