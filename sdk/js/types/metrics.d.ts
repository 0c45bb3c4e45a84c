/** Figures of the plugin's own among the router's metrics. A rule grants them with `grant: [metrics]`. */
/** Adds to a counter. Names are `[a-z][a-z0-9_]*`, up to 64 bytes. */
export function count(name: string, by?: number): void;
/** One observation of a histogram. */
export function observe(name: string, value: number): void;
