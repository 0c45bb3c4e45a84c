/** The event's time as the clock. A rule grants it with `grant: [clock]`. */
/** Milliseconds since 1970-01-01T00:00:00Z: the event's own `time`. */
export function now(): number;
