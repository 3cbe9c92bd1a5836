// What every route does before and after its own work: who asks, from which page, with which method;
// failures become `{ error }` with a status, and what nobody expected goes to the log with its cause.

import { auth, type Session } from "../auth/index.ts";
import { MessageError } from "../server/errors.ts";
import { variable } from "../server/variables.ts";
import { RequestCookies } from "./cookies.ts";
import { Refusal } from "./refusal.ts";

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;
type Method = (typeof METHODS)[number];

/** As Next.js calls a route. */
export type Route = (request: Request) => Promise<Response>;
export type Handler = (request: Request, cookies: RequestCookies) => Promise<object>;
export type SignedInHandler = (request: Request, session: Session) => Promise<object>;

/** Routes for all methods; those without a handler answer 405. */
export function methods(handlers: Partial<Record<Method, Handler>>): Record<Method, Route> {
  const allow = METHODS.filter((method) => handlers[method] !== undefined).join(", ");
  const notAllowed: Handler = async (request) => {
    const error = `${request.method} is not allowed here, only ${allow}.`;
    return Response.json({ error }, { status: 405, headers: { allow } });
  };
  const routes = METHODS.map((method) => [method, route(handlers[method] ?? notAllowed)] as const);
  return Object.fromEntries(routes) as Record<Method, Route>;
}

function route(handler: Handler): Route {
  return async (request) => {
    const cookies = new RequestCookies(request);
    let response: Response;
    try {
      const answer = await handler(request, cookies);
      response = answer instanceof Response ? answer : Response.json(answer);
    } catch (error) {
      response = refusalOf(error, request).toResponse();
    }
    response.headers.set("cache-control", "no-store");
    return cookies.applyTo(response);
  };
}

/** For people who are signed in, and servers that can do something for them. */
export function signedIn(handler: SignedInHandler): Handler {
  return async (request, cookies) => {
    const session = await sessionOf(request, cookies);
    if (variable("POLARIS_CONVEX_INTERNAL_KEY") === undefined) {
      throw new Refusal(500, "Internal key not configured");
    }
    return await handler(request, session);
  };
}

export async function sessionOf(request: Request, cookies: RequestCookies): Promise<Session> {
  requireOwnPage(request);
  const adapter = auth();
  const trusted = adapter.kind !== "local" || isThisMachine(request);
  const session = trusted ? await adapter.session(cookies) : undefined;
  if (session === undefined) throw new Refusal(401, "Unauthorized");
  return session;
}

/** Another site's page in the same browser has the cookies, too. Browsers say where a call is from. */
export function requireOwnPage(request: Request): void {
  const site = request.headers.get("sec-fetch-site");
  const origin = request.headers.get("origin");
  const isForeign =
    site === "cross-site" ||
    site === "same-site" ||
    (site === null && origin !== null && !isSameHost(origin, request));
  if (isForeign) throw new Refusal(401, "Unauthorized");
}

function isSameHost(origin: string, request: Request): boolean {
  return URL.canParse(origin) && new URL(origin).host === hostOf(request);
}

/** A name that leads here by somebody else's DNS must not be the developer. */
function isThisMachine(request: Request): boolean {
  const { hostname } = new URL(`http://${hostOf(request)}`);
  return ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
}

function hostOf(request: Request): string {
  return request.headers.get("host") ?? new URL(request.url).host;
}

const STATUS_OF_CODE: Readonly<Record<MessageError["code"], [status: number, text?: string]>> = {
  CONFIG_MISSING: [500],
  CONVERSATION_NOT_FOUND: [404, "Conversation not found"],
  MESSAGE_NOT_FOUND: [404, "Message not found"],
  // What can be cancelled is an answer; a person's own message is none.
  NOT_AN_ASSISTANT_MESSAGE: [404, "Message not found"],
  PROJECT_NOT_FOUND: [404, "Project not found"],
  NOT_RETRYABLE: [400],
  NO_GENERATION: [400],
  MESSAGE_IN_PROGRESS: [409, "A message is already being processed"],
  GENERATION_IN_PROGRESS: [409, "The project is already being generated"],
  PROJECT_LIMIT_REACHED: [403],
  INVALID_NAME: [400],
  TRIGGER_FAILED: [502, "The job could not be started. Please try again."],
};

function refusalOf(error: unknown, request: Request): Refusal {
  if (error instanceof Refusal) {
    if (error.cause !== undefined) report(request, error.cause);
    return error;
  }
  if (error instanceof MessageError) {
    const [status, text = error.message] = STATUS_OF_CODE[error.code];
    if (status >= 500) report(request, error);
    return new Refusal(status, text, {
      ...(error.messageId === undefined ? {} : { messageId: error.messageId }),
      ...(error.projectId === undefined ? {} : { projectId: error.projectId }),
    });
  }
  report(request, error);
  return new Refusal(500, "Something went wrong on the server. Please try again.");
}

function report(request: Request, error: unknown): void {
  console.error(`${request.method} ${new URL(request.url).pathname} failed:`, error);
}
