// The same numbers for the same event, as in the router, but not the router's own: a case cannot expect them.

import { createHash } from "node:crypto";

import { need, world } from "./world.js";

let drawn = 0;
let seed;

export default {
  bytes(len) {
    need("random");
    if (seed !== world.seed) [seed, drawn] = [world.seed, 0];
    const bytes = new Uint8Array(Math.min(len, 4096));
    for (let at = 0; at < bytes.length; at += 32) {
      drawn += 1;
      bytes.set(createHash("sha256").update(`${seed}/${drawn}`).digest().subarray(0, bytes.length - at), at);
    }
    return bytes;
  },
};
