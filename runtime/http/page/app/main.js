// The page: its address chooses a model, and everything else follows.

import { Gone, Refused, read, root, token } from "./api.js";
import { Charts } from "./charts.js";
import { notice, tell } from "./dialog.js";
import { button, byId, h, replace } from "./dom.js";
import { Live } from "./live.js";
import { describe, head, tryCard } from "./model.js";
import { ModelList } from "./models.js";
import { snippetsCard } from "./snippets.js";
import { unlock } from "./unlock.js";
import { chooseUpload, filesOf, upload } from "./upload.js";
import { versionsCard } from "./versions.js";
import { Watching } from "./watching.js";
import { clock, many, size } from "./words.js";

// Milliseconds until a version that waits for its conversion is asked again. The end of a
// conversion changes the state of the models, and needs no such question.
const PENDING = 10_000;
// Milliseconds between two questions for the models, however often they change.
const GAP = 3000;

const list = new ModelList();
const live = new Live({ figures: showFigures, failed: showFailure });
const charts = new Charts(live);
const watching = new Watching();

let models = []; // the answer of GET /models
let isKnown = false; // whether it has come
let state = ""; // the state of the models, from the live figures
let status = null; // the answer of GET /status
let refreshed = -GAP; // when the models were asked for
let goneSince = null;
let shown = nothing();
let turn = 0; // a newer choice overtakes an older one that still waits
let pending = 0;

byId("page").hidden = false;
byId("lock").hidden = false;
byId("lock").addEventListener("click", giveToken);
byId("upload").addEventListener("click", () => chooseUpload(uploaded));
addEventListener("hashchange", () => choose(true));
live.start();
listenToDrops();

/** Read the models anew, and the one on show. */
async function refresh() {
  try {
    models = await read("models");
    isKnown = true;
    status ??= await read("status");
  } catch (error) {
    showFailure(error);
    return;
  }
  unlocked();
  await choose(false);
}

/** The model and version in the address; without one, the first model. */
function address() {
  const [, name = "", version = ""] = location.hash.split("/");
  return { name: name || models[0]?.name || "", version: /^\d+$/.test(version) ? Number(version) : null };
}

/** @param {boolean} isMove whether the reader goes to another model */
async function choose(isMove) {
  if (!isKnown) return;
  const mine = ++turn;
  clearTimeout(pending);
  const { name, version } = address();
  live.model = name;
  list.show(models, name);
  document.title = name ? `${name} · tfaas-onnx` : "tfaas-onnx";
  const main = byId("model");
  if (!name) {
    clear(main, empty());
    return;
  }
  if (!models.some((model) => model.name === name)) {
    failed(main, name, new Refused(404, `The store has no model ${name}.`));
    return;
  }
  if (name !== shown.name) clear(main, h("section", { class: "head" }, h("h1", {}, name), h("p", { class: "soft", role: "status" }, "Asking for its description …")));
  let found;
  try {
    found = await describe(name, version, shown.version, () => {
      if (mine === turn && name !== shown.name) main.querySelector("[role=status]").textContent = "Loading it into memory: this takes a moment, once …";
    });
  } catch (error) {
    if (mine === turn) failed(main, name, error);
    return;
  }
  if (mine === turn) show(main, found, isMove);
}

function show(main, { model, version }, isMove) {
  if (!version) {
    clear(main, h("h1", {}, model.name), notice("bad", `Version ${address().version} is not there any more. `, h("a", { href: `#/${model.name}` }, "Show the one that serves.")));
    return;
  }
  const key = JSON.stringify([version.name, version.version, version.inputs, version.timestamp]);
  // A drawing stays while only labels or engines change.
  if (key !== shown.key) {
    shown.trial?.trial.stop();
    shown = { ...nothing(), name: version.name, key, version, trial: version.error && !version.loaded ? null : tryCard(version, status.feedback) };
  }
  const isServing = version.version === model.serves;
  charts.choose(version.name);
  watching.choose(version);
  replace(
    main,
    kept("head", [model.serves, version], () => head(model, version)),
    shown.trial?.node,
    kept("versions", model, () => versionsCard(model, version.version, refresh)),
    watching.node,
    charts.node,
    version.inputs && kept("snippets", isServing, () => snippetsCard(version, isServing)),
  );
  if (isMove) {
    main.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  const waits = model.versions.some((one) => ["converting", "tensorflow: it is not converted yet"].includes(one.conversion));
  if (waits) pending = setTimeout(refresh, PENDING);
}

/**
 * A card of the version on show. It is made anew only if what it shows has changed, since
 * its reader may have the focus in it, or have chosen a tab.
 */
function kept(place, about, make) {
  // The counts of a watched model change all the time, and have a card of their own.
  const key = JSON.stringify([about, token.get() !== ""], (name, value) => (name === "watching" ? null : value));
  if (shown.cards[place]?.key !== key) shown.cards[place] = { key, node: make() };
  return shown.cards[place].node;
}

function nothing() {
  return { name: "", key: "", version: null, trial: null, cards: {} };
}

function clear(main, ...children) {
  shown.trial?.trial.stop();
  shown = nothing();
  replace(main, ...children);
}

function failed(main, name, error) {
  if (!(error instanceof Refused) || error.status === 401) {
    showFailure(error);
    return;
  }
  if (error.status === 429 || error.status >= 500) state = ""; // ask again: it may pass
  clear(main, h("h1", {}, name), notice("bad", error.message), models.length > 0 && h("p", {}, h("a", { href: "#/" }, "Show the first model")));
}

function empty() {
  return h(
    "section",
    { class: "card empty" },
    h("h1", {}, "No model yet"),
    h("p", {}, "The store is empty. Train a small one and upload it, in two commands:"),
    h("pre", { tabindex: 0 }, `trainer run --fout=mnist --model=mnist\ntar cz mnist | curl --data-binary @- ${root}upload`),
    h("p", {}, "Or drop a bundle, a SavedModel's folder or an .onnx file anywhere on this page."),
    h("p", {}, button("Upload a model", () => chooseUpload(uploaded), { class: "main" })),
  );
}

function uploaded(published) {
  const { name, version, serves } = published;
  const rest = serves === version ? "It serves now." : `Version ${serves} goes on serving, because it has the label stable.`;
  tell("good", `${name} version ${version} is published. ${rest}`);
  location.hash = `#/${name}/${version}`;
  refresh();
}

// -- the state of the service ---------------------------------------------------------

function showFigures(reading) {
  if (goneSince) unlocked();
  goneSince = null;
  byId("gone")?.remove();
  const more = [
    status && many(status.workers, "worker"),
    many(reading.loaded, "version") + ` in memory (${size(reading.loaded_bytes)})`,
    many(reading.in_progress, "request") + " in hand",
    status && `release ${status.version}`,
  ];
  service("good", "ready", `· ${more.filter(Boolean).join(" · ")}`);
  list.showFigures((name) => live.now(name));
  if (shown.name) charts.show();
  if (reading.state !== state && performance.now() - refreshed > GAP) {
    refreshed = performance.now();
    state = reading.state;
    refresh();
  }
}

function showFailure(error) {
  if (error instanceof Gone) {
    goneSince ??= new Date();
    const sentence = `gone since ${clock(goneSince)}`;
    service("bad", sentence);
    if (!byId("gone")) {
      const told = notice("bad", `The service does not answer since ${clock(goneSince)}. The page keeps what it has, and asks again each second.`);
      told.id = "gone";
      byId("banner").append(told);
    }
    state = "";
  } else if (error instanceof Refused) {
    if (error.status === 401) locked(error.message);
    state = ""; // ask again: it may pass, such as 429 and 503
    service(error.status === 401 ? "warn" : "bad", error.status === 401 ? "locked" : error.message);
  } else {
    throw error;
  }
}

function service(is, ...texts) {
  const [dot, ...places] = byId("service").children;
  dot.dataset.is = is;
  places.forEach((place, at) => {
    const text = texts[at] ?? "";
    if (place.textContent !== text) place.textContent = text;
  });
}

function locked(sentence) {
  const told = notice("warn", h("strong", {}, "Reading is locked. "), sentence, h("div", { class: "chips" }, button("Unlock", giveToken, { class: "main" })));
  told.id = "locked";
  byId("locked")?.remove();
  byId("banner").append(told);
}

function unlocked() {
  byId("locked")?.remove();
}

async function giveToken() {
  const sentence = token.get() ? "A token is held now; a new one takes its place." : "No token is held now.";
  if (await unlock("Uploads and changes may need one, and so may reading.", sentence)) {
    state = "";
    await refresh();
  }
}

// -- drop and paste -------------------------------------------------------------------

function listenToDrops() {
  // A dropped text belongs to the field below it.
  const hasFiles = (event) => event.dataTransfer.types.includes("Files");
  addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dropping");
  });
  addEventListener("drop", async (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    document.body.classList.remove("dropping");
    const found = await filesOf(event.dataTransfer);
    if (found.length) take(found);
  });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) take(files.map((file) => ({ path: file.name, file })));
  });
}

function take(found) {
  const [{ file }] = found;
  const pictures = shown.trial?.trial;
  if (found.length > 1 || !file.type.startsWith("image/")) upload(found, uploaded);
  else if (pictures && "take" in pictures) pictures.take(file);
  else tell("warn", "The model on show takes no pictures.");
}
