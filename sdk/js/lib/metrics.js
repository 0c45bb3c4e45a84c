// Figures of the plugin's own among the router's metrics. Granted by `metrics`.

import wit from "#wit/metrics";

/** Adds to a counter. */
export const count = (name, by = 1) => wit.count(name, by);

/** One observation of a histogram. */
export const observe = (name, value) => wit.observe(name, value);
