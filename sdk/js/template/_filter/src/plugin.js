// @ts-check
// Keeps the events that are worth enough. Write here what your plugin does.

import { filter, invalid } from "slipswitch-sdk";

/** What a rule may write under `config`. */
export const configSchema = {
  type: "object",
  properties: {
    from: { type: "number", description: "The least amount that goes on", default: 0 },
  },
  additionalProperties: false,
};

export default filter((event, config) => {
  const { amount } = event.detail;
  if (typeof amount !== "number") throw invalid("detail.amount is missing: there is nothing to decide on");
  return amount >= config.from;
});
