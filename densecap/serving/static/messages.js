// One sentence at a time above the picture, and what went wrong in words.

const element = document.getElementById("message");
let timer = 0;

/** Show a sentence; `kind` is "bad", "busy" or "good", `seconds` how long it stays (0: until the next). */
export function say(sentence, kind = "bad", seconds = 0) {
  clearTimeout(timer);
  element.textContent = sentence;
  element.dataset.kind = kind;
  element.hidden = false;
  if (seconds) timer = setTimeout(quiet, seconds * 1000);
}

/** Take the sentence away; with `kind` only one of that kind. */
export function quiet(kind) {
  if (kind && element.dataset.kind !== kind) return;
  element.hidden = true;
}

const STATUSES = {
  0: "The server cannot be reached. Is it still running?",
  401: "The server asks for its token.",
  403: "The server does not accept this page's address.",
  413: "That picture is larger than the server takes.",
  415: "The server cannot read that kind of file.",
  422: "The server could not use that picture.",
  429: "The server asks for fewer requests; trying again in a moment.",
  503: "The server has its hands full; trying again in a moment.",
};

/** A sentence for a status of HTTP or of the stream, with what the server said of it. */
export function sentenceOf(status, message) {
  const known = STATUSES[status] || "The server could not answer.";
  return message && status !== 0 && status !== 401 ? `${known} (${message})` : known;
}
