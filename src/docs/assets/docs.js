// Starts Swagger UI. A separate file, because the page's Content-Security-Policy forbids inline scripts.
"use strict";

// Swagger UI has a dark theme, which the page must select.
const dark = matchMedia("(prefers-color-scheme: dark)");
const applyTheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", applyTheme);
applyTheme();

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
});

// Opens the routes that the first steps link to: Swagger UI reads the URL's fragment only when it starts.
for (const link of document.querySelectorAll(".steps a")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    const [tag, id] = link.hash.slice(2).split("/");
    window.ui.layoutActions.show(["operations", tag, id], true);
    document.getElementById(`operations-${tag}-${id}`)?.scrollIntoView();
  });
}
