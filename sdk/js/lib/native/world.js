// What a plugin reaches when it runs under node: a stand-in for the router, which a test sets up and looks at.

export const world = {
  /** What may be used: null is everything. */
  grants: null,
  /** Milliseconds: the event's time. */
  now: Date.UTC(2026, 0, 1),
  /** What the random numbers come from. */
  seed: "",
  /** Key to { bytes, expires }. */
  state: new Map(),
  /** The lines that were logged: [level, message, fields]. */
  lines: [],
  /** What was counted and observed: [name, figure]. */
  metrics: [],
};

/** Stops a plugin that uses what a case does not grant; the router refuses it already when it is loaded. */
export function need(grant) {
  if (world.grants === null || world.grants.includes(grant)) return;
  throw new ReferenceError(`\`${grant}\` is not granted here: a case grants it with "grant": ["${grant}"]`);
}
