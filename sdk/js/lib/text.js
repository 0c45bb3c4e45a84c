// UTF-8 and back, and what it cannot write. The engine in a plugin has no TextEncoder.

const HALVES = /\p{Surrogate}/gu;

/** Half of a surrogate pair, which JSON can escape and UTF-8 cannot write, becomes U+FFFD. */
export const wellFormed = (text) => text.toWellFormed?.() ?? text.replace(HALVES, "\ufffd");

/** The same in JSON text: there it stays what it is, as an escape. */
export const escaped = (json) =>
  json.isWellFormed?.() ? json : json.replace(HALVES, (half) => `\\u${half.charCodeAt(0).toString(16)}`);

/** Any value as text for people: text as it is, an object as JSON. */
export function shown(value) {
  if (typeof value !== "object" || value === null || value instanceof Error) return String(value);
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}

export function encode(text) {
  const bytes = [];
  for (const character of wellFormed(text)) {
    const code = character.codePointAt(0);
    if (code < 0x80) bytes.push(code);
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 63));
    else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    else bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
  }
  return new Uint8Array(bytes);
}

/** Bytes that are no UTF-8 become U+FFFD. */
export function decode(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at];
    const length = first < 0x80 ? 1 : first >> 5 === 6 ? 2 : first >> 4 === 14 ? 3 : first >> 3 === 30 ? 4 : 0;
    let code = length === 1 ? first : first & (0x7f >> length);
    let whole = length > 0 && at + length <= bytes.length;
    for (let next = 1; whole && next < length; next += 1) {
      whole = bytes[at + next] >> 6 === 2;
      code = (code << 6) | (bytes[at + next] & 63);
    }
    const least = [0, 0, 0x80, 0x800, 0x10000][length];
    whole &&= code >= least && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
    text += whole ? String.fromCodePoint(code) : "\ufffd";
    at += whole ? length : 1;
  }
  return text;
}
