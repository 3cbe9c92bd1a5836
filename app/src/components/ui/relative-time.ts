// Times as people say them. Pure.

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const inWords = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const asDate = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", year: "numeric" });
const asClock = new Intl.DateTimeFormat("en", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hour12: false,
});

/** `now` and `then` in epoch milliseconds. A clock that is a little behind says "just now". */
export function relativeTime(then: number, now: number): string {
  const age = now - then;
  if (age < MINUTE) return "just now";
  if (age < HOUR) return inWords.format(-Math.floor(age / MINUTE), "minute");
  if (age < DAY) return inWords.format(-Math.floor(age / HOUR), "hour");
  if (age < 7 * DAY) return inWords.format(-Math.floor(age / DAY), "day");
  return asDate.format(then);
}

export function clockTime(at: number): string {
  return asClock.format(at);
}
