// A box or a caption that is pointed at stands out, with its counterpart; a tap keeps it so until the next one.
(() => {
  "use strict";
  for (const shot of document.querySelectorAll(".shot")) {
    const parts = [...shot.querySelectorAll("[data-box]")];
    let kept = null;
    const show = (key) => {
      const entry = key && shot.querySelector(`li[data-box="${key}"]`);
      const pair = entry ? entry.dataset.pair : null;
      shot.classList.toggle("active", Boolean(key));
      for (const part of parts) {
        part.classList.toggle("on", Boolean(key) && part.dataset.box === key);
        part.classList.toggle("pair", Boolean(pair) && part.dataset.box === pair);
      }
    };
    const keyOf = (event) => event.target.closest("[data-box]")?.dataset.box ?? null;
    shot.addEventListener("pointerover", (event) => show(keyOf(event) ?? kept));
    shot.addEventListener("pointerleave", () => show(kept));
    shot.addEventListener("click", (event) => {
      const key = keyOf(event);
      kept = key === kept ? null : key;
      show(kept);
    });
  }
})();
