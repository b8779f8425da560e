"""Which version of a client an installation should have: read from the releases that operators keep."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from semver import Version

from auterity.kernel.versions import version
from native.models import Arch, Channel, Release

NONE = Version(0)
PERCENT = 100


@dataclass(frozen=True, slots=True)
class Standing:
    """How an installation stands. `latest` and `minimum` are 0.0.0 and `release` is None where nothing is recorded.

    `mandatory`: it is below the minimum, and there is something to update to.
    """

    current: Version
    latest: Version
    minimum: Version
    release: Release | None
    checked_at: dt.datetime

    @property
    def below_minimum(self) -> bool:
        return self.current < self.minimum

    @property
    def mandatory(self) -> bool:
        return self.release is not None and self.below_minimum


def standing(
    *,
    platform: str,
    current: Version,
    channel: str = Channel.STABLE,
    arch: str = Arch.X64,
    installation: UUID | None = None,
) -> Standing:
    """What is offered to an installation.

    On the beta channel stable releases count too. A staged release is offered to the installations that a hash of their id puts
    into its share, always the same ones, and to nobody without an id; whoever is below the minimum need not wait for their turn.
    """
    now = timezone.now()
    releases = _published(platform=platform, channel=channel, arch=arch, now=now)
    minimum = _minimum(releases)
    offered = [each for each in releases if _is_for(each, installation)]
    newest = _newest(offered)
    if current < minimum and (newest is None or version(newest.version) < minimum):
        newest = _newest(releases)
    latest = version(newest.version) if newest else NONE
    release = newest if latest > current else None
    return Standing(current, latest, minimum, release, now)


def figures(platform: str | None) -> tuple[Version, Version]:
    """(minimum, latest stable version that everybody gets) of a platform, whatever its processor; 0.0.0 where nothing says."""
    if platform is None:
        return _minimum([]), NONE
    releases = _published(platform=platform, channel=Channel.STABLE, arch=None, now=timezone.now())
    newest = _newest([each for each in releases if each.rollout_percent >= PERCENT])
    return _minimum(releases), version(newest.version) if newest else NONE


def minimum_version(platform: str) -> str:
    """Below which clients of a platform must update."""
    return str(figures(platform)[0])


# -- inside ----------------------------------------------------------------------------------------------------------


def _published(*, platform: str, channel: str, arch: str | None, now: dt.datetime) -> list[Release]:
    channels = [Channel.STABLE] if channel == Channel.STABLE else [Channel.STABLE, Channel.BETA]
    rows = Release.objects.filter(platform=platform, channel__in=channels, released_at__lte=now)
    rows = rows.filter(Q(withdrawn_at=None) | Q(withdrawn_at__gt=now))
    return list(rows if arch is None else rows.filter(arch__in=[arch, Arch.ANY]))


def _minimum(releases: Iterable[Release]) -> Version:
    """The highest that a release or the operator's setting says."""
    said = [each.minimum_version for each in releases if each.minimum_version]
    return max(version(each) for each in (*said, settings.NATIVE_MINIMUM_VERSION))


def _newest(releases: Sequence[Release]) -> Release | None:
    """Of two for one version the one for the processor itself comes first."""
    return max(releases, key=lambda each: (version(each.version), each.arch != Arch.ANY), default=None)


def _is_for(release: Release, installation: UUID | None) -> bool:
    if release.rollout_percent >= PERCENT:
        return True
    return installation is not None and _share(release, installation) < release.rollout_percent


def _share(release: Release, installation: UUID) -> int:
    """From 0 to 99. Another one for each version, so that it is not always the same people who go first."""
    digest = hashlib.sha256(f"{release.version}/{installation}".encode()).digest()
    return int.from_bytes(digest[:8]) % PERCENT
