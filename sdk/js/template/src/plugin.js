// @ts-check
import { Output, invalid, transformer } from "slipswitch-sdk";

// Held against each rule's `config` when the rule is loaded.
export const configSchema = {
  type: "object",
  properties: {
    greeting: { type: "string", description: "The first word", default: "Hello" },
  },
  additionalProperties: false,
};

export default transformer((event, config) => {
  const { name } = event.detail;
  if (typeof name !== "string") throw invalid("detail.name is missing: whom shall I greet?");
  return Output.text(`${config.greeting}, ${name}!`);
});
