// Starts the Convex host in its own process (it takes over globals that nobody else must share) and
// hands out what others need to know of it.
import { type Service, type ServiceOptions, spawnService } from "../service.ts";

export interface ConvexOptions extends ServiceOptions {
  /** Folder of the functions; default: the app's. */
  functions?: string;
  /** For functions, which see the host's `process.env`. */
  env?: Readonly<Record<string, string>>;
  /** As production: only the data of a ConvexError reach clients. */
  redact?: boolean;
  onLog?: (line: string) => void;
}

export interface Convex extends Service {
  /** For `/admin/*`, in the header `x-polaris-admin`. */
  readonly adminKey: string;
  /** What the functions of `system` take as `internalKey`. */
  readonly internalKey: string;
  readonly pid: number;
  /** Ends the process at once, as a crash would. */
  kill(): Promise<void>;
}

export async function startConvex(options: ConvexOptions = {}): Promise<Convex> {
  const args: string[] = [];
  if (options.port !== undefined) args.push("--port", String(options.port));
  if (options.state !== undefined) args.push("--state", options.state);
  if (options.functions !== undefined) args.push("--functions", options.functions);
  if (options.redact) args.push("--redact");
  const service = await spawnService("convex", {
    args,
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.onLog === undefined ? {} : { onLog: options.onLog }),
  });
  return {
    url: service.url,
    adminKey: String(service.info.adminKey),
    internalKey: String(service.info.internalKey),
    pid: service.pid,
    close: () => service.close(),
    kill: async () => {
      await service.kill();
    },
  };
}
