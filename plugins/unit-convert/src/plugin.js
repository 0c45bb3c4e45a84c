// @ts-check
// Converts measured values: `{ path: readings[*].temperature, from: °F, to: °C }` in the configuration makes
// 20 of 68. The event goes on as it is otherwise; numbers are written anew (1.10 becomes 1.1).

import { invalid, transformer } from "slipswitch-sdk";

/** Of each unit: what it measures, and the factor and offset that lead to that quantity's base unit. */
const UNITS = {
  "°C": ["temperature", 1, 0],
  "°F": ["temperature", 5 / 9, (-32 * 5) / 9],
  K: ["temperature", 1, -273.15],
  kg: ["mass", 1, 0],
  g: ["mass", 0.001, 0],
  lb: ["mass", 0.45359237, 0],
  oz: ["mass", 0.028349523125, 0],
  m: ["length", 1, 0],
  km: ["length", 1000, 0],
  mi: ["length", 1609.344, 0],
  ft: ["length", 0.3048, 0],
  in: ["length", 0.0254, 0],
  l: ["volume", 1, 0],
  gal: ["volume", 3.785411784, 0],
};
const unit = { enum: Object.keys(UNITS) };

export const configSchema = {
  type: "object",
  required: ["convert"],
  properties: {
    convert: {
      type: "array",
      minItems: 1,
      items: {
        type: "object",
        required: ["path", "from", "to"],
        properties: {
          path: { type: "string", minLength: 1, description: "In the detail: weight, box.size, items[*].weight" },
          from: unit,
          to: unit,
          decimals: { type: "integer", minimum: 0, maximum: 9, default: 2 },
          unit: { type: "string", minLength: 1, description: "A key beside the value, which gets the new unit" },
        },
        additionalProperties: false,
      },
    },
  },
  additionalProperties: false,
};

/** Each conversion as the keys that lead to the value and one linear function. */
export function configure({ convert }) {
  return convert.map(({ path, from, to, decimals, unit }) => {
    const [[quantity, factor, offset], [other, divisor, shift]] = [UNITS[from], UNITS[to]];
    if (quantity !== other) throw new Error(`\`${path}\`: ${from} is a ${quantity} and ${to} a ${other}`);
    const turn = (value) => Number(((value * factor + offset - shift) / divisor).toFixed(decimals));
    return { path, keys: path.replaceAll("[*]", ".*").split("."), turn, unit, to };
  });
}

export default transformer((event, conversions) => {
  const whole = event.value;
  for (const conversion of conversions) put(event.detail, conversion.keys, conversion);
  return whole;
});

/** Converts what `keys` lead to. What is not there is left out; what is no number is a mistake of the sender's. */
function put(inside, [key, ...rest], conversion) {
  if (inside === null || typeof inside !== "object") return;
  if (key === "*") return Object.keys(inside).forEach((each) => put(inside, [each, ...rest], conversion));
  if (!Object.hasOwn(inside, key)) return;
  if (rest.length > 0) return put(inside[key], rest, conversion);
  const value = inside[key];
  if (typeof value !== "number") throw invalid(`detail.${conversion.path}: expected a number, found ${JSON.stringify(value)}`);
  inside[key] = conversion.turn(value);
  if (conversion.unit) inside[conversion.unit] = conversion.to;
}
