// What a plugin's author imports. Nothing here asks the router for anything: what does, is a module of its own
// (`slipswitch-sdk/state`, …), so that a plugin asks for what it imports and for nothing else.

import { shown } from "./text.js";

const ROLE = Symbol.for("slipswitch.role");

/** Decides what goes on: no output drops the event, one replaces it, several fan it out. */
export const transformer = (call) => role("transformer", call);

/** Decides whether an event goes on. */
export const filter = (call) => role("filter", call);

/** A transformer that is given several events at once, and answers each. */
export const batchTransformer = (call) => role("batchTransformer", call);

function role(name, call) {
  if (typeof call !== "function") {
    throw new TypeError(`${name}(…) takes a function of (event, config), not ${kindOf(call)}`);
  }
  if (isAsync(call)) throw new TypeError(`${name}(…) takes a function that is not async: a plugin waits for nothing`);
  return { [ROLE]: name, call };
}

export const isAsync = (call) => Object.prototype.toString.call(call).startsWith("[object Async");

/** The role of a default export, or nothing when it is no plugin. */
export function roleOf(value) {
  return value?.[ROLE];
}

/** One thing to send on: a body, and what the router should know about it. */
export class Output {
  constructor(body, attributes = {}) {
    if (typeof body !== "string") throw new TypeError(`Output: body must be text, is ${kindOf(body)}; use Output.json`);
    this.body = body;
    this.attributes = attributes;
  }

  /** A value as JSON. */
  static json(value, attributes) {
    const body = JSON.stringify(value);
    if (body === undefined) throw new TypeError(`${kindOf(value)} cannot be written as JSON`);
    return new Output(body, attributes);
  }

  /** JSON text that is already written. The router checks that it is JSON. */
  static raw(json, attributes) {
    return new Output(String(json), attributes);
  }

  /** Plain text, unless an attribute `content-type` says what else. */
  static text(text, attributes) {
    return new Output(String(text), { "content-type": "text/plain; charset=utf-8", ...attributes });
  }
}

/** Why an event has no answer; `kind` is "invalid", "retry" or "fatal". */
export class PluginError extends Error {
  constructor(kind, message) {
    super(message === undefined ? "" : shown(message));
    this.name = "PluginError";
    this.kind = kind;
  }
}

/** This event can never work: it becomes a dead letter at once. */
export const invalid = (message) => new PluginError("invalid", message);

/** It may work later: the target's retry policy decides when, and how often. */
export const retry = (message) => new PluginError("retry", message);

/** The instance is broken: it is thrown away, and the event treated as with `retry`. */
export const fatal = (message) => new PluginError("fatal", message);

/** A value's kind in words, for messages. */
export function kindOf(value) {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (value instanceof Promise) return "a promise (a plugin waits for nothing: no async)";
  if (value === undefined) return "undefined";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
