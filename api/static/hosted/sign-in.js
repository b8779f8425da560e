import { Refused, call, tell, tokens } from "./session.js";

const WEBAUTHN = "/api/v1/webauthn";
const at = (id) => document.getElementById(id);

async function withPasskey(body) {
  const begun = await call("POST", `${WEBAUTHN}/authenticate/begin`, body);
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(begun.publicKey);
  const credential = await navigator.credentials.get({ publicKey });
  const answer = { challenge_id: begun.challenge_id, credential: credential.toJSON() };
  return call("POST", `${WEBAUTHN}/authenticate/complete`, { ...body, ...answer });
}

async function signInWithPasskey(body = {}) {
  tokens.forget();
  tokens.keep(await withPasskey(body));
  await show();
  tell("You signed in with a passkey.");
}

async function signInWithPassword(event) {
  event.preventDefault();
  const given = { email: at("email").value, password: at("password").value };
  at("password").value = "";
  const found = await call("POST", "/api/auth/login", given);
  if (found.mfa_required) return secondFactor(found);
  tokens.keep(found);
  await show();
  tell("You signed in with your password.");
}

async function secondFactor(waiting) {
  if (!waiting.methods.includes("webauthn")) throw new Error("Your account wants a second factor that this page does not have.");
  tell("Your passkey, please.");
  await signInWithPasskey({ mfa_token: waiting.mfa_token });
}

async function addPasskey() {
  const nickname = at("nickname").value.trim();
  const asked = { user_verification: "required", resident_key: "required", ...(nickname ? { nickname } : {}) };
  const begun = await fresh(() => call("POST", `${WEBAUTHN}/register/begin`, asked));
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(begun.publicKey);
  const credential = await navigator.credentials.create({ publicKey });
  await call("POST", `${WEBAUTHN}/register/complete`, { challenge_id: begun.challenge_id, credential: credential.toJSON() });
  at("nickname").value = "";
  await show();
  tell("Your passkey was added.");
}

async function removePasskey(id) {
  await fresh(() => call("DELETE", `/api/auth/passkeys/${id}`));
  await show();
  tell("The passkey was deleted.");
}

// What changes how one signs in wants a login that is fresh; a passkey makes it so.
async function fresh(act) {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof Refused) || !(error.details.methods || []).includes("webauthn")) throw error;
    tell("Your passkey, please.");
    await withPasskey({});
    return act();
  }
}

async function signOut() {
  await call("POST", "/api/auth/logout", {});
  tokens.forget();
  await show();
  tell("You signed out.");
}

async function show() {
  const me = tokens.read() ? await call("GET", "/api/auth/me").catch(() => null) : null;
  if (!me) tokens.forget();
  at("signed-out").hidden = Boolean(me);
  at("signed-in").hidden = !me;
  if (!me) return;
  at("who").textContent = me.email;
  const found = await call("GET", "/api/auth/passkeys");
  at("passkeys").replaceChildren(...found.passkeys.map(line));
}

function line(passkey) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  item.textContent = `${passkey.nickname}${passkey.suspended ? " (suspended)" : ""} `;
  button.type = "button";
  button.className = "other";
  button.textContent = "Delete";
  button.addEventListener("click", told(() => removePasskey(passkey.id)));
  item.append(button);
  return item;
}

function told(act) {
  return async (event) => {
    tell("");
    try {
      await act(event);
    } catch (error) {
      tell(error.name === "NotAllowedError" ? "No passkey was used." : error.message);
    }
  };
}

at("use-passkey").addEventListener("click", told(() => signInWithPasskey()));
at("by-password").addEventListener("submit", told(signInWithPassword));
at("add-passkey").addEventListener("click", told(addPasskey));
at("sign-out").addEventListener("click", told(signOut));
told(show)();
