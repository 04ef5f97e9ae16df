// A small site with one good page and one that has every fault that a visit looks for.

import { createServer } from "node:http";

const GOOD = `<!doctype html>
<html lang="id"><head><meta charset="utf-8"><title>Baik</title><link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width">
<style>body { color: #111; background: #fff } a:focus-visible { outline: 3px solid #05c }</style></head>
<body><main><h1>Baik</h1><p><a href="/second">Kedua</a> <a href="/file.json">Data</a></p>
<img src="/dot.svg" alt="sebuah titik" width="10" height="10"></main></body></html>`;

const BAD = `<!doctype html>
<html><head><meta charset="utf-8"><title> </title>
<style>a { outline: none } .wide { width: 2000px; background: #fff; color: #eee }</style></head>
<body><p class="wide">faint</p><a href="/second">here</a><img src="/missing.svg">
<a href="#" id="first">one</a><img src="/heavy.svg" alt=""><img src="http://127.0.0.1:9/away.svg" alt="">
<script>
console.error("planted"); setTimeout(() => { throw new Error("planted too") }, 0);
document.getElementById("first").addEventListener("focus", (event) => event.target.blur());
</script></body></html>`;

const SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><circle r="5"/></svg>';

const FILES = {
  "/": ["text/html", GOOD],
  "/second": ["text/html", GOOD],
  "/bad": ["text/html", BAD],
  "/dot.svg": ["image/svg+xml", SVG],
  "/heavy.svg": ["image/svg+xml", SVG + " ".repeat(150_000)],
  "/file.json": ["application/json", "{}"],
};

/** What is wrong with the bad page, and words that must be said of it. */
export const BAD_FAULTS = [
  ["an error on the console", "console: planted"],
  ["an error in a script", "script: planted too"],
  ["a missing file", "/missing.svg gave 404"],
  ["a request to another site", "leaves the site"],
  ["a request that fails", "away.svg failed"],
  ["a heavy page", "weight: "],
  ["a page too wide", "overflow: 2"],
  ["no language", "html has no lang"],
  ["no title", "there is no title"],
  ["a picture without words", "/missing.svg has no alt"],
  ["a focus that cannot be seen", "cannot be seen"],
  ["a focus that is taken away", "Tab reaches"],
  ["a faint text", "axe color-contrast"],
];

/** Serves the site on a free port of this machine. */
export async function siteOfFaults() {
  const server = createServer((request, response) => {
    const [type, body] = FILES[request.url] ?? ["text/plain", null];
    response.writeHead(body === null ? 404 : 200, { "content-type": `${type}; charset=utf-8` });
    response.end(body ?? "not here");
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const base = new URL(`http://127.0.0.1:${server.address().port}/`);
  return { base, close: () => server.close() };
}
