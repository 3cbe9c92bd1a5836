// The scripted model as its own process: --port N --pace TOKENS_PER_SECOND.

import { runService } from "../service.ts";
import { startModel } from "./index.ts";

await runService("model", ({ port, state, flags }) => {
  const text = flags.pace ?? process.env.POLARIS_MODEL_PACE ?? "";
  const pace = Number(text);
  if (text !== "" && !(pace >= 0)) throw new Error(`--pace takes a number, not "${text}"`);
  return startModel({
    ...(port === undefined ? {} : { port }),
    ...(text === "" ? {} : { pace }),
    ...(state === undefined ? {} : { state }),
  });
});
