// The task on the screen: gives its form the manners of its kind, again for every task that comes.
import { watchDifferences } from "./task-differences.js";
import { fold, watchFolds } from "./task-folds.js";
import { TaskForm } from "./task-form.js";
import { watchKeys } from "./task-keys.js";
import { Pairwise } from "./pairwise.js";
import { Ranking } from "./ranking.js";

const KINDS = { rank: Ranking, pairwise: Pairwise };
const GUIDELINES = "plumbline:guidelines";

let task = null;

// Who looks things up in the guidelines wants them open for the next task too.
function keepGuidelines(event) {
  if (event.target.matches(".ranking-guidelines") && event.target.isConnected) {
    sessionStorage.setItem(GUIDELINES, event.target.open ? "open" : "");
  }
}

function make(form) {
  const Kind = KINDS[form.dataset.layout] ?? TaskForm;
  const made = new Kind(form);
  made.refresh();
  return made;
}

function attach() {
  const form = document.getElementById("ranking");
  if (form === (task?.form ?? null)) return false;
  task?.close();
  task = form && make(form);
  const guidelines = document.querySelector(".ranking-guidelines");
  if (guidelines) guidelines.open = sessionStorage.getItem(GUIDELINES) === "open";
  fold(document);
  return true;
}

document.addEventListener("toggle", keepGuidelines, true);
document.addEventListener("htmx:afterSwap", () => {
  if (!attach()) return;
  window.scrollTo({ top: 0 });
  document.querySelector("#comparison h1")?.focus({ preventScroll: true });
});
watchFolds();
watchDifferences(() => task);
watchKeys(() => task);
attach();
