// Drafts save themselves: in this browser at once, on the server a second after the last change. The newer one comes back.
import { activeSeconds, startActivity } from "./activity.js";
import { allKept, drop, keep, kept, keyOf } from "./kept.js";
import { asHtmx, field, fill, fingerprint, post, show, taskForm, typedIn } from "./fields.js";

const QUIET_MS = 1_000; // after the last change
const RETRY_MS = 5_000;
const TIMEOUT_MS = 20_000;
const OLD_MS = 7 * 24 * 3600 * 1000; // a task that was not shown again for a week is with somebody else
const day = document.getElementById("day");

let draft = null; // of the form on the screen

class Draft {
  constructor(form) {
    this.form = form;
    this.isCorrection = Boolean(field(form, "correction"));
    this.key = keyOf("draft", `${field(form, "assignment")}${this.isCorrection ? "-correction" : ""}`);
    this.version = Number(form.dataset.draftVersion ?? 0);
    this.isOutdated = false;
    this.restore();
    this.seen = fingerprint(typedIn(form));
    this.saved = this.isRestored ? "" : this.seen;
    if (this.isRestored) this.later();
    startActivity(Number(field(form, "active_s")) || 0);
  }

  /** What was typed in this browser and did not reach the server comes back, unless the server has something newer. */
  restore() {
    const local = kept(this.key);
    if (!local) return;
    const isNewer = local.version >= this.version || local.at > Date.parse(this.form.dataset.draftSaved);
    if (!isNewer || (local.isSaved && local.version < this.version)) return;
    fill(this.form, local.fields); // what was saved too: the seconds that passed are in it
    this.isRestored = !local.isSaved;
  }

  fields() {
    if (this.form.elements.active_s) this.form.elements.active_s.value = activeSeconds();
    return typedIn(this.form);
  }

  look() {
    const seen = fingerprint(typedIn(this.form));
    if (seen === this.seen || this.isOutdated) return;
    this.seen = seen;
    say("");
    this.keepHere();
    this.later();
  }

  keepHere() {
    keep(this.key, { at: Date.now(), fields: this.fields(), version: this.version, isSaved: this.seen === this.saved });
  }

  later(pause = QUIET_MS) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.save(), pause);
  }

  isDirty() {
    return this.seen !== this.saved && !this.isOutdated;
  }

  /** One save at a time; what changed meanwhile goes with the next one. */
  save(options = { signal: AbortSignal.timeout(TIMEOUT_MS) }) {
    clearTimeout(this.timer);
    if (!this.isDirty()) return this.saving;
    this.saving = (this.saving ?? Promise.resolve()).then(() => (this.isDirty() ? this.send(options) : undefined));
    return this.saving;
  }

  async send(options) {
    const seen = this.seen;
    const own = [["assignment", field(this.form, "assignment")], ["version", String(this.version)]];
    if (this.isCorrection) own.push(["correction", "1"]);
    let response = null;
    let answer = null;
    try {
      response = await post(day.dataset.draft, [...this.fields(), ...own], { headers: asHtmx(), ...options });
      answer = await response.json();
    } catch {
      // offline, signed out, or the page goes away: what was typed lies in this browser
    }
    if (this.isGone) return;
    if (response?.ok && answer) this.onSaved(answer.version, seen);
    else if (response?.status === 409 && answer) this.onNewer(answer, seen);
    else if (!response || response.status >= 500) this.later(RETRY_MS);
  }

  onSaved(version, seen) {
    this.version = version;
    this.saved = seen;
    this.keepHere();
    say("saved");
    if (this.isDirty()) this.later();
  }

  /** The server has a newer one: our own, whose answer was lost, or one from another tab or device. */
  onNewer(stored, seen) {
    if (stored.version && fingerprint(entries(stored.fields)) === seen) return this.onSaved(stored.version, seen);
    this.isOutdated = true;
    drop(this.key); // else a reload would put it over the newer one
    return say("outdated");
  }

  forget() {
    clearTimeout(this.timer);
    this.isGone = true;
    drop(this.key);
  }
}

function entries(fields) {
  return Object.entries(fields ?? {}).flatMap(([name, values]) => values.map((value) => [name, value]));
}

/** Says one of the sentences that the page brought along. */
function say(name) {
  day.querySelector("[data-draft-outdated]").hidden = name !== "outdated";
  const status = day.querySelector("[data-draft-status]");
  status.textContent = name === "saved" ? status.dataset.text : "";
}

function watch() {
  const form = taskForm();
  if (form === (draft?.form ?? null)) return;
  clearTimeout(draft?.timer);
  draft = form && new Draft(form);
  say("");
}

/** Keeps what is typed, here and on the server, before something else takes the screen. */
export function saveDraft() {
  draft?.look();
  return draft?.save();
}

/** The form was submitted: from now on the outbox has it. */
export function forgetDraft() {
  draft?.forget();
  draft = null;
}

for (const name of ["keyup", "pointerup", "click", "input", "change"]) {
  document.addEventListener(name, () => setTimeout(() => draft?.look(), 0)); // after whoever moves answers has done so
}
function leave() {
  draft?.look();
  draft?.save({ keepalive: true });
}
addEventListener("pagehide", leave);
document.addEventListener("visibilitychange", () => document.hidden && leave());
addEventListener("online", () => draft?.save());

day.querySelector("[data-draft-newer]").addEventListener("click", async () => {
  if (draft) drop(draft.key);
  const response = await fetch(day.dataset.label, { headers: asHtmx() });
  if (response.ok && !response.headers.has("HX-Redirect")) show(await response.text());
});

for (const { key, value } of allKept("draft")) if (Date.now() - value.at > OLD_MS) drop(key);
document.addEventListener("htmx:afterSwap", watch);
watch();
