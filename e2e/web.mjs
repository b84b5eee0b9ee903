// Tests the example app, `examples/web`, in a browser: register, verify the address, log in, refresh in two tabs, lose a reply,
// forget the password, list and end sessions, change address and password, delete the account; that axe-core finds nothing
// inaccessible, and that the page fits on a phone.
//
//   node web.mjs http://127.0.0.1:8000 MESSAGES [DIRECTORY]
//
// The server must be running, with mail=webhook, email_verification=required, refresh_retry_seconds=20 and the pages
// http://localhost:3000/?page=reset and http://localhost:3000/?page=verify. MESSAGES is the file to which one of
// `examples/receiver` writes its output. Writes screenshots to DIRECTORY, if given.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { allScreens, failingRequests, finish, launch, open } from "./browser.mjs";

const [api, messages, directory] = process.argv.slice(2);
assert(messages, "usage: node web.mjs BASE_URL MESSAGES [DIRECTORY]");

// The origin of the app. It is among the default origins of the API, so the browser connects to it on a free port instead.
const app = "http://localhost:3000";
const types = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
const referrers = [];
const files = createServer(({ url, headers }, response) => {
  const { pathname } = new URL(url, app);
  const name = pathname === "/" ? "index.html" : pathname.slice(1);
  let file = readFileSync(new URL(`../examples/web/${name}`, import.meta.url), "utf8");
  if (name === "index.html") {
    const parts = file.split("http://127.0.0.1:8000");
    assert.equal(parts.length, 2, "the address of the API is in one place");
    file = parts.join(new URL(api).origin);
  }
  referrers.push(headers.referer);
  response.writeHead(200, { "content-type": types[extname(name)] }).end(file);
});
await new Promise((listening) => files.listen(0, "127.0.0.1", listening));
const rule = `--host-resolver-rules=MAP localhost:3000 127.0.0.1:${files.address().port}`;
const browser = await launch([app, new URL(api).origin], directory, [rule]);

const account = { email: `user-${Date.now()}@example.com`, password: "a lantern at the end" };
const visible = (page, id) => page.locator(`#${id}:not([hidden])`).waitFor();
const status = (page, text) => page.locator("#notice [role=status]", { hasText: text }).waitFor();
const alert = (page, text) => page.locator("#notice [role=alert]", { hasText: text }).waitFor();
const press = (page, name) => page.locator("body").getByRole("button", { name, exact: true }).click();
const storedTokens = (page) => page.evaluate(() => JSON.parse(localStorage.getItem("tokens")));

// Fills in the form of a section, or the form with this id, and sends it.
async function submit(page, id, fields) {
  const form = page.locator(`section#${id} > form, form#${id}`);
  for (const [name, value] of Object.entries(fields)) await form.locator(`[name="${name}"]`).fill(value);
  await form.getByRole("button").click();
}

async function logIn(page, { email, password }) {
  await submit(page, "login", { email, password });
  await visible(page, "account");
  await page.locator("#email", { hasText: email }).waitFor();
  await status(page, "You are logged in");
}

// Waits for the next message of this type to this address.
const used = new Set();
async function message(type, to) {
  for (let attempt = 0; attempt < 600; attempt++) {
    const lines = readFileSync(messages, "utf8").split("\n").slice(0, -1);
    for (const [index, line] of lines.entries()) {
      if (!line.startsWith("{") || used.has(index)) continue;
      const parsed = JSON.parse(line);
      if (parsed.type !== type || parsed.data.to !== to) continue;
      used.add(index);
      return parsed.data;
    }
    await sleep(25);
  }
  assert.fail(`no ${type} for ${to} in\n${readFileSync(messages, "utf8")}`);
}

// Opens the link of a message, whose token must leave the address.
async function follow(page, { url, token }, id) {
  assert(url.startsWith(`${app}/?page=${id}&token=`) && url.endsWith(token), url);
  await page.goto(url);
  await visible(page, id);
  assert.equal(page.url(), `${app}/`);
}

// Makes the stored access token one that is about to expire, or one that the API refuses.
const expire = (page) => changeTokens(page, { refresh_at: 0 });
const spoil = (page) => changeTokens(page, { access_token: "refused" });
const changeTokens = (page, change) =>
  page.evaluate((change) => {
    const tokens = JSON.parse(localStorage.getItem("tokens"));
    localStorage.setItem("tokens", JSON.stringify({ ...tokens, ...change }));
  }, change);

// Counts the refreshes that the pages of a context send while `work` runs.
async function refreshes(page, work) {
  const sent = [];
  const count = (request) => request.url().endsWith("/auth/refresh") && request.method() === "POST" && sent.push(request.postData());
  page.context().on("request", count);
  await work();
  page.context().off("request", count);
  return sent;
}

async function registerAndVerify() {
  const page = await open(`${app}/`);
  await visible(page, "login");
  await allScreens(page, "web-login");
  await page.getByRole("link", { name: "Create an account" }).click();
  await visible(page, "register");
  assert.equal(await page.title(), "Create an account");

  // Each field has its message, and the first one that is not valid has the focus.
  await failingRequests(async () => {
    await submit(page, "register", { email: "nobody@", password: "short" });
    await alert(page, "Some fields are not valid");
  });
  const email = page.locator("#register [name=email]");
  assert(await email.evaluate((input) => input === document.activeElement));
  const described = await email.getAttribute("aria-describedby");
  assert.match(await page.locator(`#${described}`).innerText(), /not a valid email address/);
  await page.getByText("String should have at least 8 characters").waitFor();
  await allScreens(page, "web-register-faults");

  await submit(page, "register", account);
  await status(page, "The account is created");
  assert.equal(await page.locator(".fault").count(), 0);
  await failingRequests(async () => {
    await submit(page, "login", account);
    await alert(page, "Email not verified");
  });

  await message("email.verify", account.email);
  await page.locator("#login a[href='#resend']").click();
  await submit(page, "resend", { email: account.email });
  await status(page, "If there is such an account");
  const verification = await message("email.verify", account.email);
  await follow(page, verification, "verify");
  await allScreens(page, "web-verify");
  await press(page, "Verify the address");
  await status(page, "You can log in");
  await follow(page, verification, "verify");
  await failingRequests(async () => {
    await press(page, "Verify the address");
    await alert(page, "Invalid or expired token");
  });
  await page.locator("#verify a").click();
  await visible(page, "resend");
  await page.locator("#resend a").click();
  await visible(page, "login");
  return page;
}

// A button is disabled, and nothing is sent twice, until the reply has come.
async function sendOnce(page) {
  let release;
  const held = new Promise((resolve) => (release = resolve));
  let requests = 0;
  await page.route("**/auth/login", async (route) => {
    requests++;
    await held;
    await route.continue();
  });
  await submit(page, "login", account);
  const button = page.locator("#login button");
  await page.waitForFunction(() => document.querySelector("#login button").disabled);
  await button.click({ force: true, noWaitAfter: true });
  await page.locator("#login [name=password]").press("Enter");
  release();
  await status(page, "You are logged in");
  assert.equal(requests, 1);
  await page.unroute("**/auth/login");
}

// Both tabs need new tokens, and wait for the lock that the test holds; then one of them refreshes. The other does so as well if
// what the first has stored arrives after the lock, and gets the same pair.
async function refreshInTwoTabs(page) {
  const other = await page.context().newPage();
  await other.goto(`${app}/`);
  await other.locator("#email", { hasText: account.email }).waitFor();
  for (const age of [expire, spoil]) {
    const before = await storedTokens(page);
    await age(page);
    await page.evaluate(() => {
      const held = new Promise((release) => (globalThis.release = release));
      navigator.locks.request("refresh", () => held);
    });
    const sent = await refreshes(page, () =>
      failingRequests(async () => {
        await Promise.all([press(page, "Reload"), press(other, "Reload")]);
        // Two requests in each tab.
        await page.waitForFunction(async () => (await navigator.locks.query()).pending.length === 4);
        await page.evaluate(() => globalThis.release());
        for (const tab of [page, other]) await tab.locator("#reload:enabled").waitFor();
      }),
    );
    assert.ok(sent.length === 1 || sent.length === 2, sent);
    for (const body of sent) assert.equal(body, JSON.stringify({ refresh_token: before.refresh_token }));
    assert.notEqual((await storedTokens(other)).refresh_token, before.refresh_token);
    for (const tab of [page, other]) await stillLoggedIn(tab);
  }
  await other.close();
}

// Without refresh_retry_seconds a tab whose token another one has just used is refused, and takes over what that one stores.
async function refreshTooLate(page) {
  const other = await page.context().newPage();
  await other.goto(`${app}/`);
  await other.locator("#email", { hasText: account.email }).waitFor();
  const before = await storedTokens(page);
  await expire(page);
  await page.route("**/auth/refresh", async (route) => {
    const headers = { "Content-Type": "application/json" };
    const reply = await fetch(`${api}/auth/refresh`, { method: "POST", headers, body: route.request().postData() });
    const tokens = { ...before, ...(await reply.json()) };
    await route.fulfill({
      status: 401,
      headers: { "Access-Control-Allow-Origin": app },
      json: { detail: "Invalid or expired refresh token" },
    });
    await other.evaluate((tokens) => localStorage.setItem("tokens", JSON.stringify(tokens)), tokens);
  });
  await failingRequests(() => stillLoggedIn(page));
  await page.unroute("**/auth/refresh");
  await stillLoggedIn(page);
  await other.close();
}

async function stillLoggedIn(page) {
  await press(page, "Reload");
  await page.locator("#reload:enabled").waitFor();
  assert.equal(await page.locator("#notice [role=alert]").innerText(), "");
  await visible(page, "account");
}

// Without locks both tabs send the same token, and get the same pair.
async function refreshWithoutLocks() {
  const page = await open(`${app}/`);
  await page.context().addInitScript(() => Object.defineProperty(Navigator.prototype, "locks", { value: undefined }));
  await page.reload();
  await logIn(page, account);
  const other = await page.context().newPage();
  await other.goto(`${app}/`);
  await other.locator("#email", { hasText: account.email }).waitFor();
  const before = await storedTokens(page);
  await expire(page);
  let both;
  const arrived = new Promise((resolve) => (both = resolve));
  let count = 0;
  await page.context().route("**/auth/refresh", async (route) => {
    if (++count === 2) both();
    await arrived;
    await route.continue();
  });
  const sent = await refreshes(page, async () => {
    await Promise.all([press(page, "Reload"), press(other, "Reload")]);
    for (const tab of [page, other]) await tab.locator("#reload:enabled").waitFor();
  });
  assert.deepEqual(sent, Array(2).fill(JSON.stringify({ refresh_token: before.refresh_token })));
  await page.context().unroute("**/auth/refresh");
  for (const tab of [page, other]) await stillLoggedIn(tab);
  // The pair that both have got can be exchanged again.
  await expire(page);
  for (const tab of [page, other]) await stillLoggedIn(tab);
  await press(page, "Log out");
  await status(page, "You are logged out");
  await page.context().close();
}

// The server has used the token, but the reply does not arrive: the same token is sent again.
async function loseReply(page) {
  await expire(page);
  let isLost = false;
  await page.route("**/auth/refresh", async (route) => {
    if (isLost) return route.continue();
    isLost = true;
    assert.equal((await route.fetch()).status(), 200);
    return route.abort();
  });
  const sent = await refreshes(page, () => failingRequests(() => stillLoggedIn(page)));
  assert.equal(sent.length, 2);
  assert.equal(sent[0], sent[1]);
  await page.unroute("**/auth/refresh");
  await expire(page);
  await stillLoggedIn(page);

  // The API cannot be reached at all: nobody is logged out.
  await page.route(`${new URL(api).origin}/**`, (route) => route.abort());
  await failingRequests(async () => {
    await press(page, "Reload");
    await alert(page, "The server cannot be reached");
  });
  await page.unroute(`${new URL(api).origin}/**`);
  await stillLoggedIn(page);
}

async function endSessions(page) {
  const other = await open(`${app}/`, { userAgent: "<b>Some</b> program" });
  await logIn(other, account);
  await press(page, "Reload");
  const sessions = page.locator("#sessions li");
  await sessions.nth(1).waitFor();
  await page.getByText("<b>Some</b> program").waitFor();
  await page.getByText("(this session)").waitFor();
  await allScreens(page, "web-account");
  await sessions.getByRole("button").click();
  await status(page, "The session has ended");
  assert.equal(await sessions.count(), 1);
  await failingRequests(async () => {
    await press(other, "Reload");
    await alert(other, "Your session has ended. Log in again.");
    await visible(other, "login");
  });
  await other.context().close();
}

async function changeAccount(page) {
  const changed = "a lantern at the start";
  await failingRequests(async () => {
    await submit(page, "change-password", { current_password: "wrong password", new_password: changed });
    await alert(page, "Incorrect password");
  });
  await submit(page, "change-password", { current_password: account.password, new_password: changed });
  await status(page, "The password is changed");
  account.password = changed;
  await message("password.changed", account.email);

  const former = account.email;
  account.email = `new-${former}`;
  await submit(page, "change-email", { email: account.email, current_password: account.password });
  await status(page, "The address changes when it is verified");
  await message("email.changed", former);
  await follow(page, await message("email.verify", account.email), "verify");
  await press(page, "Verify the address");
  await status(page, "The address is verified");
  await page.locator("#email", { hasText: account.email }).waitFor();
  assert.equal(await page.locator("#verified").innerText(), "(verified)");
}

async function resetPassword(page) {
  const other = await page.context().newPage();
  await other.goto(`${app}/`);
  await visible(other, "account");
  await press(page, "Log out");
  await status(page, "You are logged out");
  // The other tab notices.
  await visible(other, "login");
  await other.close();

  await page.getByRole("link", { name: "Forgot your password?" }).click();
  await allScreens(page, "web-forgot");
  await submit(page, "forgot", { email: account.email });
  await status(page, "If there is such an account");
  await follow(page, await message("password.reset", account.email), "reset");
  await allScreens(page, "web-reset");
  await failingRequests(async () => {
    await submit(page, "reset", { new_password: "short" });
    await page.getByText("String should have at least 8 characters").waitFor();
  });
  const former = account.password;
  account.password = "a lantern in the middle";
  await submit(page, "reset", { new_password: account.password });
  await status(page, "The password is set");
  await failingRequests(async () => {
    await submit(page, "login", { email: account.email, password: former });
    await alert(page, "Incorrect email or password");
  });
  await logIn(page, account);
}

async function deleteAccount(page) {
  await press(page, "Log out everywhere");
  await status(page, "You are logged out everywhere");
  assert.equal(await storedTokens(page), null);
  await logIn(page, account);
  await submit(page, "delete", { current_password: account.password });
  await status(page, "The account is deleted");
  await failingRequests(async () => {
    await submit(page, "login", account);
    await alert(page, "Incorrect email or password");
  });
}

// A refusal says when the next attempt makes sense.
async function waitAfterFailures(page) {
  const body = JSON.stringify({ email: "nobody@example.com", password: "wrong password" });
  const headers = { "content-type": "application/json" };
  const attempt = () => fetch(`${new URL(api).origin}/auth/login`, { method: "POST", headers, body });
  while ((await attempt()).status === 401);
  await failingRequests(async () => {
    await submit(page, "login", JSON.parse(body));
    await alert(page, /Too many attempts. Try again in \d+ seconds. Next attempt: .*\d/);
  });
}

try {
  const page = await registerAndVerify();
  await sendOnce(page);
  await refreshInTwoTabs(page);
  await refreshTooLate(page);
  await refreshWithoutLocks();
  await loseReply(page);
  await endSessions(page);
  await changeAccount(page);
  await resetPassword(page);
  await deleteAccount(page);
  await waitAfterFailures(page);
  assert.deepEqual(new Set(referrers), new Set([undefined]), "a request has told the address of the page");
  finish();
  console.log("the example app works in a browser");
} finally {
  await browser.close();
  files.close();
}
