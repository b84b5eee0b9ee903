// Tests the documentation pages in a browser: register, log in, authorize, read the reference; that axe-core finds nothing
// inaccessible, and that the pages fit on a phone.
//
//   node docs.mjs http://127.0.0.1:8000 [DIRECTORY]
//
// The server must be running. Writes screenshots to DIRECTORY, if given. Uses the browser at $CHROMIUM, by default
// /usr/bin/chromium. Fails on any request to another host and on any error on the browser's console.
import assert from "node:assert/strict";
import { allScreens, desktop, failingRequests, finish, launch, open, phone, shot } from "./browser.mjs";

const [base, directory] = process.argv.slice(2);
assert(base, "usage: node docs.mjs BASE_URL [DIRECTORY]");
const origin = new URL(base).origin;
const browser = await launch([origin], directory);

// Sends a request with "Try it out"; returns the reply's status and JSON.
async function tryOut(page, tag, id, body, parameters = {}) {
  const block = page.locator(`#operations-${tag}-${id}`);
  if (!(await block.locator(".opblock-body").isVisible())) await block.locator(".opblock-summary-control").click();
  const tryItOut = block.getByRole("button", { name: "Try it out" });
  const execute = block.getByRole("button", { name: "Execute" });
  await tryItOut.or(execute).first().waitFor();
  if (await tryItOut.isVisible()) await tryItOut.click();
  if (body) await block.locator("textarea").fill(JSON.stringify(body, null, 2));
  for (const [name, value] of Object.entries(parameters)) {
    await block.locator(`tr[data-param-name="${name}"] input`).fill(String(value));
  }
  const [response] = await Promise.all([
    page.waitForResponse((response) => response.request().resourceType() === "fetch"),
    execute.click(),
  ]);
  const shown = block.locator(".live-responses-table tbody .response-col_status");
  await shown.first().waitFor();
  const isInSight = (table) => {
    const { top, bottom } = document.querySelector(table).getBoundingClientRect();
    return top >= 0 && Math.min(bottom, top + 100) <= innerHeight;
  };
  await page.waitForFunction(isInSight, `#operations-${tag}-${id} .live-responses-table`);
  assert.equal((await shown.first().innerText()).trim().split(/\s/)[0], String(response.status()));
  return { status: response.status(), json: response.status() === 204 ? null : await response.json() };
}

async function registerLogInAuthorize() {
  const page = await open(`${origin}/docs`);
  await page.locator("#operations-authentication-register").waitFor();
  assert.match(await page.title(), /Lanterne Rouge API/);
  await allScreens(page, "docs");
  await goToTop(page, "docs");

  const account = { email: `newcomer-${Date.now()}@example.com`, password: "a lantern at the end" };
  await page.locator(".steps a", { hasText: "/auth/register" }).click();
  await page.locator("#operations-authentication-register .opblock-body").waitFor();
  const registered = await tryOut(page, "authentication", "register", account);
  assert.deepEqual([registered.status, registered.json.email], [201, account.email]);
  await allScreens(page, "docs-register");
  // The form of a phone is longer than its screen.
  await page.setViewportSize(phone);
  const again = await failingRequests(() => tryOut(page, "authentication", "register", account));
  assert.equal(again.status, 400);
  await shot(page, "docs-phone-result");
  await page.setViewportSize(desktop);

  const { access_token: token } = await post("/auth/login", account);
  await page.locator(".auth-wrapper .authorize").click();
  const dialog = page.locator(".dialog-ux");
  await dialog.locator("input").fill(token);
  await allScreens(page, "docs-authorize");
  await dialog.locator("button[type=submit]").click();
  await dialog.getByText("Authorized").waitFor();
  await dialog.getByRole("button", { name: "Close" }).first().click();

  await page.locator('#operations-me-show_me [aria-label="authorization button locked"]').waitFor();
  const me = await tryOut(page, "me", "show_me");
  assert.deepEqual([me.status, me.json.email], [200, account.email]);

  // A parameter is filled in: another session is ended.
  const authorization = `Bearer ${token}`;
  await post("/auth/login", account);
  const sessions = await (await fetch(`${origin}/users/me/sessions`, { headers: { authorization } })).json();
  const { id } = sessions.find((session) => !session.current);
  assert.equal((await tryOut(page, "me", "end_session", null, { id })).status, 204);

  // A reload keeps the token, and the fragment of the URL opens the route.
  await page.goto(`${origin}/docs#/health/health`);
  await page.reload();
  await page.locator(".auth-wrapper .authorize.locked").waitFor();
  await page.locator("#operations-health-health .opblock-body").waitFor();

  // After logout the token is refused.
  await post("/auth/logout", undefined, { authorization });
  const locked = await failingRequests(() => tryOut(page, "me", "show_me"));
  assert.deepEqual([locked.status, locked.json.detail], [401, "Invalid or expired access token"]);
  // Parameters, and a schema.
  await page.locator("#operations-admin-list_users .opblock-summary-control").click();
  await page.locator("#operations-admin-list_users .opblock-body").waitFor();
  await page.locator("section.models .models-control").click();
  await allScreens(page, "docs-open");
}

async function post(path, body, headers = { "content-type": "application/json" }) {
  const response = await fetch(origin + path, { method: "POST", headers, body: JSON.stringify(body) });
  assert(response.ok, `${path}: ${response.status}`);
  return response.status === 204 ? null : response.json();
}

async function readTheReference() {
  const document = await (await fetch(`${origin}/openapi.json`)).json();
  const operations = Object.values(document.paths).flatMap((item) => Object.values(item));
  const page = await open(`${origin}/redoc`, { javaScriptEnabled: false });
  assert.match(await page.locator("h1").innerText(), /Lanterne Rouge API/);
  const shown = await page.locator("section.operation").evaluateAll((sections) =>
    sections.map((section) => [section.id, section.querySelector("h3").innerText, section.querySelector("pre.request").innerText.slice(0, 9)]),
  );
  assert.deepEqual(shown.sort(), operations.map(({ operationId, summary }) => [operationId, summary, "curl http"]).sort());
  await page.locator("nav.contents a", { hasText: "Log in" }).click();
  await shot(page, "redoc-login");

  // The checks are a script; the page has none.
  const scripted = await open(`${origin}/redoc`);
  await allScreens(scripted, "redoc");
  await goToTop(scripted, "redoc");
  await scripted.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
  await allScreens(scripted, "redoc-open");
}

// The link to the top is shown below the first screen of a phone, and leads there.
async function goToTop(page, name) {
  await page.setViewportSize(phone);
  const link = page.getByRole("link", { name: "Top" });
  const isInSight = () => link.evaluate((link) => link.getBoundingClientRect().bottom <= innerHeight);
  assert(!(await isInSight()), `${name}: a link to the top at the top`);
  await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight / 2));
  assert(await isInSight(), `${name}: no link to the top`);
  await shot(page, `${name}-phone-middle`);
  await link.click();
  await page.waitForFunction(() => scrollY === 0);
  await page.setViewportSize(desktop);
}

try {
  await registerLogInAuthorize();
  await readTheReference();
  finish();
  console.log("the documentation works in a browser");
} finally {
  await browser.close();
}
