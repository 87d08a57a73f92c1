// The buttons that keep what is on show: a picture, a file, the clipboard.

import { say, sentenceOf } from "./messages.js";
import { copy, saveCanvas, saveJson, snapshot, stamped } from "./saving.js";
import { mode, stage } from "./showing.js";

/** The actions snapshot, json and copy. */
export function keeping(viewfinder, stills, settings, boxes) {
  async function document_() {
    const name = stamped("jpg");
    const found = mode === "live" ? await viewfinder.document(name, settings.values(), boxes) : stills.document();
    if (!found) throw new Error("nothing was described yet");
    return found;
  }
  return {
    snapshot: saying("Saved as PNG.", () => saveCanvas(snapshot(stage), stamped("png"))),
    json: saying("Saved as JSON.", async () => saveJson(await document_(), stamped("json"))),
    copy: saying("Copied as JSON.", async () => copy(JSON.stringify(await document_(), null, 1))),
  };
}

/** Do something with the picture on show, and say how it went. */
function saying(done, action) {
  return async () => {
    if (mode === "empty") return;
    try {
      await action();
      say(done, "good", 3);
    } catch (error) {
      say(error.status === undefined ? `That did not work: ${error.message}` : sentenceOf(error.status, error.message));
    }
  };
}
