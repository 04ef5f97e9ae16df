// The public pages in a real browser: nothing in the console, small, readable at 320 px, usable with the
// keyboard and without JavaScript; and the page that verifies receipts accepts the right one and
// refuses every other, in words.
//
// `node --test tests/pages/` runs it over the portal's sample, which `AWAN_PAGES_SAMPLE` names as a
// program or `cargo run` builds. Needs Chromium (Debian: `chromium`).
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createInterface } from "node:readline";

import { Browser, chromium } from "./browser.mjs";

const BYTES_MAX = 100_000;
const WIDTHS = [320, 768, 1440];
const pictures = process.env.AWAN_PAGES_PICTURES;

let sample, process_, browser, home;

before(async () => {
  assert.ok(chromium(), "Chromium is needed: apt-get install chromium, or name it in CHROMIUM");
  const [program, ...rest] = process.env.AWAN_PAGES_SAMPLE
    ? [process.env.AWAN_PAGES_SAMPLE]
    : ["cargo", "run", "--quiet", "-p", "portal", "--example", "sample", "--"];
  process_ = spawn(program, [...rest, "127.0.0.1:0", "1500"], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: process_.stdout });
  sample = JSON.parse(await new Promise((resolve, reject) => {
    lines.once("line", resolve);
    process_.once("exit", () => reject(new Error("the sample ended before it served")));
  }));
  browser = new Browser();
  home = mkdtempSync(join(tmpdir(), "awan-receipts-"));
  if (pictures) mkdirSync(pictures, { recursive: true });
});

after(async () => {
  await browser?.close();
  process_?.stdin.end();
  if (home) rmSync(home, { recursive: true, force: true });
});

const paths = () => [
  "/", "/agreements", `/agreements/${sample.ocid}`, "/agreements/ocds-sample-1000000000000001", "/places", "/tenants",
  "/tenants/1000000000000002", "/access", "/refusals", "/checkpoints", "/verify", `/entries/${sample.entries - 1}`,
];

async function keep(page, name) {
  if (pictures) writeFileSync(join(pictures, `${name}.png`), await page.picture());
}

const named = (path) => (path === "/" ? "home" : path.slice(1).replaceAll("/", "_"));

for (const language of ["id", "en"]) {
  test(`every page is quiet, small and fits every width (${language})`, async () => {
    for (const path of paths()) {
      for (const width of WIDTHS) {
        const page = await browser.page({ width });
        const address = (language === "en" ? "/en" : "") + path;
        await page.open(sample.address + address);
        const where = `${address} at ${width} px`;
        assert.deepEqual(page.complaints, [], where);
        assert.ok(page.bytes > 0 && page.bytes < BYTES_MAX, `${where}: ${page.bytes} bytes`);
        const wide = await page.evaluate("document.documentElement.scrollWidth");
        assert.ok(wide <= width, `${where}: the page is ${wide} px wide`);
        const elsewhere = page.requests.filter((url) => !url.startsWith(sample.address));
        assert.deepEqual(elsewhere, [], `${where}: nothing is loaded from elsewhere`);
        if (width !== 768) await keep(page, `${language}-${named(path)}-${width}`);
        await page.close();
      }
    }
  });
}

test("headings are in order, tables have headers, and names are unique on every page", async () => {
  const page = await browser.page();
  for (const path of paths()) {
    await page.open(sample.address + path);
    const levels = await page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map((it) => Number(it.tagName[1]))");
    assert.equal(levels[0], 1, path);
    levels.reduce((before, level) => { assert.ok(level <= before + 1, `${path}: h${level} after h${before}`); return level; });
    const bare = await page.evaluate("[...document.querySelectorAll('th')].filter((it) => !it.scope).length");
    assert.equal(bare, 0, `${path}: a header without scope`);
    const doubled = await page.evaluate("(() => { const ids = [...document.querySelectorAll('[id]')].map((it) => it.id); return ids.filter((id, at) => ids.indexOf(id) !== at); })()");
    assert.deepEqual(doubled, [], path);
    for (const mark of ["header", "nav", "main", "footer"]) {
      assert.ok(await page.evaluate(`document.querySelectorAll('${mark}').length >= 1`), `${path}: no ${mark}`);
    }
  }
  await page.close();
});

// Every text against what is painted behind it, as WCAG 2.1 reckons contrast.
const CONTRAST = `(() => {
  const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (element) => {
    for (let it = element; it; it = it.parentElement) {
      const colour = parse(getComputedStyle(it).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest("svg, noscript, [hidden]")) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) poor.push(contrast.toFixed(2) + " " + element.outerHTML.slice(0, 80));
  }
  return poor;
})()`;

for (const dark of [false, true]) {
  test(`text has enough contrast (${dark ? "dark" : "light"})`, async () => {
    const page = await browser.page({ dark });
    for (const path of paths()) {
      await page.open(sample.address + path);
      assert.deepEqual(await page.evaluate(CONTRAST), [], path);
      if (dark) await keep(page, `dark-${named(path)}-1440`);
    }
    await page.close();
  });
}

test("the keyboard reaches the content first, and the focus is seen", async () => {
  const page = await browser.page();
  await page.open(`${sample.address}/places`);
  await page.press("Tab");
  assert.equal(await page.evaluate("document.activeElement.className"), "skip");
  const seen = await page.evaluate("(() => { const box = document.activeElement.getBoundingClientRect(); return box.left >= 0 && box.width > 0; })()");
  assert.ok(seen, "the skip link is visible when it has the focus");
  await page.press("Enter");
  await page.until("document.activeElement.id === 'content'");
  await page.press("Tab");
  const outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle");
  assert.notEqual(outline, "none");
  await page.close();
});

test("without JavaScript every page says the same, and the verifying page names the program", async () => {
  const page = await browser.page({ scripts: false });
  await page.open(`${sample.address}/verify`);
  const { root } = await page.send("DOM.getDocument", { depth: -1 });
  const text = JSON.stringify(root);
  assert.match(text, /JavaScript tidak berjalan di sini/);
  assert.match(text, /awan verify --receipt/);
  await page.close();
});

// --- verifying a receipt -----------------------------------------------------------------------------

const decode = (receipt) => {
  const lines = receipt.split("\n");
  return { lines, extra: JSON.parse(Buffer.from(lines[1].slice(6), "base64").toString()) };
};
const encode = ({ lines, extra }) =>
  [lines[0], `extra ${Buffer.from(JSON.stringify(extra)).toString("base64")}`, ...lines.slice(2)].join("\n");
const altered = (change) => {
  const parts = decode(sample.receipt);
  change(parts);
  return encode(parts);
};
/** The text with one character of it replaced by another of the same kind. */
const flip = (text, at) => text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1);

/** Pastes a receipt, verifies it, and gives the words of the page. */
async function paste(page, receipt, key = sample.key) {
  await page.evaluate(`document.getElementById("result").replaceChildren()`);
  await page.evaluate(`document.getElementById("paste").value = ${JSON.stringify(receipt)}`);
  await page.evaluate(`document.getElementById("key").value = ${JSON.stringify(key)}`);
  await page.evaluate(`document.querySelector("button").click()`);
  await page.until(`document.querySelector("#result .verdict") !== null`);
  return page.evaluate(`({
    verdict: document.querySelector("#result .verdict").textContent,
    good: document.querySelector("#result .verdict").classList.contains("good"),
    failed: document.querySelector("#result .bad strong")?.textContent,
    text: document.getElementById("result").innerText,
    passed: document.querySelectorAll("#result .steps .good").length,
  })`);
}

test("a right receipt is proven, from a paste and from a file, in both languages", async () => {
  const file = join(home, "right.tlog-proof");
  writeFileSync(file, sample.receipt);
  for (const [address, words] of [["/verify", "Terbukti"], ["/en/verify", "Proven"]]) {
    const page = await browser.page();
    await page.open(sample.address + address);
    const pasted = await paste(page, sample.receipt);
    assert.ok(pasted.good && pasted.verdict.startsWith(words), pasted.text);
    assert.equal(pasted.passed, 7);
    assert.match(pasted.text, /oss:PutObject/);
    await keep(page, `${words}-1440`);
    await page.evaluate(`document.getElementById("result").replaceChildren()`);
    await page.choose("#file", file);
    await page.until(`document.querySelector("#result .verdict.good") !== null`);
    assert.deepEqual(page.complaints, []);
    const sent = page.requests.filter((url) => !/\/(en\/)?verify$|\/assets\//.test(url));
    assert.deepEqual(sent, [], "the page sends nothing");
    await page.close();
  }
});

test("the receipt of a refusal is proven too, and so is a proof without a private part", async () => {
  const page = await browser.page();
  await page.open(`${sample.address}/en/verify`);
  const refused = await paste(page, sample.refused);
  assert.ok(refused.good, refused.text);
  const bare = await (await fetch(`${sample.address}/entries/3.tlog-proof`)).text();
  const proven = await paste(page, bare);
  assert.ok(proven.good, proven.text);
  assert.match(proven.text, /only the public entry is proven/);
  await page.close();
});

test("an entry that says another outcome or tenant than its statement is refused", async () => {
  const page = await browser.page();
  await page.open(`${sample.address}/en/verify`);
  const [outcome, tenant, parameter] = sample.odd;
  for (const [what, receipt] of [["outcome", outcome], ["tenant", tenant]]) {
    const result = await paste(page, receipt);
    assert.ok(!result.good, `${what}: ${result.text}`);
    assert.equal(result.failed, "Statement and entry", what);
  }
  const result = await paste(page, parameter);
  assert.ok(result.good, `which parameter was wrong is not public: ${result.text}`);
  await page.close();
});

test("every receipt that was altered is refused at the step that is wrong", async () => {
  const page = await browser.page();
  await page.open(`${sample.address}/en/verify`);
  const cases = [
    ["a word of the entry", altered((it) => { it.extra.leaf = it.extra.leaf.replace("oss:PutObject", "oss:GetObject"); }), "The entry is in the log", /NOT lead/],
    ["the number of the entry", altered((it) => { it.lines[2] = `index ${Number(it.lines[2].slice(6)) ^ 1}`; }), "The entry is in the log", /NOT lead/],
    ["a number beyond the log", altered((it) => { it.lines[2] = "index 99999999"; }), "The entry is in the log", /NOT lead/],
    ["a hash of the path", altered((it) => { it.lines[5] = flip(it.lines[5], 3); }), "The entry is in the log", /NOT lead/],
    ["a hash left out", altered((it) => { it.lines.splice(4, 1); }), "The entry is in the log", /NOT lead/],
    ["a hash too many", altered((it) => { it.lines.splice(4, 0, it.lines[4]); }), "The entry is in the log", /NOT lead/],
    ["the size in the checkpoint", sample.receipt.replace(/\n(\d+)\n([A-Za-z0-9+/=]{44})\n\n/, (_, size, root) => `\n${Number(size) + 1}\n${root}\n\n`), "The log's signature", /WRONG/],
    ["the root in the checkpoint", sample.receipt.replace(/\n([A-Za-z0-9+/=]{44})\n\n— /, (_, root) => `\n${flip(root, 7)}\n\n— `), "The log's signature", /WRONG/],
    ["the signature", sample.receipt.replace(/(— portal\.awan\.example\/log )(\S+)/, (_, name, signature) => name + flip(signature, 40)), "The log's signature", /WRONG/],
    ["no signature of the log", sample.receipt.replace(/— portal\.awan\.example\/log \S+\n/, ""), "The log's signature", /not signed/],
    ["the statement", altered((it) => { it.extra.statement = it.extra.statement.replace("siti", "budi"); }), "Commitment", /NOT the one/],
    ["the salt", altered((it) => { it.extra.salt = (it.extra.salt[0] === "0" ? "1" : "0") + it.extra.salt.slice(1); }), "Commitment", /NOT the one/],
    ["no salt", altered((it) => { delete it.extra.salt; }), "Commitment", /missing/],
    ["no entry", altered((it) => { delete it.extra.leaf; }), "The entry is in the log", /does not hold its entry/],
    ["a file of another kind", "hello\n", "File", /not a whole receipt/],
    ["half a file", sample.receipt.slice(0, sample.receipt.length / 2), "File", /not a whole receipt|broken/],
    ["base64 in a second spelling", altered((it) => { it.lines[4] = it.lines[4].replace(/=$/, ""); }), "File", /not a whole receipt/],
  ];
  for (const [what, receipt, step, words] of cases) {
    assert.notEqual(receipt, sample.receipt, `${what}: nothing was altered`);
    const result = await paste(page, receipt);
    assert.ok(!result.good, `${what} is accepted: ${result.text}`);
    assert.equal(result.failed, step, `${what}: ${result.text}`);
    assert.match(result.text, words, what);
  }
  await keep(page, "refused-1440");
  assert.deepEqual(page.complaints, []);
  await page.close();
});

/** The text form of a log's key (c2sp.org/signed-note). */
function keyOf(name, bytes) {
  const typed = Buffer.concat([Buffer.from([1]), bytes]);
  const id = createHash("sha256").update(`${name}\n`).update(typed).digest("hex").slice(0, 8);
  return `${name}+${id}+${typed.toString("base64")}`;
}

test("the key of another log, a wrong key, or no key, proves nothing", async () => {
  const page = await browser.page();
  await page.open(`${sample.address}/en/verify`);
  const [name, , encoded] = sample.key.split("+");
  const bytes = Buffer.from(encoded, "base64").subarray(1);
  assert.equal(keyOf(name, bytes), sample.key);
  const stranger = Buffer.from(bytes).fill(7, 0, 4);
  for (const [key, words] of [
    [keyOf("other.example/log", bytes), /the key is that of the log "other.example\/log"/],
    [keyOf(name, stranger), /not signed with that log key/],
    [flip(sample.key, sample.key.length - 20), /log key is mistyped/],
    ["", /log key is mistyped/],
  ]) {
    const result = await paste(page, sample.receipt, key);
    assert.ok(!result.good, key);
    assert.match(result.text, words);
  }
  await page.close();
});

test("a receipt that is dragged onto the page is verified", async () => {
  const page = await browser.page();
  await page.open(`${sample.address}/en/verify`);
  await page.evaluate(`(() => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([${JSON.stringify(sample.receipt)}], "r.tlog-proof"));
    document.getElementById("drop").dispatchEvent(new DragEvent("drop", { dataTransfer, cancelable: true }));
  })()`);
  await page.until(`document.querySelector("#result .verdict.good") !== null`);
  await page.close();
});

test("text of a receipt is never markup", async () => {
  const page = await browser.page();
  await page.open(`${sample.address}/en/verify`);
  const result = await paste(page, sample.receipt.replace(/^(.*\n.*\n.*\n[^]*?\n\n)[^\n]*/, "$1<img src=x onerror=alert(1)>"));
  assert.ok(!result.good);
  assert.equal(await page.evaluate("document.querySelectorAll('#result img').length"), 0);
  assert.match(result.text, /<img src=x onerror=alert\(1\)>/);
  await page.close();
});
