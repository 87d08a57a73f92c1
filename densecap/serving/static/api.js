// Requests to the server, with the token where one is needed.

const KEPT = "densecap-token";

/** What a request came back with instead of an answer; `status` is 0 when the server was not reached. */
export class ServiceError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Takes ?token= out of the address, so that it does not stay in the history, and keeps it for this tab. */
export function takeTokenFromAddress() {
  const address = new URL(location.href);
  const given = address.searchParams.get("token");
  if (given === null) return;
  keepToken(given);
  address.searchParams.delete("token");
  history.replaceState(null, "", address);
}

export function keepToken(token) {
  sessionStorage.setItem(KEPT, token);
}

export function token() {
  return sessionStorage.getItem(KEPT) || "";
}

async function request(path, options = {}) {
  const headers = token() ? { Authorization: `Bearer ${token()}` } : {};
  let answer;
  try {
    answer = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServiceError(0, "The server cannot be reached.");
  }
  const body = await answer.json().catch(() => null);
  if (!answer.ok) throw new ServiceError(answer.status, body?.error?.message || answer.statusText);
  return body;
}

/** The server's model: name, image_size ... Errors: ServiceError. */
export function model() {
  return request("/v1/model");
}

/** The predictions document of one picture. `settings` are the query, `boxes` in pixels of the picture or null. */
export function predict(file, name, settings, boxes, signal) {
  const query = new URLSearchParams(settings);
  if (boxes) query.set("boxes", JSON.stringify(boxes));
  const form = new FormData();
  form.append("image", file, name);
  return request(`/v1/predict?${query}`, { method: "POST", body: form, signal });
}

/** Address of the WebSocket beside this page. */
export function streamAddress() {
  const address = new URL("/v1/stream", location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  if (token()) address.searchParams.set("token", token());
  return address.href;
}
