/** Lines for the router's own log, under the plugin's name. Always granted. `console.log` and its like write here, too. */
export type Level = "trace" | "debug" | "info" | "warn" | "error";
export type Fields = Record<string, unknown>;
export function line(level: Level, message: string, fields?: Fields): void;
export function trace(message: string, fields?: Fields): void;
export function debug(message: string, fields?: Fields): void;
export function info(message: string, fields?: Fields): void;
export function warn(message: string, fields?: Fields): void;
export function error(message: string, fields?: Fields): void;
