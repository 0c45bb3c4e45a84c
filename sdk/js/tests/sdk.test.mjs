// The SDK under node: what an author's module answers, in the contract's own terms.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

import { advised } from "../lib/advice.mjs";
import { Event } from "../lib/event.js";
import { guest } from "../lib/guest.js";
import { Output, batchTransformer, fatal, filter, invalid, retry, transformer } from "../lib/index.js";
import { world } from "../lib/native/world.js";
import { place } from "../lib/place.js";
import * as clock from "../lib/clock.js";
import * as log from "../lib/log.js";
import * as metrics from "../lib/metrics.js";
import * as random from "../lib/random.js";
import * as state from "../lib/state.js";
import { check } from "../lib/schema.js";
import { decode, encode } from "../lib/text.js";
import { run } from "../testkit.mjs";

const ABOUT = { name: "t", version: "0.1.0", description: "" };

function event(detail, attributes = []) {
  const json = JSON.stringify({ id: "e-1", source: "shop", detail });
  return { id: "e-1", source: "shop", detailType: "T", time: "2026-01-01T00:00:00Z", json, attributes };
}

/** What the contract's function gives: its value, or { tag, val } as it is thrown. */
function outcome(call) {
  try {
    return call();
  } catch (thrown) {
    return thrown;
  }
}

function transformed(call, detail = {}) {
  const made = guest({ default: transformer(call) }, ABOUT);
  made.plugin.configure("{}");
  return outcome(() => made.transformer.transform(event(detail)));
}

test("what a transformer returns becomes outputs", () => {
  const body = (text) => ({ body: text, attributes: [] });
  assert.deepEqual(transformed(() => null), []);
  assert.deepEqual(transformed(() => []), []);
  assert.deepEqual(transformed((event) => event.detail, { a: 1.5 }), [body('{"a":1.5}')]);
  assert.deepEqual(transformed(() => "x"), [body('"x"')]);
  assert.deepEqual(transformed(() => [1, Output.raw("[2]")]), [body("1"), body("[2]")]);
  assert.deepEqual(transformed(() => Output.json([1, 2], { source: "s" })), [
    { body: "[1,2]", attributes: [["source", "s"]] },
  ]);
  assert.deepEqual(transformed(() => Output.text("hi")), [
    { body: "hi", attributes: [["content-type", "text/plain; charset=utf-8"]] },
  ]);
});

test("what is no output says so and how it is meant", () => {
  for (const [answer, found] of [
    [undefined, /null to drop the event; this one returned undefined$/],
    [[1, null], /^null among several outputs: leave it out, or write Output\.json\(null\)$/],
    [[undefined], /^undefined among several outputs: leave it out$/],
    [Promise.resolve(1), /returned a promise .*no async/],
  ]) {
    const { tag, val } = transformed(() => answer);
    assert.equal(tag, "fatal");
    assert.match(val, found);
  }
});

test("errors keep their kind and words; other exceptions are invalid and name their place", () => {
  const thrown = (error) => transformed(() => {
    throw error;
  });
  assert.deepEqual(thrown(invalid("a")), { tag: "invalid", val: "a" });
  assert.deepEqual(thrown(retry("b")), { tag: "retry", val: "b" });
  assert.deepEqual(thrown(fatal("c")), { tag: "fatal", val: "c" });
  assert.deepEqual(thrown("words"), { tag: "invalid", val: "thrown: words" });
  assert.deepEqual(thrown({ a: 1 }), { tag: "invalid", val: 'thrown: {"a":1}' });
  assert.deepEqual(thrown(invalid({ a: 1 })), { tag: "invalid", val: '{"a":1}' });
  assert.deepEqual(thrown(invalid()), { tag: "invalid", val: "no message" });
  const { tag, val } = transformed((event) => event.detail.customer.name);
  assert.equal(tag, "invalid");
  assert.match(val, /^TypeError: .*name.*, at .*sdk\.test\.mjs:\d+/);
  assert.equal(transformed(() => nobody).tag, "fatal");
});

test("an event's fields are at hand and its JSON is parsed once", () => {
  const attributes = [["rule", "a"], ["rule", "b"]];
  const made = guest({ default: transformer((event) => {
    assert.equal(event.detail, event.detail);
    assert.equal(event.attributes.toString, undefined);
    return [event.id, event.source, event.detailType, event.time, event.attributes.rule, event.value.source];
  }) }, ABOUT);
  const bodies = made.transformer.transform(event({ a: 1 }, attributes)).map(({ body }) => JSON.parse(body));
  assert.deepEqual(bodies, ["e-1", "shop", "T", "2026-01-01T00:00:00Z", "b", "shop"]);
});

test("a field that an event does not have is refused with the one that was meant", () => {
  const names = { detail_type: "detailType", details: "detail", detailtype: "detailType", Source: "source", type: "detailType", attrs: null };
  for (const [name, meant] of Object.entries(names)) {
    const { tag, val } = transformed((event) => event[name]);
    const mend = meant ? `did you mean \`${meant}\`?` : "it has id, source, detailType, time, json, value, detail, attributes";
    assert.deepEqual([tag, val.split(", at ")[0]], ["fatal", `ReferenceError: an event has no \`${name}\`: ${mend}`]);
  }
  const asked = (event) => ["detials" in event, JSON.stringify(event), `${event}`, event.then, event instanceof Event];
  assert.deepEqual(JSON.parse(transformed((event) => Output.json(asked(event)))[0].body), [false, "{}", "[object Object]", null, true]);
});

test("a filter answers with a boolean and with nothing else", () => {
  const kept = (answer) => outcome(() => guest({ default: filter(() => answer) }, ABOUT).filter.keep(event({})));
  assert.equal(kept(true), true);
  assert.equal(kept(false), false);
  assert.match(kept(1).val, /returns true or false, and this one returned a number/);
});

test("one bad event of a batch does not fail its neighbours", () => {
  const batch = (call) => {
    const made = guest({ default: batchTransformer(call) }, ABOUT);
    return made.batchTransformer.transformBatch([event(1), event(2), event(3)]);
  };
  const answers = batch((events) => events.map(({ detail }) => (detail === 2 ? invalid("two") : detail)));
  assert.deepEqual(answers.map(({ tag }) => tag), ["ok", "err", "ok"]);
  assert.deepEqual(answers[1].val, { tag: "invalid", val: "two" });
  assert.match(batch(() => [1])[2].val.val, /one answer per event, here 3, and this one returned an array of 1/);
  assert.deepEqual(batch(() => {
    throw retry("later");
  })[0].val, { tag: "retry", val: "later" });
});

test("a configuration is held against the schema, and prepared once", () => {
  const configSchema = { type: "object", required: ["unit"], properties: { unit: { enum: ["kg", "lb"] }, n: { default: 3 } } };
  const configure = (config) => {
    if (config.n === 13) throw new Error("13 brings bad luck");
    return { ...config, prepared: true };
  };
  const made = guest({ default: transformer((_, config) => config), configSchema, configure }, ABOUT);
  assert.equal(made.plugin.describe().configSchema, JSON.stringify(configSchema));
  assert.equal(outcome(() => made.plugin.configure("{}")), "`unit` is missing");
  assert.equal(outcome(() => made.plugin.configure('{"unit":"kg","n":13}')), "13 brings bad luck");
  made.plugin.configure('{"unit":"kg"}');
  assert.equal(made.transformer.transform(event({}))[0].body, '{"unit":"kg","n":3,"prepared":true}');
});

test("what does not fit a schema is named with its place", () => {
  const schema = {
    type: "object",
    additionalProperties: false,
    properties: {
      list: { type: "array", minItems: 1, items: { type: "integer", minimum: 1, maximum: 9 } },
      text: { type: ["string", "null"], pattern: "^[a-z]+$", maxLength: 3 },
      map: { additionalProperties: { type: "string", minLength: 1 } },
    },
  };
  for (const [value, expected] of [
    [[], "the configuration: expected object, found []"],
    [{ lst: [] }, "unknown key `lst`; it takes list, text, map"],
    [{ list: [] }, "`list`: expected at least 1 items, found []"],
    [{ list: [1, 1.5] }, "`list[1]`: expected integer, found 1.5"],
    [{ list: [10] }, "`list[0]`: expected at most 9, found 10"],
    [{ text: "A" }, '`text`: expected text that matches ^[a-z]+$, found "A"'],
    [{ text: "abcd" }, '`text`: expected at most 3 characters, found "abcd"'],
    [{ map: { a: "" } }, '`map.a`: expected at least 1 characters, found ""'],
  ]) {
    assert.throws(() => check(value, schema), { message: expected });
  }
  assert.deepEqual(check({ list: [1], text: null, map: { a: "b" } }, schema), { list: [1], text: null, map: { a: "b" } });
});

test("a schema that is none is refused with the place", () => {
  for (const [configSchema, words] of [
    [
      { properties: { n: { type: "nummer" } } },
      'configSchema.properties.n.type: expected object, array, string, boolean, null, number, integer (did you mean "number"?), found "nummer"',
    ],
    [{ type: ["string", 1] }, "configSchema.type: expected object, array, string, boolean, null, number, integer, found 1"],
    [{ properties: [] }, "configSchema.properties: expected an object, a schema for each key, found []"],
    [{ properties: { n: "number" } }, 'configSchema.properties.n: expected a JSON Schema: an object, true or false, found "number"'],
    [{ items: { required: "a" } }, 'configSchema.items.required: expected an array of keys, found "a"'],
    [{ additionalProperties: { pattern: "(" } }, 'configSchema.additionalProperties.pattern: expected a regular expression, found "("'],
    [{ minimum: "1" }, 'configSchema.minimum: expected a number, found "1"'],
    [{ enum: "a" }, 'configSchema.enum: expected an array of values, found "a"'],
  ]) {
    assert.throws(() => guest({ default: filter(() => true), configSchema }, ABOUT), { message: words });
  }
  const configSchema = { title: 1, type: ["object", "null"], additionalProperties: false, properties: { a: true, b: { const: {} } } };
  guest({ default: filter(() => true), configSchema }, ABOUT);
});

test("a module that is no plugin says what is missing", () => {
  for (const [module, words] of [
    [{}, /it has no default export; write `export default`/],
    [{ default: () => 1 }, /its default export is a function/],
    [{ default: filter(() => true), configSchema: "x" }, /configSchema is a JSON Schema, an object; this is a string/],
    [{ default: filter(() => true), configure: {} }, /configure is a function/],
    [{ default: filter(() => true), pure: 1 }, /pure is true or false/],
  ]) {
    assert.throws(() => guest(module, ABOUT), words);
  }
  for (const call of [async () => 1, async function* many() {}]) {
    assert.throws(() => transformer(call), /^TypeError: transformer\(…\) takes a function that is not async/);
    assert.throws(() => guest({ default: filter(() => true), configure: call }, ABOUT), /configure is .* not async/);
  }
  assert.throws(() => transformer({}), /takes a function of \(event, config\), not an object/);
});

test("state, clock and chance are the event's and only when they are granted", () => {
  Object.assign(world, { grants: ["state", "clock", "random"], now: 1000, seed: "e-1", state: new Map() });
  assert.equal(state.get("k"), null);
  state.set("k", "née", { ttl: 10 });
  assert.equal(state.get("k"), "née");
  assert.equal(state.increment("n", 2), 2);
  assert.equal(state.increment("n"), 3);
  for (const text of ["", "three", "1.5", "0x10", " 1", "9223372036854775808"]) {
    state.set("t", text);
    assert.throws(() => state.increment("t"), { kind: "retry", message: "state: the value of `t` is no number" });
    assert.equal(state.get("t"), text);
  }
  state.set("t", "+3");
  assert.equal(state.increment("t"), 4);
  state.setJson("j", { a: 1 });
  assert.deepEqual(state.getJson("j"), { a: 1 });
  state.delete("j");
  assert.equal(state.getJson("j"), null);
  assert.throws(() => state.set("", "x"), { kind: "invalid", message: /^state: a key has 1 to 256 bytes/ });
  assert.equal(clock.now(), 1000);
  world.now = 1010;
  assert.equal(state.get("k"), null);
  const drawn = [random.number(), random.integer(1, 6)];
  assert.ok(drawn[0] >= 0 && drawn[0] < 1 && [1, 2, 3, 4, 5, 6].includes(drawn[1]));
  world.grants = [];
  assert.throws(() => state.get("k"), { name: "ReferenceError", message: /`state` is not granted/ });
});

test("an argument of another type is named with its function", () => {
  Object.assign(world, { grants: null, state: new Map(), metrics: [] });
  for (const [call, refused] of [
    [() => state.set("k", { a: 1 }), "TypeError: state.set: value must be text or a Uint8Array, is an object; use setJson"],
    [() => state.set("k", 1), "TypeError: state.set: value must be text or a Uint8Array, is the number 1; use setJson"],
    [() => state.set(1, "v"), "TypeError: state.set: key must be text, is the number 1"],
    [() => state.set("k", "a", { ttl: "5" }), "TypeError: state.set: ttl must be a whole number, is a string"],
    [() => state.set("k", "a", { ttl: -5 }), "RangeError: state.set: ttl must be from 0 to 9007199254740991, is -5"],
    [() => state.set("k", "a", { ttl_ms: 5 }), "TypeError: state.set: options has no `ttl_ms`; it takes ttl"],
    [() => state.set("k", "a", 5), "TypeError: state.set: options must be an object such as { ttl: 1000 }, is the number 5"],
    [() => state.setJson("k", undefined), "TypeError: state.setJson: value must be JSON, is undefined"],
    [() => state.setJson(null, 1), "TypeError: state.setJson: key must be text, is null"],
    [() => state.get(), "TypeError: state.get: key must be text, is undefined"],
    [() => state.getBytes([]), "TypeError: state.getBytes: key must be text, is an array"],
    [() => state.getJson(1), "TypeError: state.getJson: key must be text, is the number 1"],
    [() => state.delete(1), "TypeError: state.delete: key must be text, is the number 1"],
    [() => state.increment(1), "TypeError: state.increment: key must be text, is the number 1"],
    [() => state.increment("n", "1"), "TypeError: state.increment: by must be a whole number, is a string"],
    [() => state.increment("n", 1.5), "TypeError: state.increment: by must be a whole number, is the number 1.5"],
    [() => state.increment("n", 1, { ttl: 1.5 }), "TypeError: state.increment: ttl must be a whole number, is the number 1.5"],
    [() => metrics.count(1), "TypeError: metrics.count: name must be text, is the number 1"],
    [() => metrics.count("a", -1), "RangeError: metrics.count: by must be from 0 to 9007199254740991, is -1"],
    [() => metrics.count("a", 1.5), "TypeError: metrics.count: by must be a whole number, is the number 1.5"],
    [() => metrics.observe(1, 1), "TypeError: metrics.observe: name must be text, is the number 1"],
    [() => metrics.observe("a", "x"), "TypeError: metrics.observe: value must be a number, is a string"],
    [() => random.bytes(-1), "RangeError: random.bytes: len must be from 0 to 4294967295, is -1"],
    [() => random.integer("1", 6), "TypeError: random.integer: min must be a whole number, is a string"],
    [() => random.integer(1, 6.5), "TypeError: random.integer: max must be a whole number, is the number 6.5"],
    [() => random.integer(5, 1), "RangeError: random.integer: max must not be below min, 5, is 1"],
    [() => log.line("loud", "x"), "RangeError: log.line: level must be one of trace, debug, info, warn, error, is loud"],
    [() => new Output({}), "TypeError: Output: body must be text, is an object; use Output.json"],
  ]) {
    const { tag, val } = transformed(call);
    assert.equal(tag, "invalid");
    assert.equal(val.slice(0, refused.length), refused);
    assert.match(val.slice(refused.length), /^, at .*\.m?js:\d+/);
  }
  assert.deepEqual([world.state.size, world.metrics], [0, []]);
});

test("half of a surrogate pair goes out as an escape or as a mark", () => {
  const [half, mark] = ["a\ud800é𝄞", "a\ufffdé𝄞"];
  const bodies = (call) => transformed(call)[0];
  assert.equal(bodies(() => ({ half })).body, '{"half":"a\\ud800é𝄞"}');
  assert.equal(bodies(() => Output.raw(`"${half}"`)).body, '"a\\ud800é𝄞"');
  assert.equal(bodies(() => Output.text(half)).body, mark);
  assert.equal(bodies(() => new Output(half, { "content-type": "text/csv" })).body, mark);
  assert.deepEqual(bodies(() => Output.json(1, { [half]: half })).attributes, [[mark, mark]]);
  assert.equal(transformed(() => { throw invalid(half); }).val, mark);
  assert.equal(transformed(() => { throw half; }).val, `thrown: ${mark}`);
  const configure = (config) => { throw invalid(config); };
  const made = guest({ default: filter(() => true), configure }, ABOUT);
  assert.equal(outcome(() => made.plugin.configure(JSON.stringify(half))), mark);
  Object.assign(world, { grants: null, state: new Map(), metrics: [], lines: [] });
  log.info(half, { [half]: half });
  metrics.count(half);
  metrics.observe(half, 2);
  assert.deepEqual(world.lines, [["info", mark, [[mark, mark]]]]);
  assert.deepEqual(world.metrics, [[mark, 1], [mark, 2]]);
  state.set(half, half);
  assert.deepEqual([[...world.state.keys()], state.get(half)], [[mark], mark]);
  state.setJson(half, half);
  assert.equal(state.getJson(half), half);
  state.delete(half);
  state.increment(half);
  assert.deepEqual([...world.state.keys()], [mark]);
});

test("a line shows an object as JSON", () => {
  world.lines = [];
  const round = {};
  round.round = round;
  log.info("a", { b: { c: 1 }, d: null, e: undefined, f: [1], g: "x", h: Number.NaN, i: new Error("no"), j: round });
  log.warn({ a: 1 });
  assert.deepEqual(world.lines, [
    ["info", "a", Object.entries({
      b: '{"c":1}', d: "null", e: "undefined", f: "[1]", g: "x", h: "NaN", i: "Error: no", j: "[object Object]",
    })],
    ["warn", '{"a":1}', []],
  ]);
});

test("what a module of the SDK does not export is told with what does", async () => {
  const file = (name) => `matching export in ".slipswitch/sdk/js/lib/${name}.js"`;
  for (const [text, advice] of [
    [`No ${file("index")} for import "state"`, 'It is a module of its own: import * as state from "slipswitch-sdk/state".'],
    [`Import "incr" will always be undefined because there is no ${file("state")}`, 'Did you mean "increment"?'],
    [`No ${file("state")} for import "remove"`, "There is delete, get, getBytes, getJson, increment, set, setJson."],
    ['No matching export in "src/lib/state.js" for import "incr"', undefined],
  ]) {
    assert.equal((await advised({ text, notes: [] })).notes[0]?.text, advice);
  }
  const note = { text: 'You can mark the path "slipswitch-sdk/stat" as external' };
  const { notes } = await advised({ text: "Could not resolve", notes: [note] });
  assert.equal(notes[0].text, "The SDK's modules are log, state, clock, random, metrics.");
});

test("a case expects what is no JSON where JSON is due by its name", () => {
  const module = { default: transformer(() => [Output.text("{"), Output.raw("{")]) };
  const given = { name: "a", event: {}, expect: { error: "output", message: "output 1 is not JSON (" } };
  run(module, ABOUT, given);
  assert.throws(() => run(module, ABOUT, { ...given, expect: { error: "limit" } }), /another error: the plugin's output is refused/);
  assert.throws(() => run(module, ABOUT, { ...given, expect: [] }), /output: the plugin's output is refused/);
});

test("a module that never ends its start is stopped", () => {
  const run = (seconds, call) => {
    const file = new URL("../lib/within.mjs", import.meta.url).href;
    const script = `import { within } from ${JSON.stringify(file)}; console.log(await within(${seconds}, "too long", ${call}));`;
    return spawnSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8", timeout: 120_000 });
  };
  const { signal, stderr } = run(0.05, "() => { for (;;); }");
  assert.deepEqual([signal, stderr], ["SIGKILL", "too long\n"]);
  const { status, stdout } = run(60, "async () => 7");
  assert.deepEqual([status, stdout], [0, "7\n"]);
});

test("text survives the way through bytes, and broken bytes become a mark", () => {
  for (const text of ["", "abc", "née ß 中 𝄞", "\u0000\u007f\u0080\u07ff\u0800\uffff"]) {
    assert.deepEqual(Buffer.from(encode(text)), Buffer.from(text));
    assert.equal(decode(encode(text)), text);
  }
  for (const bytes of [[0xff], [0x61, 0xc3], [0xed, 0xa0, 0x80], [0xc0, 0x80], [0xf4, 0x90, 0x80, 0x80]]) {
    assert.ok(decode(Uint8Array.from(bytes)).includes("\ufffd"), String(bytes));
  }
});

test("a place in the bundle is told as one in the source", () => {
  const places = { names: ["src/plugin.js"], known: [[12, 0, 3]] };
  assert.equal(place("    at boom (x:12:5)\n    at y (x:13:1)\n", places), "boom (src/plugin.js:3)");
  assert.equal(place("    at <anonymous> (x:12:5)\n", places), "src/plugin.js:3");
  assert.equal(place("    at boom (x:11:5)\n", places), "");
});
