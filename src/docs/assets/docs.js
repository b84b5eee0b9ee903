// Starts Swagger UI. A separate file, because the page's Content-Security-Policy forbids inline scripts.
"use strict";

// Swagger UI has a dark theme, which the page must select.
const dark = matchMedia("(prefers-color-scheme: dark)");
const applyTheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", applyTheme);
applyTheme();

// Brings the reply to a request into sight: on a phone it is far below the button. It is drawn in several steps, so it is kept
// there for some time, or until the reader does something.
const KEPT_IN_SIGHT_MS = 3000;
let executed;
let keepUntil = 0;
document.addEventListener("click", ({ target }) => {
  executed = target.closest(".execute") ?? executed;
});
for (const type of ["wheel", "touchmove", "keydown", "pointerdown"]) {
  addEventListener(type, () => (keepUntil = 0), { passive: true });
}
const keepInSight = () => {
  if (performance.now() > keepUntil) return;
  executed?.closest(".opblock")?.querySelector(".live-responses-table")?.scrollIntoView({ block: "nearest" });
};
const setResponse = (original) => (...response) => {
  original(...response);
  keepUntil = performance.now() + KEPT_IN_SIGHT_MS;
  requestAnimationFrame(keepInSight);
};

// A link inside the button that opens a route cannot be reached. The button sets the URL's fragment as well.
const DeepLink = (Original, { React }) => (props) => React.createElement(Original, { ...props, enabled: false });

const main = document.getElementById("swagger-ui");
window.ui = SwaggerUIBundle({
  url: main.dataset.document,
  domNode: main,
  deepLinking: true,
  persistAuthorization: true,
  displayRequestDuration: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  // The default sends the document to a validator on another host.
  validatorUrl: null,
  plugins: [{ statePlugins: { spec: { wrapActions: { setResponse } } }, wrapComponents: { DeepLink } }],
});

// What Swagger UI leaves without a name, with a wrong level, or out of reach of the keyboard: selector, attribute, and its
// value, which may depend on the element.
const path = (element) => element.closest(".opblock").querySelector(".opblock-summary-path").dataset.path;
const method = (element) => element.closest(".opblock").querySelector(".opblock-summary-method").innerText;
const ATTRIBUTES = [
  // The level after that of the title is 3.
  ["h3, h4, h5", "aria-level", (heading) => heading.tagName[1] - 1],
  [".copy-to-clipboard button", "aria-label", () => "Copy"],
  [".close-modal", "aria-label", () => "Close"],
  [".modal-btn.authorize", "aria-label", (button) => button.innerText],
  [".body-param__text", "aria-label", () => "Request body"],
  [".examples-select-element", "aria-label", () => "Example"],
  [".parameters select", "aria-label", (select) => select.closest("tr").dataset.paramName],
  [".responses-table[role=region]", "aria-label", (table) => `Responses of ${method(table)} ${path(table)}`],
  [".microlight", "tabindex", () => "0"],
];
const addAttributes = () => {
  for (const [selector, name, value] of ATTRIBUTES) {
    for (const element of main.querySelectorAll(selector)) element.setAttribute(name, value(element));
  }
};
const onChange = () => {
  addAttributes();
  keepInSight();
};
new MutationObserver(onChange).observe(main, { childList: true, subtree: true });

// Opens the routes that the first steps link to: Swagger UI reads the URL's fragment only when it starts.
for (const link of document.querySelectorAll(".steps a")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    const [tag, id] = link.hash.slice(2).split("/");
    window.ui.layoutActions.show(["operations", tag, id], true);
    document.getElementById(`operations-${tag}-${id}`)?.scrollIntoView();
  });
}
