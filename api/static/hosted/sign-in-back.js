import { call, tell, tokens } from "./session.js";

// What the provider sent along is used once, and does not stay in the address or the history.
const carried = Object.fromEntries(new URLSearchParams(location.search));
history.replaceState(null, "", location.pathname);

const { state = "", code = "", error = "", iss } = carried;
try {
  const found = await call("POST", "/api/auth/sso/callback", { state, code, error, ...(iss === undefined ? {} : { iss }) });
  if (found.access_token) tokens.keep(found);
  location.replace("/sign-in");
} catch (problem) {
  tell(problem.message);
}
