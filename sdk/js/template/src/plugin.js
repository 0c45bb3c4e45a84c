// @ts-check
// Greets whoever signed up. Write here what your plugin does.

import { Output, invalid, transformer } from "slipswitch-sdk";

/** What a rule may write under `config`. */
export const configSchema = {
  type: "object",
  properties: {
    greeting: { type: "string", description: "What to say before the name", default: "Hello" },
  },
  additionalProperties: false,
};

export default transformer((event, config) => {
  const { name } = event.detail;
  if (!name) throw invalid("detail.name is empty: there is nobody to greet");
  return Output.text(`${config.greeting}, ${name}!`);
});
