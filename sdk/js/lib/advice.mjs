// What esbuild says, with our advice: it thinks of node and browsers, and of modules that it knows nothing about.

import { nearest } from "./nearest.js";

const MODULES = ["log", "state", "clock", "random", "metrics"];
/** A module of ours has no such export. */
const NO_EXPORT = /no matching export in "(?:.*\/)?(?:sdk\/js|slipswitch-sdk)\/lib\/(\w+)\.js"/i;

/** The message with what to do. */
export async function advised(message) {
  const advice = await adviceOn(message);
  return advice ? { ...message, notes: [{ text: advice, location: null }] } : message;
}

async function adviceOn({ text, notes }) {
  const [, file] = NO_EXPORT.exec(text) ?? [];
  if (file !== undefined) return instead(file, /import "([^"]+)"/i.exec(text)[1]);
  const [package_] = /(?<=mark the path ")[^"]+/.exec(notes.map((note) => note.text).join()) ?? [];
  if (package_?.startsWith("slipswitch-sdk/")) return `The SDK's modules are ${MODULES.join(", ")}.`;
  if (notes.some((note) => note.text.includes("built into node"))) {
    return "A plugin has no modules of node's: no files, no network, no processes.";
  }
  return package_ && `Install it with \`npm install ${package_}\`, or correct the path.`;
}

/** What to write in place of `name`, which our module `file` does not export. */
async function instead(file, name) {
  if (file === "index" && MODULES.includes(name)) {
    return `It is a module of its own: import * as ${name} from "slipswitch-sdk/${name}".`;
  }
  const names = Object.keys(await import(`./${file}.js`));
  const meant = nearest(name, names);
  return meant === undefined ? `There is ${names.join(", ")}.` : `Did you mean "${meant}"?`;
}
