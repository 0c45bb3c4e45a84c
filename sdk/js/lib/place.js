// In a built plugin: from an exception's stack to the author's own source, by the table that the build appends.

export function place(stack, { names, known } = globalThis.__slipswitch_places ?? { names: [], known: [] }) {
  for (const [, name, line] of stack.matchAll(/^\s*at (.*?)\s*\(?[^\s(]*:(\d+):\d+\)?$/gm)) {
    const found = known.find(([from]) => from === Number(line));
    if (found) return named(name, `${names[found[1]]}:${found[2]}`);
  }
  return "";
}

function named(name, place) {
  return name === "" || name === "<anonymous>" ? place : `${name} (${place})`;
}
