// Lines for the router's own log, under the plugin's name. Always granted.

import wit from "#wit/log";

/** A line at `level`, with `fields` beside its message. */
export function line(level, message, fields = {}) {
  wit.log(level, String(message), Object.entries(fields).map(([name, value]) => [name, String(value)]));
}

export const trace = (message, fields) => line("trace", message, fields);
export const debug = (message, fields) => line("debug", message, fields);
export const info = (message, fields) => line("info", message, fields);
export const warn = (message, fields) => line("warn", message, fields);
export const error = (message, fields) => line("error", message, fields);
