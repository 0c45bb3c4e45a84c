/** Random numbers that are the same whenever the same event passes the same step: not for keys or passwords. A rule
 * grants them with `grant: [random]`. */
/** At most 4,096 bytes. */
export function bytes(len: number): Uint8Array;
/** At least 0, less than 1. */
export function number(): number;
/** A whole number from `min` to `max`, both included. */
export function integer(min: number, max: number): number;
