// Keys and values that outlive the instance. Granted by `state`.

import wit from "#wit/state";

import { expect, ttlOf } from "./expect.js";
import { PluginError, kindOf } from "./index.js";
import { decode, encode } from "./text.js";

/** The text under a key, or null. */
export function get(key) {
  const value = got("get", key);
  return value === null ? null : decode(value);
}

export function getBytes(key) {
  return got("getBytes", key);
}

/** The value under a key that `setJson` put there, or null. */
export function getJson(key) {
  const value = got("getJson", key);
  return value === null ? null : JSON.parse(decode(value));
}

/** `value` is text or a Uint8Array; `ttl` milliseconds after the event's time it is gone. */
export const set = (key, value, options) => put("set", key, value, options);

export function setJson(key, value, options) {
  const text = JSON.stringify(value);
  if (text === undefined) throw new TypeError(`state.setJson: value must be JSON, is ${kindOf(value)}`);
  put("setJson", key, text, options);
}

function remove(key) {
  const name = keyOf("delete", key);
  asked(() => wit.delete(name));
}
export { remove as delete };

/** Adds to a number (one that is not there is 0) and returns the sum. */
export function increment(key, by = 1, options) {
  const [name, ttl] = [keyOf("increment", key), ttlOf("state.increment", options)];
  expect("state.increment: by", by, "a whole number");
  return Number(asked(() => wit.increment(name, by, ttl)));
}

const keyOf = (name, key) => expect(`state.${name}: key`, key, "text");

function got(name, key) {
  const known = keyOf(name, key);
  const value = asked(() => wit.get(known));
  return value === null || value === undefined ? null : new Uint8Array(value);
}

function put(name, key, value, options) {
  const [known, ttl] = [keyOf(name, key), ttlOf(`state.${name}`, options)];
  expect(`state.${name}: value`, value, "text or a Uint8Array", { advice: "; use setJson" });
  asked(() => wit.set(known, typeof value === "string" ? encode(value) : value, ttl));
}

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
