// Which name was meant: for messages about one that is not there.

/** The one of `names` that is most like `name`, or nothing when none is. */
export function nearest(name, names) {
  const plain = (text) => text.toLowerCase().replaceAll(/[_-]/g, "");
  const like = (one) => {
    const [short, long] = [plain(one), plain(name)].sort((a, b) => a.length - b.length);
    return short === long ? 0 : short.length > 2 && (long.startsWith(short) || long.endsWith(short)) ? 1 : distance(short, long);
  };
  const [best, least] = names.reduce((found, one) => (like(one) < found[1] ? [one, like(one)] : found), [undefined, 3]);
  return least < plain(name).length ? best : undefined;
}

/** How many letters have to be put in, taken out or changed. */
function distance(one, other) {
  let row = [...other, ""].map((_, index) => index);
  for (const [index, letter] of [...one].entries()) {
    const next = [index + 1];
    for (const [at, otherLetter] of [...other].entries()) {
      next.push(Math.min(next[at] + 1, row[at + 1] + 1, row[at] + (letter === otherLetter ? 0 : 1)));
    }
    row = next;
  }
  return row.at(-1);
}
