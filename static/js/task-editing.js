// Improving the best answer: the field starts with that answer's text, and follows while nobody has changed it.

function normal(text) {
  return text.replace(/\r\n?/g, "\n"); // as a field gives it back
}

export class Editing {
  constructor(task) {
    this.task = task;
    this.part = task.form.querySelector('[data-part="edit"]');
    if (!this.part) return;
    this.field = task.form.elements.edited_answer;
    this.select = task.form.elements.edited;
    this.raw = new Map([["", ""]]);
    for (const template of this.part.querySelectorAll("[data-raw]")) {
      this.raw.set(template.dataset.raw, normal(template.content.textContent));
    }
    this.select.addEventListener("change", () => this.onSelect());
    this.part.addEventListener("toggle", () => this.onToggle());
    this.restore();
  }

  restore() {
    this.from = this.select?.value ?? "";
  }

  isUntouched() {
    return !this.field.value.trim() || normal(this.field.value) === this.raw.get(this.from);
  }

  start(letter) {
    this.from = letter;
    this.select.value = letter;
    this.field.value = this.raw.get(letter);
  }

  follow() {
    if (!this.part?.open || !this.isUntouched()) return;
    const best = this.task.best();
    if (best && best !== this.from) this.start(best);
  }

  onSelect() {
    const isUntouched = this.isUntouched();
    if (isUntouched) this.start(this.select.value);
    else this.from = this.select.value;
  }

  /** What was opened and not changed is taken back when it is closed. */
  onToggle() {
    if (this.part.open) this.follow();
    else if (this.isUntouched()) this.start("");
    this.task.refresh();
  }

  open() {
    if (!this.part) return;
    this.part.open = true;
    this.follow();
    (this.select.value ? this.field : this.select).focus();
  }

  missing() {
    if (!this.part?.hasAttribute("data-must") || !this.isUntouched()) return null;
    return { text: this.task.text.unedited, target: this.field };
  }
}
