// Sliders: what the server is asked for.

export class Settings {
  constructor(changed) {
    this.form = document.getElementById("settings-form");
    this.inputs = [...this.form.querySelectorAll("input")];
    this.form.addEventListener("input", () => {
      this.#show();
      clearTimeout(this.soon);
      this.soon = setTimeout(changed, 150);
    });
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("reset", () => setTimeout(() => (this.#show(), changed()), 0));
    this.#show();
    document.getElementById("settings").open = matchMedia("(min-width: 900px)").matches;
  }

  /** The options of the protocol. */
  values() {
    const [score, number, beam] = ["score", "number", "beam"].map((id) => Number(this.form.elements[id].value));
    return { score_threshold: score, max_detections: number, beam_size: beam };
  }

  /** Keep within what the server allows. */
  bound({ max_detections, max_beam_size }) {
    if (max_detections) this.form.elements.number.max = Math.min(50, max_detections);
    if (max_beam_size) this.form.elements.beam.max = Math.min(8, max_beam_size);
    this.#show();
  }

  #show() {
    for (const input of this.inputs) {
      const output = this.form.querySelector(`output[for="${input.id}"]`);
      output.value = input.id === "score" ? `${Math.round(input.value * 100)} %` : input.value;
    }
  }
}
