// Two answers, and how much better one is.
import { TaskForm } from "./task-form.js";

export class Pairwise extends TaskForm {
  constructor(form) {
    super(form);
    this.choices = [...form.querySelectorAll('[name="strength"]')];
  }

  choice() {
    return this.choices.find((input) => input.checked)?.value ?? "";
  }

  digit(number) {
    const input = this.choices[number - 1];
    if (!input) return;
    input.checked = true;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  }

  /** Who cannot judge one of two cannot compare them: what was said last is meant. */
  onChange(event) {
    if (event.target.name === "strength") for (const card of this.cards) this.cannotBox(card).checked = false;
    super.onChange(event);
  }

  onCannot(card) {
    super.onCannot(card);
    if (this.cannot(card)) for (const input of this.choices) input.checked = false;
  }

  missingVerdict() {
    const isSaid = this.choice() || this.isAllBad() || this.judgeable().length < this.cards.length;
    return isSaid ? null : { text: this.text.unchosen, target: this.choices[0] };
  }

  best() {
    const better = this.choice()[0] ?? "";
    return better === "0" ? "" : better;
  }

  refresh() {
    super.refresh();
    for (const card of this.cards) card.classList.toggle("is-best", this.best() === this.letter(card));
  }

  progress() {
    const missing = this.missing();
    if (missing) return super.progress();
    const label = this.choices.find((input) => input.checked)?.closest("label").querySelector("span").textContent.trim();
    return [label, this.isAllBad() && this.text.allBad].filter(Boolean).join(" · ") || this.text.ready;
  }
}
