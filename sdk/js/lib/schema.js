// Holds a configuration against the plugin's own JSON Schema: the keywords that a configuration needs, not all of
// them. Keywords that are not listed here only document.
//
//   type  enum  const  required  properties  additionalProperties  items  minItems  maxItems
//   minimum  maximum  exclusiveMinimum  exclusiveMaximum  minLength  maxLength  pattern  default (of a property)

import { invalid, kindOf } from "./index.js";
import { nearest } from "./nearest.js";

const TYPES = ["object", "array", "string", "boolean", "null", "number", "integer"];
const isArray = (is) => (value) => Array.isArray(value) && value.every(is);
const isText = (value) => typeof value === "string";
const isNumber = (value) => typeof value === "number";
const isObject = (value) => kindOf(value) === "an object";
/** What each keyword's value is; those that are not listed here may be anything. */
const KEYWORDS = {
  enum: [Array.isArray, "an array of values"],
  required: [isArray(isText), "an array of keys"],
  properties: [isObject, "an object, a schema for each key"],
  pattern: [isPattern, "a regular expression"],
  ...Object.fromEntries(
    ["minItems", "maxItems", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"].map(
      (name) => [name, [isNumber, "a number"]],
    ),
  ),
};

/** Throws what is wrong with a schema itself, with its place: `check` would let through what it cannot read. */
export function checkSchema(schema, place) {
  const refuse = (where, value, expected) => {
    throw new Error(`${where}: expected ${expected}, found ${JSON.stringify(value) ?? kindOf(value)}`);
  };
  if (typeof schema === "boolean") return;
  if (!isObject(schema)) refuse(place, schema, "a JSON Schema: an object, true or false");
  for (const name of "type" in schema ? [schema.type].flat() : []) {
    if (TYPES.includes(name)) continue;
    const meant = isText(name) ? nearest(name, TYPES) : undefined;
    refuse(`${place}.type`, name, `${TYPES.join(", ")}${meant ? ` (did you mean "${meant}"?)` : ""}`);
  }
  for (const [keyword, [fits, expected]] of Object.entries(KEYWORDS)) {
    if (keyword in schema && !fits(schema[keyword])) refuse(`${place}.${keyword}`, schema[keyword], expected);
  }
  for (const [key, inner] of Object.entries(schema.properties ?? {})) checkSchema(inner, `${place}.properties.${key}`);
  for (const keyword of ["items", "additionalProperties"]) {
    if (keyword in schema) checkSchema(schema[keyword], `${place}.${keyword}`);
  }
}

function isPattern(value) {
  try {
    return isText(value) && Boolean(new RegExp(value, "u"));
  } catch {
    return false;
  }
}

/** The value with its defaults filled in. Throws words for the author of the rule, which name the key. */
export function check(value, schema, path = "") {
  const refuse = (expected) => {
    const found = JSON.stringify(value);
    const shown = found.length > 60 ? `${found.slice(0, 60)}…` : found;
    throw invalid(`${path === "" ? "the configuration" : `\`${path}\``}: expected ${expected}, found ${shown}`);
  };
  if (schema === true || schema === undefined) return value;
  if (schema === false) refuse("nothing");
  checkType(value, schema, refuse);
  if (schema.enum && !schema.enum.some((one) => same(one, value))) {
    refuse(`one of ${schema.enum.map((one) => JSON.stringify(one)).join(", ")}`);
  }
  if ("const" in schema && !same(schema.const, value)) refuse(JSON.stringify(schema.const));
  if (typeof value === "number") checkNumber(value, schema, refuse);
  if (typeof value === "string") checkText(value, schema, refuse);
  if (Array.isArray(value)) {
    if (value.length < (schema.minItems ?? 0)) refuse(`at least ${schema.minItems} items`);
    if (value.length > (schema.maxItems ?? Infinity)) refuse(`at most ${schema.maxItems} items`);
    return value.map((item, index) => check(item, schema.items, `${path}[${index}]`));
  }
  if (value !== null && typeof value === "object") return checkObject(value, schema, path);
  return value;
}

function checkType(value, { type }, refuse) {
  if (type === undefined) return;
  const types = [type].flat();
  const found = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
  const fits = types.includes(found) || (types.includes("integer") && Number.isInteger(value));
  if (!fits) refuse(types.join(" or "));
}

function checkNumber(value, schema, refuse) {
  if (value < (schema.minimum ?? -Infinity)) refuse(`at least ${schema.minimum}`);
  if (value > (schema.maximum ?? Infinity)) refuse(`at most ${schema.maximum}`);
  if (value <= (schema.exclusiveMinimum ?? -Infinity)) refuse(`more than ${schema.exclusiveMinimum}`);
  if (value >= (schema.exclusiveMaximum ?? Infinity)) refuse(`less than ${schema.exclusiveMaximum}`);
}

function checkText(value, schema, refuse) {
  const length = [...value].length;
  if (length < (schema.minLength ?? 0)) refuse(`at least ${schema.minLength} characters`);
  if (length > (schema.maxLength ?? Infinity)) refuse(`at most ${schema.maxLength} characters`);
  if (schema.pattern && !new RegExp(schema.pattern, "u").test(value)) refuse(`text that matches ${schema.pattern}`);
}

function checkObject(value, schema, path) {
  const under = (key) => (path === "" ? key : `${path}.${key}`);
  const properties = schema.properties ?? {};
  const missing = (schema.required ?? []).find((key) => !Object.hasOwn(value, key));
  if (missing !== undefined) throw invalid(`\`${under(missing)}\` is missing`);
  const checked = {};
  for (const [key, item] of Object.entries(value)) {
    const known = Object.hasOwn(properties, key);
    if (!known && schema.additionalProperties === false) {
      const names = Object.keys(properties).join(", ");
      throw invalid(`unknown key \`${under(key)}\`${names === "" ? "" : `; it takes ${names}`}`);
    }
    checked[key] = check(item, known ? properties[key] : schema.additionalProperties, under(key));
  }
  for (const [key, { default: fallback } = {}] of Object.entries(properties)) {
    if (fallback !== undefined && !Object.hasOwn(value, key)) checked[key] = fallback;
  }
  return checked;
}

function same(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}
