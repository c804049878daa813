// Ranking by drag, buttons and keys.
import { TaskForm } from "./task-form.js";

const isReduced = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

export class Ranking extends TaskForm {
  constructor(form) {
    super(form);
    this.topK = Number(form.dataset.topK) || 0;
    this.undoStack = [];
    this.list.addEventListener("click", (event) => this.onTool(event));
    form.querySelector("[data-undo]").addEventListener("click", () => this.undo());
    this.sortable = new Sortable(this.list, {
      handle: ".grip",
      animation: isReduced() ? 0 : 140,
      forceFallback: true, // one behaviour for mouse and touch
      fallbackTolerance: 3,
      onStart: () => {
        this.before = this.snapshot();
        this.list.classList.add("is-dragging");
      },
      onEnd: (event) => this.onDrop(event),
    });
    this.sort(); // ranks that came with the page, from a draft, a refused submit or an earlier ranking
  }

  close() {
    this.sortable.destroy();
  }

  select(card) {
    return card.querySelector(".answer-rank select");
  }

  rank(card) {
    return Number(this.select(card).value) || 0;
  }

  /** Cards by rank: [[A], [C, B], [D]]; what has no rank is not in it. */
  groups() {
    const byRank = new Map();
    for (const card of this.judgeable()) {
      const rank = this.rank(card);
      if (rank) byRank.set(rank, [...(byRank.get(rank) ?? []), card]);
    }
    return [...byRank.keys()].sort((a, b) => a - b).map((rank) => byRank.get(rank));
  }

  unranked() {
    return this.judgeable().filter((card) => !this.rank(card));
  }

  /** How many answers still need a rank: all, or in a ranking of the best few those few. */
  nMissing() {
    const unranked = this.unranked().length;
    const wanted = Math.min(this.topK || this.cards.length, this.judgeable().length);
    return Math.max(0, wanted - (this.judgeable().length - unranked));
  }

  best() {
    const [first] = this.groups();
    return first?.length === 1 ? this.letter(first[0]) : "";
  }

  snapshot() {
    return this.cards.map((card) => [card, this.select(card).value, this.cannot(card)]);
  }

  remember(before = this.snapshot()) {
    this.undoStack.push(before);
  }

  undo() {
    const before = this.undoStack.pop();
    if (!before) return;
    this.move(before.map(([card]) => card));
    for (const [card, value, isOut] of before) {
      this.select(card).value = value;
      this.cannotBox(card).checked = isOut;
    }
    this.refresh();
    this.say(this.text.undone);
  }

  /** Puts cards in a new order on the page, keeping the focus and showing where each one went. */
  move(cards) {
    const focused = document.activeElement;
    const tops = new Map(cards.map((card) => [card, card.getBoundingClientRect().top]));
    this.list.append(...cards);
    if (this.list.contains(focused)) focused.focus({ preventScroll: true });
    if (isReduced()) return;
    for (const card of cards) {
      const shift = tops.get(card) - card.getBoundingClientRect().top;
      if (shift) card.animate([{ transform: `translateY(${shift}px)` }, { transform: "none" }], 160);
    }
  }

  /** Writes groups as ranks 1, 2, 3 ... without gaps; where only the best few count, the rest has none. */
  write(groups) {
    let nRanked = 0;
    groups.forEach((group, index) => {
      const hasRank = !this.topK || nRanked < this.topK;
      for (const card of group) this.select(card).value = hasRank ? String(index + 1) : "";
      nRanked += group.length;
    });
    this.sort();
  }

  sort() {
    for (const card of this.cards) if (this.cannot(card)) this.select(card).value = "";
    if (!this.nMissing()) {
      this.groups().forEach((group, index) => group.forEach((card) => (this.select(card).value = String(index + 1))));
    }
    const wanted = [...this.groups().flat(), ...this.unranked(), ...this.cards.filter((card) => this.cannot(card))];
    if (wanted.some((card, index) => card !== this.cards[index])) this.move(wanted);
    this.refresh();
  }

  digit(rank, card) {
    this.setRank(card ?? this.unranked()[0] ?? this.cards[0], rank);
  }

  setRank(card, rank) {
    if (rank > this.cards.length) return;
    this.remember();
    this.cannotBox(card).checked = false;
    this.select(card).value = String(rank);
    this.sort();
    const next = this.nMissing() ? this.unranked()[0] : null;
    this.describe(card);
    (next ?? card).focus();
  }

  /** All cards as rows: moving a card is an ordering, so cards without a rank take the place where they are seen. */
  rows() {
    return [...this.groups(), ...this.unranked().map((card) => [card])];
  }

  shift(card, step) {
    const rows = this.rows();
    const at = rows.findIndex((row) => row.includes(card));
    if (at < 0) return;
    const isAlone = rows[at].length === 1;
    const to = at + step;
    if (isAlone && (to < 0 || to >= rows.length)) return;
    this.remember();
    rows[at] = rows[at].filter((other) => other !== card);
    const insertAt = isAlone ? to : step < 0 ? at : at + 1;
    if (isAlone) rows.splice(at, 1);
    rows.splice(insertAt, 0, [card]);
    this.write(rows);
    this.describe(card);
    card.focus();
  }

  /** Ties a card with the row above, or takes it out of the tie it is in. */
  tie(card) {
    const rows = this.rows();
    const at = rows.findIndex((row) => row.includes(card));
    if (at < 0) return undefined;
    const isTied = rows[at].length > 1 && rows[at][0] !== card;
    if (!isTied && at === 0) return this.say(this.text.noneAbove, true);
    this.remember();
    if (isTied) {
      rows[at] = rows[at].filter((other) => other !== card);
      rows.splice(at + 1, 0, [card]);
    } else {
      rows[at - 1].push(...rows[at]);
      rows.splice(at, 1);
    }
    this.write(rows);
    this.describe(card);
    card.focus();
    return undefined;
  }

  /** A dropped card takes its own rank, unless it was dropped between two cards that are tied: then it joins them. */
  onDrop(event) {
    this.list.classList.remove("is-dragging");
    const card = event.item;
    if (event.oldIndex === event.newIndex) return this.refresh();
    this.remember(this.before);
    this.cannotBox(card).checked = false;
    const old = new Map(this.before.map(([other, value]) => [other, Number(value) || 0]));
    const rows = [];
    for (const other of this.judgeable()) {
      const row = rows.at(-1);
      const isSame = row && other !== card && old.get(other) && old.get(row.at(-1)) === old.get(other);
      if (isSame && row.at(-1) !== card) row.push(other);
      else rows.push([other]);
    }
    const at = rows.findIndex((row) => row[0] === card);
    const [above, below] = [rows[at - 1], rows[at + 1]];
    if (above && below && old.get(above[0]) && old.get(above[0]) === old.get(below[0])) {
      rows.splice(at - 1, 3, [...above, card, ...below]);
    }
    this.write(rows);
    this.describe(card);
    return undefined;
  }

  onChange(event) {
    const { target } = event;
    const card = target.closest?.(".answer");
    const isRank = target.matches?.(".answer-rank select"); // Sortable calls its own event "change" too
    const isCannot = target.name?.startsWith("cannot_");
    if (isRank || isCannot) this.remember(this.saved);
    if (isRank && target.value) this.cannotBox(card).checked = false;
    super.onChange(event);
    if (!isRank && !isCannot) return;
    this.sort();
    if (isRank) this.describe(card);
  }

  onFilled() {
    super.onFilled();
    this.sort();
  }

  onTool(event) {
    const button = event.target.closest('[data-tool="tie"], [data-tool="up"], [data-tool="down"]');
    if (!button) return;
    const card = button.closest(".answer");
    const { tool } = button.dataset;
    if (tool === "tie") this.tie(card);
    else this.shift(card, tool === "up" ? -1 : 1);
    button.focus();
  }

  missingVerdict() {
    const nMissing = this.nMissing();
    const unranked = this.unranked();
    if (!nMissing || (this.isAllBad() && unranked.length === this.judgeable().length)) return null;
    const text = this.topK ? this.text.someBest.replace("%s", nMissing) : this.text.missing.replace("%s", this.letters(unranked));
    return { text, target: unranked[0] };
  }

  onSubmit(event) {
    const isUntouched = this.unranked().length === this.cards.length && !this.isAllBad();
    if (event.submitter?.hasAttribute("formaction") || !isUntouched) {
      super.onSubmit(event);
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
    this.confirmOrder();
  }

  /** Nothing was ranked: ask before the order on the page, which is random, is taken for a judgment. */
  confirmOrder() {
    const dialog = document.getElementById("untouched");
    dialog.onclose = () => {
      if (dialog.returnValue !== "keep") return;
      dialog.returnValue = "";
      this.remember();
      this.write(this.rows());
      this.form.requestSubmit(this.form.querySelector("[data-submit]"));
    };
    dialog.showModal();
  }

  refresh() {
    const { cards } = this;
    cards.forEach((card, index) => {
      const rank = this.rank(card);
      const isTied = rank > 0 && index > 0 && this.rank(cards[index - 1]) === rank;
      const tiesBelow = rank > 0 && index + 1 < cards.length && this.rank(cards[index + 1]) === rank;
      card.classList.toggle("is-ranked", rank > 0);
      card.classList.toggle("is-tied", isTied);
      card.classList.toggle("ties-below", tiesBelow);
      card.querySelector(".answer-tie").hidden = !(isTied || tiesBelow);
      card.querySelector('[data-tool="tie"]').setAttribute("aria-pressed", String(isTied));
    });
    this.form.querySelector("[data-undo]").hidden = !this.undoStack.length;
    this.saved = this.snapshot();
    super.refresh();
  }

  progress() {
    const unranked = this.unranked();
    const nMissing = this.nMissing();
    if (!this.isAllBad() && unranked.length === this.cards.length) return this.text.start;
    if (nMissing && !this.isAllBad()) return this.topK ? this.text.someBest.replace("%s", nMissing) : this.text.some.replace("%s", nMissing);
    const missing = this.missing();
    return missing ? missing.text : this.summary();
  }

  /** The whole ranking in one line: A > B = C > D. */
  summary() {
    const order = this.groups().map((group) => group.map((card) => this.letter(card)).join(" = "));
    if (order.length && this.unranked().length) order.push(`(${this.letters(this.unranked())})`);
    return [order.join(" > "), this.isAllBad() && this.text.allBad].filter(Boolean).join(" · ");
  }

  describe(card) {
    const rank = this.rank(card);
    const ties = this.judgeable().filter((other) => other !== card && this.rank(other) === rank);
    const said = this.text.placed.replace("%l", this.letter(card)).replace("%r", rank);
    this.announce(ties.length ? `${said} ${this.text.tied.replace("%s", this.letters(ties))}` : said);
  }
}
