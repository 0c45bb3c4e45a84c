// Lines for the router's own log, under the plugin's name. Always granted.

import wit from "#wit/log";

import { shown, wellFormed } from "./text.js";

const LEVELS = ["trace", "debug", "info", "warn", "error"];

/** A line at `level`, with `fields` beside its message. */
export function line(level, message, fields = {}) {
  if (!LEVELS.includes(level)) throw new RangeError(`log.line: level must be one of ${LEVELS.join(", ")}, is ${shown(level)}`);
  const pairs = Object.entries(fields ?? {}).map(([name, value]) => [wellFormed(name), wellFormed(shown(value))]);
  wit.log(level, wellFormed(shown(message)), pairs);
}

export const trace = (message, fields) => line("trace", message, fields);
export const debug = (message, fields) => line("debug", message, fields);
export const info = (message, fields) => line("info", message, fields);
export const warn = (message, fields) => line("warn", message, fields);
export const error = (message, fields) => line("error", message, fields);
