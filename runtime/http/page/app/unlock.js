// What needs a token asks for it, and is tried again.

import { Gone, Refused, token } from "./api.js";
import { asks, notice, tell } from "./dialog.js";
import { h } from "./dom.js";

// A header can carry no other characters.
const TOKEN = " *[!-~]+ *";

/**
 * Ask for the token.
 * @param {string} what the thing that is locked
 * @param {string} sentence the service's own
 */
export async function unlock(what, sentence) {
  const field = h("input", { type: "password", autocomplete: "off", required: true, autofocus: true, pattern: TOKEN, title: "letters, digits and signs of ASCII" });
  const yes = await asks(
    "Token",
    [
      h("p", {}, what),
      notice("warn", sentence),
      h("label", {}, "Token", field),
      h("small", {}, "It stays in this tab until you close it, and is sent as a header alone."),
    ],
    { yes: "Unlock" },
  );
  if (yes) token.set(field.value.trim());
  return yes;
}

/**
 * Do something that the service may lock; tell the reader if it fails.
 * @template T
 * @param {string} what
 * @param {() => Promise<T>} act
 * @returns {Promise<T | undefined>} undefined if it was refused, or the reader gave up
 */
export async function withToken(what, act) {
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (error instanceof Refused && error.status === 401) {
        if (await unlock(what, error.message)) continue;
      } else if (error instanceof Refused || error instanceof Gone) {
        tell("bad", error.message);
      } else {
        throw error;
      }
      return undefined;
    }
  }
}
