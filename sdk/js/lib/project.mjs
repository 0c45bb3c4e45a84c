// A plugin's project on disk: what its package.json says, and its module under node.

import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";

import { inspect } from "./guest.js";

const ENTRIES = ["src/plugin.js", "src/plugin.ts", "plugin.js", "plugin.ts"];

/** What the project in `folder` is: { folder, entry, name, version, description }. */
export function readProject(folder) {
  const file = join(folder, "package.json");
  if (!existsSync(file)) {
    throw new Error(`${file} is missing: run this in the folder of the plugin's project`);
  }
  let manifest;
  try {
    manifest = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new Error(`${file}: ${error.message}`);
  }
  const { name, version, description = "", main } = manifest;
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name ?? "")) {
    throw new Error(`${file}: "name" is the plugin's name, of letters, digits, ".", "_" and "-"; found ${JSON.stringify(name)}`);
  }
  if (typeof version !== "string") throw new Error(`${file}: "version" is missing; write one such as "0.1.0"`);
  const entry = main ?? ENTRIES.find((one) => existsSync(join(folder, one)));
  if (entry === undefined || !existsSync(join(folder, entry))) {
    throw new Error(`${main ?? ENTRIES[0]} is missing: it is where the plugin begins ("main" in package.json names another)`);
  }
  return { folder: resolve(folder), entry: resolve(folder, entry), name, version, description };
}

/** The author's module, as node runs it, and its role. */
export async function load(project) {
  const shown = relative(project.folder, project.entry);
  let module;
  try {
    module = await import(pathToFileURL(await runnable(project)).href);
  } catch (error) {
    throw new Error(`${shown}: ${told(error, project.folder)}`, { cause: error });
  }
  try {
    return { module, role: inspect(module).role };
  } catch (error) {
    throw new Error(`${shown}: ${error.message}`);
  }
}

/** An exception's words and the frames of its stack that are the author's own. */
function told(error, folder) {
  if (!(error instanceof Error)) return `thrown: ${error}`;
  const [before, ...frames] = (error.stack ?? String(error)).split(/\n(?= {4}at )/);
  const own = pathToFileURL(folder).href;
  const kept = frames.filter((frame) => frame.includes(own) && !/node_modules|\.slipswitch/.test(frame));
  return [before, ...kept].join("\n").replaceAll(`${own}/`, "");
}

/** The entry itself, or, of TypeScript, what esbuild makes of it. */
async function runnable({ folder, entry }) {
  if (!/\.[cm]?tsx?$/.test(entry)) return entry;
  const outdir = join(folder, "node_modules", ".slipswitch");
  mkdirSync(outdir, { recursive: true });
  const outfile = join(outdir, "plugin.mjs");
  const { build } = await import("esbuild");
  await build({ entryPoints: [entry], outfile, bundle: true, packages: "external", format: "esm", sourcemap: "inline", logLevel: "silent" });
  return outfile;
}
