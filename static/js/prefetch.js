// The next task is fetched while this one is worked on. Its time begins when it is shown, which the submit before it tells the server.
import { isActive } from "./activity.js";
import { allKept } from "./kept.js";
import { field, post, taskForm } from "./fields.js";

const MARGIN_MS = 5_000; // of the lease of a task that nobody looks at yet: the submit that shows it must arrive in time
const LOOK_MS = 2_000;
const NONE_MS = 60_000; // an empty queue is asked again about as often as somebody would reload the page
const TIMEOUT_MS = 15_000;
const day = document.getElementById("day");

let next = null; // {assignment, html, until}
let isAsking = false;
let asked = { assignment: "", again: 0 };

function isFresh() {
  return next && performance.now() < next.until && next.assignment !== field(taskForm(), "assignment");
}

/** Gives the next task away, once: {assignment, html}, or null where it must be asked for. */
export function takeNext() {
  const taken = isFresh() ? next : null;
  next = null;
  return taken;
}

async function ask(assignment) {
  isAsking = true;
  const now = performance.now();
  asked = { assignment, again: now + NONE_MS };
  try {
    const response = await post(day.dataset.prefetch, [["assignment", assignment]], { signal: AbortSignal.timeout(TIMEOUT_MS) });
    const html = response.status === 200 ? await response.text() : "";
    const found = new DOMParser().parseFromString(html, "text/html").querySelector("#ranking [name=assignment]")?.value;
    const leaseMs = 1_000 * Number(response.headers.get("Lease-S"));
    next = found ? { assignment: found, html, until: now + leaseMs - MARGIN_MS } : null;
    if (next) asked.again = now + leaseMs; // then it is given back, and perhaps to us again
  } catch {
    asked.again = now + TIMEOUT_MS; // offline: the submit will ask
  } finally {
    isAsking = false;
  }
}

function look() {
  const form = taskForm();
  if (isAsking || !form || form.inert || field(form, "correction") || !isActive()) return;
  if (form.closest("[data-learning]")) return; // what a training task taught comes before the next one
  if (allKept("outbox").some(({ value }) => !value.isRefused)) return; // the server would take this task for the next one
  const assignment = field(form, "assignment");
  if (asked.assignment !== assignment || (!isFresh() && performance.now() > asked.again)) ask(assignment);
}

document.addEventListener("htmx:afterSwap", () => setTimeout(look, 0)); // the task on the screen is painted first
document.addEventListener("outbox:stored", () => setTimeout(look, 0));
addEventListener("online", () => {
  asked.again = 0;
  look();
});
setInterval(look, LOOK_MS);
look();
