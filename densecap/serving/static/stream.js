// The WebSocket of frames: at most two are under way, so that the server always has the next one at hand and none waits
// longer than the model needs for one. The second is sent just in time, so that it is as new as can be.
// Protocol 1: 4 bytes of sequence number, big-endian, then the JPEG; text is options.

const UNDER_WAY = 2;
const PATIENCE = 8000; // milliseconds without an answer after which the connection counts as dead
const RETRIES = [500, 1000, 2000, 4000, 8000];

/**
 * `grab()` resolves to the JPEG of the newest frame, {bytes, time}, or null when there is no newer one.
 * `on.regions(answer, latency)`, `on.hello(hello)`, `on.error(status, message)`, `on.state("connecting" | "open" |
 * "waiting" | "silent" | "stopped", seconds)`.
 */
export class Stream {
  constructor(address, grab, on) {
    Object.assign(this, { address, grab, on });
    this.running = false;
    this.options = {};
    this.sequence = 0;
    this.failures = 0;
  }

  start() {
    if (this.running) return;
    this.running = true;
    this.failures = 0;
    this.#connect();
    this.watch = setInterval(() => this.#look(), 1000);
  }

  stop() {
    this.running = false;
    clearInterval(this.watch);
    clearTimeout(this.retry);
    this.#drop();
    this.on.state("stopped");
  }

  /** Options of the frames from now on. */
  set(options) {
    this.options = options;
    this.since = this.sequence; // answers of frames before are of other options
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(options));
  }

  /** To be called when there is a new frame. */
  async pump() {
    if (!this.#ready()) return;
    this.grabbing = true;
    const socket = this.socket;
    try {
      const frame = await this.grab();
      if (frame && socket === this.socket && socket.readyState === WebSocket.OPEN) this.#send(frame);
    } finally {
      this.grabbing = false;
    }
    if (this.again) {
      this.again = false;
      this.pump();
    }
  }

  #ready() {
    if (!this.running || this.socket?.readyState !== WebSocket.OPEN || this.holding) return false;
    if (this.grabbing) this.again = true;
    if (this.sent.size && performance.now() < this.earliest) return false;
    return !this.grabbing && this.sent.size < UNDER_WAY && this.socket.bufferedAmount === 0;
  }

  #send({ bytes, time }) {
    this.sequence = (this.sequence + 1) >>> 0;
    const message = new Uint8Array(4 + bytes.byteLength);
    new DataView(message.buffer).setUint32(0, this.sequence);
    message.set(new Uint8Array(bytes), 4);
    this.socket.send(message);
    this.sent.set(this.sequence, time);
    this.heard = Math.max(this.heard, performance.now() - PATIENCE / 2);
  }

  #connect() {
    this.#drop();
    this.on.state("connecting");
    this.sent = new Map();
    this.holding = false;
    this.delay = 0; // milliseconds from an answer to the next frame
    this.earliest = 0;
    const socket = new WebSocket(this.address());
    this.socket = socket;
    this.heard = performance.now();
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.set(this.options);
    socket.onmessage = (event) => socket === this.socket && this.#receive(JSON.parse(event.data));
    socket.onclose = (event) => socket === this.socket && this.#lost(event.code);
  }

  #receive(message) {
    this.heard = performance.now();
    if (message.type === "hello") {
      this.failures = 0;
      this.on.hello(message);
      this.on.state("open");
    } else if (message.type === "regions") {
      const time = this.sent.get(message.sequence);
      for (const sequence of this.sent.keys()) if (sequence <= message.sequence) this.sent.delete(sequence);
      this.#pace(message.timing);
      if (time !== undefined && message.sequence > this.since) this.on.regions(message, this.heard - time);
    } else if (message.type === "error") {
      this.#refused(message);
    }
    this.pump();
  }

  /** Frames that waited long at the server were taken too early: wait here instead, and send what is newer then. */
  #pace({ total_ms: total, model_ms: model }) {
    const spare = total - model - Math.max(12, model / 4);
    this.delay = Math.min(model * 0.75, Math.max(0, this.delay + spare * 0.15));
    this.earliest = performance.now() + this.delay;
    setTimeout(() => this.pump(), this.delay);
  }

  /** A frame or options were refused: that frame is no longer under way, and the next one waits a second. */
  #refused({ status, message, sequence }) {
    this.sent.delete(sequence);
    this.holding = true;
    clearTimeout(this.held);
    this.held = setTimeout(() => {
      this.holding = false;
      this.pump();
    }, 1000);
    this.on.error(status, message);
  }

  #look() {
    if (this.socket?.readyState !== WebSocket.OPEN || !this.sent.size) return;
    if (performance.now() - this.heard > PATIENCE) this.#lost(0);
    else if (performance.now() - this.heard > PATIENCE * 0.75) this.on.state("silent");
  }

  #lost(code) {
    this.#drop();
    if (!this.running) return;
    const wait = RETRIES[Math.min(this.failures++, RETRIES.length - 1)];
    this.on.state("waiting", wait / 1000, code);
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.running && this.#connect(), wait);
  }

  #drop() {
    const socket = this.socket;
    this.socket = null;
    if (socket) socket.close();
  }
}
