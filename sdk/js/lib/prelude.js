// First in every plugin: what a JavaScript engine offers beside the language, and a plugin cannot have. The same
// event, configuration and grants give the same output, so there is no time of day and no chance, except by import.

import wit from "#wit/log";

import { shown, wellFormed } from "./text.js";

const line = (level) => (...values) => wit.log(level, wellFormed(values.map(shown).join(" ")), []);
globalThis.console = {
  trace: line("trace"),
  debug: line("debug"),
  log: line("info"),
  info: line("info"),
  warn: line("warn"),
  error: line("error"),
};

const no = (what, instead) => () => {
  throw new ReferenceError(`${what} is not there in a plugin: ${instead}`);
};
Math.random = no("Math.random()", 'use number() of "slipswitch-sdk/random"');

const BuiltIn = globalThis.Date;
const noClock = no("the time of day", 'use event.time, or now() of "slipswitch-sdk/clock"');
globalThis.Date = new Proxy(BuiltIn, {
  construct: (target, values, self) =>
    values.length === 0 ? noClock() : Reflect.construct(target, values, self === globalThis.Date ? target : self),
  apply: noClock,
  get: (target, key) => (key === "now" ? noClock : target[key]),
});
BuiltIn.prototype.constructor = globalThis.Date;
delete globalThis.performance;
