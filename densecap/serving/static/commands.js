// Buttons and keys: both name an action.

const KEYS = {
  v: "camera", o: "open", " ": "pause", d: "draw", m: "mirror", s: "snapshot", j: "json", c: "copy",
  Escape: "clear", ArrowLeft: "back", ArrowRight: "on",
};

/** Calls `actions[name]()` for the buttons with data-action=name and for their keys. */
export function bindCommands(actions) {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-action]");
    if (button) actions[button.dataset.action]();
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest("input, select, textarea, dialog, summary")) return;
    if (event.key === " " && event.target.closest("button")) return;
    const action = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    actions[action]();
  });
}

/** Files that are dropped anywhere on the page or pasted into it. */
export function bindFiles(open) {
  const hint = document.getElementById("drop-hint");
  const withFiles = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!withFiles(event)) return;
    event.preventDefault();
    hint.hidden = false;
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) hint.hidden = true;
  });
  document.addEventListener("drop", (event) => {
    if (!withFiles(event)) return;
    event.preventDefault();
    hint.hidden = true;
    open([...event.dataTransfer.files]);
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files || [])];
    if (!files.length) return;
    event.preventDefault();
    open(files);
  });
  for (const input of [document.getElementById("files"), document.getElementById("shutter")]) {
    input.addEventListener("change", () => {
      open([...input.files]);
      input.value = "";
    });
  }
}

/** Set the buttons of an action pressed or not. */
export function press(action, pressed) {
  for (const button of all(action)) button.setAttribute("aria-pressed", String(pressed));
}

export function offer(action, offered) {
  for (const button of all(action)) button.hidden = !offered;
}

export function enable(actions, enabled) {
  for (const action of actions) for (const button of all(action)) button.disabled = !enabled;
}

/** Another icon and word on the buttons of an action. */
export function rename(action, icon, word) {
  for (const button of all(action)) {
    button.querySelector("use").setAttribute("href", `/static/icons.svg#${icon}`);
    button.querySelector("span").textContent = word;
  }
}

function all(action) {
  return document.querySelectorAll(`button[data-action="${action}"]`);
}
