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
  const put = (at, text) => block.set(new TextEncoder().encode(text), at);
  let [name, prefix] = [path, ""];
  // ustar has room for 100 bytes of a name, and for 155 of the folders before it.
  if (name.length > 100) {
    const cut = path.lastIndexOf("/", 155);
    [name, prefix] = [path.slice(cut + 1), path.slice(0, cut)];
  }
  put(0, name.slice(0, 100));
  put(100, "0000644\0" + "0000000\0" + "0000000\0");
  put(124, `${size.toString(8).padStart(11, "0")}\0` + "00000000000\0" + "        " + "0");
  put(257, "ustar\0" + "00");
  put(345, prefix);
  const sum = block.reduce((all, byte) => all + byte, 0);
  put(148, `${sum.toString(8).padStart(6, "0")}\0 `);
  return block;
}
