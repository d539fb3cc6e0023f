// One version of a model: what it is, and the ways to try it.

import { Refused, pathOf, read } from "./api.js";
import { notice } from "./dialog.js";
import { card, chip, h } from "./dom.js";
import { JsonTrial } from "./editor.js";
import { PictureTrial } from "./picture.js";
import { RowTrial } from "./rows.js";
import { kindOf } from "./trial.js";
import { engine, many, size, tiny } from "./words.js";

const TRIALS = { picture: PictureTrial, row: RowTrial, json: JsonTrial };

/**
 * Read a version's description, and bring the version into memory first: only then it
 * is known what the model takes.
 * @param {string} name
 * @param {number | null} wanted null is the version that serves
 * @param {any} known the last description on show, if there is one
 * @param {() => void} loading is called if that takes a load
 */
export async function describe(name, wanted, known, loading) {
  let model = await read(pathOf(name));
  const number = wanted ?? model.serves;
  const find = () => model.versions.find((one) => one.version === number);
  const isKnown = known?.inputs && known.name === name && known.version === number && known.timestamp === find()?.timestamp;
  if (isKnown && !find().loaded) {
    // It left the memory of this worker. A page that is only open must not load it again:
    // several pages, and a small memory, would load models in turns for ever.
    Object.assign(find(), { inputs: known.inputs, outputs: known.outputs });
  } else if (find() && !find().loaded && !find().error) {
    loading();
    let [inputs, outputs, error] = [null, null, null];
    try {
      const loaded = await read(`v2/${pathOf(name)}/versions/${number}`);
      [inputs, outputs] = [loaded.inputs.map(tensorOf), loaded.outputs.map(tensorOf)];
    } catch (refused) {
      if (!(refused instanceof Refused) || refused.status === 401) throw refused;
      error = refused.message;
    }
    model = await read(pathOf(name));
    const version = find();
    // Another worker may answer, which has not tried to load it.
    if (version && !version.inputs) Object.assign(version, { inputs, outputs, error: version.error ?? error });
  }
  return { model, version: find() };
}

const NUMPY = { FP16: "float16", FP32: "float32", FP64: "float64", BYTES: "str" };
const tensorOf = ({ name, datatype, shape }) => ({
  name,
  dtype: NUMPY[datatype] ?? datatype.toLowerCase(),
  shape: shape.map((side) => (side < 0 ? null : side)),
});

/**
 * Make the head: the name, and the facts about the version.
 * @param {any} model
 * @param {any} version
 */
export function head(model, version) {
  const { params, parity } = version;
  const chips = [
    chip(`version ${version.version}`),
    version.version === model.serves && chip("serves", "good"),
    ...version.labels.map((label) => chip(label, "label")),
    version.backend && chip(engine(version.backend, version.device)),
    version.variant && version.variant !== "fp32" && chip(version.variant),
    version.proved && parity
      ? chip(`proved ${tiny(parity.max_abs_diff)}`, "good", "the largest difference to TensorFlow's answers")
      : version.backend === "onnxruntime" && chip("unproved", "warn"),
    chip(size(version.bytes)),
    version.classes.length > 0 && chip(many(version.classes.length, "class", "classes")),
    version.sample && chip(`${version.sample.right} of ${version.sample.images} samples right`, "", "its own test pictures, when it was loaded"),
  ];
  return h(
    "section",
    { class: "head" },
    h("div", { class: "name" }, h("h1", {}, version.name), h("span", { class: "soft" }, params.description || "")),
    h("div", { class: "chips" }, ...chips),
    ...notices(version),
  );
}

function notices(version) {
  const found = [];
  const converted = version.conversion ?? "";
  if (version.error) found.push(notice("bad", `This version cannot serve: ${version.error}`));
  if (converted === "converting") {
    found.push(notice("warn", "Step 2 of 3: it is being converted to ONNX and proved. TensorFlow answers meanwhile; ONNX Runtime takes over when the proof has passed."));
  } else if (version.backend === "tensorflow") {
    const reason = version.fallback_reason || converted.replace(/^tensorflow: /, "");
    found.push(notice("warn", `TensorFlow answers, and not ONNX Runtime: ${reason}.`.replace(/\.\.$/, ".")));
  } else if (version.backend === "onnxruntime" && !version.proved) {
    found.push(
      notice("warn", "ONNX Runtime answers, but nobody has proved that its answers are TensorFlow's. ", h("code", {}, `exporter verify ${version.name}:${version.version}`), " does, if the bundle has the TensorFlow model, too."),
    );
  }
  if (version.variant_reason) found.push(notice("warn", version.variant_reason));
  if (version.warm_up) found.push(notice("", `It was not warmed: ${version.warm_up}`));
  return found;
}

/**
 * Make the card in which the version is tried.
 * @param {any} version
 * @param {boolean} takesFeedback whether the service keeps pictures with their class
 */
export function tryCard(version, takesFeedback) {
  const trial = new TRIALS[kindOf(version)](version, takesFeedback);
  return { node: card("try", "Try it", [], trial.node, "more" in trial && trial.more), trial };
}
