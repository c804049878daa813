// Small manners of every page: toasts that go away, dialogs that open, text that can be copied.
const TOAST_MS = 6000; // Long enough to read two sentences; errors stay until they are closed.

function settleToasts(root) {
  for (const toast of root.querySelectorAll(".toast:not([data-settled])")) {
    toast.dataset.settled = "";
    if (!toast.matches(".error, .warning")) setTimeout(() => toast.remove(), TOAST_MS);
  }
}

document.addEventListener("click", (event) => {
  const target = event.target;
  if (!(target instanceof Element)) return;
  target.closest("[data-toast-close]")?.closest(".toast")?.remove();
  target.closest("[data-dialog-close]")?.closest("dialog")?.close();

  const opener = target.closest("[data-dialog]");
  const dialog = opener && document.getElementById(opener.dataset.dialog);
  if (dialog) {
    event.preventDefault(); // without scripts the same link leads to a page
    dialog.showModal();
  }

  const copier = target.closest("[data-copy]");
  if (copier) {
    const text = document.getElementById(copier.dataset.copy)?.textContent.trim();
    navigator.clipboard?.writeText(text).then(() => {
      copier.textContent = copier.dataset.copied;
    });
  }
});

// A server that cannot be reached is said, not swallowed.
function say(id) {
  const template = document.getElementById(id);
  const toasts = document.getElementById("toasts");
  if (!template || !toasts || toasts.querySelector(`[data-from="${id}"]`)) return;
  const toast = template.content.firstElementChild.cloneNode(true);
  toast.dataset.from = id;
  toasts.append(toast);
  settleToasts(toasts);
}

// What a person opened stays open when a poll brings the same part again.
Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) => !(name === "open" && node.matches("details, dialog"));

document.addEventListener("htmx:sendError", () => say("toast-offline"));
document.addEventListener("htmx:responseError", () => say("toast-refused"));
document.addEventListener("htmx:afterSettle", () => settleToasts(document));
settleToasts(document);
