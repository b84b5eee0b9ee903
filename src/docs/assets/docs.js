// Starts Swagger UI. A file of its own, since the page's Content-Security-Policy forbids scripts in the page.
"use strict";

// Swagger UI has a dark dress, but leaves the choice to the page.
const dark = matchMedia("(prefers-color-scheme: dark)");
const dress = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", dress);
dress();

const main = document.getElementById("swagger-ui");
window.ui = SwaggerUIBundle({
  url: main.dataset.document,
  domNode: main,
  deepLinking: true,
  persistAuthorization: true,
  displayRequestDuration: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  // Its default sends the document to a validator on another host.
  validatorUrl: null,
});

// The links of the first steps lead to a route; Swagger UI reads the address only when it starts.
for (const link of document.querySelectorAll(".steps a")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    const [tag, id] = link.hash.slice(2).split("/");
    window.ui.layoutActions.show(["operations", tag, id], true);
    document.getElementById(`operations-${tag}-${id}`)?.scrollIntoView();
  });
}
