// Generated from crates/core by `npm run types`. Do not edit.

/**
 * A stable name for what went wrong. It is the `code` of the JavaScript error.
 */
export type ErrorCode = "CONFIG_MISSING" | "CONFIG_INVALID" | "PAYLOAD_INVALID" | "MESSAGE_NOT_FOUND" | "NOT_AN_ASSISTANT_MESSAGE" | "PROJECT_NOT_FOUND" | "MODEL_AUTH" | "MODEL_PAYMENT" | "MODEL_BAD_REQUEST" | "MODEL_CONTEXT_LENGTH" | "MODEL_RATE_LIMITED" | "MODEL_UNAVAILABLE" | "MODEL_CONNECT" | "MODEL_TLS" | "TLS_CERTIFICATE_EXPIRED" | "TLS_WRONG_HOST" | "TLS_UNKNOWN_ISSUER" | "MODEL_CONNECT_TIMEOUT" | "MODEL_FIRST_BYTE_TIMEOUT" | "MODEL_STALLED" | "MODEL_TURN_TIMEOUT" | "MODEL_STREAM_CUT" | "MODEL_PROTOCOL" | "MODEL_ERROR" | "ANSWER_TOO_LARGE" | "OUTPUT_LIMIT" | "CONTENT_FILTER" | "EMPTY_ANSWER" | "STEP_LIMIT" | "TOOL_LOOP" | "TOOL_NOT_CALLED" | "STORE_NOT_CONVEX" | "STORE_KEY_REFUSED" | "STORE_FUNCTION_MISSING" | "STORE_FUNCTION_FAILED" | "STORE_UNAVAILABLE" | "TOOL_FATAL" | "TOOL_UNAVAILABLE" | "SUPERSEDED" | "CANCELLED" | "RUN_TIMEOUT" | "INTERNAL";

/**
 * Why a run is asked to stop.
 */
export type CancelReason = "cancelled" | "timeout" | "superseded" | "dropped";

/**
 * The jobs of this version.
 */
export type JobName = "process-message" | "agent" | "generation-validate" | "generation-step" | "generation-end" | "demo-generate";

/**
 * The status of a message in the store.
 */
export type MessageStatus = "processing" | "completed" | "failed" | "cancelled";

/**
 * Why a write of the message went out.
 */
export type WriteKind = "timer" | "boundary" | "final";

/**
 * Why a turn ended, in one vocabulary for all providers.
 */
export type FinishReason = "stop" | "tool-calls" | "length" | "content-filter" | "other";

/**
 * Where a command prints to.
 */
export type OutputStream = "stdout" | "stderr";

/**
 * Tokens of a turn, as far as the provider reports them.
 */
export type Usage = { 
/**
 * Tokens of the request.
 */
input: number, 
/**
 * Tokens of the answer, reasoning included.
 */
output: number, 
/**
 * Read from the provider's cache: of `input`, with Anthropic Messages beside it.
 */
cached: number, 
/**
 * Written to the provider's cache: of `input`, with Anthropic Messages beside it.
 */
cacheWrite: number, 
/**
 * Of `output`: reasoning.
 */
reasoning: number, 
/**
 * Cost in the provider's currency (OpenRouter: US dollars); 0 where it is not reported.
 */
cost: number, };

/**
 * Something that happened in a run. Times are milliseconds; `step` counts turns from 1.
 */
export type Event = { "type": "turn-start", 
/**
 * The turn.
 */
step: number, 
/**
 * The model's name.
 */
model: string, } | { "type": "first-text", 
/**
 * Since the run began.
 */
ms: number, } | { "type": "text", 
/**
 * What is new.
 */
text: string, } | { "type": "reasoning", 
/**
 * What is new.
 */
text: string, } | { "type": "reset", 
/**
 * The length of the text that stays, in UTF-8 bytes.
 */
bytes: number, } | { "type": "retry", 
/**
 * The turn.
 */
step: number, 
/**
 * What went wrong.
 */
code: ErrorCode, 
/**
 * The same as a sentence.
 */
message: string, 
/**
 * The pause.
 */
delayMs: number, } | { "type": "fallback", 
/**
 * The turn.
 */
step: number, 
/**
 * What the primary model failed with.
 */
code: ErrorCode, 
/**
 * The model that takes over.
 */
model: string, } | { "type": "tool-call", 
/**
 * The turn.
 */
step: number, 
/**
 * The id under which the call is stored.
 */
id: string, 
/**
 * The tool.
 */
name: string, 
/**
 * Its arguments.
 */
args: unknown, } | { "type": "tool-output", 
/**
 * The turn.
 */
step: number, 
/**
 * The id under which the call is stored.
 */
id: string, 
/**
 * Where it was printed to.
 */
stream: OutputStream, 
/**
 * What is new: whole lines without control sequences, as far as it has lines.
 */
text: string, } | { "type": "tool-result", 
/**
 * The turn.
 */
step: number, 
/**
 * The id under which the call is stored.
 */
id: string, 
/**
 * The tool.
 */
name: string, 
/**
 * What the model gets to read.
 */
result: string, 
/**
 * Its length in UTF-8 bytes.
 */
bytes: number, 
/**
 * Whether the result tells of a failure.
 */
isError: boolean, 
/**
 * How long it ran.
 */
ms: number, } | { "type": "turn-end", 
/**
 * The turn.
 */
step: number, 
/**
 * Why it ended.
 */
finish: FinishReason, 
/**
 * Its tokens, where the provider reports them.
 */
usage: Usage | null, } | { "type": "write", 
/**
 * Why it went out.
 */
kind: WriteKind, 
/**
 * UTF-8 bytes of text in it.
 */
bytes: number, 
/**
 * Its round trip.
 */
ms: number, } | { "type": "pace", 
/**
 * The new interval.
 */
intervalMs: number, 
/**
 * Why.
 */
reason: string, } | { "type": "status", 
/**
 * Which.
 */
status: MessageStatus, } | { "type": "span", 
/**
 * After the OpenTelemetry conventions for generative AI, e.g. `chat kimi-k2.5`.
 */
name: string, 
/**
 * Begin, milliseconds since 1970.
 */
start: number, 
/**
 * End, milliseconds since 1970.
 */
end: number, 
/**
 * Attributes.
 */
attributes: Record<string, string | number | boolean | string[]>, 
/**
 * The error's code, if it failed.
 */
error: ErrorCode | null, };

/**
 * How text deltas reach JavaScript.
 */
export type Deltas = "coalesced" | "each";

/**
 * Bounds of a run. Every one has a default; a value in the task file replaces it.
 */
export type Limits = { 
/**
 * Model turns in a run, at most. Default 10.
 */
maxSteps?: number, 
/**
 * Output tokens of a turn, at most. Default 2,000.
 */
maxOutputTokens?: number, 
/**
 * Output tokens of a turn that is asked once more because the limit left nothing usable of it.
 * Default 8,000, and at most four times `max_output_tokens`.
 */
maxRaisedOutputTokens?: number, 
/**
 * How often an answer that the token limit cut is continued. Default 2.
 */
maxContinuations?: number, 
/**
 * Tokens of earlier messages that the model gets to see, estimated. Default 60,000.
 */
maxHistoryTokens?: number, 
/**
 * Sampling temperature, 0 to 2. Default 0.7.
 */
temperature?: number, 
/**
 * How often a turn is asked again after a passing failure, inside one attempt. Default 2.
 */
modelRetries?: number, 
/**
 * Time to connect to the provider, ms. Default 10,000.
 */
connectMs?: number, 
/**
 * Time to the first byte of an answer, ms. Default 120,000.
 */
firstByteMs?: number, 
/**
 * Time without data (comments do not count) after which a stream is given up, ms. Default 90,000.
 */
stallMs?: number, 
/**
 * Time for one turn, ms. Default 600,000.
 */
turnMs?: number, 
/**
 * Time for the whole run, ms; the runner's own limit should be longer. Default 3,300,000.
 */
runMs?: number, 
/**
 * Time for one tool call, ms. Default 30,000.
 */
toolMs?: number, 
/**
 * Time for the commands of one executeCommand call, ms. Default 30,000.
 */
commandMs?: number, 
/**
 * Bytes of text, reasoning and tool arguments that one turn may bring. Default 4 MiB.
 */
maxAnswerBytes?: number, 
/**
 * Bytes of a tool result that the model and the store get. Default 64 KiB.
 */
maxToolResultBytes?: number, 
/**
 * Tool calls of one turn that run at the same time. Default 8.
 */
maxParallelTools?: number, };

/**
 * A prompt: the bytes of a file, or a text given in the task file.
 */
export type Prompt = { "file": string } | { "text": string };

/**
 * The prompts of a job; a missing one is the default that ships with the package.
 */
export type Prompts = { 
/**
 * The system prompt.
 */
system?: Prompt, 
/**
 * All prompts of a project generation, in one file.
 */
plan?: Prompt, };

/**
 * Which attempt of how many this is; the runner counts from 1.
 */
export type Attempt = { 
/**
 * This attempt, from 1.
 */
number: number, 
/**
 * The last attempt that the runner will make.
 */
max: number, };

/**
 * Whether a model may reason where the provider lets one choose.
 */
export type ReasoningOption = "off" | "default";

/**
 * What a task file says of one model beyond the environment.
 */
export type ModelOptions = { 
/**
 * Headers to add to each request. Keys belong into the environment.
 */
headers?: { [key in string]: string }, 
/**
 * Fields to add to the request body, e.g. OpenRouter's `models` or `provider`.
 */
body?: Record<string, unknown>, 
/**
 * Whether a model that reasons by default is asked not to. Default `off`.
 */
reasoning?: ReasoningOption, };

/**
 * What a task file says of the two models.
 */
export type Models = { 
/**
 * Of the primary model.
 */
primary?: ModelOptions, 
/**
 * Of the fallback model.
 */
fallback?: ModelOptions, };

/**
 * When the files of a generation's step become visible.
 */
export type Commit = "streaming" | "atomic";

/**
 * Bounds of what a prompt's URLs may bring.
 */
export type ScrapeLimits = { 
/**
 * URLs of a prompt that are asked for, the first ones. Default 5.
 */
maxUrls?: number, 
/**
 * Time for one page, repeated tries included, ms. Default 30,000.
 */
pageMs?: number, 
/**
 * Bytes of one page that the model gets, its head. Default 64 KiB.
 */
maxPageBytes?: number, 
/**
 * Bytes of all pages that the model gets. Default 128 KiB.
 */
maxTotalBytes?: number, };

/**
 * What the core knows of a tool that the host runs.
 */
export type OwnToolSpec = { 
/**
 * What the model calls it: letters, digits, `_` and `-`, at most 64.
 */
name: string, 
/**
 * What it does and when to use it, for the model.
 */
description: string, 
/**
 * JSON schema of its arguments, an object.
 */
parameters: Record<string, unknown>, 
/**
 * Whether it takes the place of the job's tool of the same name. Default false: such a name is
 * refused.
 */
replaces?: boolean, 
/**
 * Whether it changes nothing: then it may run beside other calls that only read, and again after
 * a crash. Default false.
 */
readOnly?: boolean, 
/**
 * Whether a second call with the same arguments and key changes nothing more: then it runs again
 * when a worker died while it ran. Default false: the model is told that the outcome is unknown.
 */
idempotent?: boolean, 
/**
 * Time for one call, ms, instead of `limits.toolMs`.
 */
timeoutMs?: number, 
/**
 * Bytes of a result that the model and the store get, where fewer than
 * `limits.maxToolResultBytes`.
 */
maxResultBytes?: number, };

/**
 * An entry of the option `tools`, read in order: the name of a tool of the job; `"*"`, all that it
 * offers by default; `"!name"`, all so far but this one; or a tool of one's own, made by
 * `defineTool`.
 */
export type ToolChoice = string | OwnToolSpec;

/**
 * What the host of a run is told about its tools.
 */
export type OwnToolMessage = { "type": "call", 
/**
 * The number by which it is answered.
 */
id: number, 
/**
 * The tool.
 */
name: string, 
/**
 * What the model gave it, an object.
 */
args: Record<string, unknown>, 
/**
 * The project that the run works on, for jobs that have one.
 */
projectId: string | null, 
/**
 * The runner's id of the run.
 */
runId: string | null, 
/**
 * The same when a call is made up for after a crash, and of no other call.
 */
idempotencyKey: string, 
/**
 * Bytes of the result that the model gets, at most.
 */
maxBytes: number, } | { "type": "abort", 
/**
 * Its number.
 */
id: number, };

/**
 * How a run behaves. Set in the task file; the environment names only keys, URLs and models.
 */
export type RunOptions = { 
/**
 * The tools that the model may call. Default: `["*"]`, all that the job offers.
 */
tools?: Array<ToolChoice>, 
/**
 * Prompts that replace the job's own.
 */
prompts?: Prompts, 
/**
 * Headers, body fields and reasoning of the two models.
 */
models?: Models, 
/**
 * Bounds that replace the defaults.
 */
limits?: Limits, 
/**
 * Whether the project is inspected after each step of a generation. It only reports. Default true.
 */
inspect?: boolean, 
/**
 * When the files of a generation's step become visible. Default `streaming`.
 */
commit?: Commit, 
/**
 * Bounds of what a prompt's URLs may bring.
 */
scrape?: ScrapeLimits, 
/**
 * How text deltas reach JavaScript.
 */
deltas?: Deltas, 
/**
 * The runner's attempt counter.
 */
attempt?: Attempt, 
/**
 * The runner's id for this run; stored with the message.
 */
runId?: string, };

/**
 * A message of the conversation.
 */
export type AgentMessage = { "role": "system", "content": string } | { "role": "user", "content": string } | { "role": "assistant", "content": string };

/**
 * The payload of job `agent`.
 */
export type AgentPayload = { 
/**
 * The conversation, oldest first; the last message is what is asked.
 */
messages: Array<AgentMessage>, 
/**
 * A project in memory, contents by path. Left out: no tools are offered but one's own.
 */
files?: { [key in string]: string }, };

/**
 * The payload of job `process-message`.
 */
export type ProcessMessagePayload = { 
/**
 * The assistant message to fill.
 */
messageId: string, };

/**
 * Whose prompts a generation follows.
 */
export type PlanName = "default" | "general";

/**
 * What follows the ninth step.
 */
export type Verify = "off" | "repair";

/**
 * Where a generation stands: how many steps are finished.
 */
export type GenerationState = { 
/**
 * Whether the input was found to be good.
 */
validated: boolean, 
/**
 * Steps that are finished, from the first.
 */
finished: number, 
/**
 * What follows the ninth.
 */
verify?: Verify, 
/**
 * How many problems the inspection behind the last finished step found, if there was one.
 */
problems?: number, 
/**
 * Whether the extra step is finished.
 */
repaired?: boolean, };

/**
 * What the host does next.
 */
export type NextAction = { "kind": "validate" } | { "kind": "step", 
/**
 * The step.
 */
step: string, 
/**
 * Which one it is, from 1.
 */
number: number, 
/**
 * How many there are.
 */
of: number, 
/**
 * Idempotency key of global scope.
 */
key: string, } | { "kind": "repair", 
/**
 * The step.
 */
step: string, 
/**
 * Idempotency key of global scope.
 */
key: string, } | { "kind": "done" };

/**
 * The payload of job `generation-validate`.
 */
export type GenerationValidatePayload = { 
/**
 * The project to fill.
 */
projectId: string, 
/**
 * What it is to be.
 */
description: string, };

/**
 * The payload of job `generation-step`.
 */
export type GenerationStepPayload = { 
/**
 * The project to fill.
 */
projectId: string, 
/**
 * What it is to be.
 */
description: string, 
/**
 * The step's name.
 */
step: string, 
/**
 * Whose prompts are followed.
 */
plan?: PlanName, };

/**
 * How a generation ended, other than well.
 */
export type GenerationOutcome = "cancelled" | "failed";

/**
 * The payload of job `generation-end`.
 */
export type GenerationEndPayload = { 
/**
 * The project.
 */
projectId: string, 
/**
 * How it ended, other than well.
 */
outcome: GenerationOutcome, 
/**
 * Why, in one line.
 */
reason?: string, };

/**
 * The payload of job `demo-generate`.
 */
export type DemoGeneratePayload = { 
/**
 * What is asked; may name pages by their URLs.
 */
prompt: string, };

/**
 * A URL whose page is not part of what the model was told.
 */
export type LeftOut = { 
/**
 * The URL, as it stands in the prompt.
 */
url: string, 
/**
 * Why, in one line.
 */
reason: string, };

/**
 * What is wrong.
 */
export type ProblemKind = "syntax" | "import" | "export" | "package" | "json" | "entry";

/**
 * Something that is wrong with a project.
 */
export type Problem = { 
/**
 * The file.
 */
path: string, 
/**
 * The line, from 1.
 */
line: number, 
/**
 * What is wrong.
 */
kind: ProblemKind, 
/**
 * In one line.
 */
message: string, 
/**
 * The other file of the project that it is about: the one that lacks an export.
 */
related?: string, };

/**
 * What is wrong with a project.
 */
export type Inspection = { 
/**
 * How many problems there are.
 */
count: number, 
/**
 * The first of them, by file and line.
 */
problems: Array<Problem>, };

/**
 * What was repaired.
 */
export type Repair = { 
/**
 * Problems before it.
 */
before: number, 
/**
 * Problems after it.
 */
after: number, 
/**
 * What was put right without a model, the first of it, in one line each.
 */
fixes: Array<string>, 
/**
 * How often the model was asked for the rest.
 */
rounds: number, 
/**
 * Why it ended before everything was right.
 */
stopped?: string, };

/**
 * What to run.
 */
export type RunSpec = { 
/**
 * Which job.
 */
job: JobName, 
/**
 * Its payload.
 */
payload: unknown, 
/**
 * How it behaves.
 */
options?: RunOptions, 
/**
 * Set if the run was asked to stop before it began: it records its end and asks no model.
 */
cancelled?: CancelReason, };

/**
 * How a run ended, if not by an error.
 */
export type RunResult = { 
/**
 * The message's status; `completed` or `cancelled`.
 */
status: MessageStatus, 
/**
 * The message, for jobs that have one.
 */
messageId?: string, 
/**
 * The answer's text, for jobs without a store.
 */
text?: string, 
/**
 * The project's files, for jobs that got them in the payload.
 */
files?: { [key in string]: string }, 
/**
 * Paths of the files that a generation step wrote.
 */
written?: Array<string>, 
/**
 * What is wrong with the project after a generation's step, unless inspection is off.
 */
inspection?: Inspection, 
/**
 * What the extra step of a generation has repaired.
 */
repair?: Repair, 
/**
 * What the provider of that model is called, for job `demo-generate`.
 */
provider?: string, 
/**
 * URLs of the prompt whose pages the model did not get, for job `demo-generate`.
 */
leftOut?: Array<LeftOut>, 
/**
 * Model turns.
 */
steps: number, 
/**
 * Tool calls.
 */
toolCalls: number, 
/**
 * Tokens.
 */
usage: Usage, 
/**
 * The model that gave the last turn; empty if none was asked.
 */
model: string, 
/**
 * Whether the fallback took over.
 */
usedFallback: boolean, };

/** Every error code: whether a new attempt can help, and what to do. */
export const ERROR_CODES = {
  CONFIG_MISSING: { retryable: false, hint: "set the variable that the message names" },
  CONFIG_INVALID: { retryable: false, hint: "correct the variable or option that the message names" },
  PAYLOAD_INVALID: { retryable: false, hint: "trigger the task with the payload that its type describes" },
  MESSAGE_NOT_FOUND: { retryable: false, hint: "the message was deleted, or the id belongs to another deployment" },
  NOT_AN_ASSISTANT_MESSAGE: { retryable: false, hint: "trigger the task with the id of the empty assistant message" },
  PROJECT_NOT_FOUND: { retryable: false, hint: "the project or conversation was deleted" },
  MODEL_AUTH: { retryable: false, hint: "check the provider's API key" },
  MODEL_PAYMENT: { retryable: false, hint: "add credit to the provider's account" },
  MODEL_BAD_REQUEST: { retryable: false, hint: "check the model name and the base URL" },
  MODEL_CONTEXT_LENGTH: { retryable: false, hint: "start a new conversation, or choose a model with a larger context" },
  MODEL_RATE_LIMITED: { retryable: true, hint: "wait, or raise the provider's rate limit" },
  MODEL_UNAVAILABLE: { retryable: true, hint: "the provider has an outage; try again later" },
  MODEL_CONNECT: { retryable: true, hint: "check the base URL and the network" },
  MODEL_TLS: { retryable: false, hint: "check the certificate of the provider or proxy, and the CA that the worker trusts" },
  TLS_CERTIFICATE_EXPIRED: { retryable: false, hint: "renew the server's certificate, or set this machine's clock" },
  TLS_WRONG_HOST: { retryable: false, hint: "use the host name that the certificate is for, or a certificate for this host" },
  TLS_UNKNOWN_ISSUER: { retryable: false, hint: "name the file of the CA's certificate in NODE_EXTRA_CA_CERTS" },
  MODEL_CONNECT_TIMEOUT: { retryable: true, hint: "check the base URL and the network" },
  MODEL_FIRST_BYTE_TIMEOUT: { retryable: true, hint: "the provider is slow; raise limits.firstByteMs or choose another model" },
  MODEL_STALLED: { retryable: true, hint: "the provider's stream stood still; raise limits.stallMs or choose another model" },
  MODEL_TURN_TIMEOUT: { retryable: true, hint: "raise limits.turnMs or lower limits.maxOutputTokens" },
  MODEL_STREAM_CUT: { retryable: true, hint: "the provider's stream ended early; try again" },
  MODEL_PROTOCOL: { retryable: true, hint: "check that the base URL speaks the chosen protocol" },
  MODEL_ERROR: { retryable: true, hint: "the provider failed while answering; try again" },
  ANSWER_TOO_LARGE: { retryable: false, hint: "ask for a shorter answer" },
  OUTPUT_LIMIT: { retryable: false, hint: "raise limits.maxOutputTokens, or ask for a shorter answer" },
  CONTENT_FILTER: { retryable: false, hint: "rephrase the request" },
  EMPTY_ANSWER: { retryable: true, hint: "the model gave no answer; try again or choose another model" },
  STEP_LIMIT: { retryable: false, hint: "ask to continue, or raise limits.maxSteps" },
  TOOL_LOOP: { retryable: false, hint: "rephrase the request, or choose another model" },
  TOOL_NOT_CALLED: { retryable: true, hint: "choose a model that calls tools when it is told to" },
  STORE_NOT_CONVEX: { retryable: false, hint: "set CONVEX_URL (or NEXT_PUBLIC_CONVEX_URL) to the URL of the deployment" },
  STORE_KEY_REFUSED: { retryable: false, hint: "give POLARIS_CONVEX_INTERNAL_KEY the same value in the worker and in the Convex deployment" },
  STORE_FUNCTION_MISSING: { retryable: false, hint: "deploy the Convex functions of this version (npx convex deploy)" },
  STORE_FUNCTION_FAILED: { retryable: false, hint: "see the deployment's log" },
  STORE_UNAVAILABLE: { retryable: true, hint: "check CONVEX_URL and the state of the deployment" },
  TOOL_FATAL: { retryable: false, hint: "see the cause" },
  TOOL_UNAVAILABLE: { retryable: true, hint: "see the cause: what the tool needs does not answer now" },
  SUPERSEDED: { retryable: false, hint: "nothing: a newer attempt of the run goes on with the message" },
  CANCELLED: { retryable: false, hint: "nothing: the run was cancelled" },
  RUN_TIMEOUT: { retryable: false, hint: "raise maxDuration of the task, or ask for less at once" },
  INTERNAL: { retryable: true, hint: "this is a defect of polaris-agent; please report it" },
} as const satisfies Record<ErrorCode, { retryable: boolean; hint: string }>;
