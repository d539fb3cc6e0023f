// The versions of a model: which one serves, their labels, and what can be done to them.

import { ask, pathOf, root, send, token } from "./api.js";
import { asks, notice, tell } from "./dialog.js";
import { h } from "./dom.js";
import { stateOf } from "./models.js";
import { withToken } from "./unlock.js";
import { date, engine, many, size } from "./words.js";

const STABLE = "stable"; // the version with this label serves

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

  const act = async (what, sentence, request) => {
    if (await withToken(what, async () => (await request(), true))) {
      tell("good", sentence);
      changed();
    }
  };
  const serve = (number) =>
    act(`Letting version ${number} of ${name} serve is locked.`, `Version ${number} of ${name} serves now.`, () =>
      send(`${pathOf(name)}/labels/${STABLE}`, { version: number }, { method: "PUT" }),
    );
  const remove = async (number) => {
    const what = `version ${number} of ${name}`;
    const sure = await asks(`Delete ${what}?`, [h("p", {}, "Its files are deleted from the store.")], { yes: "Delete", kind: "bad" });
    if (sure) await act(`Deleting ${what} is locked.`, `Deleted ${what}.`, () => ask(pathOf(name, number), { method: "DELETE" }));
  };
  const label = async (number) => {
    const field = h("input", { required: true, pattern: "[A-Za-z][A-Za-z0-9_.\\-]{0,62}", autofocus: true, list: "known-labels", autocomplete: "off" });
    const known = [...new Set([...Object.keys(model.labels), STABLE, "canary"])];
    const yes = await asks(
      `Label version ${number} of ${name}`,
      [
        h("label", {}, "Label", field),
        h("datalist", { id: "known-labels" }, ...known.map((one) => h("option", { value: one }))),
        h("small", {}, `A label points to one version. The version with the label “${STABLE}” serves.`),
      ],
      { yes: "Label" },
    );
    const given = field.value;
    if (!yes) return;
    await act(`Labels of ${name} are locked.`, `Version ${number} of ${name} has the label “${given}”.`, () =>
      send(`${pathOf(name)}/labels/${encodeURIComponent(given)}`, { version: number }, { method: "PUT" }),
    );
  };
  const unlabel = (given) =>
    act(`Labels of ${name} are locked.`, `Took the label “${given}” away.`, () =>
      ask(`${pathOf(name)}/labels/${encodeURIComponent(given)}`, { method: "DELETE" }),
    );
  const removeAll = async () => {
    const sure = await asks(
      `Delete ${name}?`,
      [h("p", {}, `All of its ${many(model.versions.length, "version")} are deleted from the store, and its requests get 404.`)],
      { yes: "Delete the model", kind: "bad" },
    );
    if (sure) await act(`Deleting ${name} is locked.`, `Deleted ${name}.`, () => ask(`delete/${encodeURIComponent(name)}`, { method: "DELETE" }));
  };

  const rows = newestFirst.map((one) => {
    const [is, word] = stateOf(one);
    const isServing = one.version === serves;
    return h(
      "tr",
      { "aria-current": one.version === shown ? "true" : null },
      h("td", {}, h("a", { href: `#/${encodeURIComponent(name)}/${one.version}` }, `version ${one.version}`)),
      h(
        "td",
        {},
        h(
          "span",
          { class: "chips" },
          isServing && h("span", { class: "chip", "data-is": "good" }, "serves"),
          ...one.labels.map((given) =>
            h(
              "span",
              { class: "chip", "data-is": "label" },
              given,
              " ",
              h("button", { class: "cross", click: () => unlabel(given), "aria-label": `Take the label ${given} away` }, "×"),
            ),
          ),
        ),
      ),
      h("td", {}, h("span", { class: "state" }, h("span", { class: "dot", "data-is": is }), one.backend ? `${engine(one.backend, one.device)}, ${word}` : word)),
      h("td", { class: "number" }, size(one.bytes)),
      h("td", {}, date(one.timestamp)),
      h(
        "td",
        { class: "acts" },
        !isServing && h("button", { class: "small", click: () => serve(one.version) }, "serve"),
        h("button", { class: "small", click: () => label(one.version) }, "label …"),
        h("button", { class: "small bad", click: () => remove(one.version), "aria-label": `delete version ${one.version}` }, "delete"),
      ),
    );
  });
  const others = newestFirst.filter((one) => one.error && one.version !== shown);
  return h(
    "section",
    { class: "card", "aria-labelledby": "versions" },
    h(
      "div",
      { class: "title" },
      h("h2", { id: "versions" }, "Versions"),
      h(
        "span",
        { class: "chips" },
        before && h("button", { click: () => serve(before.version) }, `Roll back to version ${before.version}`),
        h("button", { class: "bad", click: removeAll }, "Delete the model"),
      ),
    ),
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": "Table of versions" },
      h(
        "table",
        {},
        h("thead", {}, h("tr", {}, ...["Version", "Labels", "Engine here"].map((text) => h("th", {}, text)), h("th", { class: "number" }, "Size"), h("th", {}, "Published"), h("th", {}, h("span", { class: "unseen" }, "Actions")))),
        h("tbody", {}, ...rows),
      ),
    ),
    others.length > 0 &&
      h("div", { class: "broken" }, ...others.map((one) => notice("bad", `Version ${one.version}: ${one.error}`))),
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
