// Ranking by drag, buttons and, with ranking-keys.js, keys. The rank selects of the form are the only truth: everything here reads and
// writes them, so what is shown is what is sent. Without this script the same selects are a plain form.

const isReduced = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

class Ranking {
  constructor(form) {
    this.form = form;
    form.ranking = this; // ranking-keys.js finds it there
    this.list = form.querySelector(".answers");
    this.status = form.querySelector(".ranking-status");
    this.text = this.status.dataset;
    this.undoStack = [];
    this.activeMs = 0;
    this.activeAt = performance.now();
    form.noValidate = true;
    this.list.addEventListener("change", (event) => this.onSelect(event));
    this.list.addEventListener("click", (event) => this.onTool(event));
    form.addEventListener("submit", (event) => this.onSubmit(event), true);
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
    this.sort(); // ranks that came with the page, from a refused submit or an earlier ranking
  }

  get cards() {
    return [...this.list.children];
  }

  select(card) {
    return card.querySelector("select");
  }

  rank(card) {
    return Number(this.select(card).value) || 0;
  }

  letter(card) {
    return card.dataset.letter;
  }

  /** Cards by rank: [[A], [C, B], [D]]; what has no rank is not in it. */
  groups() {
    const byRank = new Map();
    for (const card of this.cards) {
      const rank = this.rank(card);
      if (rank) byRank.set(rank, [...(byRank.get(rank) ?? []), card]);
    }
    return [...byRank.keys()].sort((a, b) => a - b).map((rank) => byRank.get(rank));
  }

  unranked() {
    return this.cards.filter((card) => !this.rank(card));
  }

  snapshot() {
    return this.cards.map((card) => [card, this.select(card).value]);
  }

  remember(before = this.snapshot()) {
    this.undoStack.push(before);
  }

  undo() {
    const before = this.undoStack.pop();
    if (!before) return;
    this.move(before.map(([card]) => card));
    for (const [card, value] of before) this.select(card).value = value;
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

  /** Writes groups as ranks 1, 2, 3 ... without gaps. */
  write(groups) {
    groups.forEach((group, index) => {
      for (const card of group) this.select(card).value = String(index + 1);
    });
    this.sort();
  }

  sort() {
    if (!this.unranked().length) {
      this.groups().forEach((group, index) => group.forEach((card) => (this.select(card).value = String(index + 1))));
    }
    const wanted = [...this.groups().flat(), ...this.unranked()];
    if (wanted.some((card, index) => card !== this.cards[index])) this.move(wanted);
    this.refresh();
  }

  setRank(card, rank) {
    if (rank > this.cards.length) return;
    this.remember();
    this.select(card).value = String(rank);
    this.sort();
    const next = this.unranked()[0];
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
    const old = new Map(this.before.map(([other, value]) => [other, Number(value) || 0]));
    const rows = [];
    for (const other of this.cards) {
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

  onSelect(event) {
    if (!event.target.matches("select")) return; // Sortable calls its own event "change" too
    const card = event.target.closest(".answer");
    this.remember(this.saved);
    this.sort();
    this.describe(card);
  }

  onTool(event) {
    const button = event.target.closest("[data-tool]");
    if (!button) return;
    const card = button.closest(".answer");
    const { tool } = button.dataset;
    if (tool === "tie") this.tie(card);
    else this.shift(card, tool === "up" ? -1 : 1);
    button.focus();
  }

  onSubmit(event) {
    const isSkip = event.submitter?.hasAttribute("formaction");
    if (isSkip) return;
    const missing = this.unranked();
    if (!missing.length) {
      this.form.elements.active_s.value = (this.active() / 1000).toFixed(1);
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
    if (missing.length === this.cards.length) this.confirmOrder();
    else {
      this.say(this.text.missing.replace("%s", missing.map((card) => this.letter(card)).join(", ")), true);
      missing[0].focus();
    }
  }

  /** Nothing was ranked: ask before the order on the page, which is random, is taken for a judgment. */
  confirmOrder() {
    const dialog = document.getElementById("untouched");
    dialog.onclose = () => {
      if (dialog.returnValue !== "keep") return;
      dialog.returnValue = "";
      this.remember();
      this.write(this.rows());
      this.form.requestSubmit();
    };
    dialog.showModal();
  }

  /** Milliseconds with the page in view. */
  active() {
    const now = performance.now();
    return this.activeMs + (document.hidden ? 0 : now - this.activeAt);
  }

  onVisibility() {
    if (document.hidden) this.activeMs += performance.now() - this.activeAt;
    else this.activeAt = performance.now();
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
    const missing = this.unranked().length;
    this.say(missing ? (missing === cards.length ? this.text.start : this.text.some.replace("%s", missing)) : this.summary());
  }

  /** The whole ranking in one line: A > B = C > D. */
  summary() {
    return this.groups().map((group) => group.map((card) => this.letter(card)).join(" = ")).join(" > ");
  }

  describe(card) {
    const rank = this.rank(card);
    const ties = this.cards.filter((other) => other !== card && this.rank(other) === rank).map((other) => this.letter(other));
    const said = this.text.placed.replace("%l", this.letter(card)).replace("%r", rank);
    this.form.querySelector("[data-announce]").textContent = ties.length
      ? `${said} ${this.text.tied.replace("%s", ties.join(", "))}`
      : said;
  }

  say(text, isBad = false) {
    this.status.textContent = text;
    this.status.classList.toggle("bad", isBad);
  }
}

let ranking = null;
let areGuidelinesOpen = false;

// Who looks things up in the guidelines wants them open for the next task too.
document.addEventListener(
  "toggle",
  (event) => {
    if (event.target.matches(".ranking-guidelines") && event.target.isConnected) areGuidelinesOpen = event.target.open;
  },
  true,
);

function attach() {
  const guidelines = document.querySelector(".ranking-guidelines");
  if (guidelines) guidelines.open = areGuidelinesOpen;
  const form = document.getElementById("ranking");
  if (form === (ranking?.form ?? null)) return;
  ranking?.sortable.destroy();
  ranking = form && new Ranking(form);
}

document.addEventListener("visibilitychange", () => ranking?.onVisibility());
document.addEventListener("htmx:afterSwap", () => {
  const before = ranking;
  attach();
  if (before === ranking) return;
  window.scrollTo({ top: 0 });
  document.querySelector("#comparison h1")?.focus({ preventScroll: true });
});
attach();
