// What goes over to the router: the contract's types, held against the values before they go. A value of another type
// would stop the instance there, with words that name nothing of the author's.

import { kindOf } from "./index.js";
import { wellFormed } from "./text.js";

const KINDS = {
  text: (value) => typeof value === "string",
  "text or a Uint8Array": (value) => typeof value === "string" || value instanceof Uint8Array,
  "a whole number": (value) => Number.isSafeInteger(value) || typeof value === "bigint",
  "a number": (value) => typeof value === "number",
};

export const U32 = [0, 2 ** 32 - 1];
export const U64 = [0, Number.MAX_SAFE_INTEGER];

/** The value, when it is of its kind and within its bounds. `place` is "function: argument". */
export function expect(place, value, kind, { bounds, advice = "" } = {}) {
  if (!KINDS[kind](value)) throw new TypeError(`${place} must be ${kind}, is ${found(value)}${advice}`);
  if (bounds && (value < bounds[0] || value > bounds[1])) {
    throw new RangeError(`${place} must be from ${bounds[0]} to ${bounds[1]}, is ${value}`);
  }
  return typeof value === "string" ? wellFormed(value) : value;
}

/** The one option that there is, `ttl`, or null. */
export function ttlOf(place, options) {
  if (options === undefined) return null;
  if (kindOf(options) !== "an object") {
    throw new TypeError(`${place}: options must be an object such as { ttl: 1000 }, is ${found(options)}`);
  }
  const other = Object.keys(options).find((name) => name !== "ttl");
  if (other !== undefined) throw new TypeError(`${place}: options has no \`${other}\`; it takes ttl`);
  return options.ttl === undefined || options.ttl === null
    ? null
    : expect(`${place}: ttl`, options.ttl, "a whole number", { bounds: U64 });
}

const found = (value) => (typeof value === "number" ? `the number ${value}` : kindOf(value));
