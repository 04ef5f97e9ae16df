// Visits public pages as people do: in Chromium, on a phone and on a desk, with JavaScript and without,
// by mouse and by keyboard; and collects what is wrong.
//
//   node visit.mjs --base URL [--out FOLDER] [--crawl] [--self-check] [PATH ...]
//
// NODE_PATH names the installed packages, CHROMIUM the browser [default: /usr/bin/chromium].
// `--crawl` also visits the pages of the same site that the given ones link to, at most 60 in all and 3 of
// those that differ only in which entry, tenant or agreement they show.
// Screenshots go to FOLDER. `--self-check` shows first that a good page passes and planted faults are
// found.

import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { BAD_FAULTS, siteOfFaults } from "./faults.mjs";

const require = createRequire(join(process.env.NODE_PATH ?? ".", "index.js"));
const { chromium } = require("playwright-core");
const axe = require("axe-core");

const WIDTHS_PX = [320, 1440];
const HEIGHT_PX = 900;
const TRANSFER_BYTES_MAX = 100_000;
const PAGES_MAX = 60;
const ALIKE_MAX = 3;
const TABS_MAX = 40;
const AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/** What happens on the network and on the console while a page loads. */
class Watch {
  constructor(page, base) {
    this.faults = [];
    this.sizes = [];
    page.on("console", (message) => {
      if (message.type() !== "error") return;
      const { url } = message.location();
      this.faults.push(`console: ${message.text()}${url ? ` (${url})` : ""}`);
    });
    page.on("pageerror", (error) => this.faults.push(`script: ${error.message}`));
    page.on("request", (request) => {
      const url = new URL(request.url());
      if (/^https?:$/.test(url.protocol) && url.origin !== base.origin) {
        this.faults.push(`request: ${url} leaves the site`);
      }
    });
    page.on("requestfailed", (request) => {
      this.faults.push(`request: ${request.url()} failed: ${request.failure()?.errorText}`);
    });
    page.on("response", (response) => {
      if (response.status() >= 400) this.faults.push(`request: ${response.url()} gave ${response.status()}`);
    });
    page.on("requestfinished", (request) => {
      const sizes = request.sizes();
      // A page that closes first takes its figures along.
      this.sizes.push(sizes.then((s) => s.responseBodySize + s.responseHeadersSize).catch(() => 0));
    });
  }

  async bytes() {
    return (await Promise.all(this.sizes)).reduce((sum, size) => sum + size, 0);
  }
}

/** What the document itself tells; runs inside the page. */
function inspect() {
  const faults = [];
  const root = document.documentElement;
  if (!root.lang) faults.push("html has no lang");
  if (!document.title.trim()) faults.push("there is no title");
  if (root.scrollWidth > window.innerWidth) {
    const wide = [...document.querySelectorAll("body *")].find(
      (element) => element.getBoundingClientRect().right > window.innerWidth + 1,
    );
    const where = wide ? `, as <${wide.tagName.toLowerCase()} class="${wide.className}">` : "";
    faults.push(`overflow: ${root.scrollWidth} px wide on ${window.innerWidth} px${where}`);
  }
  for (const image of document.querySelectorAll("img:not([alt])")) {
    faults.push(`image ${image.getAttribute("src")} has no alt`);
  }
  return faults;
}

/** How many elements Tab should reach; runs inside the page. */
function countFocusable() {
  const kinds = "a[href], button, input, select, textarea, summary, [tabindex]";
  return [...document.querySelectorAll(kinds)].filter(
    (element) => element.tabIndex >= 0 && !element.disabled && element.checkVisibility(),
  ).length;
}

/** What has the focus, and whether a person can see that it has; runs inside the page. */
function focused() {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const style = getComputedStyle(element);
  const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
  const box = element.getBoundingClientRect();
  const shown = box.width > 0 && box.height > 0 && box.right > 0 && box.bottom > 0;
  const name = `<${element.tagName.toLowerCase()}> "${(element.textContent || element.name || "").trim().slice(0, 40)}"`;
  window.reached ??= new Set();
  const again = window.reached.has(element);
  window.reached.add(element);
  return { name, visible: shown && (ring || style.boxShadow !== "none"), again };
}

async function walkByKeyboard(page) {
  const faults = [];
  const wanted = Math.min(await page.evaluate(countFocusable), TABS_MAX);
  for (let reached = 0; reached < wanted; reached++) {
    await page.keyboard.press("Tab");
    const focus = await page.evaluate(focused);
    if (!focus || focus.again) {
      faults.push(`keyboard: Tab reaches ${reached} of ${wanted} elements`);
      break;
    }
    if (!focus.visible) faults.push(`keyboard: the focus on ${focus.name} cannot be seen`);
  }
  return faults;
}

async function judgeAccess(page) {
  await page.evaluate(axe.source);
  const options = { runOnly: { type: "tag", values: AXE_TAGS } };
  const found = await page.evaluate((o) => globalThis.axe.run(document, o), options);
  return found.violations.map(
    ({ id, help, nodes }) => `axe ${id}: ${help}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`,
  );
}

function screenshotName(path, width, script) {
  const slug = path.replace(/[^A-Za-z0-9]+/g, "-").replace(/^-|-$/g, "") || "home";
  return `${slug.slice(0, 80)}-${width}${script ? "" : "-noscript"}.png`;
}

async function visit(browser, base, path, { width, script, out }) {
  const context = await browser.newContext({
    viewport: { width, height: HEIGHT_PX },
    javaScriptEnabled: script,
  });
  try {
    const page = await context.newPage();
    const watch = new Watch(page, base);
    await page.goto(new URL(path, base).href, { waitUntil: "load", timeout: 20_000 });
    const faults = await page.evaluate(inspect);
    const bytes = await watch.bytes();
    if (bytes > TRANSFER_BYTES_MAX) faults.push(`weight: ${bytes} bytes`);
    if (out) await page.screenshot({ path: join(out, screenshotName(path, width, script)), fullPage: true });
    if (script) faults.push(...(await judgeAccess(page)));
    faults.push(...(await walkByKeyboard(page)));
    const links = await page.$$eval("a[href]:not([download])", (all) => all.map((link) => link.href));
    return { faults: [...watch.faults, ...faults], bytes, links };
  } finally {
    await context.close();
  }
}

/** The pages still to visit, and those that are known already. */
class Frontier {
  constructor(base, paths) {
    this.base = base;
    this.known = new Set(paths);
    this.queue = [...paths];
    this.room = PAGES_MAX - paths.length;
    this.alike = new Map();
    this.leftOut = [];
  }

  /** Takes up those links that lead to further pages of the same site. */
  async offer(links) {
    for (const link of links) {
      const url = new URL(link);
      const path = url.pathname + url.search;
      if (url.origin !== this.base.origin || this.known.has(path)) continue;
      this.known.add(path);
      if (!(await isPage(url))) continue;
      if (this.hasRoom(path)) this.queue.push(path);
      else this.leftOut.push(path);
    }
  }

  hasRoom(path) {
    const kind = path.replace(/[^/?=&]*\d[^/?=&]*/g, "#");
    const others = this.alike.get(kind) ?? 0;
    if (this.room === 0 || others === ALIKE_MAX) return false;
    this.alike.set(kind, others + 1);
    this.room -= 1;
    return true;
  }
}

async function isPage(url) {
  const answer = await fetch(url);
  await answer.body?.cancel();
  // A link that leads nowhere is visited, and so found.
  return !answer.ok || (answer.headers.get("content-type") ?? "").startsWith("text/html");
}

/** Visits every path in every way; yields one verdict for each visit. */
async function* survey(browser, base, paths, { crawl, out }) {
  const frontier = new Frontier(base, paths);
  for (let path = frontier.queue.shift(); path !== undefined; path = frontier.queue.shift()) {
    for (const script of [true, false]) {
      for (const width of WIDTHS_PX) {
        const what = `${path} at ${width} px ${script ? "with" : "without"} JavaScript`;
        const result = await visit(browser, base, path, { width, script, out }).catch((error) => ({
          faults: [`visit: ${error.message.split("\n")[0]}`],
          bytes: 0,
          links: [],
        }));
        yield { what, path, ...result };
        if (crawl) await frontier.offer(result.links);
      }
    }
  }
  const { leftOut } = frontier;
  if (leftOut.length > 0) console.log(`${leftOut.length} more pages were not visited, such as ${leftOut[0]}`);
}

function tell({ what, faults, bytes }) {
  console.log([`${faults.length === 0 ? "OK" : "FAILED"}  ${what}, ${bytes} bytes`, ...faults].join("\n  "));
  return faults.length === 0;
}

async function* checkSelf(browser) {
  const site = await siteOfFaults();
  try {
    const found = [];
    for await (const { what, path, bytes, faults } of survey(browser, site.base, ["/", "/bad"], { crawl: true })) {
      if (path === "/bad") found.push(...faults);
      else yield { what: `a good page passes: ${what}`, bytes, faults };
    }
    for (const [name, words] of BAD_FAULTS) {
      const missed = found.some((fault) => fault.includes(words)) ? [] : [`"${words}" is not said of it`, ...found];
      yield { what: `planted: ${name}`, bytes: 0, faults: missed };
    }
  } finally {
    site.close();
  }
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      base: { type: "string" },
      out: { type: "string" },
      crawl: { type: "boolean" },
      "self-check": { type: "boolean" },
    },
  });
  if (values.out) mkdirSync(values.out, { recursive: true });
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    // Root has no sandbox. No name is ever looked up: a request that leaves the site fails.
    args: ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
  });
  let passed = 0;
  let failed = 0;
  const count = (verdict) => (tell(verdict) ? passed++ : failed++);
  try {
    console.log(`Chromium ${browser.version()}, axe-core ${axe.version}`);
    if (values["self-check"]) for await (const verdict of checkSelf(browser)) count(verdict);
    if (values.base) {
      for await (const verdict of survey(browser, new URL(values.base), positionals, values)) count(verdict);
    }
  } finally {
    await browser.close();
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
}

await main();
