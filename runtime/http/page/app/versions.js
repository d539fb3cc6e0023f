// The versions of a model: which one serves, their labels, and what can be done to them.

import { ask, pathOf, root, send, token } from "./api.js";
import { asks, notice, tell } from "./dialog.js";
import { button, card, chip, h } from "./dom.js";
import { stateOf } from "./models.js";
import { withToken } from "./unlock.js";
import { date, engine, many, size } from "./words.js";

const STABLE = "stable"; // the version with this label serves
const LABEL = "[A-Za-z][A-Za-z0-9_.\\-]{0,62}";
const HEADS = ["Version", "Labels", "Engine here", "Size", "Published"];

/**
 * Make the card of a model's versions.
 * @param {any} model the description of the model
 * @param {number} shown the version on show
 * @param {() => void} changed is called after a change
 */
export function versionsCard(model, shown, changed) {
  const { name, serves } = model;
  const newestFirst = [...model.versions].reverse();
  const before = newestFirst.find((one) => one.version < serves && !one.error);
  const broken = newestFirst.filter((one) => one.error && one.version !== shown);

  const act = async (what, done, path, method, body) => {
    const request = () => (body ? send(path, body, { method }) : ask(path, { method }));
    if (!(await withToken(`${what} is locked.`, request))) return;
    tell("good", done);
    changed();
  };
  const labelPath = (given) => `${pathOf(name)}/labels/${encodeURIComponent(given)}`;
  const serve = (version) =>
    act(`Letting version ${version} of ${name} serve`, `Version ${version} of ${name} serves now.`, labelPath(STABLE), "PUT", { version });
  const unlabel = (given) => act(`Taking labels of ${name} away`, `Took the label “${given}” away.`, labelPath(given), "DELETE");
  const label = async (version) => {
    const field = h("input", { required: true, pattern: LABEL, autofocus: true, list: "known-labels", autocomplete: "off" });
    const known = [...new Set([...Object.keys(model.labels), STABLE, "canary"])];
    const content = [
      h("label", {}, "Label", field),
      h("datalist", { id: "known-labels" }, ...known.map((value) => h("option", { value }))),
      h("small", {}, `A label points to one version. The version with the label “${STABLE}” serves.`),
    ];
    if (!(await asks(`Label version ${version} of ${name}`, content, { yes: "Label" }))) return;
    const given = field.value;
    await act(`Labelling ${name}`, `Version ${version} of ${name} has the label “${given}”.`, labelPath(given), "PUT", { version });
  };
  const remove = async (what, sentence, yes, path) => {
    const sure = await asks(`Delete ${what}?`, [h("p", {}, sentence)], { yes, kind: "bad" });
    if (sure) await act(`Deleting ${what}`, `Deleted ${what}.`, path, "DELETE");
  };
  const removeOne = (version) =>
    remove(`version ${version} of ${name}`, "Its files are deleted from the store.", "Delete", pathOf(name, version));
  const removeAll = () => {
    const sentence = `${many(model.versions.length, "version")} of it are deleted from the store, and its requests get 404.`;
    return remove(name, sentence, "Delete the model", `delete/${encodeURIComponent(name)}`);
  };

  const labelChip = (given) => {
    const made = chip(`${given} `, "label");
    made.append(button("×", () => unlabel(given), { class: "cross", "aria-label": `Take the label ${given} away` }));
    return made;
  };
  const row = (one) => {
    const [is, word] = stateOf(one);
    const isServing = one.version === serves;
    return h(
      "tr",
      { "aria-current": one.version === shown ? "true" : null },
      h("td", {}, h("a", { href: `#/${encodeURIComponent(name)}/${one.version}` }, `version ${one.version}`)),
      h("td", {}, h("span", { class: "chips" }, isServing && chip("serves", "good"), ...one.labels.map(labelChip))),
      h("td", {}, h("span", { class: "state" }, h("span", { class: "dot", "data-is": is }), one.backend ? `${engine(one.backend, one.device)}, ${word}` : word)),
      h("td", { class: "number" }, size(one.bytes)),
      h("td", {}, date(one.timestamp)),
      h(
        "td",
        { class: "acts" },
        !isServing && button("serve", () => serve(one.version), { class: "small" }),
        button("label …", () => label(one.version), { class: "small" }),
        button("delete", () => removeOne(one.version), { class: "small bad", "aria-label": `delete version ${one.version}` }),
      ),
    );
  };
  const heads = HEADS.map((text) => h("th", { class: text === "Size" ? "number" : null }, text));
  const table = h(
    "table",
    {},
    h("thead", {}, h("tr", {}, ...heads, h("th", {}, h("span", { class: "unseen" }, "Actions")))),
    h("tbody", {}, ...newestFirst.map(row)),
  );
  const buttons = h(
    "span",
    { class: "chips" },
    before && button(`Roll back to version ${before.version}`, () => serve(before.version)),
    button("Delete the model", removeAll, { class: "bad" }),
  );
  return card(
    "versions",
    "Versions",
    [buttons],
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Table of versions" }, table),
    broken.length > 0 && h("div", { class: "broken" }, ...broken.map((one) => notice("bad", `Version ${one.version}: ${one.error}`))),
    links(model.versions.find((one) => one.version === shown)),
  );
}

/** Links to what a version's bundle holds. */
function links(version) {
  const { name, files } = version;
  const has = (file) => files.some((one) => one.name === file);
  const query = `?version=${version.version}`;
  const graph = ["model.onnx", "saved_model.pb"].find(has);
  const opened = `${new URL(root).pathname}download/${encodeURIComponent(name)}/${graph}${query}`;
  const all = [
    has("report/report.html") && ["training report", `${pathOf(name, version.version)}/report`],
    graph && ["graph", `netron/?url=${encodeURIComponent(opened)}&identifier=${graph}`],
    has("parity.json") && ["parity", `download/${encodeURIComponent(name)}/parity.json${query}`],
    ["bundle (.tar.gz)", `${pathOf(name, version.version)}/bundle`],
    ["description (JSON)", pathOf(name, version.version)],
  ];
  return h(
    "p",
    { class: "links" },
    h("span", { class: "soft" }, `Version ${version.version}:`),
    ...all.filter(Boolean).map(([text, path]) => h("a", { href: root + path, target: "_blank", rel: "noopener" }, text)),
    token.get() && h("small", {}, "A link sends no token: if reading is locked, ask with curl."),
  );
}
