#!/usr/bin/env node
// Makes `<name>.wasm` of a plugin's project: `npx slipswitch-build [FOLDER] [--out FILE]`.
//
//   src/plugin.js ─▶ esbuild, one module ─▶ a world of the interfaces it imports ─▶ QuickJS with the module in it
//
// The engine is initialised while the plugin is built, so that an instance starts with the plugin's module evaluated.
// Nothing of WASI stays in the file: the router lets a plugin import what its rule grants, and nothing else.

import { existsSync, mkdtempSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { advised } from "./lib/advice.mjs";
import { placesOf } from "./lib/lines.mjs";
import { place } from "./lib/place.js";
import { load, readProject } from "./lib/project.mjs";
import { within } from "./lib/within.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const CONTRACT = "slipswitch:plugin";
const INTERFACES = { transformer: "transformer", filter: "filter", batchTransformer: "batch-transformer" };
/** How long a plugin's module may take to start under node, and in the engine of plugins, which is to be made, too. */
const START_SECONDS_MAX = 60;
const ENGINE_SECONDS_MAX = 300;
const USAGE = `usage: slipswitch-build [FOLDER] [--out FILE]

Builds the plugin in FOLDER (here, when not said) into FILE (<name>.wasm in FOLDER).`;

/** Builds the project in `folder`, and says what came out. */
export async function build(folder, out) {
  const project = readProject(folder);
  // Twice: what is wrong with the source is told best by esbuild, and the role is known only when node has run it.
  await bundle(project, "transformer");
  const shown = relative(project.folder, project.entry);
  const endless = (seconds) =>
    `error: ${shown}: it does not end in ${seconds} seconds while it starts, as it does when it is built: is there an endless loop outside its functions?`;
  const { role } = await within(START_SECONDS_MAX, endless(START_SECONDS_MAX), () => load(project));
  const { code, imports, places } = await bundle(project, role);
  const component = await within(ENGINE_SECONDS_MAX, endless(ENGINE_SECONDS_MAX), () =>
    componentize(project, role, code, imports, places),
  );
  const file = resolve(out ?? join(project.folder, `${project.name}.wasm`));
  // A router that watches the folder never sees half a file.
  const aside = join(dirname(file), `.${project.name}.wasm.${process.pid}`);
  writeFileSync(aside, component);
  renameSync(aside, file);
  return { file, bytes: component.length, imports };
}

/** The plugin as one module, and the interfaces that it imports. */
async function bundle(project, role) {
  const esbuild = await needed("esbuild");
  const sdk = (file) => JSON.stringify(join(HERE, "lib", file));
  const { name, version, description, entry, folder } = project;
  const start = [
    `import ${sdk("prelude.js")};`,
    `import * as module from ${JSON.stringify(entry)};`,
    `import { guest } from ${sdk("guest.js")};`,
    `import { place } from ${sdk("place.js")};`,
    `const made = guest(module, ${JSON.stringify({ name, version, description })}, place);`,
    `export const plugin = made.plugin;`,
    `export const ${role} = made.${role};`,
  ];
  let result;
  try {
    result = await esbuild.build({
      stdin: { contents: start.join("\n"), resolveDir: folder, sourcefile: "slipswitch-start.js" },
      absWorkingDir: folder,
      bundle: true,
      write: false,
      outfile: "plugin.js",
      format: "esm",
      platform: "neutral",
      mainFields: ["module", "main"],
      conditions: ["slipswitch"],
      target: "es2022",
      external: [`${CONTRACT}/*`],
      charset: "utf8",
      sourcemap: "external",
      metafile: true,
      logLevel: "silent",
    });
  } catch (error) {
    if (!Array.isArray(error.errors)) throw error;
    throw new Error(await formatted(esbuild, error.errors));
  }
  // A name that a module does not have would be found out when an event comes by. In packages it may be on purpose.
  const isOurs = ({ id, location }) => id === "import-is-undefined" && !location?.file.includes("node_modules");
  const misspelt = result.warnings.filter(isOurs);
  if (misspelt.length > 0) {
    throw new Error(await formatted(esbuild, misspelt));
  }
  const [map, code] = [".map", ".js"].map((end) => result.outputFiles.find(({ path }) => path.endsWith(end)).text);
  const output = Object.values(result.metafile.outputs).find(({ entryPoint, imports }) => entryPoint || imports.length);
  const imports = output.imports.map(({ path }) => /^slipswitch:plugin\/(.+)@/.exec(path)?.[1]).filter(Boolean);
  const places = placesOf(map, folder);
  const table = `\nglobalThis.__slipswitch_places = ${JSON.stringify(places)};\n`;
  return { code: code + table, places, imports: [...new Set(imports)].sort() };
}

async function formatted(esbuild, found) {
  const messages = await esbuild.formatMessages(await Promise.all(found.map(advised)), { kind: "error" });
  return messages.map((message) => message.replace(/^\S+ \[ERROR\] /, "")).join("").trimEnd();
}

async function componentize(project, role, jsSource, imports, places) {
  const { componentize } = await needed("componentize-qjs");
  const folder = mkdtempSync(join(tmpdir(), "slipswitch-build-"));
  try {
    const witPath = join(folder, "plugin.wit");
    const wanted = imports.map((name) => `  import ${name};\n`).join("");
    const world = `\nworld this-plugin {\n${wanted}  export plugin;\n  export ${INTERFACES[role]};\n}\n`;
    writeFileSync(witPath, readFileSync(contract(), "utf8") + world);
    const made = await componentize({ witPath, jsSource, world: "this-plugin", stubWasi: true, sync: true });
    return made.component;
  } catch (error) {
    const words = error.message.replace(/^.*evaluation: (?:Error: )?/s, "");
    const [first, ...stack] = words.split("\n");
    const at = place(stack.join("\n"), places) || relative(project.folder, project.entry);
    throw new Error(`${at}: ${first} (while the plugin started, as it does when it is built)`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The contract: beside the SDK in its repository and in a plugin's own copy, inside it in a package. */
function contract() {
  const places = [join(HERE, "plugin.wit"), join(HERE, "..", "wit", "plugin.wit")];
  const file = places.find(existsSync);
  if (file === undefined) throw new Error(`the contract is missing: neither ${places.join(" nor ")} is there`);
  return file;
}

async function needed(name) {
  try {
    return await import(name);
  } catch (error) {
    throw new Error(`${name} cannot be loaded: run \`npm install\` in the plugin's folder (${error.message})`);
  }
}

async function main(words) {
  if (words.includes("--help") || words.includes("-h")) return console.log(USAGE);
  const at = words.indexOf("--out");
  const out = at < 0 ? undefined : words.splice(at, 2)[1];
  if ((at >= 0 && out === undefined) || words.length > 1 || words[0]?.startsWith("-")) throw new Error(USAGE);
  const { file, bytes, imports } = await build(words[0] ?? ".", out);
  const asks = imports.filter((name) => name !== "log");
  const grants = asks.length === 0 ? "needs no grant" : `needs a rule with \`grant: [${asks.join(", ")}]\``;
  console.log(`${relative(process.cwd(), file) || file}: ${(bytes / 2 ** 20).toFixed(1)} MiB, ${grants}`);
}

// Started by its own name or by npm's link to it, and not imported.
if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  main(process.argv.slice(2)).catch((error) => {
    console.error(`error: ${error.message}`);
    process.exitCode = 1;
  });
}
