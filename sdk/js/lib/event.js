// The event as a plugin sees it. The envelope's fields are at hand; the rest is parsed when it is asked for.

import { nearest } from "./nearest.js";

export class Event {
  #given;
  #whole;
  #attributes;

  /** `given` is the contract's record. */
  constructor(given) {
    this.#given = given;
  }

  get id() {
    return this.#given.id;
  }

  get source() {
    return this.#given.source;
  }

  get detailType() {
    return this.#given.detailType;
  }

  /** RFC 3339, as the envelope shows it. */
  get time() {
    return this.#given.time;
  }

  /** The event as JSON text, byte for byte. After another step: what that step put out. */
  get json() {
    return this.#given.json;
  }

  /** The whole event, parsed. */
  get value() {
    // Not by the span of `detail`: it counts bytes, a string here counts UTF-16 units, and finding the one from the
    // other costs more than the envelope's few fields do.
    this.#whole ??= { parsed: JSON.parse(this.#given.json) };
    return this.#whole.parsed;
  }

  /** The event's `detail`, parsed. */
  get detail() {
    return this.value?.detail;
  }

  /** What else is known: `bus`, `rule`, `target`, … and what the step before attached. */
  get attributes() {
    // Names may repeat; the last one counts.
    this.#attributes ??= Object.assign(Object.create(null), Object.fromEntries(this.#given.attributes));
    return this.#attributes;
  }
}

const FIELDS = Object.keys(Object.getOwnPropertyDescriptors(Event.prototype)).filter((name) => name !== "constructor");
/** What the language itself asks any object for. */
const ASKED = new Set(["then", "toJSON"]);

// Behind the fields, so that only what is no field comes by here: a name that is not there would be undefined, and go
// out as nothing.
Object.setPrototypeOf(
  Event.prototype,
  new Proxy(Object.prototype, {
    get(target, name, event) {
      if (typeof name === "symbol" || name in target || ASKED.has(name)) return Reflect.get(target, name, event);
      const meant = nearest(name, FIELDS);
      const mend = meant === undefined ? `it has ${FIELDS.join(", ")}` : `did you mean \`${meant}\`?`;
      throw new ReferenceError(`an event has no \`${name}\`: ${mend}`);
    },
  }),
);
