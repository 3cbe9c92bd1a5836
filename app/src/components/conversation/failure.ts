// What a failed answer says: the reason in words, and the way forward. Pure. Codes are the core's
// (npm/src/generated.ts) and those that Convex gives to lost runs.

export interface Failure {
  title: string;
  /** What the person, or whoever runs this installation, can do. */
  way: string;
}

const KEY_WAY =
  "Whoever runs this installation needs to check the provider's key and model. Your text is kept: retry when that is done.";
const WAIT_WAY = "This usually passes. Wait a moment, then retry.";
const SETUP_WAY = "Whoever runs this installation needs to look at its set-up and its log.";

const FAILURES: Readonly<Record<string, Failure>> = {
  MODEL_AUTH: { title: "The model provider refused the API key.", way: KEY_WAY },
  MODEL_PAYMENT: {
    title: "The model provider asks for payment.",
    way: "The provider's account is out of credit. Retry when it has been topped up.",
  },
  MODEL_BAD_REQUEST: { title: "The model provider did not accept the request.", way: KEY_WAY },
  MODEL_CONTEXT_LENGTH: {
    title: "The conversation is too long for this model.",
    way: "Start a new conversation and say in short what matters from this one.",
  },
  MODEL_RATE_LIMITED: { title: "The model provider is limiting requests.", way: WAIT_WAY },
  MODEL_UNAVAILABLE: { title: "The model provider is not available.", way: WAIT_WAY },
  MODEL_CONNECT: { title: "The model provider could not be reached.", way: WAIT_WAY },
  MODEL_TLS: { title: "The connection to the model provider is not trusted.", way: SETUP_WAY },
  MODEL_CONNECT_TIMEOUT: { title: "The model provider did not answer in time.", way: WAIT_WAY },
  MODEL_FIRST_BYTE_TIMEOUT: { title: "The model provider did not answer in time.", way: WAIT_WAY },
  MODEL_STALLED: { title: "The model stopped in the middle of its answer.", way: WAIT_WAY },
  MODEL_TURN_TIMEOUT: {
    title: "The model took too long.",
    way: "Ask for less at a time, or retry.",
  },
  MODEL_STREAM_CUT: { title: "The connection to the model was cut.", way: WAIT_WAY },
  MODEL_PROTOCOL: { title: "The model provider sent something unreadable.", way: WAIT_WAY },
  MODEL_ERROR: { title: "The model provider reported an error.", way: WAIT_WAY },
  ANSWER_TOO_LARGE: {
    title: "The answer became too long to store.",
    way: "Ask for a shorter answer, or for the work in parts.",
  },
  OUTPUT_LIMIT: {
    title: "The answer was cut at the model's output limit.",
    way: "Ask to continue, or ask for less at a time.",
  },
  CONTENT_FILTER: {
    title: "The model provider's content filter stopped the answer.",
    way: "Say it in other words.",
  },
  EMPTY_ANSWER: { title: "The model gave an empty answer.", way: WAIT_WAY },
  STEP_LIMIT: {
    title: "The assistant used all its steps before it was done.",
    way: "What it did is kept. Ask it to continue.",
  },
  TOOL_LOOP: {
    title: "The assistant went in circles with the same tool call.",
    way: "Say more exactly what you need, then send again.",
  },
  TOOL_NOT_CALLED: {
    title: "The model did not use the tool that it had to use.",
    way: "Retry, or choose another model.",
  },
  TOOL_FATAL: { title: "A tool failed in a way that ended the run.", way: SETUP_WAY },
  TOOL_UNAVAILABLE: { title: "A tool could not do its work now.", way: WAIT_WAY },
  RUN_TIMEOUT: {
    title: "The run took longer than it may.",
    way: "What it did is kept. Ask for less at a time.",
  },
  RUN_LOST: {
    title: "The run ended without a word.",
    way: "Its worker was stopped or lost its connection. What it did is kept: retry.",
  },
  RUN_NEVER_STARTED: {
    title: "The run was never started.",
    way: "No worker took it. Retry when the job runner is up.",
  },
  TRIGGER_FAILED: {
    title: "The job runner did not take the message.",
    way: "It may be down. Retry in a moment.",
  },
  CONFIG_MISSING: { title: "The installation is not completely set up.", way: SETUP_WAY },
  CONFIG_INVALID: { title: "The installation is set up wrongly.", way: SETUP_WAY },
  STORE_UNAVAILABLE: { title: "The database could not be reached.", way: WAIT_WAY },
};

const UNKNOWN: Failure = {
  title: "The answer could not be finished.",
  way: "What there is of it is kept. Retry, or ask in another way.",
};

export function failureOf(code: string | undefined): Failure {
  return (code === undefined ? undefined : FAILURES[code]) ?? UNKNOWN;
}
