// The event's time as the clock. Granted by `clock`.

import wit from "#wit/clock";

/** Milliseconds since 1970-01-01T00:00:00Z: the event's own `time`. */
export const now = () => Number(wit.now());
