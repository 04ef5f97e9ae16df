// Verifies a receipt in the browser: a .tlog-proof file (c2sp.org/tlog-proof) whose `extra` is JSON
// {leaf, statement, salt}. Everything is computed here with WebCrypto; nothing is sent anywhere.
"use strict";

(() => {
  const english = document.documentElement.lang === "en";
  const t = (id, en) => (english ? en : id);
  const utf8 = new TextEncoder();
  const FIRST_LINE = "c2sp.org/tlog-proof@v1";
  const BYTES_MAX = 2 << 20;
  const HASHES_MAX = 64;
  const WRONG_PARAMETER = "InvalidParameter";

  // A reason in words; anything else that is thrown is a defect of this page.
  class Refused extends Error {}
  const refuse = (id, en) => { throw new Refused(t(id, en)); };

  const sha256 = async (...parts) => {
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    const all = new Uint8Array(length);
    let at = 0;
    for (const part of parts) { all.set(part, at); at += part.length; }
    return new Uint8Array(await crypto.subtle.digest("SHA-256", all));
  };
  const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const same = (a, b) => hex(a) === hex(b);

  function base64(text) {
    // Strict: no spaces, padded, and one spelling only.
    let raw;
    try { raw = atob(text); } catch { return null; }
    return btoa(raw) === text ? Uint8Array.from(raw, (c) => c.charCodeAt(0)) : null;
  }
  const unhex = (text) =>
    typeof text === "string" && /^([0-9a-fA-F]{2})*$/.test(text)
      ? Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16)) : null;
  const decimal = (text) => (/^(0|[1-9][0-9]{0,18})$/.test(text ?? "") ? BigInt(text) : null);

  // --- the parts of the file ---------------------------------------------------------------------

  function parseProof(text) {
    const broken = () => refuse("Ini bukan berkas tanda terima (.tlog-proof) yang utuh.", "This is not a whole receipt file (.tlog-proof).");
    const end = text.indexOf("\n\n");
    if (end < 0) broken();
    const lines = text.slice(0, end).split("\n");
    if (lines.shift() !== FIRST_LINE) broken();
    let extra = null;
    if (lines[0]?.startsWith("extra ")) {
      extra = base64(lines.shift().slice(6)) ?? broken();
    }
    const line = lines.shift();
    const index = line?.startsWith("index ") ? decimal(line.slice(6)) : null;
    if (index === null || lines.length > HASHES_MAX) broken();
    const hashes = lines.map((hash) => base64(hash));
    if (hashes.some((hash) => hash?.length !== 32)) broken();
    return { extra: extra && parseExtra(extra), index, hashes, note: parseNote(text.slice(end + 2)) };
  }

  function parseExtra(bytes) {
    let extra;
    try {
      extra = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
    } catch {
      refuse("Bagian tambahan berkas ini tidak dapat dibaca.", "The extra part of this file cannot be read.");
    }
    return extra && typeof extra === "object" ? extra : {};
  }

  function parseNote(all) {
    const broken = () => refuse("Titik periksa dalam berkas ini rusak.", "The checkpoint in this file is broken.");
    const end = all.lastIndexOf("\n\n") + 1;
    if (end === 0 || !all.endsWith("\n")) broken();
    const text = all.slice(0, end);
    const signatures = all.slice(end + 1, -1).split("\n").map((line) => {
      const match = /^— ([^\s+]+) (\S+)$/u.exec(line) ?? broken();
      const bytes = base64(match[2]);
      if (!bytes || bytes.length < 5) broken();
      return { name: match[1], id: hex(bytes.slice(0, 4)), bytes: bytes.slice(4) };
    });
    const [origin, size, root, ...rest] = text.slice(0, -1).split("\n");
    const checkpoint = { origin, size: decimal(size), root: base64(root ?? "") };
    if (!origin || checkpoint.size === null || checkpoint.root?.length !== 32 || rest.includes("")) broken();
    return { text, signatures, checkpoint };
  }

  async function parseKey(text) {
    const broken = () => refuse(
      "Kunci log ini salah tulis. Bentuknya: nama+8 angka heksadesimal+base64.",
      "This log key is mistyped. Its form is name+8 hexadecimal digits+base64.");
    const match = /^([^\s+]+)\+([0-9a-f]{8})\+(\S+)$/.exec(text.trim()) ?? broken();
    const [, name, id, encoded] = match;
    const bytes = base64(encoded);
    if (bytes?.length !== 33 || bytes[0] !== 1) broken();
    const hash = await sha256(utf8.encode(`${name}\n`), bytes);
    if (hex(hash.slice(0, 4)) !== id) broken();
    return { name, id, raw: bytes.slice(1) };
  }

  // --- the steps -----------------------------------------------------------------------------------

  async function checkSignature(note, key) {
    const { origin } = note.checkpoint;
    if (origin !== key.name) {
      refuse(`Tanda terima ini berasal dari log "${origin}", sedangkan kuncinya milik log "${key.name}".`,
        `This receipt is of the log "${origin}", and the key is that of the log "${key.name}".`);
    }
    const claimed = note.signatures.filter((it) => it.name === key.name && it.id === key.id);
    if (claimed.length === 0) {
      refuse("Titik periksa ini tidak ditandatangani dengan kunci log itu.", "This checkpoint is not signed with that log key.");
    }
    const subtle = await crypto.subtle.importKey("raw", key.raw, { name: "Ed25519" }, false, ["verify"]);
    for (const { bytes } of claimed) {
      if (!(await crypto.subtle.verify({ name: "Ed25519" }, subtle, bytes, utf8.encode(note.text)))) {
        refuse("Tanda tangan log pada titik periksa SALAH: titik periksa telah diubah.", "The log's signature on the checkpoint is WRONG: the checkpoint was changed.");
      }
    }
  }

  // RFC 9162, section 2.1.3.2.
  async function rootFrom(leaf, index, size, path) {
    if (index >= size) return null;
    let [node, last, hash] = [index, size - 1n, leaf];
    const inner = (left, right) => sha256(Uint8Array.of(1), left, right);
    for (const step of path) {
      if (last === 0n) return null;
      if (node & 1n || node === last) {
        hash = await inner(step, hash);
        while (!(node & 1n) && node !== 0n) { node >>= 1n; last >>= 1n; }
      } else {
        hash = await inner(hash, step);
      }
      node >>= 1n;
      last >>= 1n;
    }
    return last === 0n ? hash : null;
  }

  async function checkInclusion(proof) {
    if (typeof proof.extra?.leaf !== "string") {
      refuse("Berkas ini tidak berisi entrinya, jadi tidak ada yang dapat dibuktikan dengannya.", "This file does not hold its entry, so nothing can be proven with it.");
    }
    const leaf = await sha256(Uint8Array.of(0), utf8.encode(proof.extra.leaf));
    const { size, root } = proof.note.checkpoint;
    const found = await rootFrom(leaf, proof.index, size, proof.hashes);
    if (!found || !same(found, root)) {
      refuse("Entri ini TIDAK menuju akar yang ditandatangani: entri, nomornya, atau jalurnya telah diubah.", "This entry does NOT lead to the signed root: the entry, its number or its path was changed.");
    }
  }

  function parseLeaf(text) {
    let leaf = null;
    try { leaf = JSON.parse(text); } catch { /* judged below */ }
    if (leaf?.v !== 1 || typeof leaf.commitment !== "string") {
      refuse("Entri ini terbukti, tetapi bukan dalam bentuk yang dibaca halaman ini.", "This entry is proven, but it is not of a form that this page reads.");
    }
    return leaf;
  }

  async function checkCommitment(extra, leaf) {
    const salt = unhex(extra.salt);
    if (typeof extra.statement !== "string" || !salt) {
      refuse("Pernyataan atau garamnya tidak ada.", "Statement or salt are missing.");
    }
    if (hex(await sha256(salt, utf8.encode(extra.statement))) !== leaf.commitment) {
      refuse("Pernyataan ini BUKAN yang dikunci entri: pernyataan atau garamnya telah diubah.", "This statement is NOT the one that the entry commits to: statement or salt was changed.");
    }
  }

  function checkAgreement(statement, leaf) {
    const differs = () => refuse("Pernyataan dan entri mengatakan hal yang berbeda.", "Statement and entry say different things.");
    let said = null;
    try { said = JSON.parse(statement); } catch { /* judged below */ }
    if (!said || typeof said !== "object") differs();
    const at = Number.isSafeInteger(said.at)
      ? new Date(Math.floor(said.at / 1e6) * 1000).toISOString().replace(".000Z", "Z") : null;
    // A leaf does not say which parameter was wrong: that may be a tenant's own word.
    const outcome = String(said.outcome).startsWith(WRONG_PARAMETER) ? WRONG_PARAMETER : said.outcome;
    if (said.action !== leaf.action || at !== leaf.at || outcome !== leaf.outcome) differs();
    // What was done to a tenant stands in its trail; a refusal stands in the trail of who asked.
    const tenant = leaf.public?.tenant;
    if (leaf.outcome === "OK" && tenant !== undefined && tenant !== said.account) differs();
    return said;
  }

  // Runs the steps in order; the first that fails ends them. Gives what each found, in words.
  async function verify(text, keyText) {
    const steps = [];
    let proof, key, leaf, said;
    const step = async (name, work) => {
      try {
        steps.push({ name, state: "good", words: await work() });
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        steps.push({ name, state: "bad", words: error.message });
        return false;
      }
      return true;
    };
    const number = (value) => value.toLocaleString(english ? "en" : "id");
    const good =
      (await step(t("Berkas", "File"), () => {
        proof = parseProof(text);
        return t("Berkas ini sebuah bukti tlog, versi 1.", "The file is a tlog proof, version 1.");
      })) &&
      (await step(t("Kunci log", "The log's key"), async () => {
        key = await parseKey(keyText);
        return t(`Kunci Ed25519 dari log "${key.name}".`, `An Ed25519 key of the log "${key.name}".`);
      })) &&
      (await step(t("Tanda tangan log", "The log's signature"), async () => {
        await checkSignature(proof.note, key);
        return t(`Titik periksa atas ${number(proof.note.checkpoint.size)} entri ditandatangani kunci ini.`, `The checkpoint over ${number(proof.note.checkpoint.size)} entries is signed by this key.`);
      })) &&
      (await step(t("Entri ada dalam log", "The entry is in the log"), async () => {
        await checkInclusion(proof);
        return t(`Entri ${number(proof.index)} menuju akar yang ditandatangani, lewat ${proof.hashes.length} sidik jari.`, `Entry ${number(proof.index)} leads to the signed root, over ${proof.hashes.length} hashes.`);
      })) &&
      (await step(t("Isi entri", "What the entry says"), () => {
        leaf = parseLeaf(proof.extra.leaf);
        return t(`${leaf.action} pada ${leaf.at}, hasil ${leaf.outcome}.`, `${leaf.action} at ${leaf.at}, outcome ${leaf.outcome}.`);
      }));
    if (!good) return { steps, good: false };
    if (proof.extra.statement === undefined && proof.extra.salt === undefined) {
      steps.push({ name: t("Pernyataan", "Statement"), state: "none", words: t("Berkas ini tidak membawa pernyataan rincian; hanya entri publiknya yang terbukti.", "The file brings no detailed statement; only the public entry is proven.") });
      return { steps, good: true, proof, leaf };
    }
    const opened =
      (await step(t("Komitmen", "Commitment"), async () => {
        await checkCommitment(proof.extra, leaf);
        return t("SHA-256 dari garam dan pernyataan sama dengan komitmen dalam entri.", "SHA-256 of salt and statement is the commitment in the entry.");
      })) &&
      (await step(t("Pernyataan dan entri", "Statement and entry"), () => {
        said = checkAgreement(proof.extra.statement, leaf);
        return t("Tindakan, waktu, dan hasilnya sama.", "Action, time and outcome are the same.");
      }));
    return { steps, good: opened, proof, leaf, said };
  }

  // --- the page ------------------------------------------------------------------------------------

  const make = (name, attributes, ...children) => {
    const element = document.createElement(name);
    Object.assign(element, attributes);
    element.append(...children);
    return element;
  };

  // Characters that are not seen for what they are, or turn the text, as escapes.
  const visible = (text) => text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);

  function facts(caption, entries) {
    const rows = entries.map(([name, value]) => make("tr", {},
      make("th", { scope: "row" }, visible(name)),
      make("td", {}, make("code", {}, make("bdi", {}, visible(typeof value === "string" ? value || "–" : JSON.stringify(value)))))));
    const scroll = make("div", { className: "scroll", tabIndex: 0 },
      make("table", {}, make("caption", {}, caption), make("tbody", {}, ...rows)));
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", caption);
    return scroll;
  }

  function show(result) {
    const verdict = make("p", { className: `verdict ${result.good ? "good" : "bad"}`, tabIndex: -1 },
      result.good
        ? t("Terbukti: permintaan ini tercatat dalam log.", "Proven: this request is recorded in the log.")
        : t("Tidak terbukti. Langkah yang gagal dijelaskan di bawah.", "Not proven. The step that failed is explained below."));
    const word = { good: t("berhasil: ", "passed: "), bad: t("gagal: ", "failed: "), none: t("tidak diperiksa: ", "not checked: ") };
    const steps = make("ol", { className: "steps" }, ...result.steps.map(({ name, state, words }) =>
      make("li", { className: state }, make("strong", {}, name), make("span", { className: "unseen" }, word[state]), visible(words))));
    const parts = [make("h2", {}, t("Hasil", "Result")), verdict, steps];
    if (result.good) {
      const { leaf, said, proof } = result;
      parts.push(facts(t("Yang publik, dalam entri log", "Public, in the log's entry"),
        [[t("Nomor", "Number"), String(proof.index)], ["at", leaf.at], ["action", leaf.action], ["outcome", leaf.outcome], ...Object.entries(leaf.public ?? {})]));
      if (said) {
        parts.push(facts(t("Milik Anda, hanya dalam berkas ini", "Yours, in this file only"), Object.entries(said)));
      }
      const others = proof.note.signatures.filter((it) => it.name !== proof.note.checkpoint.origin);
      parts.push(make("p", { className: "quiet" }, others.length
        ? t("Saksi yang ikut menandatangani (tidak diperiksa di sini): ", "Witnesses that cosigned (not checked here): ") + others.map((it) => it.name).join(", ") + "."
        : t("Tidak ada saksi dalam berkas ini: bandingkan titik periksanya dengan yang dilihat orang lain.", "No witness is in this file: compare its checkpoint with the one that others see.")));
    }
    document.getElementById("result").replaceChildren(...parts);
    verdict.focus();
  }

  const fail = (words) => document.getElementById("result").replaceChildren(
    make("p", { className: "verdict bad", tabIndex: -1 }, words));

  async function run(text) {
    const trimmed = text.replaceAll("\r\n", "\n").replace(/^\s+/, "").replace(/\n*$/, "\n");
    if (trimmed === "\n") {
      return fail(t("Pilih, seret, atau tempel dahulu sebuah tanda terima.", "Choose, drag or paste a receipt first."));
    }
    try {
      show(await verify(trimmed, document.getElementById("key").value));
    } catch (error) {
      fail(error.name === "NotSupportedError"
        ? t("Peramban ini belum mengenal Ed25519. Pakai peramban yang lebih baru, atau awan verify di bawah.", "This browser does not know Ed25519 yet. Use a newer one, or awan verify below.")
        : t("Pemeriksaan ini gagal berjalan: ", "The check itself failed: ") + error.message);
    }
  }

  async function read(file) {
    if (file.size > BYTES_MAX) {
      return fail(t("Berkas ini terlalu besar untuk sebuah tanda terima.", "This file is too large for a receipt."));
    }
    const text = await file.text();
    document.getElementById("paste").value = text;
    await run(text);
  }

  function start() {
    const [form, drop, file, paste] = ["form", "drop", "file", "paste"].map((id) => document.getElementById(id));
    if (!globalThis.crypto?.subtle) {
      return fail(t("Peramban hanya menghitung tanda tangan di halaman HTTPS atau localhost. Buka portal ini lewat HTTPS, atau pakai awan verify di bawah.", "A browser computes signatures on HTTPS or localhost pages only. Open this portal over HTTPS, or use awan verify below."));
    }
    form.hidden = false;
    form.addEventListener("submit", (event) => { event.preventDefault(); run(paste.value); });
    file.addEventListener("change", () => { if (file.files[0]) read(file.files[0]); });
    const over = (event) => { event.preventDefault(); drop.classList.add("over"); };
    drop.addEventListener("dragover", over);
    drop.addEventListener("dragleave", () => drop.classList.remove("over"));
    drop.addEventListener("drop", (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      const dropped = event.dataTransfer.files[0];
      if (dropped) read(dropped);
    });
  }

  start();
})();
