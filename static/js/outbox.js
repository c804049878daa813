// What was submitted and is not stored yet. It is kept in this browser under its client_key, sent in order, again and again, and
// forgotten only when the server has it or the person lets it go. The server stores a client_key once, however often it comes.
import { activeSeconds } from "./activity.js";
import { forgetDraft, saveDraft } from "./drafts.js";
import { allKept, drop, keep, kept, keyOf } from "./kept.js";
import { takeNext } from "./prefetch.js";
import { asHtmx, field, fieldsOf, fill, post, show, showMessages, taskForm } from "./fields.js";

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000; // somebody who waits for a train looks at the page about as often
const TIMEOUT_MS = 20_000; // a connection that was cut answers never; the key makes asking again harmless
const REFUSALS = new Set([400, 404, 409, 413, 422]); // the same again would be refused again
const day = document.getElementById("day");

let pauseMs = FIRST_PAUSE_MS;
let timer = null;
let refreshTimer = null;
let isSending = false;
let signInUrl = "";

function entries() {
  return allKept("outbox").map(({ key, value }) => ({ key, ...value }));
}

function waiting() {
  return entries().filter((entry) => !entry.isRefused);
}

function isOnScreen(entry) {
  return field(taskForm(), "client_key") === entry.clientKey;
}

/** Takes a form over: kept first, then the next task on the screen, then sent. */
function take(form) {
  if (form.elements.active_s) form.elements.active_s.value = activeSeconds();
  const next = field(form, "correction") ? null : takeNext();
  const clientKey = field(form, "client_key");
  keep(keyOf("outbox", clientKey), {
    at: Date.now(),
    url: form.getAttribute("action"),
    clientKey,
    assignment: field(form, "assignment"),
    fields: [...fieldsOf(form), ["outbox", "1"], ["shown", next?.assignment ?? ""]],
  });
  forgetDraft();
  if (next) show(next.html);
  settle();
  flush();
}

async function flush() {
  clearTimeout(timer);
  if (isSending) return;
  isSending = true;
  try {
    for (let entry = waiting()[0]; entry; entry = waiting()[0]) {
      if (!(await send(entry))) return later();
    }
    pauseMs = FIRST_PAUSE_MS;
  } finally {
    isSending = false;
    settle();
  }
  return undefined;
}

function later() {
  timer = setTimeout(flush, pauseMs);
  pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
}

/** True when the server has decided about it, one way or the other. */
async function send(entry) {
  let response = null;
  let html = "";
  try {
    response = await post(entry.url, entry.fields, { headers: asHtmx(), signal: AbortSignal.timeout(TIMEOUT_MS) });
    html = await response.text();
  } catch {
    return markFailed(entry);
  }
  // A page whose session or token is no longer good must be opened anew; that leads to the sign-in where it is needed.
  signInUrl = response.headers.get("HX-Redirect") ?? (response.status === 403 ? day.dataset.label : "");
  if (REFUSALS.has(response.status)) await onRefused(entry, html);
  else if (response.ok && !signInUrl) await onStored(entry, html);
  else return markFailed(entry);
  return true;
}

function markFailed(entry) {
  if (kept(entry.key)) keep(entry.key, { ...kept(entry.key), hasFailed: true });
  settle();
  return false;
}

async function onStored(entry, html) {
  const isOurs = isOnScreen(entry);
  drop(entry.key);
  document.dispatchEvent(new CustomEvent("outbox:stored"));
  if (entry.fields.some(([name]) => name === "correction")) return isOurs && location.assign(day.dataset.label);
  const hasTask = html.includes('id="comparison"');
  if (isOurs && hasTask) show(html);
  else {
    showMessages(html);
    if (isOurs) await refresh();
  }
  return undefined;
}

/** Brings the person back to what was refused; what they have begun meanwhile is a draft. */
async function onRefused(entry, html) {
  keep(entry.key, { ...kept(entry.key), isRefused: true });
  if (!html.includes('id="ranking"')) return;
  await saveDraft();
  show(html);
  document.querySelector("#comparison [role=alert]")?.scrollIntoView({ block: "center" });
}

/** Shows what the server holds for this person now; the form that is done stays locked until then. */
async function refresh() {
  clearTimeout(refreshTimer);
  try {
    const response = await fetch(day.dataset.label, { headers: asHtmx(), signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (response.headers.has("HX-Redirect")) location.assign(response.headers.get("HX-Redirect"));
    else if (response.ok) show(await response.text());
  } catch {
    refreshTimer = setTimeout(settle, FIRST_PAUSE_MS);
  }
}

function again(entry) {
  const stored = kept(entry.key);
  if (stored) keep(entry.key, { ...stored, isRefused: false });
  flush();
}

/** Makes the screen say what is so: the form of something on its way is locked, and what failed is told. */
function settle() {
  const all = entries();
  const form = taskForm();
  const own = form && all.find((entry) => isAbout(entry, form));
  if (own && !own.isRefused) lock(form, own);
  else if (own) unlock(form);
  else if (form?.inert && !isSending) refresh(); // it is stored, perhaps by another tab
  tell(all);
}

/** A correction is its own matter; anything else about the same task is this form, also on a page that came anew. */
function isAbout(entry, form) {
  return isOnScreen(entry) || (!field(form, "correction") && entry.assignment === field(form, "assignment"));
}

function lock(form, entry) {
  if (form.inert) return;
  if (field(form, "client_key") !== entry.clientKey) {
    fill(form, entry.fields); // the page came anew, or another tab submitted it
    form.elements.client_key.value = entry.clientKey;
  }
  form.inert = true;
  form.setAttribute("aria-busy", "true");
}

function unlock(form) {
  form.inert = false;
  form.removeAttribute("aria-busy");
}

function tell(all) {
  const late = all.filter((entry) => !entry.isRefused);
  const notice = day.querySelector("[data-outbox-late]");
  notice.hidden = !late.some((entry) => entry.hasFailed); // what was sent just now is not late
  notice.querySelector("[data-count]").textContent = late.length;
  const link = day.querySelector("[data-outbox-sign-in]");
  link.hidden = !signInUrl;
  link.querySelector("a").href = signInUrl;
  const list = day.querySelector("[data-outbox-refused]");
  list.replaceChildren(...all.filter((entry) => entry.isRefused && !isOnScreen(entry)).map(refusal));
}

function refusal(entry) {
  const item = day.querySelector("[data-outbox-refusal]").content.firstElementChild.cloneNode(true);
  const typed = entry.fields.filter(([name, value]) => value && !["assignment", "client_key", "outbox", "shown", "active_s"].includes(name));
  item.querySelector("[data-typed]").textContent = typed.map(([name, value]) => `${name}: ${value}`).join("\n");
  item.querySelector("[data-again]").addEventListener("click", () => again(entry));
  item.querySelector("[data-discard]").addEventListener("click", () => {
    drop(entry.key);
    settle();
  });
  return item;
}

// The form's own request is htmx's; skipping and reporting have requests of their own.
document.addEventListener("htmx:confirm", (event) => {
  const form = taskForm();
  if (!form || event.detail.path !== form.getAttribute("action") || !form.contains(event.detail.elt)) return;
  event.preventDefault();
  if (!form.inert && (form.noValidate || form.reportValidity())) take(form);
});

// What one skips took time too.
document.addEventListener("htmx:configRequest", ({ detail }) => {
  if (taskForm()?.contains(detail.elt)) detail.parameters.set("active_s", activeSeconds());
});

// Keys must not rank what is on its way.
addEventListener(
  "keydown",
  (event) => {
    if (taskForm()?.inert && !event.target.closest("a, button, input, textarea, select, dialog")) event.stopImmediatePropagation();
  },
  true,
);

addEventListener("online", () => {
  pauseMs = FIRST_PAUSE_MS;
  flush();
});
addEventListener("storage", (event) => event.key?.startsWith(keyOf("outbox", "")) && settle());
document.addEventListener("htmx:afterSwap", settle);
day.querySelector("[data-outbox-now]").addEventListener("click", () => {
  pauseMs = FIRST_PAUSE_MS;
  flush();
});
settle();
flush();
