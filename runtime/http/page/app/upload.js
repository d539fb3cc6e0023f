// Uploading a model: an archive, a folder or an .onnx file.

import { Gone, Refused, root, sentenceOf, tokenHeaders } from "./api.js";
import { asks, notice, tell } from "./dialog.js";
import { button, byId, h, picker, replace } from "./dom.js";
import { tarOf } from "./tar.js";
import { unlock } from "./unlock.js";
import { many, size } from "./words.js";

const ARCHIVE = /\.(tar|tgz|tar\.gz|zip)$/i;
const NAME = "[A-Za-z0-9_][A-Za-z0-9_.\\-]{0,127}";

/** @typedef {{path: string, file: File}} Found a file, and its path in what was dropped */

/**
 * Ask for a model's files, and upload them.
 * @param {(published: any) => void} done
 */
export async function chooseUpload(done) {
  /** @type {Found[]} */
  let found = [];
  const told = h("p", { class: "soft" }, "Nothing is chosen yet.");
  const taken = (files) => {
    found = files.map((file) => ({ path: file.webkitRelativePath || file.name, file }));
    told.textContent = found.length === 1 ? found[0].path : `${many(found.length, "file")} of ${found[0].path.split("/")[0]}`;
  };
  const yes = await asks(
    "Upload a model",
    [
      h("p", {}, "A bundle (.tar.gz, .zip, or its folder), a SavedModel's folder, or an .onnx file. It is checked before it serves."),
      h("div", { class: "chips" }, picker("Choose a file", { accept: ".tar,.gz,.tgz,.zip,.onnx" }, taken), picker("Choose a folder", { webkitdirectory: true }, taken)),
      told,
    ],
    { yes: "Next" },
  );
  if (yes && found.length) await upload(found, done);
}

/**
 * Upload files that the reader chose or dropped.
 * @param {Found[]} found
 * @param {(published: any) => void} done
 */
export async function upload(found, done) {
  const isArchive = found.length === 1 && ARCHIVE.test(found[0].path);
  const isBundle = isArchive || found.some((one) => /^([^/]+\/)?params\.json$/.test(one.path));
  const total = found.reduce((sum, one) => sum + one.file.size, 0);
  const askName = () => nameFor(`${many(found.length, "file")}, ${size(total)}, without a params.json that names it`, nameOf(found));
  const name = isBundle ? "" : await askName();
  if (name === null) return;
  let body;
  try {
    body = isArchive ? found[0].file : tarOf(inFolder(found, name));
  } catch (error) {
    tell("bad", error.message);
    return;
  }
  await run(body, name, isArchive ? found[0].path : name || found[0].path.split("/")[0], askName, done);
}

/** Ask for a model's name; null if the reader gives none. */
async function nameFor(what, proposed) {
  const field = h("input", { required: true, pattern: NAME, autofocus: true, autocomplete: "off", value: proposed });
  const content = [
    h("p", { class: "soft" }, what),
    h("label", {}, "Name", field),
    h("small", {}, "If the store has a model of this name, the upload becomes its next version."),
  ];
  return (await asks("Name the model", content, { yes: "Upload" })) ? field.value : null;
}

async function run(body, name, what, askName, done) {
  const bar = h("progress", { max: 1, value: 0, "aria-label": "Upload" });
  const step = h("p", { "aria-live": "polite" });
  const card = h("section", { class: "card", id: "uploading" }, h("h2", {}, `Uploading ${what}`), step, bar);
  byId("uploading")?.remove();
  byId("banner").append(card);
  const begin = (control) => replace(step, "Sending …", " ", control);
  for (;;) {
    try {
      const published = await sendIt(body, name, {
        begin: (stop) => begin(button("stop", stop, { class: "small" })),
        sent: (share) => {
          bar.value = share;
          if (share < 1) step.firstChild.textContent = `Sending … ${Math.round(100 * share)} % of ${size(body.size)}`;
          else {
            bar.removeAttribute("value");
            replace(step, "Checking: the service opens and tries it …");
          }
        },
      });
      card.remove();
      done(published);
      return;
    } catch (error) {
      if (error instanceof Refused && error.status === 401 && (await unlock(`Uploading ${what} is locked.`, error.message))) continue;
      // The service has opened an archive that nothing names, and says how to name it.
      if (!name && error.message.includes("/upload?name=")) {
        name = await askName();
        if (name) continue;
      }
      const dismiss = button("dismiss", () => card.remove(), { class: "small" });
      replace(card, h("h2", {}, `${what} was not taken`), notice("bad", error.message, " ", dismiss));
      return;
    }
  }
}

/** fetch tells nothing of a body on its way, so an older interface sends it. */
function sendIt(body, name, on) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `${root}upload${name ? `?name=${encodeURIComponent(name)}` : ""}`);
    for (const [header, value] of Object.entries(tokenHeaders())) request.setRequestHeader(header, value);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => on.sent(event.total ? event.loaded / event.total : 0);
    request.upload.onload = () => on.sent(1);
    request.onload = () => {
      if (request.status < 300) resolve(JSON.parse(request.responseText));
      else reject(new Refused(request.status, sentenceOf(request.responseText, request.status)));
    };
    request.onerror = () => reject(new Gone("The connection broke before the service answered."));
    request.onabort = () => reject(new Gone("You stopped it."));
    on.begin(() => request.abort());
    request.send(body);
  });
}

/** A name for a model without one: its folder's, or its file's. */
function nameOf(found) {
  const [first] = found[0].path.split("/");
  return first.replace(ARCHIVE, "").replace(/\.(onnx|pb)$/i, "").replace(/[^A-Za-z0-9_.-]+/g, "_").replace(/^[.-]+/, "");
}

/** Put the files below one folder; a lone file gets the name that a model's file has. */
function inFolder(found, name) {
  return found.map(({ path, file }) => {
    const inside = path.includes("/") ? path.slice(path.indexOf("/") + 1) : path;
    const own = found.length > 1 ? inside : inside.replace(/^.*\.onnx$/i, "model.onnx").replace(/^.*\.pb$/i, "saved_model.pb");
    return { path: `${name || path.split("/")[0]}/${own}`, file };
  });
}

/**
 * List the files that were dropped, with those of folders.
 * @param {DataTransfer} dropped
 * @returns {Promise<Found[]>}
 */
export async function filesOf(dropped) {
  const entries = [...dropped.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...dropped.files].map((file) => ({ path: file.name, file }));
  return (await Promise.all(entries.map(below))).flat();
}

async function below(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [{ path: entry.fullPath.replace(/^\//, ""), file }];
  }
  const reader = entry.createReader();
  const found = [];
  // A reader gives some hundred entries at a time, and none at the end.
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    found.push(...(await Promise.all(some.map(below))).flat());
  }
}
