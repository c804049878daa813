// The keys of a task, as the list under "?" names them. Answers go by their letters, so everything else has a letter after i;
// d is for differences where there is no answer D.
import { toggleDifferences } from "./task-differences.js";
import { toggleAllFolds, toggleFold } from "./task-folds.js";
import { focusScale } from "./task-form.js";

const PRESSABLE = "button, a, summary";
const TYPED = "textarea, select, input:not([type=radio], [type=checkbox])";

function focusStep(task, card, step) {
  const { cards } = task;
  const at = card ? cards.indexOf(card) : step > 0 ? -1 : 0;
  cards[(at + step + cards.length) % cards.length]?.focus();
}

function openPart(task, name, target) {
  const part = task.form.querySelector(`[data-part="${name}"]`);
  if (!part) return;
  part.open = true;
  part.querySelector(target)?.focus();
}

function mark(task, card) {
  const flags = (card ?? task.cards[0])?.querySelector(".flags");
  if (!flags) return;
  flags.open = true;
  flags.querySelector("input").focus();
}

function toScales(task, card) {
  const scale = task.unrated(card)[0];
  if (scale) focusScale(scale);
}

const ACTIONS = {
  Enter: (task) => task.form.requestSubmit(task.form.querySelector("[data-submit]")),
  ArrowUp: (task, card) => card && task.shift?.(card, -1),
  ArrowDown: (task, card) => card && task.shift?.(card, 1),
  d: toggleDifferences,
  j: (task, card) => focusStep(task, card, 1),
  k: (task, card) => focusStep(task, card, -1),
  l: () => document.querySelector(".ranking-guidelines > summary")?.click(),
  m: mark,
  n: (task) => openPart(task, "remark", "textarea"),
  o: (task, card) => toggleFold(card ?? document.querySelector(".foldable.is-long")?.parentElement),
  O: toggleAllFolds,
  p: (task) => task.editing.open(),
  r: toScales,
  s: (task) => openPart(task, "skip", "button"),
  t: (task, card) => card && task.tie?.(card),
  u: () => document.querySelector('[data-key="u"]')?.click(),
  v: toggleDifferences,
  w: (task) => openPart(task, "report", "textarea"),
  x: (task, card) => card && task.cannotBox(card).click(),
  y: (task) => !task.list && task.form.elements.edited_answer.focus(),
  z: (task) => task.undo(),
};

/** A number rates on a scale, ticks a flag, or says why one skips; anywhere else it is for the task itself. */
function pressNumber(task, number, target, card) {
  const scale = target.closest(".scale");
  const flags = target.closest(".flags");
  const skip = target.closest("[data-part=skip]");
  if (scale) task.rate(scale, number || 10);
  else if (flags) flags.querySelectorAll("input")[number - 1]?.click();
  else if (skip?.open) skip.querySelectorAll("button")[number - 1]?.click();
  else if (number) task.digit(number, card);
  else task.toggleAllBad();
}

/** Leaves a field or a panel: to its answer, or to the button that submits. */
function leave(task, target) {
  const panel = target.closest(".flags, .skip");
  if (panel?.open && !(panel.matches(".flags") && panel.querySelector(":checked"))) panel.open = false;
  const place = target.closest(".answer") ?? task.form.querySelector("[data-submit]");
  place.focus();
}

function press(task, event) {
  const { key, target } = event;
  const card = target.closest(".answer");
  if (key.startsWith("Arrow") && target.matches("input")) return false; // they move between the points of a scale
  if (/^[0-9]$/.test(key)) pressNumber(task, Number(key), target, card);
  else if (/^[a-i]$/.test(key) && focusLetter(task, key)) return true;
  else if (ACTIONS[key]) ACTIONS[key](task, card);
  else return false;
  return true;
}

function focusLetter(task, key) {
  const card = task.cards.find((other) => task.letter(other) === key.toUpperCase());
  card?.focus();
  return card;
}

/** A task under a content warning hears nothing but how to show it. */
function uncover(cover, key) {
  cover.open = ["Enter", "o"].includes(key);
  return cover.open;
}

function onKey(task, event) {
  const { key, target } = event;
  if (document.querySelector("dialog[open]")) return;
  if (key === "Escape" && task?.form.contains(target) && !target.matches("[data-submit]")) {
    leave(task, target);
    return;
  }
  if (key === "Enter" && event.repeat) {
    event.preventDefault(); // a key held down must not answer the next task
    return;
  }
  if (target.closest(TYPED)) {
    if (key === "Enter" && target.matches("input") && task?.form.contains(target)) event.preventDefault(); // a line of a form is not its end
    return;
  }
  if (target.closest(PRESSABLE) && ["Enter", " "].includes(key)) return;
  if (key === "?") document.getElementById("keys")?.showModal();
  else if (task) {
    const cover = task.form.closest("details.warned:not([open])");
    if (cover ? uncover(cover, key) : press(task, event)) event.preventDefault();
  }
}

export function watchKeys(current) {
  document.addEventListener("keydown", (event) => {
    const task = current();
    if (event.isComposing || event.altKey) return;
    if (event.ctrlKey || event.metaKey) {
      if (event.key === "Enter" && !event.repeat && task?.form.contains(event.target)) ACTIONS.Enter(task);
      return;
    }
    onKey(task, event);
  });
}
