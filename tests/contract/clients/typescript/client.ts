// A client of the Auterity API: every path, body and answer is typed by the generated schema.d.ts.
import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./schema.js";

export type Schemas = components["schemas"];

/** `url` is scheme, host and port; `token` is an access token of `/api/auth/login`, or nothing for the open operations. */
export function auterity(url: string, token = ""): Client<paths> {
  return createClient<paths>({
    baseUrl: url,
    headers: token === "" ? {} : { Authorization: `Bearer ${token}` },
  });
}
