// The login of this tab: its tokens live as long as the tab does, and are sent to this server only.

const KEY = "auterity.tokens";

export const tokens = {
  read: () => JSON.parse(sessionStorage.getItem(KEY) || "null"),
  keep: (found) => sessionStorage.setItem(KEY, JSON.stringify(found)),
  forget: () => sessionStorage.removeItem(KEY),
};

export class Refused extends Error {
  constructor(status, body) {
    const error = (body && body.error) || {};
    super(error.message || "This did not work. Please try again.");
    this.status = status;
    this.details = error.details || {};
  }
}

// Answers the body of a good answer; for 003's envelope what is in it. Throws Refused.
export async function call(method, path, body) {
  const held = tokens.read();
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (held) headers.Authorization = `Bearer ${held.access_token}`;
  const answer = await fetch(path, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    credentials: "same-origin",
    referrerPolicy: "no-referrer",
  });
  const text = await answer.text();
  let found = null;
  try {
    found = text ? JSON.parse(text) : null;
  } catch {
    found = null;
  }
  if (!answer.ok) throw new Refused(answer.status, found);
  return found && found.success === true && "data" in found ? found.data : found;
}

export function tell(text) {
  document.getElementById("status").textContent = text;
}
