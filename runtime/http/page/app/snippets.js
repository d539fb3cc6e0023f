// Lines to copy: the same question from a terminal and from Python.

import { root, token } from "./api.js";
import { button, card, h } from "./dom.js";
import { isText, kindOf, typesOf } from "./trial.js";

const DATATYPES = { bool: "BOOL", float16: "FP16", float32: "FP32", float64: "FP64" };

/**
 * Make the card with the lines.
 * @param {any} version the description of the version
 * @param {boolean} isServing whether it answers requests that name no version
 */
export function snippetsCard(version, isServing) {
  const texts = snippetsOf(version, isServing);
  const code = h("pre", { id: "lines", role: "tabpanel", tabindex: 0, "aria-live": "off" });
  const copy = button("Copy", () => copied(code, copy));
  const names = Object.keys(texts);
  const choose = (name) => {
    code.textContent = texts[name];
    code.setAttribute("aria-label", name);
    tabs.forEach((tab, at) => {
      tab.setAttribute("aria-selected", String(names[at] === name));
      tab.tabIndex = names[at] === name ? 0 : -1;
    });
  };
  const tabs = names.map((name, at) => {
    const keydown = (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = (at + step + names.length) % names.length;
      choose(names[next]);
      tabs[next].focus();
    };
    return button(name, () => choose(name), { role: "tab", "aria-controls": "lines", keydown });
  });
  choose(names[0]);
  const list = h("div", { class: "tabs", role: "tablist", "aria-labelledby": "ask" }, ...tabs);
  return card("ask", "Ask it", [list, copy], code);
}

/**
 * Write the lines.
 * @param {any} version
 * @param {boolean} isServing
 * @returns {Record<string, string>}
 */
function snippetsOf(version, isServing) {
  const url = root.replace(/\/$/, "");
  const kind = kindOf(version);
  const { name } = version;
  const number = isServing ? null : version.version;
  const inputs = version.inputs ?? [];
  const locked = token.get() !== "";
  const values = kind === "row" ? typesOf(version).map(fill) : [];

  const auth = locked ? ` \\\n    -H "${token.header}: Bearer $TOKEN"` : "";
  const body = { model: name, ...(number === null ? {} : { version: number }) };
  if (kind === "row") Object.assign(body, { keys: version.params.features, values });
  else Object.assign(body, { inputs: Object.fromEntries(inputs.map((one) => [one.name, filled(one)])) });
  const curl =
    kind === "picture"
      ? `curl ${url}/predict/image -F image=@digit.png -F model=${name}${number === null ? "" : ` -F version=${number}`}${auth}`
      : `curl ${url}/predict/json \\\n    -d ${quoted(JSON.stringify(body))}${auth}`;

  const client = `Client("${url}"${locked ? ', token=os.environ["TOKEN"]' : ""}${locked && token.header !== "Authorization" ? `, token_header="${token.header}"` : ""})`;
  const which = `model="${name}"${number === null ? "" : `, version=${number}`}`;
  const imports = [locked && "import os", kind !== "picture" && "import numpy as np"].filter(Boolean);
  const asked =
    kind === "picture"
      ? `    answer = client.predict_image("digit.png", ${which})\n    print(answer.label, answer.probability)`
      : `    print(client.predict(${arrays(inputs, kind)}, ${which}))`;
  const python = [...imports, imports.length ? "" : null, "from tfaas_onnx import Client", "", `with ${client} as client:`, asked];

  return {
    curl,
    Python: python.filter((line) => line !== null).join("\n"),
    tritonclient: triton(version, url, number, locked),
  };
}

function triton(version, url, number, locked) {
  const { name, inputs, outputs } = version;
  const isSecure = url.startsWith("https:");
  const lines = [
    ...(locked ? ["import os"] : []),
    "import numpy as np",
    "import tritonclient.http as http",
    "",
    `client = http.InferenceServerClient("${url.replace(/^https?:\/\//, "")}"${isSecure ? ", ssl=True" : ""})`,
  ];
  const names = (inputs ?? []).map((_, at) => (inputs.length === 1 ? "given" : `given${at}`));
  (inputs ?? []).forEach((input, at) => {
    const sides = input.shape.map((side) => side ?? 1).join(", ");
    lines.push(
      `${names[at]} = http.InferInput(${text(input.name)}, [${sides}], "${datatype(input.dtype)}")`,
      `${names[at]}.set_data_from_numpy(${empty(input)})`,
    );
  });
  const more = [
    number === null ? "" : `, model_version="${number}"`,
    locked ? `,\n    headers={"${token.header}": "Bearer " + os.environ["TOKEN"]}` : "",
  ].join("");
  lines.push(`answer = client.infer("${name}", [${names.join(", ")}]${more})`, `print(answer.as_numpy(${text(outputs?.[0]?.name ?? "output")}))`);
  return lines.join("\n");
}

/** The arrays of the inputs, as Python has them. */
function arrays(inputs, kind) {
  const made = inputs.map((one) =>
    kind === "row" ? `np.array(${literal(filled(one))}, np.${numpy(one.dtype)})` : empty(one),
  );
  if (inputs.length === 1) return made[0];
  return `{${inputs.map((one, at) => `${text(one.name)}: ${made[at]}`).join(", ")}}`;
}

/** An array of zeros, or of texts, as Python makes it. */
function empty({ shape, dtype }) {
  const sides = shape.map((side) => side ?? 1).join(", ");
  return isText(dtype) ? `np.full([${sides}], "a", np.object_)` : `np.zeros([${sides}], np.${numpy(dtype)})`;
}

// The names of inputs are a stranger's, and readers run these lines.
const quoted = (words) => `'${words.replaceAll("'", "'\\''")}'`; // for a shell
const text = (words) => JSON.stringify(words); // for Python
const fill = (dtype) => (isText(dtype) ? "a" : dtype === "bool" ? false : 0);
const filled = ({ shape, dtype }) => shape.reduceRight((inner, side) => Array(Math.min(side ?? 1, 8)).fill(inner), fill(dtype));
const literal = (value) => JSON.stringify(value).replaceAll(",", ", ").replaceAll("false", "False");
const numpy = (dtype) => (/^(float|int|uint|bool)/.test(dtype) ? dtype.replace(/^bool$/, "bool_") : "object_");
const datatype = (dtype) => DATATYPES[dtype] ?? (/^u?int/.test(dtype) ? dtype.toUpperCase() : "BYTES");

async function copied(code, button) {
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch {
    // Without HTTPS a browser gives no clipboard; the old way needs a selection.
    getSelection()?.selectAllChildren(code);
    document.execCommand("copy");
  }
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 1500);
}
