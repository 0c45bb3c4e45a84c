// Runs a plugin's recorded cases, `tests/*.json`, under node: the same files as `slipswitch plugin test`, which runs
// the built plugin. Here it runs the source, so a debugger can stop in it.
//
//   { "name": …, "config": {…}, "event": {…}, "attributes": {…}, "grant": […], "state": {…},
//     "expect": [ outputs ] | true | false | { "error": "invalid", "message": "a part of the words" }, "expect-state": {…} }

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { guest } from "./lib/guest.js";
import { world } from "./lib/native/world.js";
import { load, readProject } from "./lib/project.mjs";

const KEYS = ["name", "config", "event", "attributes", "grant", "state", "expect", "expect-state"];
const ENVELOPE = {
  version: "0",
  id: "00000000-0000-0000-0000-000000000001",
  "detail-type": "Test",
  source: "test",
  account: "000000000000",
  time: "2026-01-01T00:00:00Z",
  region: "local",
  resources: [],
  detail: {},
};
/** Limits are the router's: a case that expects one runs with `slipswitch plugin test` alone. */
const ONLY_IN_THE_ROUTER = ["trap", "limit"];

export { world };

/** Registers one test per case of the project in `folder`. */
export async function testCases(folder = process.cwd()) {
  process.env.TZ = "UTC";
  const project = readProject(folder);
  const { module } = await load(project);
  const found = read(join(project.folder, "tests"));
  if (found.length === 0) throw new Error(`no case in ${join(folder, "tests")}: put one into a file such as tests/first.json`);
  for (const { title, given } of found) {
    const skip = ONLY_IN_THE_ROUTER.includes(given.expect?.error) && "a limit of the router: `slipswitch plugin test` runs it";
    test(title, { skip }, () => run(module, project, given));
  }
}

/** One case: throws what is not as expected. */
export function run(module, project, given) {
  for (const key of Object.keys(given)) {
    assert.ok(KEYS.includes(key), `unknown key "${key}" in the case; it takes ${KEYS.join(", ")}`);
  }
  for (const key of ["name", "event", "expect"]) assert.ok(key in given, `the case has no "${key}"`);
  const event = contractEvent(given);
  prepare(given, event);
  const { answer, error } = answerTo(module, project, given, event);
  const { expect } = given;
  if (expect !== null && typeof expect === "object" && !Array.isArray(expect)) {
    assert.ok(error, `expected the error "${expect.error}", and it answered ${JSON.stringify(answer)}`);
    assert.equal(error.tag, expect.error, `another error: ${error.val}`);
    assert.ok(error.val.includes(expect.message ?? ""), `expected "${expect.message}" in: ${error.val}`);
  } else {
    if (error) assert.fail(`${error.tag}: ${error.val}`);
    if (typeof expect === "boolean") assert.equal(answer, expect);
    else assert.deepEqual(...sideBySide(answer, expect));
  }
  if (given["expect-state"]) assert.deepEqual(stateAfter(), values(given["expect-state"]));
}

function answerTo(module, project, given, event) {
  const { role, plugin, ...roles } = guest(module, project);
  const tried = (call) => {
    try {
      return { answer: call() };
    } catch (thrown) {
      if (thrown instanceof Error) throw thrown;
      return { error: typeof thrown === "string" ? { tag: "config", val: thrown } : thrown };
    }
  };
  const configured = tried(() => plugin.configure(JSON.stringify(given.config ?? {})));
  if (configured.error) assert.fail(`it refuses its configuration: ${configured.error.val}`);
  if (role === "transformer") return taken(tried(() => roles.transformer.transform(event)));
  if (role === "filter") return tried(() => roles.filter.keep(event));
  const [{ tag, val }] = roles.batchTransformer.transformBatch([event]);
  return taken(tag === "ok" ? { answer: val } : { error: val });
}

/** As the router takes it: what is no JSON where JSON is due is refused in its words. */
function taken(answered) {
  for (const [index, { body, attributes }] of (answered.answer ?? []).entries()) {
    if (!isJson(Object.fromEntries(attributes))) continue;
    try {
      JSON.parse(body);
    } catch (error) {
      const mend = "text needs the attribute `content-type`, such as text/plain";
      const val = `the plugin's output is refused: output ${index} is not JSON (${error.message}); ${mend}`;
      return { error: { tag: "output", val } };
    }
  }
  return answered;
}

function contractEvent({ event, attributes = {} }) {
  const whole = { ...ENVELOPE, ...event };
  const { detail, ...envelope } = whole;
  const [before, value] = [`${JSON.stringify(envelope).slice(0, -1)},"detail":`, JSON.stringify(detail)];
  return {
    id: whole.id,
    source: whole.source,
    detailType: whole["detail-type"],
    time: whole.time,
    json: `${before}${value}}`,
    detail: { start: Buffer.byteLength(before), len: Buffer.byteLength(value) },
    attributes: Object.entries(attributes),
  };
}

function prepare({ grant = [], state = {} }, event) {
  Object.assign(world, { grants: grant, now: Date.parse(event.time), seed: event.id, lines: [], metrics: [] });
  world.state = new Map(Object.entries(values(state)).map(([key, bytes]) => [key, { bytes: Buffer.from(bytes, "base64"), expires: null }]));
}

/** Values as base64, whatever way they are written. */
function values(state) {
  const bytes = (value) => value?.base64 ?? Buffer.from(String(value)).toString("base64");
  return Object.fromEntries(Object.entries(state).map(([key, value]) => [key, bytes(value)]));
}

function stateAfter() {
  const kept = [...world.state].filter(([, { expires }]) => expires === null || world.now < expires);
  return Object.fromEntries(kept.map(([key, { bytes }]) => [key, Buffer.from(bytes).toString("base64")]));
}

/** What came out and what was expected, in the same form: attributes only where a case names them. */
function sideBySide(answer, expect) {
  if (!Array.isArray(answer)) return [answer, expect];
  const wanted = expect.map((one) => (isOutput(one) ? one : { body: one }));
  const came = answer.map(({ body, attributes }, index) => {
    const all = Object.fromEntries(attributes);
    const shown = { body: isJson(all) ? JSON.parse(body) : body };
    const named = Object.keys(wanted[index]?.attributes ?? {});
    if (wanted[index]?.attributes) shown.attributes = Object.fromEntries(named.map((name) => [name, all[name]]));
    return shown;
  });
  return [came, wanted];
}

function isOutput(value) {
  const keys = value !== null && typeof value === "object" && !Array.isArray(value) ? Object.keys(value) : [];
  return keys.includes("body") && keys.every((key) => key === "body" || key === "attributes");
}

function isJson({ "content-type": type = "application/json" }) {
  return /^[^;]*[/+]json\s*(;|$)/.test(type);
}

function read(folder) {
  const files = readdirSync(folder).filter((name) => name.endsWith(".json")).sort();
  return files.flatMap((file) => {
    let cases;
    try {
      cases = [JSON.parse(readFileSync(join(folder, file), "utf8"))].flat();
    } catch (error) {
      throw new Error(`tests/${file}: ${error.message}`);
    }
    return cases.map((given, index) => ({ title: `${file}: ${given?.name ?? `case ${index + 1}`}`, given }));
  });
}
