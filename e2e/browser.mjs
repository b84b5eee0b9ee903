// What the browser tests share: a browser whose faults are collected, screens, and the checks of axe-core.
//
// Uses the browser at $CHROMIUM, by default /usr/bin/chromium. Any request to another host and any error on the browser's console
// is a fault.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";

export const desktop = { width: 1440, height: 900 };
export const phone = { width: 390, height: 844 };

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const faults = [];
let browser;
let known;
let screenshots;
// Whether console errors count as faults. The browser logs one for every status from 400 on.
let countConsoleErrors = true;

// Starts the browser. Its pages may send requests only to `origins`. Screenshots go to `directory`, if given.
export async function launch(origins, directory, args = []) {
  known = origins;
  screenshots = directory;
  if (directory) mkdirSync(directory, { recursive: true });
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      ...args,
    ],
  });
  return browser;
}

// Opens a page in a browser context of its own. Its errors are added to the faults.
export async function open(url, options = {}) {
  const context = await browser.newContext({ viewport: desktop, reducedMotion: "reduce", ...options });
  context.setDefaultTimeout(15_000);
  // `context.route` could stop them, but Playwright then answers preflight requests itself.
  context.on("request", (request) => {
    const { origin, protocol } = new URL(request.url());
    if (!known.includes(origin) && !["data:", "blob:"].includes(protocol)) faults.push(`another host: ${request.url()}`);
  });
  context.on("page", (page) => {
    page.on("pageerror", (error) => faults.push(`${page.url()}: ${error}`));
    page.on("console", (message) => {
      if (message.type() === "error" && countConsoleErrors) faults.push(`${page.url()}: ${message.text()}`);
    });
  });
  const page = await context.newPage();
  await page.goto(url);
  return page;
}

// Runs `work`, whose requests may fail; returns its result.
export async function failingRequests(work) {
  countConsoleErrors = false;
  const result = await work();
  countConsoleErrors = true;
  return result;
}

export async function shot(page, name, fullPage = false) {
  if (screenshots) await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage });
}

// Looks at the page on a wide screen and on a phone, in the light and in the dark. Nothing may be wider than the screen, and
// axe-core must find nothing.
export async function allScreens(page, name) {
  await page.evaluate(axe);
  for (const [width, viewport] of Object.entries({ desktop, phone })) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      // The page learns of it, and draws itself, by the second frame.
      await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
      const screen = `${name}-${width}-${colorScheme}`;
      await shot(page, screen);
      const wide = await page.evaluate(() => {
        if (document.documentElement.scrollWidth <= innerWidth) return [];
        const elements = [...document.querySelectorAll("body *")];
        const isWide = (element) => element.getBoundingClientRect().right > innerWidth;
        return elements.filter(isWide).map((element) => element.outerHTML.slice(0, 100));
      });
      if (wide.length > 0) faults.push(`${screen} is wider than the screen:\n${wide.join("\n")}`);
      const { violations } = await page.evaluate(() => globalThis.axe.run());
      for (const { id, nodes } of violations) {
        for (const node of nodes) faults.push(`${screen}: ${id}: ${node.html.slice(0, 200)}\n${node.failureSummary}`);
      }
    }
  }
  await page.setViewportSize(desktop);
  await page.emulateMedia({ colorScheme: "light" });
}

// Fails if there were faults.
export function finish() {
  assert(faults.length === 0, faults.join("\n\n"));
}
