// The form of one task, whatever its kind: cannot judge, ratings, improving, and what is missing before it can be submitted.
// The fields of the form are the only truth: everything here reads and writes them, so what is shown is what is sent. Without
// scripts the same fields are a plain form.
import { Editing } from "./task-editing.js";

export class TaskForm {
  constructor(form) {
    this.form = form;
    this.list = form.querySelector(".answers");
    this.status = form.querySelector(".ranking-status");
    this.text = this.status.dataset;
    this.editing = new Editing(this);
    form.noValidate = true;
    form.addEventListener("change", (event) => this.onChange(event));
    form.addEventListener("input", (event) => event.target.matches("textarea") && this.refresh());
    form.addEventListener("submit", (event) => this.onSubmit(event), true);
    form.addEventListener("task:filled", () => this.onFilled());
  }

  get cards() {
    return this.list ? [...this.list.children] : [];
  }

  letter(card) {
    return card.dataset.letter;
  }

  letters(cards) {
    return cards.map((card) => this.letter(card)).join(", ");
  }

  cannotBox(card) {
    return card.querySelector('[name^="cannot_"]');
  }

  cannot(card) {
    return this.cannotBox(card).checked;
  }

  judgeable() {
    return this.cards.filter((card) => !this.cannot(card));
  }

  isAllBad() {
    return Boolean(this.form.elements.all_bad?.checked);
  }

  toggleAllBad() {
    this.form.elements.all_bad?.click();
  }

  /** Scales without a rating, those of the given card first. */
  unrated(first) {
    const cards = this.judgeable();
    const ordered = cards.includes(first) ? [first, ...cards.filter((card) => card !== first)] : cards;
    return ordered.flatMap((card) => [...card.querySelectorAll(".scale")].filter((scale) => !scale.querySelector(":checked")));
  }

  rate(scale, points) {
    const input = scale.querySelector(`[value="${points}"]`);
    if (!input) return;
    input.checked = true;
    input.dispatchEvent(new Event("change", { bubbles: true }));
    const all = [...this.form.querySelectorAll(".scale")];
    const rest = this.unrated();
    const next = rest.find((other) => all.indexOf(other) > all.indexOf(scale)) ?? rest[0];
    focusScale(next ?? scale);
  }

  digit(number, card) {
    const scale = this.unrated(card)[0];
    if (scale) this.rate(scale, number);
  }

  onChange(event) {
    const { name } = event.target;
    if (name?.startsWith("cannot_")) this.onCannot(event.target.closest(".answer"));
    this.refresh();
  }

  /** An answer that cannot be judged has no ratings either. */
  onCannot(card) {
    const isOut = this.cannot(card);
    if (isOut) for (const input of card.querySelectorAll(".scale :checked")) input.checked = false;
    this.announce((isOut ? this.text.cannot : this.text.can).replace("%s", this.letter(card)));
  }

  onFilled() {
    this.editing.restore();
    this.refresh();
  }

  onSubmit(event) {
    if (event.submitter?.hasAttribute("formaction")) return; // skipping and reporting need no judgment
    const missing = this.missing();
    if (!missing) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    this.say(missing.text, true);
    missing.target?.focus();
  }

  /** What keeps this from being submitted: {text, target to focus}, or null. */
  missing() {
    if (this.cards.length && !this.judgeable().length) return { text: this.text.none, target: this.cards[0] };
    const verdict = this.missingVerdict();
    if (verdict) return verdict;
    const [scale] = this.unrated();
    if (scale) return { text: this.text.unrated.replace("%s", this.unratedLetters()), target: firstPoint(scale) };
    return this.editing.missing() ?? this.missingText();
  }

  missingVerdict() {
    return null;
  }

  missingText() {
    const field = this.list ? null : this.form.elements.edited_answer;
    return field && !field.value.trim() ? { text: this.text.unwritten, target: field } : null;
  }

  unratedLetters() {
    return this.letters([...new Set(this.unrated().map((scale) => scale.closest(".answer")))]);
  }

  /** The letter of the one best answer, where there is one. */
  best() {
    return "";
  }

  refresh() {
    for (const card of this.cards) card.classList.toggle("is-out", this.cannot(card));
    this.editing.follow();
    this.say(this.progress());
  }

  /** Where one stands, in one line. */
  progress() {
    const missing = this.missing();
    if (!missing) return this.text.ready;
    return this.isUntouched() ? this.text.start : missing.text;
  }

  isUntouched() {
    return !this.form.querySelector(".answers :checked:not(option), .strength :checked") && !this.form.elements.edited_answer?.value;
  }

  say(text, isBad = false) {
    this.status.textContent = text;
    this.status.classList.toggle("bad", isBad);
  }

  announce(text) {
    this.form.querySelector("[data-announce]").textContent = text;
  }

  undo() {}

  close() {}
}

function firstPoint(scale) {
  return scale.querySelector(":checked") ?? scale.querySelector("input");
}

export function focusScale(scale) {
  const point = firstPoint(scale);
  point.focus({ preventScroll: true });
  scale.scrollIntoView({ block: "nearest" });
}
