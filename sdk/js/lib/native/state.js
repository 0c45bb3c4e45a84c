import { need, world } from "./world.js";

const KEY_BYTES_MAX = 256;
const VALUE_BYTES_MAX = 64 << 10;
const [LEAST, MOST] = [-(2n ** 63n), 2n ** 63n - 1n];

function found(key) {
  need("state");
  const length = Buffer.byteLength(key);
  if (length === 0 || length > KEY_BYTES_MAX) {
    throw { tag: "too-large", val: `a key has 1 to ${KEY_BYTES_MAX} bytes, and this one ${length}` };
  }
  const value = world.state.get(key);
  return value !== undefined && (value.expires === null || world.now < value.expires) ? value.bytes : null;
}

function put(key, bytes, ttl) {
  if (bytes.length > VALUE_BYTES_MAX) {
    throw { tag: "too-large", val: `a value has at most ${VALUE_BYTES_MAX} bytes, and this one ${bytes.length}` };
  }
  world.state.set(key, { bytes, expires: ttl === null ? null : world.now + ttl });
}

export default {
  get: found,
  set(key, bytes, ttl) {
    found(key);
    put(key, Uint8Array.from(bytes), ttl);
  },
  delete(key) {
    found(key);
    world.state.delete(key);
  },
  increment(key, by, ttl) {
    const bytes = found(key);
    const text = bytes === null ? "0" : Buffer.from(bytes).toString();
    const number = /^[+-]?[0-9]+$/.test(text) ? BigInt(text) : null;
    if (number === null || number < LEAST || number > MOST) {
      throw { tag: "unavailable", val: `the value of \`${key}\` is no number` };
    }
    const sum = number + BigInt(by);
    const kept = sum < LEAST ? LEAST : sum > MOST ? MOST : sum;
    put(key, new Uint8Array(Buffer.from(String(kept))), ttl);
    return Number(kept);
  },
};
