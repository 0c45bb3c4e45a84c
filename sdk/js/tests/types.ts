// Compiled, never run: what the declarations allow and what they refuse.

import { Output, batchTransformer, filter, invalid, transformer } from "slipswitch-sdk";
import type { Event, Json } from "slipswitch-sdk";
import * as clock from "slipswitch-sdk/clock";
import * as log from "slipswitch-sdk/log";
import * as metrics from "slipswitch-sdk/metrics";
import * as random from "slipswitch-sdk/random";
import * as state from "slipswitch-sdk/state";

interface Order {
  orderId: string;
}

export const one = transformer((event: Event<Order>, config: { greeting: string }) => {
  log.info("an order", { id: event.detail.orderId, at: clock.now() });
  metrics.count("orders");
  state.set("last", event.id, { ttl: 60_000 });
  state.delete("first");
  const sum: number = state.increment("n") + random.integer(1, 6);
  if (event.attributes.rule === undefined) throw invalid("no rule");
  return [Output.json({ sum }), Output.text(config.greeting), { plain: true }, "text"];
});
export const none = transformer(() => null);
export const kept = filter((event) => event.source === "shop");
export const many = batchTransformer((events) => events.map((event) => event.detail ?? invalid("empty")));
export const value: Json = { a: [1, null] };

// @ts-expect-error a filter answers with true or false
filter(() => "yes");
// @ts-expect-error a plugin waits for nothing
transformer(async () => "late");
// @ts-expect-error nothing returned is a mistake; null drops the event
transformer(() => undefined);
// @ts-expect-error the event's fields are read only
transformer((event) => (event.id = "x"));
// @ts-expect-error there is no such field
transformer((event) => event.detailtype);
// @ts-expect-error levels are five words
log.line("loud", "x");
