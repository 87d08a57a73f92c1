// Frames of a playing video as JPEG, at the size the model sees.

const QUALITY = 0.9;

/** Size of a picture whose longest side is `longest`; small pictures stay as they are. */
export function fitted(width, height, longest) {
  const scale = Math.min(1, longest / Math.max(width, height));
  return [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
}

/** Knows whether the video has shown a frame since the last one taken; calls `arrived` for each. */
export class Frames {
  constructor(video, arrived) {
    this.video = video;
    this.arrived = arrived;
    this.longest = 640;
    this.fresh = false;
    this.canvas = document.createElement("canvas");
    this.context = this.canvas.getContext("2d", { alpha: false });
    this.#wait();
  }

  #wait() {
    const next = () => {
      this.fresh = !this.video.paused && this.video.videoWidth > 0;
      if (this.fresh) this.arrived();
      this.#wait();
    };
    if (this.video.requestVideoFrameCallback) this.video.requestVideoFrameCallback(next);
    else setTimeout(next, 33);
  }

  /** The newest frame {bytes, time}, or null when it was taken before. */
  async grab() {
    if (!this.fresh || !this.video.videoWidth) return null;
    this.fresh = false;
    const time = performance.now();
    const [width, height] = fitted(this.video.videoWidth, this.video.videoHeight, this.longest);
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    this.context.imageSmoothingQuality = "medium";
    this.context.drawImage(this.video, 0, 0, width, height);
    const blob = await new Promise((resolve) => this.canvas.toBlob(resolve, "image/jpeg", QUALITY));
    return blob && { bytes: await blob.arrayBuffer(), time };
  }
}

/** Arrivals a second over the last seconds, and the median of the last latencies. */
export class Meter {
  constructor() {
    this.reset();
  }

  reset() {
    this.times = [];
    this.latencies = [];
  }

  add(now, latency) {
    this.times.push(now);
    this.latencies.push(latency);
    while (this.times[0] < now - 3000) this.times.shift();
    if (this.latencies.length > 15) this.latencies.shift();
  }

  /** Arrivals a second, or null before there are three. */
  rate() {
    const count = this.times.length;
    return count < 3 ? null : ((count - 1) * 1000) / (this.times[count - 1] - this.times[0]);
  }

  latency() {
    const sorted = [...this.latencies].sort((a, b) => a - b);
    return sorted.length ? sorted[sorted.length >> 1] : null;
  }
}
