// Chatting by keyboard, and where the focus goes when a turn has moved on. Without it the forms work as they are.
import { activeSeconds, startActivity } from "./activity.js";

const byTouch = matchMedia("(pointer: coarse)");
let judged = ""; // the assignment whose time is counted

function judgeForm() {
  return document.getElementById("live-judge");
}

function countTime() {
  const form = judgeForm();
  if (form && form.elements.assignment.value !== judged) {
    judged = form.elements.assignment.value;
    startActivity();
  }
}

function choose(value) {
  const form = judgeForm();
  const radio = [...(form?.querySelectorAll("[name=strength]") ?? [])][value - 1];
  if (!radio) return false;
  radio.checked = true;
  radio.focus();
  return true;
}

function toggleAllBad() {
  const box = judgeForm()?.elements.all_bad;
  if (!box) return false;
  box.checked = !box.checked;
  if (box.checked) for (const radio of judgeForm().querySelectorAll("[name=strength]")) radio.checked = false;
  return true;
}

function goTo(letter) {
  const radio = document.querySelector(`.pick [value="${letter}"]`);
  if (radio) radio.checked = true;
  const target = radio ?? document.querySelector(`#live-judge [data-letter="${letter}"]`);
  target?.focus();
  return Boolean(target);
}

function press(key) {
  if (/^[1-7]$/.test(key)) return choose(Number(key));
  if (key === "0") return toggleAllBad();
  if (key === "a" || key === "b") return goTo(key.toUpperCase());
  if (key === "?") {
    document.getElementById("live-keys")?.showModal();
    return true;
  }
  if (key !== "Enter" || !judgeForm()) return false;
  judgeForm().requestSubmit(judgeForm().querySelector("[data-send]"));
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
  if (document.querySelector("dialog[open]")) return;
  const composer = event.target.closest("[data-composer]");
  if (event.target.closest("textarea")) {
    if (!composer || event.key !== "Enter" || event.shiftKey || byTouch.matches) return;
    event.preventDefault(); // an empty message is refused by the field itself
    composer.requestSubmit(composer.querySelector("[data-send]"));
    return;
  }
  if (event.target.closest("input:not([type=radio], [type=checkbox]), select")) return;
  if (event.target.closest("button, a, summary") && ["Enter", " "].includes(event.key)) return;
  if (press(event.key)) event.preventDefault();
});

// "Both are bad" and a better one are two different answers to one question.
document.addEventListener("change", ({ target }) => {
  if (target.name === "strength" && judgeForm()?.contains(target)) judgeForm().elements.all_bad.checked = false;
  if (target.name === "all_bad" && target.checked)
    for (const radio of judgeForm()?.querySelectorAll("[name=strength]") ?? []) radio.checked = false;
});

document.addEventListener("htmx:configRequest", (event) => {
  if (event.target === judgeForm()) event.detail.parameters.set("active_s", activeSeconds());
});

document.addEventListener("submit", (event) => {
  if (event.target === judgeForm()) event.target.elements.active_s.value = activeSeconds();
});

document.addEventListener("htmx:afterSettle", ({ detail }) => {
  countTime();
  if (detail.requestConfig?.verb !== "post" || detail.target.id !== "chat") return;
  const next = document.querySelector("#chat [data-focus]");
  (next ?? document.querySelector("#chat h1"))?.focus({ preventScroll: true });
  document.getElementById("now")?.scrollIntoView({ block: "nearest" });
});

countTime();
