// The labelled pictures in a bundle's sample.npz: numpy's arrays in a zip.

import { ask } from "./api.js";
import { h } from "./dom.js";

const MAX_BYTES = 1_000_000; // a page loads no more for a row of small pictures
const SHOWN = 12;
const FILE = "sample.npz";

/**
 * Read a version's sample.
 * @param {any} version its description
 * @returns {Promise<{canvas: HTMLCanvasElement, label: number}[]>} empty if it has none that is small
 */
export async function samplesOf(version) {
  const file = version.files.find((one) => one.name === FILE);
  if (!file || file.bytes > MAX_BYTES) return [];
  const path = `download/${encodeURIComponent(version.name)}/${FILE}?version=${version.version}`;
  const files = await unzip(await (await ask(path)).arrayBuffer());
  const images = arrayOf(files["images.npy"]);
  const labels = arrayOf(files["labels.npy"]);
  const [count, height, width, channels] = images.shape;
  const found = [];
  // One of each class comes first.
  const seen = new Set();
  const order = [...Array(count).keys()].filter((at) => !seen.has(labels.at(at)) && seen.add(labels.at(at)));
  for (const at of order.sort((a, b) => labels.at(a) - labels.at(b)).slice(0, SHOWN)) {
    const canvas = h("canvas", { width, height });
    const pixels = new ImageData(width, height);
    for (let pixel = 0; pixel < height * width; pixel++) {
      for (let colour = 0; colour < 3; colour++) {
        const place = (at * height * width + pixel) * channels + Math.min(colour, channels - 1);
        pixels.data[4 * pixel + colour] = images.at(place);
      }
      pixels.data[4 * pixel + 3] = 255;
    }
    canvas.getContext("2d").putImageData(pixels, 0, 0);
    found.push({ canvas, label: labels.at(at) });
  }
  return found;
}

/** Unpack a zip's files by their names. */
async function unzip(buffer) {
  const view = new DataView(buffer);
  let end = buffer.byteLength - 22;
  while (view.getUint32(end, true) !== 0x06054b50) end--;
  const files = {};
  let at = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left--) {
    const [method, size] = [view.getUint16(at + 10, true), view.getUint32(at + 20, true)];
    const [name, more, comment] = [28, 30, 32].map((place) => view.getUint16(at + place, true));
    const head = view.getUint32(at + 42, true);
    const start = head + 30 + view.getUint16(head + 26, true) + view.getUint16(head + 28, true);
    const packed = new Blob([new Uint8Array(buffer, start, size)]);
    const stream = method ? packed.stream().pipeThrough(new DecompressionStream("deflate-raw")) : packed;
    const title = new TextDecoder().decode(new Uint8Array(buffer, at + 46, name));
    files[title] = await new Response(stream).arrayBuffer();
    at += 46 + name + more + comment;
  }
  return files;
}

/** Read one array of whole numbers. */
function arrayOf(buffer) {
  const view = new DataView(buffer);
  const isFirst = view.getUint8(6) === 1;
  const start = isFirst ? 10 + view.getUint16(8, true) : 12 + view.getUint32(8, true);
  const header = new TextDecoder().decode(new Uint8Array(buffer, 8, start - 8));
  const shape = /'shape': \(([^)]*)\)/.exec(header)[1].split(",").filter((side) => side.trim()).map(Number);
  const bytes = Number(/'descr': '.[iu](\d)'/.exec(header)[1]);
  const readers = {
    1: (at) => view.getUint8(start + at),
    2: (at) => view.getInt16(start + 2 * at, true),
    4: (at) => view.getInt32(start + 4 * at, true),
    8: (at) => Number(view.getBigInt64(start + 8 * at, true)),
  };
  return { shape, at: readers[bytes] };
}
