// The form of the task on the screen: reading it, filling it, sending it. Everything else knows it through these.
const OWN = new Set(["csrfmiddlewaretoken", "assignment", "client_key", "correction"]); // not typed by anybody

/** The form of the task on the screen, if there is one. */
export function taskForm() {
  return document.querySelector("#comparison #ranking");
}

export function field(form, name) {
  return form?.elements[name]?.value ?? "";
}

/** All fields as [name, value], the way a browser would send them. */
export function fieldsOf(form) {
  return [...new FormData(form)].filter(([name, value]) => name !== "csrfmiddlewaretoken" && typeof value === "string");
}

/** What somebody has typed or chosen: the fields of a draft. */
export function typedIn(form) {
  return fieldsOf(form).filter(([name]) => !OWN.has(name));
}

/** The same text for the same answers, however long they took. */
export function fingerprint(fields) {
  return JSON.stringify(fields.filter(([name, value]) => name !== "active_s" && !OWN.has(name) && value !== "").sort());
}

/** Puts fields back; what they do not name becomes empty. */
export function fill(form, fields) {
  const values = new Map();
  for (const [name, value] of fields) values.set(name, [...(values.get(name) ?? []), value]);
  for (const control of form.elements) {
    if (!control.name || OWN.has(control.name) || control.type === "submit") continue;
    const given = values.get(control.name) ?? [];
    if (control.type === "checkbox" || control.type === "radio") control.checked = given.includes(control.value);
    else control.value = given.shift() ?? "";
    if (control.value && control.matches("textarea")) control.closest("details")?.setAttribute("open", "");
  }
  form.dispatchEvent(new CustomEvent("task:filled", { bubbles: true }));
}

/** Sends fields as a form would, with the token that the server put on <body>. */
export function post(url, fields, options = {}) {
  const headers = JSON.parse(document.body.getAttribute("hx-headers"));
  return fetch(url, { method: "POST", body: new URLSearchParams(fields), headers, ...options });
}

/** The headers of htmx: the server answers with a part of the page, and says where to sign in instead of leading there. */
export function asHtmx() {
  return { ...JSON.parse(document.body.getAttribute("hx-headers")), "HX-Request": "true", "HX-Current-URL": location.href };
}

/** Puts a task, or the end of the queue, on the screen; scripts hear of it as of every swap of htmx. */
export function show(html) {
  htmx.swap("#comparison", html, { swapStyle: "outerHTML", swapDelay: 0, settleDelay: 0 });
}

/** Shows what an answer has to say beside a task that is not wanted any more. */
export function showMessages(html) {
  const messages = new DOMParser().parseFromString(html, "text/html").querySelector("#toasts[hx-swap-oob]");
  if (messages?.childElementCount) htmx.swap(document.body, messages.outerHTML, { swapStyle: "none", swapDelay: 0, settleDelay: 0 });
}
