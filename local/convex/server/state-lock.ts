// One host per state folder: live queries and the clock live in the process, so two processes over one
// file would each miss what the other does. The lock is SQLite's, on a file of its own; the kernel
// takes it back when the process dies, however it dies.
import { join } from "node:path";
import Database from "libsql";

/** Throws when another process has the folder. The lock lasts as long as the returned object is open. */
export function lockState(state: string): { close(): void } {
  const database = new Database(join(state, "convex.lock"));
  try {
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    throw new Error(`${state} is in use by another Convex host`, { cause: error });
  }
  return database;
}
