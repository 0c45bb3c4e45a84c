// Keys and values that outlive the instance. Granted by `state`.

import wit from "#wit/state";

import { PluginError } from "./index.js";
import { decode, encode } from "./text.js";

/** The text under a key, or null. */
export function get(key) {
  const value = getBytes(key);
  return value === null ? null : decode(value);
}

export function getBytes(key) {
  const value = asked(() => wit.get(key));
  return value === null || value === undefined ? null : new Uint8Array(value);
}

/** The value under a key that `setJson` put there, or null. */
export function getJson(key) {
  const text = get(key);
  return text === null ? null : JSON.parse(text);
}

/** `value` is text or a Uint8Array; `ttl` milliseconds after the event's time it is gone. */
export function set(key, value, { ttl } = {}) {
  asked(() => wit.set(key, typeof value === "string" ? encode(value) : value, ttl ?? null));
}

export const setJson = (key, value, options) => set(key, JSON.stringify(value), options);

const remove = (key) => asked(() => wit.delete(key));
export { remove as delete };

/** Adds to a number (one that is not there is 0) and returns the sum. */
export const increment = (key, by = 1, { ttl } = {}) => Number(asked(() => wit.increment(key, by, ttl ?? null)));

/** The contract's errors as those of an event: what is over a bound stays so, what is unavailable comes back. */
function asked(question) {
  try {
    return question();
  } catch (error) {
    // The engine throws an Error with the contract's value in it.
    const { tag, val } = error?.payload ?? error ?? {};
    if (tag === "too-large" || tag === "tooLarge") throw new PluginError("invalid", `state: ${val}`);
    if (tag === "unavailable") throw new PluginError("retry", `state: ${val}`);
    throw error;
  }
}
