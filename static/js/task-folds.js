// Long texts are folded by the style sheet; this finds out which are, and unfolds one of them, or all from now on.
const SLACK = 0.35; // what is only a little longer than its fold is shown whole: a button would cost more than it saves
const KEY = "plumbline:unfold";
const root = document.documentElement;

function isUnfolded() {
  return localStorage.getItem(KEY) === "all";
}

function show(text, isOpen) {
  const button = text.nextElementSibling;
  text.classList.toggle("is-open", isOpen);
  button.setAttribute("aria-expanded", String(isOpen));
  button.textContent = isOpen ? button.dataset.less : button.dataset.more;
}

/** Gives every text under a node its button, or shows it whole. */
export function fold(node) {
  root.classList.toggle("unfolds", isUnfolded());
  document.querySelector("[data-unfold-all]")?.setAttribute("aria-pressed", String(isUnfolded()));
  const texts = [...node.querySelectorAll(".foldable:not(.is-long, .is-open)")].filter((text) => text.clientHeight);
  const shares = texts.map((text) => [text, text.scrollHeight / text.clientHeight]); // read all, then write
  for (const [text, share] of shares) {
    const isLong = share > 1 + SLACK;
    text.classList.toggle("is-long", isLong);
    text.classList.toggle("is-open", !isLong && !isUnfolded());
    text.nextElementSibling.hidden = !isLong;
  }
}

/** Unfolds or folds the long text in a node; false where there is none. */
export function toggleFold(node) {
  const text = node?.querySelector(".foldable.is-long");
  if (!text) return false;
  show(text, !text.classList.contains("is-open"));
  return true;
}

export function toggleAllFolds() {
  localStorage.setItem(KEY, isUnfolded() ? "" : "all");
  fold(document);
}

export function watchFolds() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.(".unfold");
    if (button) show(button.previousElementSibling, button.getAttribute("aria-expanded") !== "true");
    if (event.target.closest?.("[data-unfold-all]")) toggleAllFolds();
  });
  document.addEventListener("focusin", (event) => {
    const text = event.target.closest?.(".foldable.is-long:not(.is-open)");
    if (text) show(text, true); // a link in the folded part must be seen when it is reached
  });
  document.addEventListener("toggle", (event) => event.target.open && fold(event.target), true);
}
