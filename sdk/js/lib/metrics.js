// Figures of the plugin's own among the router's metrics. Granted by `metrics`.

import wit from "#wit/metrics";

import { U64, expect } from "./expect.js";

/** Adds to a counter. */
export const count = (name, by = 1) =>
  wit.count(expect("metrics.count: name", name, "text"), expect("metrics.count: by", by, "a whole number", { bounds: U64 }));

/** One observation of a histogram. */
export const observe = (name, value) =>
  wit.observe(expect("metrics.observe: name", name, "text"), expect("metrics.observe: value", value, "a number"));
