// The time that went into a decision. Nothing is kept in this browser: who is second is told so, with the form as it was.
import { activeSeconds, startActivity } from "./activity.js";
import { taskForm } from "./fields.js";

document.addEventListener("htmx:configRequest", ({ detail }) => {
  if (detail.elt === taskForm()) detail.parameters.set("active_s", activeSeconds());
});

document.addEventListener("htmx:afterSwap", () => startActivity(Number(taskForm()?.elements.active_s.value ?? 0)));
startActivity();
