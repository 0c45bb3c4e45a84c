/** Keys and values that outlive the instance: durable, per plugin and bus. What a call writes takes effect with the
 * outcome of its event. A rule grants them with `grant: [state]`. */
export interface Keep {
  /** Milliseconds after the event's time at which the value is gone; without it, it stays. */
  ttl?: number;
}
/** The text under a key (1 to 256 bytes), or null. */
export function get(key: string): string | null;
export function getBytes(key: string): Uint8Array | null;
/** The value under a key that `setJson` put there, or null. */
export function getJson<T = any>(key: string): T | null;
/** At most 64 KiB. */
export function set(key: string, value: string | Uint8Array, keep?: Keep): void;
export function setJson(key: string, value: unknown, keep?: Keep): void;
declare function remove(key: string): void;
/** A key that is not there is no error. */
export { remove as delete };
/** Adds to a number (one that is not there is 0) and returns the sum. What is no number stays, and is a `retry`. */
export function increment(key: string, by?: number, keep?: Keep): number;
