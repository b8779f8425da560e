"""Reading pages of a DMS over REST and JSON: the pattern of 000, which the `Custom` provider speaks and the named ones too.

`GET {base_url}/{api_version}/{endpoint}?page=1&page_size=100&updated_since=…`. The answer is a list, or an object with the list
under the entity's name, `data`, `items` or `results`. What follows is told by `next` (an address or null), `next_page`,
`has_more`, `total_pages` or a Link header, at the top or under `pagination`; where nothing tells, a full page has one after it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urljoin

import orjson

from engine.ports import HttpAnswer, HttpCall, Rejected, Unavailable
from integrations.dms.settings import address_of
from integrations.http import GuardedHttp
from integrations.json_api import Reply, basic, refusal_of
from integrations.urls import origin

PAGE_SIZE = 100
MAX_RECORDS = 5_000  # of one page
_LISTS = ("data", "items", "results", "records")
_LINK = re.compile(r'<([^<>]{1,2000})>\s{0,20};[^,<]{0,200}\brel="?next"?', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Page:
    """Records as they came, and where the next ones are: keys of the cursor, or None after the last page."""

    records: list[Any]
    after: dict[str, Any] | None


@dataclass(slots=True)
class DmsClient:
    """One DMS with the organization's credentials in it. `credentials` change only when a token endpoint hands out a new one."""

    configuration: Mapping[str, Any]
    endpoints: Mapping[str, str]
    auth_type: str
    refresh: Mapping[str, Any] | None
    credentials: dict[str, str] = field(repr=False)
    replaced: str = field(default="", repr=False)  # the refresh token that is worth nothing any more
    _token: str = field(default="", repr=False)

    @property
    def timeout(self) -> float:
        return float(self.configuration["timeout_ms"]) / 1000

    def read(self, entity: str, cursor: Mapping[str, Any], since: str | None) -> Page:
        """One page. Raises Rejected (trying again cannot help) or Unavailable (with `retry_after` seconds where it says so)."""
        address = address_of(self.configuration, self.endpoints[entity])
        number = int(cursor.get("page") or 1)
        url = str(cursor["next"]) if cursor.get("next") else address
        if origin(url) != origin(address):
            raise Rejected("The address of the DMS was changed while it was read. Start another sync.")
        query: dict[str, Any] = {} if cursor.get("next") else {"page": number, "page_size": PAGE_SIZE}
        if query and since:
            query["updated_since"] = since
        answer = self._get(url, query)
        body = _json(answer)
        records = _records(body, entity)
        return Page(records, _after(body, answer, url, number, len(records)))

    def _get(self, url: str, query: Mapping[str, Any]) -> HttpAnswer:
        fresh = not self._token
        answer = self._call(url, query)
        if answer.status == 401 and self.auth_type == "oauth2" and not fresh:
            self._token = ""  # It ran out while pages were read.
            answer = self._call(url, query)
        if not 200 <= answer.status < 300:
            raise _refusal(answer)
        return answer

    def _call(self, url: str, query: Mapping[str, Any]) -> HttpAnswer:
        headers = {"Accept": "application/json", **self._authorization()}
        return GuardedHttp().call(HttpCall("", "GET", url, query, headers), timeout=self.timeout)

    def _authorization(self) -> dict[str, str]:
        given = self.credentials
        if self.auth_type == "basic_auth":
            return {"Authorization": basic(given["username"], given["password"])}
        if self.auth_type == "api_key":
            header = given.get("header") or "X-API-Key"
            return {header: f"Bearer {given['api_key']}" if header.lower() == "authorization" else given["api_key"]}
        self._token = self._token or self._new_token()
        return {"Authorization": f"Bearer {self._token}"}

    def _new_token(self) -> str:
        """By refresh token where there is one, else by client credentials (RFC 6749, 6 and 4.4)."""
        about, given = self.refresh or {}, self.credentials
        client_id = given.get("client_id") or str(about.get("client_id") or "")
        pairs = [("client_id", client_id), ("client_secret", given["client_secret"])]
        if given.get("refresh_token"):
            pairs += [("grant_type", "refresh_token"), ("refresh_token", given["refresh_token"])]
        else:
            pairs.append(("grant_type", "client_credentials"))
        if about.get("scope"):
            pairs.append(("scope", str(about["scope"])))
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        call = HttpCall("", "POST", str(about["token_url"]), {}, headers, urlencode(pairs).encode())
        answer = GuardedHttp().call(call, timeout=self.timeout)
        if not 200 <= answer.status < 300:
            raise _refusal(answer, "The token endpoint of the DMS")
        body = _json(answer)
        token = body.get("access_token") if isinstance(body, dict) else None
        if not isinstance(token, str) or not token.isprintable():
            raise Rejected("The token endpoint of the DMS answered without an access_token.")
        replaced = body.get("refresh_token")
        if given.get("refresh_token") and isinstance(replaced, str) and replaced not in ("", given["refresh_token"]):
            self.replaced, given["refresh_token"] = given["refresh_token"], replaced
        return token


def _refusal(answer: HttpAnswer, name: str = "The DMS") -> Exception:
    """429 and 5xx may be tried again: nothing but reading is done."""
    headers = {key.lower(): value for key, value in answer.headers.items()}
    failure = refusal_of(name, Reply(answer.status, {}, headers.get("retry-after", "")), "", sent=False)
    if answer.status in (408, 425):
        return Unavailable(failure.message, **failure.details)
    return failure


def _json(answer: HttpAnswer) -> Any:
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        raise Rejected("The DMS did not answer with JSON; check the address and the endpoints.") from None


def _records(body: Any, entity: str) -> list[Any]:
    found = body
    if isinstance(body, dict):
        found = next((body[name] for name in (entity, *_LISTS) if isinstance(body.get(name), list)), None)
    if not isinstance(found, list):
        raise Rejected(f"The DMS answered without a list of {entity}; check the endpoints.")
    if len(found) > MAX_RECORDS:
        raise Rejected(f"The DMS answered with {len(found):,} records at once; a page may have {MAX_RECORDS:,}.")
    return found


def _after(body: Any, answer: HttpAnswer, url: str, number: int, count: int) -> dict[str, Any] | None:
    """The cursor of the next page. An address of another origin is refused: the credential goes nowhere else."""
    told = body if isinstance(body, dict) else {}
    told = {**told, **(told["pagination"] if isinstance(told.get("pagination"), dict) else {})}
    link = _LINK.search({key.lower(): value for key, value in answer.headers.items()}.get("link", ""))
    following = told.get("next") or (link[1] if link else None)
    if isinstance(following, str):
        try:
            target = urljoin(url, following)
        except ValueError:
            raise Rejected("The DMS names a next page that is no address.") from None
        if origin(target) != origin(url):
            raise Rejected("The DMS names a next page at another address; the credential goes nowhere else.")
        return {"next": target, "page": number + 1} if target != url else None
    if "next" in told or (count == 0 and "next_page" not in told):
        return None
    if "next_page" in told:
        page = told["next_page"]
        return {"page": page} if isinstance(page, int) and page > number else None
    for name in ("has_more", "has_next"):
        if isinstance(told.get(name), bool):
            return {"page": number + 1} if told[name] else None
    if isinstance(told.get("total_pages"), int):
        return {"page": number + 1} if number < told["total_pages"] else None
    return {"page": number + 1} if count >= PAGE_SIZE else None
