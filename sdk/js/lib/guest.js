// The plugin's side of the contract: from an author's module to the functions that the router calls. The same code
// runs in the plugin and in the test kit, so that a test sees what the router will.

import { Event } from "./event.js";
import { Output, PluginError, isAsync, kindOf, roleOf } from "./index.js";
import { check, checkSchema } from "./schema.js";
import { escaped, shown, wellFormed } from "./text.js";

const ROLES = "transformer(…), filter(…) or batchTransformer(…)";

/**
 * The functions of the contract for `module`, the namespace of the author's own module.
 * `about` has `name`, `version` and `description`; `placed` turns a stack into a place in the author's source.
 */
export function guest(module, about, placed = firstPlace) {
  const { role, call } = inspect(module);
  let config;

  const refused = (error) => {
    const { kind, message } = explain(error, placed);
    return { tag: kind, val: words(message) };
  };
  const answered = (answer) => {
    try {
      return answer();
    } catch (error) {
      throw refused(error);
    }
  };

  const plugin = {
    describe() {
      const configSchema = module.configSchema === undefined ? "" : JSON.stringify(module.configSchema);
      return { ...about, configSchema, pure: module.pure ?? true };
    },
    configure(text) {
      try {
        const given = JSON.parse(text);
        config = module.configSchema === undefined ? given : check(given, module.configSchema);
        if (module.configure !== undefined) config = settled(module.configure(config), "configure");
      } catch (error) {
        // Words on purpose are for the author of the rule, who cares for no place in the source.
        throw words(["PluginError", "Error"].includes(error?.name) ? error.message : explain(error, placed).message);
      }
    },
  };
  const roles = {
    transformer: {
      transform: (event) => answered(() => outputs(call(new Event(event), config))),
    },
    filter: {
      keep: (event) =>
        answered(() => {
          const kept = call(new Event(event), config);
          if (typeof kept === "boolean") return kept;
          throw new PluginError("fatal", `a filter returns true or false, and this one returned ${kindOf(kept)}`);
        }),
    },
    batchTransformer: {
      transformBatch: (events) => batch(call, events, config, refused),
    },
  };
  return { role, plugin, [role]: roles[role] };
}

/** Finds what is wrong with a module before it becomes a plugin; the words are for its author. */
export function inspect(module) {
  const plugin = module.default;
  const role = roleOf(plugin);
  if (role === undefined) {
    const found = plugin === undefined ? "it has no default export" : `its default export is ${kindOf(plugin)}`;
    throw new Error(`no plugin: ${found}; write \`export default\` and one of ${ROLES}`);
  }
  const { configSchema, configure, pure } = module;
  if (configSchema !== undefined && kindOf(configSchema) !== "an object") {
    throw new Error(`configSchema is a JSON Schema, an object; this is ${kindOf(configSchema)}`);
  }
  if (configSchema !== undefined) checkSchema(configSchema, "configSchema");
  if (configure !== undefined && typeof configure !== "function") {
    throw new Error(`configure is a function of the configuration; this is ${kindOf(configure)}`);
  }
  if (configure !== undefined && isAsync(configure)) {
    throw new Error("configure is a function that is not async: a plugin waits for nothing");
  }
  if (pure !== undefined && typeof pure !== "boolean") {
    throw new Error(`pure is true or false; this is ${kindOf(pure)}`);
  }
  return { role, call: plugin.call };
}

/** One result per event: one bad event does not fail its neighbours. */
function batch(call, events, config, refused) {
  const failed = (error) => events.map(() => ({ tag: "err", val: refused(error) }));
  let answers;
  try {
    answers = settled(call(events.map((event) => new Event(event)), config), "a batch transformer");
    if (!Array.isArray(answers) || answers.length !== events.length) {
      const found = Array.isArray(answers) ? `an array of ${answers.length}` : kindOf(answers);
      throw new PluginError(
        "fatal",
        `a batch transformer returns one answer per event, here ${events.length}, and this one returned ${found}`,
      );
    }
  } catch (error) {
    return failed(error);
  }
  return answers.map((answer) => {
    try {
      if (answer instanceof Error) throw answer;
      return { tag: "ok", val: outputs(answer) };
    } catch (error) {
      return { tag: "err", val: refused(error) };
    }
  });
}

function settled(value, who) {
  if (value instanceof Promise) throw new PluginError("fatal", `${who} returned ${kindOf(value)}`);
  return value;
}

/** What a transformer returned, as the contract's list. */
function outputs(answer) {
  if (answer === null) return [];
  if (Array.isArray(answer)) return answer.map(among);
  return [output(answer)];
}

/** One of several outputs. */
function among(value) {
  if (value !== undefined && value !== null) return output(value);
  const instead = value === null ? "leave it out, or write Output.json(null)" : "leave it out";
  throw new PluginError("fatal", `${kindOf(value)} among several outputs: ${instead}`);
}

function output(value) {
  settled(value, "a transformer");
  if (value === undefined || value === null || typeof value === "function") {
    throw new PluginError(
      "fatal",
      `a transformer returns an output, an array of outputs, or null to drop the event; this one returned ${kindOf(value)}`,
    );
  }
  const { body, attributes } = value instanceof Output ? value : Output.json(value);
  const pairs = Object.entries(attributes ?? {}).map(([name, value]) => [wellFormed(name), wellFormed(String(value))]);
  const isJson = /json\s*(;|$)/.test(attributes?.["content-type"] ?? "json");
  return { body: isJson ? escaped(body) : wellFormed(body), attributes: pairs };
}

/** The kind and the words of an exception. */
function explain(error, placed) {
  if (error instanceof PluginError) return error;
  if (!(error instanceof Error)) return { kind: "invalid", message: `thrown: ${shown(error)}` };
  // No event can cause these: the plugin has a mistake, or the instance is broken. The target's retry policy gives
  // time to mend it.
  const kind = ["ReferenceError", "InternalError"].includes(error.name) ? "fatal" : "invalid";
  const place = placed(error.stack ?? "");
  return { kind, message: `${error.name}: ${error.message}${place === "" ? "" : `, at ${place}`}` };
}

/** What an error says, as the contract has it. */
function words(message) {
  return wellFormed(String(message)) || "no message";
}

/** The first line of a stack that says where it was. */
function firstPlace(stack) {
  return /^\s*at (.*:\d+:\d+.*)$/m.exec(stack)?.[1] ?? "";
}
