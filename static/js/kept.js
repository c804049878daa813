// What this browser keeps for one person: drafts and judgments that are not sent yet. Another person who signs in here sees none of it.
const person = document.getElementById("day")?.dataset.person ?? "";
const ROOT = `plumbline:${person}:`;
const memory = new Map(); // where the browser keeps nothing, or its room is full: better than losing it at once

export function keyOf(kind, name) {
  return `${ROOT}${kind}:${name}`;
}

export function keep(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
    memory.delete(key);
  } catch {
    memory.set(key, value);
  }
}

export function kept(key) {
  if (memory.has(key)) return memory.get(key);
  try {
    return JSON.parse(localStorage.getItem(key));
  } catch {
    return null; // what cannot be read was not written by us
  }
}

export function drop(key) {
  memory.delete(key);
  try {
    localStorage.removeItem(key);
  } catch {
    // nothing was kept there
  }
}

/** All values of a kind, oldest first; each has the time `at` when it was kept. */
export function allKept(kind) {
  const prefix = keyOf(kind, "");
  let keys = [];
  try {
    keys = Object.keys(localStorage);
  } catch {
    // the browser keeps nothing
  }
  return [...new Set([...keys, ...memory.keys()])]
    .filter((key) => key.startsWith(prefix))
    .map((key) => ({ key, value: kept(key) }))
    .filter(({ value }) => value)
    .sort((one, other) => one.value.at - other.value.at);
}
