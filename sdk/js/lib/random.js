// Random numbers that are the same whenever the same event passes the same step. Granted by `random`.

import wit from "#wit/random";

import { U32, expect } from "./expect.js";

/** At most 4,096 bytes. */
export const bytes = (len) => new Uint8Array(wit.bytes(expect("random.bytes: len", len, "a whole number", { bounds: U32 })));

/** At least 0, less than 1. */
export function number() {
  // From bytes: a number here holds 53 of the 64 bits that the contract's own function gives.
  const view = new DataView(bytes(8).buffer);
  return (view.getUint32(0, true) * 2 ** 21 + (view.getUint32(4, true) >>> 11)) / 2 ** 53;
}

/** A whole number from `min` to `max`, both included. */
export function integer(min, max) {
  expect("random.integer: min", min, "a whole number");
  expect("random.integer: max", max, "a whole number");
  if (max < min) throw new RangeError(`random.integer: max must not be below min, ${min}, is ${max}`);
  return min + Math.floor(number() * (max - min + 1));
}
