// The keys of the ranking, as the list under "?" names them. What they do is in ranking.js.

const PRESSABLE = "button, a, summary";

function focusStep(ranking, card, step) {
  const { cards } = ranking;
  const at = card ? cards.indexOf(card) : step > 0 ? -1 : 0;
  cards[(at + step + cards.length) % cards.length]?.focus();
}

/** Does what a key stands for; false when it stands for nothing. */
function rankByKey(ranking, key) {
  const card = document.activeElement?.closest(".answer") ?? null;
  if (/^[1-9]$/.test(key)) ranking.setRank(card ?? ranking.unranked()[0] ?? ranking.cards[0], Number(key));
  else if (/^[a-i]$/.test(key)) ranking.cards.find((other) => ranking.letter(other) === key.toUpperCase())?.focus();
  else if (key === "ArrowUp" && card) ranking.shift(card, -1);
  else if (key === "ArrowDown" && card) ranking.shift(card, 1);
  else if (key === "t" && card) ranking.tie(card);
  else if (key === "z") ranking.undo();
  else if (key === "j" || key === "k") focusStep(ranking, card, key === "j" ? 1 : -1);
  else if (key === "Enter") ranking.form.requestSubmit(ranking.form.querySelector("[data-submit]"));
  else return false;
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (document.querySelector("dialog[open]")) return;
  // A field and a select keep all keys, other controls those that press them; the rest ranks.
  if (event.target.closest("input, textarea, select")) return;
  if (event.target.closest(PRESSABLE) && ["Enter", " "].includes(event.key)) return;
  if (event.key === "?") {
    document.getElementById("keys")?.showModal();
    return;
  }
  if (event.key === "Enter" && event.repeat) return; // a key held down must not answer the next task
  const ranking = document.getElementById("ranking")?.ranking;
  if (ranking && rankByKey(ranking, event.key)) event.preventDefault();
});
