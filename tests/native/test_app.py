"""What an app is told at its start, and which version it should have."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from auterity.kernel.versions import version
from native import releases
from native.models import Release
from tests.api.people import Api, Person
from tests.native.devices import Device, change, refused

pytestmark = pytest.mark.django_db(transaction=True)


def released(number: str, **more: Any) -> Release:
    about: dict[str, Any] = {
        "platform": "macos",
        "version": number,
        "released_at": timezone.now() - timedelta(hours=1),
        "download_url": f"https://downloads.example/{number}",
        "size_bytes": 1000,
        "sha256": "a" * 64,
        **more,
    }
    row = Release(**about)
    row.full_clean()
    row.save()
    return row


def updates(api: Api, app_version: str = "1.0.0", **query: Any) -> dict[str, Any]:
    asked = "&".join(
        f"{name}={value}" for name, value in {"platform": "macos", "app_version": app_version, **query}.items()
    )
    answer = api.get(f"/native/updates?{asked}")
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()["data"]
    return found


# -- updates ---------------------------------------------------------------------------------------------------------------


def test_without_releases_there_is_no_update(anyone: Api) -> None:
    found = updates(anyone)
    assert (found["update_available"], found["mandatory"], found["release"]) == (False, False, None)
    assert (found["current_version"], found["latest_version"], found["minimum_version"]) == ("1.0.0", "1.0.0", "0.0.0")


def test_the_newest_release_for_the_app_is_offered(anyone: Api) -> None:
    released("1.9.0")
    released("1.10.0", notes_markdown="**New**", signature="abc_-")
    released("2.0.0-beta.1", channel="beta")
    released("9.0.0", platform="windows")
    released("8.0.0", arch="arm64")
    released("7.0.0", released_at=timezone.now() + timedelta(hours=1))
    released("6.0.0", withdrawn_at=timezone.now())
    found = updates(anyone)
    assert found["update_available"]
    assert found["latest_version"] == "1.10.0"
    assert (found["release"]["notes_markdown"], found["release"]["signature"]) == ("**New**", "abc_-")
    assert updates(anyone, channel="beta")["latest_version"] == "2.0.0-beta.1"
    assert updates(anyone, arch="arm64")["latest_version"] == "8.0.0"
    assert updates(anyone, "1.10.0")["update_available"] is False
    assert updates(anyone, "1.11.0")["latest_version"] == "1.11.0"
    assert updates(anyone, "1.10.0-rc.1")["update_available"] is True
    assert updates(anyone, "1.10.0%2Bbuild.7")["update_available"] is False


def test_a_staged_release_reaches_its_share_and_the_same_ones_each_time(anyone: Api) -> None:
    released("1.1.0")
    row = released("1.2.0", rollout_percent=30)
    installations = [uuid4() for _ in range(300)]

    def offered() -> list[bool]:
        found = [
            releases.standing(platform="macos", current=version("1.0.0"), installation=each) for each in installations
        ]
        return [str(each.latest) == "1.2.0" for each in found]

    first = offered()
    assert 50 < sum(first) < 130
    assert offered() == first
    Release.objects.filter(pk=row.pk).update(rollout_percent=60)
    more = offered()
    assert sum(more) > sum(first)
    assert all(after for before, after in zip(first, more, strict=True) if before)
    assert updates(anyone)["latest_version"] == "1.1.0"
    chosen = installations[first.index(True)]
    assert updates(anyone, install_id=chosen)["latest_version"] == "1.2.0"


def test_below_the_minimum_nobody_waits_for_their_turn(anyone: Api) -> None:
    released("2.0.0", rollout_percent=0, minimum_version="1.5.0")
    found = updates(anyone, "1.4.9")
    assert (found["mandatory"], found["minimum_version"], found["latest_version"]) == (True, "1.5.0", "2.0.0")
    found = updates(anyone, "1.5.0")
    assert (found["mandatory"], found["update_available"]) == (False, False)


@pytest.mark.parametrize(
    "query",
    ["", "platform=macos", "app_version=1.0.0", "platform=beos&app_version=1.0.0", "platform=macos&app_version=1.0",
     "platform=macos&app_version=v1.0.0", "platform=macos&app_version=01.0.0",
     "platform=macos&app_version=" + "1" * 5000 + ".0.0",
     "platform=macos&app_version=1.0.0&channel=nightly", "platform=macos&app_version=1.0.0&arch=mips",
     "platform=macos&app_version=1.0.0&install_id=7", "platform=macos&app_version=1.0.0%0A",
     "platform=macos&app_version=%D9%A1.0.0"],
)  # fmt: skip
def test_a_question_of_the_wrong_shape_is_refused(anyone: Api, query: str) -> None:
    refused(anyone.get(f"/native/updates?{query}"), 400, "ERR_400_VALIDATION")


@pytest.mark.parametrize(
    "more",
    [{"version": "1.0"}, {"minimum_version": "1"}, {"download_url": "http://x.example"}, {"download_url": "javascript:x"},
     {"sha256": "A" * 64}, {"rollout_percent": 101}, {"size_bytes": 0}, {"signature": "a b"}],
)  # fmt: skip
def test_operators_cannot_record_what_is_no_release(db: None, more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        released(more.pop("version", "1.0.0"), **more)


# -- configuration -----------------------------------------------------------------------------------------------------------


def config(api: Api, query: str = "") -> dict[str, Any]:
    answer = api.get(f"/native/config{query}")
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()["data"]
    return found


def test_an_app_is_told_what_it_needs_before_anybody_logs_in(anyone: Api, settings: Any) -> None:
    found = config(anyone)
    assert found["user"] is None
    assert found["api"]["max_upload_bytes"] == 25 * 1024 * 1024
    collections = {each["name"]: (each["writable"], each["conflict_policy"]) for each in found["sync"]["collections"]}
    assert collections == {
        "workflow_drafts": (True, "merge"), "preferences": (True, "merge"), "workflows": (False, "reject"),
        "executions": (False, "reject"), "templates": (False, "reject"), "notifications": (False, "reject"),
        "files": (False, "reject"),
    }  # fmt: skip
    assert found["features"] == {"chat": False, "offline_drafts": True, "push": False, "ollama": False}
    assert found["versions"] == {"minimum": "0.0.0", "latest": "0.0.0", "update_required": False}
    assert found["auth"]["access_token_seconds"] == 3600
    assert found["auth"]["methods"] == ["password", "passkey", "device"]
    assert found["sync"]["max_changes_per_call"] == settings.NATIVE["max_changes"] == 100


def test_somebody_is_told_their_own_and_a_bad_token_is_nobody(ann: Person, viewer: Person) -> None:
    found = config(ann.api)
    assert (found["user"]["role"], found["user"]["tier"]) == ("admin", "standard")
    assert found["user"]["preferences"]["ui"]["theme"] == "system"
    assert config(viewer.api)["features"]["offline_drafts"] is False
    assert config(Api("nonsense"))["user"] is None


def test_the_configuration_is_sent_again_only_when_it_changed(ann: Person) -> None:
    first = ann.api.get("/native/config")
    etag = first.headers["ETag"]
    assert etag == f'"{first.json()["data"]["config_version"]}"'
    assert ann.api.get("/native/config", If_None_Match=etag).status_code == 304
    device = Device(ann.api)
    device.sync()
    ((row, (base, _)),) = device.rows["preferences"].items()
    assert ann.api.get("/native/config", If_None_Match=etag).status_code == 304
    device.sync(change("preferences", "update", row, base, {"ui": {"theme": "dark"}}))
    again = ann.api.get("/native/config", If_None_Match=etag)
    assert (again.status_code, again.json()["data"]["user"]["preferences"]["ui"]["theme"]) == (200, "dark")


def test_a_version_below_the_minimum_must_update(anyone: Api) -> None:
    released("2.0.0", minimum_version="1.5.0")
    old = config(anyone, "?platform=macos&app_version=1.4.0")["versions"]
    assert old == {"minimum": "1.5.0", "latest": "2.0.0", "update_required": True}
    assert config(anyone, "?platform=macos&app_version=1.5.0")["versions"]["update_required"] is False
    for query in ("?app_version=1", "?app_version=v2", "?platform=beos"):
        refused(anyone.get(f"/native/config{query}"), 400, "ERR_400_VALIDATION")
