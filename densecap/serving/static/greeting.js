// What the server says of itself, and its token where it wants one.

import { model } from "./api.js";
import { quiet, say, sentenceOf } from "./messages.js";
import { askForToken } from "./token.js";

const line = document.getElementById("model");

/** Show what serves; `facts` are the model's card, in a stream's hello or by itself. */
export function describeModel(facts) {
  const size = facts.config?.image_size;
  line.textContent = [facts.name, size && `${size} px`].filter(Boolean).join(" · ");
  line.title = facts.trained_on ? `trained on ${facts.trained_on}` : "";
  document.body.classList.toggle("whole-image", facts.finds_boxes === false);
}

/** The model's card, asking for the token as long as one is given; null when the server does not answer. */
export async function greet() {
  try {
    const facts = await model();
    describeModel(facts);
    quiet();
    return facts;
  } catch (error) {
    if (error.status === 401 && (await askForToken())) return greet();
    line.textContent = "";
    say(sentenceOf(error.status, error.message));
    return null;
  }
}
