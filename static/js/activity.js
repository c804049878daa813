// Active time on a task: what passes in a visible tab while somebody moved, pressed or scrolled within the last minute.
const IDLE_MS = 60_000;
const INPUTS = ["pointerdown", "pointermove", "keydown", "wheel", "scroll", "input"];

let activeMs = 0; // until countedAt
let countedAt = performance.now();
let inputAt = countedAt; // opening a task is input too
let isVisible = !document.hidden;

function count() {
  const now = performance.now();
  if (isVisible) activeMs += Math.max(0, Math.min(now, inputAt + IDLE_MS) - countedAt);
  countedAt = now;
}

/** Seconds since the last start, as the form sends them. */
export function activeSeconds() {
  count();
  return (activeMs / 1000).toFixed(1);
}

/** Begins a task, or goes on with one that took some seconds before. */
export function startActivity(seconds = 0) {
  countedAt = inputAt = performance.now();
  activeMs = seconds * 1000;
}

export function isActive() {
  return isVisible && performance.now() - inputAt < IDLE_MS;
}

for (const name of INPUTS) {
  addEventListener(
    name,
    () => {
      count();
      inputAt = performance.now();
    },
    { capture: true, passive: true },
  );
}

document.addEventListener("visibilitychange", () => {
  count();
  isVisible = !document.hidden;
});
