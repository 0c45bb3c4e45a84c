/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** One event, on its way to one target. */
export interface Event<Detail = any> {
  readonly id: string;
  readonly source: string;
  readonly detailType: string;
  /** RFC 3339, as the envelope shows it. */
  readonly time: string;
  /** The event as JSON text, byte for byte. After another step: what that step put out. */
  readonly json: string;
  /** The whole event; parsed when first asked for. */
  readonly value: any;
  /** The event's `detail`; parsed when first asked for. */
  readonly detail: Detail;
  /** `bus`, `rule`, `target`, `replay-name`, … and what the step before attached. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** What the router should know about a body: `content-type`, `source`, `detail-type`, `ordering-key`, … */
export type Attributes = Record<string, string>;

/** One thing to send on. */
export class Output {
  constructor(body: string, attributes?: Attributes);
  readonly body: string;
  readonly attributes: Attributes;
  /** A value as JSON. */
  static json(value: unknown, attributes?: Attributes): Output;
  /** JSON text that is already written. The router checks that it is JSON. */
  static raw(json: string, attributes?: Attributes): Output;
  /** Plain text, unless an attribute `content-type` says what else. */
  static text(text: string, attributes?: Attributes): Output;
}

/** A JSON value is sent on as JSON; an array is one output per item; null drops the event. */
export type Answer = Output | string | number | boolean | null | NotAPromise | (Output | Json | object)[];
/** A plugin waits for nothing: its functions are not async. */
export type NotAPromise = object & { then?: never };

declare const role: unique symbol;

/** What a plugin's module exports as its default. */
export interface Plugin {
  readonly [role]: string;
}

/** Decides what goes on: no output drops the event, one replaces it, several fan it out. */
export function transformer<Config = any, Detail = any>(
  call: (event: Event<Detail>, config: Config) => Answer,
): Plugin;

/** Decides whether an event goes on: true keeps it as it is. */
export function filter<Config = any, Detail = any>(call: (event: Event<Detail>, config: Config) => boolean): Plugin;

/** A transformer that is given several events at once, and answers each, in order; an error is an answer, too. */
export function batchTransformer<Config = any, Detail = any>(
  call: (events: Event<Detail>[], config: Config) => (Answer | PluginError)[],
): Plugin;

/** Why an event has no answer. Any other exception counts as `invalid`, a `ReferenceError` as `fatal`. */
export class PluginError extends Error {
  readonly kind: "invalid" | "retry" | "fatal";
  private constructor();
}

/** This event can never work: it becomes a dead letter at once. */
export function invalid(message: string): PluginError;
/** It may work later: the target's retry policy decides when, and how often. */
export function retry(message: string): PluginError;
/** The instance is broken: it is thrown away, and the event treated as with `retry`. */
export function fatal(message: string): PluginError;
