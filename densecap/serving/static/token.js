// Asks for the server's token.

import { keepToken, token } from "./api.js";

const dialog = document.getElementById("token-dialog");
const input = document.getElementById("token");
const text = document.getElementById("token-text");
let asking = null;

/** Resolves to whether a token was given; one question at a time. */
export function askForToken() {
  asking ??= ask().finally(() => (asking = null));
  return asking;
}

async function ask() {
  if (token()) text.textContent = "That token was not the one. Whoever started the server has it.";
  input.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  input.focus();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  if (dialog.returnValue !== "ok" || !input.value) return false;
  keepToken(input.value.trim());
  return true;
}
