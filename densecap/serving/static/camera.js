// Cameras and screens of the browser: opening, choosing, and a sentence for everything that can go wrong.

const SENTENCES = {
  NotAllowedError: "The browser did not allow the camera. Allow it beside the address, then press Camera again.",
  SecurityError: "The browser did not allow the camera. Allow it beside the address, then press Camera again.",
  NotFoundError: "There is no camera here. Choose or drop pictures instead.",
  NotReadableError: "The camera gives no picture: another program may be using it. Close that, then try again.",
  AbortError: "The camera stopped while it was being opened. Try again.",
};

/** Why this page gets no camera whatever the visitor allows, or null. */
export function obstacle() {
  if (window.isSecureContext && navigator.mediaDevices?.getUserMedia) return null;
  if (window.isSecureContext) return "This browser has no way to a camera. Choose or drop pictures instead.";
  const secure = `https://${location.host}/`;
  return (
    "Browsers give cameras to secure pages only, and this one is not. Start the server with https=auto and open " +
    `${secure} instead; pictures work here as well.`
  );
}

export function sentence(error) {
  return SENTENCES[error.name] || `The camera could not be opened: ${error.message}`;
}

export function canShareScreen() {
  return Boolean(navigator.mediaDevices?.getDisplayMedia);
}

/** A stream of the camera `wanted` {deviceId} or {facing: "user" | "environment"}; any where that one is gone. */
export async function openCamera(wanted, longest) {
  const size = { width: { ideal: Math.min(1280, Math.max(640, longest)) }, frameRate: { ideal: 30 } };
  const which = wanted.deviceId ? { deviceId: { exact: wanted.deviceId } } : { facingMode: wanted.facing || "user" };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: false, video: { ...size, ...which } });
  } catch (error) {
    if (error.name !== "OverconstrainedError") throw error;
    return navigator.mediaDevices.getUserMedia({ audio: false, video: size });
  }
}

export function openScreen() {
  return navigator.mediaDevices.getDisplayMedia({ audio: false, video: { frameRate: { ideal: 30 } } });
}

/** The cameras there are: [{deviceId, label}]; names are known once one was allowed. */
export async function cameras() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices
    .filter((device) => device.kind === "videoinput")
    .map((device, index) => ({ deviceId: device.deviceId, label: device.label || `Camera ${index + 1}` }));
}

/** Whether a camera looks at the visitor: what it says of itself, else that its name does not say otherwise. */
export function looksAtVisitor(track) {
  const facing = track.getSettings().facingMode;
  if (facing) return facing === "user";
  return !/back|rear|environment|capture|virtual/i.test(track.label);
}
