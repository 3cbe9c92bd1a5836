// What happens to a text that a person edits while a job may write the same file. Pure. A person's
// text is never replaced under their hands: their save wins, and what the other side wrote is kept
// beside it to be taken instead.

export interface Editing {
  /** As the store has it, as far as is known. */
  stored: string;
  /** As the person sees it. */
  text: string;
  /** The text of a save under way. */
  saving: string | undefined;
  /** What this person saved last. */
  mine: string | undefined;
  /** What somebody else has to say: `other` is their text, or the person's that was replaced. */
  notice: { kind: "kept-mine" | "took-theirs"; other: string } | undefined;
  failed: boolean;
}

export type EditingEvent =
  | { kind: "typed"; text: string }
  | { kind: "arrived"; stored: string }
  | { kind: "saving" }
  | { kind: "saved" }
  | { kind: "failed" }
  | { kind: "take-other" }
  | { kind: "dismiss" };

export function opened(stored: string): Editing {
  return {
    stored,
    text: stored,
    saving: undefined,
    mine: undefined,
    notice: undefined,
    failed: false,
  };
}

export function isDirty({ text, stored }: Pick<Editing, "text" | "stored">): boolean {
  return text !== stored;
}

export function edited(state: Editing, event: EditingEvent): Editing {
  switch (event.kind) {
    case "typed":
      return { ...state, text: event.text };
    case "arrived":
      return arrived(state, event.stored);
    case "saving":
      return { ...state, saving: state.text, failed: false };
    case "saved": {
      const { saving } = state;
      if (saving === undefined) return state;
      return { ...state, stored: saving, mine: saving, saving: undefined };
    }
    case "failed":
      return { ...state, saving: undefined, failed: true };
    case "take-other":
      if (state.notice === undefined) return state;
      return { ...state, text: state.notice.other, notice: undefined };
    case "dismiss":
      return { ...state, notice: undefined };
  }
}

function arrived(state: Editing, stored: string): Editing {
  if (stored === state.stored) return state;
  // Our own save comes back before it is answered.
  if (stored === state.saving || stored === state.text) return { ...state, stored };
  if (isDirty(state)) return { ...state, stored, notice: { kind: "kept-mine", other: stored } };
  const { mine } = state;
  const replaced = mine !== undefined && mine === state.stored;
  return {
    ...state,
    stored,
    text: stored,
    notice: replaced ? { kind: "took-theirs", other: mine } : state.notice,
  };
}

/** The one replacement that makes `before` into `after`, so that the cursor stays where it can. */
export function smallestChange(
  before: string,
  after: string,
): { from: number; to: number; insert: string } | undefined {
  if (before === after) return undefined;
  const most = Math.min(before.length, after.length);
  let start = 0;
  while (start < most && before[start] === after[start]) start++;
  let end = 0;
  while (end < most - start && before[before.length - 1 - end] === after[after.length - 1 - end]) {
    end++;
  }
  return {
    from: start,
    to: before.length - end,
    insert: after.slice(start, after.length - end),
  };
}
