// @ts-check
// Puts a price on many events at once. Write here what your plugin does.
//
// How many events come together is the router's business, and never a reason to answer differently.

import { batchTransformer, invalid } from "slipswitch-sdk";

/** What a rule may write under `config`. */
export const configSchema = {
  type: "object",
  properties: {
    price: { type: "number", description: "What one of anything costs", default: 1 },
  },
  additionalProperties: false,
};

/** One answer per event, in their order: a bad event does not fail its neighbours. */
export default batchTransformer((events, config) => events.map((event) => priced(event, config)));

function priced({ id, detail }, { price }) {
  if (typeof detail.quantity !== "number") return invalid("detail.quantity is missing");
  return { id, amount: detail.quantity * price };
}
