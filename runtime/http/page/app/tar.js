// A tar of files, as a Blob that refers to them: nothing is read before it is sent.

const BLOCK = 512;

/**
 * Put files into a tar.
 * @param {{path: string, file: File}[]} files
 * @returns {Blob}
 */
export function tarOf(files) {
  const parts = files.flatMap(({ path, file }) => [header(path, file.size), file, new Uint8Array(-file.size & (BLOCK - 1))]);
  return new Blob([...parts, new Uint8Array(2 * BLOCK)]);
}

function header(path, size) {
  const block = new Uint8Array(BLOCK);
  const bytes = (text) => new TextEncoder().encode(text);
  const put = (at, text) => block.set(bytes(text), at);
  let [name, prefix] = [path, ""];
  // ustar has room for 100 bytes of a name, for 155 of the folders before it, and for 8 GiB.
  if (bytes(path).length > 100) {
    const cuts = [...path.matchAll(/\//g)].map((slash) => slash.index);
    const cut = cuts.find((at) => bytes(path.slice(at + 1)).length <= 100) ?? 0;
    [name, prefix] = [path.slice(cut + 1), path.slice(0, cut)];
  }
  if (!name || bytes(name).length > 100 || bytes(prefix).length > 155) throw new RangeError(`The path ${path} is too long for a tar; pack it as .zip.`);
  if (size >= 8 ** 11) throw new RangeError(`${path} has more than 8 GiB; pack it as .tar.gz or .zip.`);
  put(0, name);
  put(100, "0000644\0" + "0000000\0" + "0000000\0");
  put(124, `${size.toString(8).padStart(11, "0")}\0` + "00000000000\0" + "        " + "0");
  put(257, "ustar\0" + "00");
  put(345, prefix);
  const sum = block.reduce((all, byte) => all + byte, 0);
  put(148, `${sum.toString(8).padStart(6, "0")}\0 `);
  return block;
}
