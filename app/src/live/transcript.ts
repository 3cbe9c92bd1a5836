// What a page knows of a conversation: its newest messages, which are live, and the earlier ones that
// were asked for or have moved out of the live part since. Pure.

/** A message as far as its place in the conversation goes. */
export interface Placed {
  _id: string;
  _creationTime: number;
}

export interface Transcript<Message extends Placed> {
  conversationId: string;
  /** As the live query answered last. */
  live: readonly Message[];
  /** Oldest first, all of them before the live ones. */
  earlier: readonly Message[];
  /** Nothing is before `earlier`. */
  complete: boolean;
}

/** The next answer of the live query. What it leaves behind is kept, as long as nothing is between. */
export function follow<Message extends Placed>(
  known: Transcript<Message> | undefined,
  conversationId: string,
  live: readonly Message[],
): Transcript<Message> {
  const fresh = { conversationId, live, earlier: [], complete: live.length === 0 };
  const [first] = live;
  if (known?.conversationId !== conversationId || first === undefined) return fresh;
  if (known.live.length === 0) return { ...fresh, complete: known.complete };
  const ids = new Set(live.map(({ _id }) => _id));
  const isJoined = known.live.some(({ _id }) => ids.has(_id));
  // So much was written while this page was away that it no longer knows what is between.
  if (!isJoined) return fresh;
  const left = known.live.filter(({ _creationTime }) => _creationTime < first._creationTime);
  const earlier = left.length === 0 ? known.earlier : [...known.earlier, ...left];
  return { ...known, live, earlier };
}

/** The page before the first message that is known; an empty one is the beginning. */
export function prepend<Message extends Placed>(
  known: Transcript<Message>,
  page: readonly Message[],
): Transcript<Message> {
  const [first] = messagesOf(known);
  const older = page.filter(
    ({ _creationTime }) => first === undefined || _creationTime < first._creationTime,
  );
  return { ...known, earlier: [...older, ...known.earlier], complete: older.length === 0 };
}

/** All that are known, oldest first. */
export function messagesOf<Message extends Placed>({
  earlier,
  live,
}: Transcript<Message>): readonly Message[] {
  return earlier.length === 0 ? live : [...earlier, ...live];
}
