/** What a plugin reaches while it runs under node. */
export const world: {
  /** What may be used: null is everything. */
  grants: ("metrics" | "clock" | "random" | "state")[] | null;
  /** The event's time in milliseconds. */
  now: number;
  /** What the random numbers come from. */
  seed: string;
  state: Map<string, { bytes: Uint8Array; expires: number | null }>;
  lines: [level: string, message: string, fields: [string, string][]][];
  metrics: [name: string, figure: number][];
};
/** Registers one test per case in `tests/*.json` of the project in `folder` (here, when not said). */
export function testCases(folder?: string): Promise<void>;
