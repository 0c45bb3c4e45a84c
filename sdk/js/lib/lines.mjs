// Which line of the author's source a line of the bundle is, so that an error names the place its author knows.

import { relative, resolve } from "node:path";

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** The table that `place.js` reads. Files outside `folder` have no place. */
export function placesOf(map, folder) {
  const { sources, mappings } = JSON.parse(map);
  const names = sources.map((source) => relative(folder, resolve(folder, source)));
  const own = names.map((name) => !name.startsWith("..") && !name.includes("node_modules") && !name.startsWith(".slipswitch"));
  const lines = [];
  let [source, line] = [0, 0];
  for (const [index, text] of mappings.split(";").entries()) {
    for (const segment of text.split(",")) {
      const steps = numbers(segment);
      if (steps.length < 4) continue;
      source += steps[1];
      line += steps[2];
      if (own[source] && names[source] !== "slipswitch-start.js") lines[index] ??= [source, line + 1];
    }
  }
  const known = lines.flatMap((place, index) => (place ? [[index + 1, ...place]] : []));
  return { names: names.map((name, index) => (own[index] ? name : "")), known };
}

/** The numbers of one segment: base 64, five bits and a flag a digit, the sign lowest. */
function numbers(segment) {
  const found = [];
  let [value, shift] = [0, 0];
  for (const digit of segment) {
    const bits = DIGITS.indexOf(digit);
    value |= (bits & 31) << shift;
    shift += 5;
    if (bits < 32) {
      found.push(value & 1 ? -(value >> 1) : value >> 1);
      [value, shift] = [0, 0];
    }
  }
  return found;
}
