"""`delay`: the run goes on later (`schemas/node_configs.yaml`). No worker is held meanwhile, and nothing is lost by a restart."""

from __future__ import annotations

import datetime as dt

from pydantic import Field

from engine.node import Done, Failed, NodeConfig, Outcome, Step, node
from engine.waiting import Reason, Wait, Wake
from nodes.settings.checks import Problems

LONGEST = 366 * 86_400  # seconds


class Config(NodeConfig):
    seconds: float | None = Field(default=None, ge=0, le=LONGEST, description="How long to wait, in seconds.")
    until: dt.datetime | None = Field(
        default=None, description="When to go on, such as 2026-12-01T09:00:00+01:00; without a zone it is UTC."
    )


def check(config: Config) -> Problems:
    if (config.seconds is None) == (config.until is None):
        return [("seconds", "Say either seconds or until, and not both.")]
    return []


def resume(config: Config, step: Step, wake: Wake) -> Outcome:
    if not wake.expired:
        return Wait(Reason.DELAY, wake.left)
    return Done({"waited_seconds": round(wake.waited, 3)})


def sample(config: Config) -> dict[str, float]:
    """As if the time were over."""
    return {"waited_seconds": config.seconds or 0.0}


@node("delay", title="Delay", config=Config, check=check, resume=resume, sample=sample)
def run(config: Config, step: Step) -> Outcome:
    """Waits for a time, or until a moment; one that has passed is no wait."""
    seconds = (config.seconds or 0.0) if config.until is None else _until(config.until, step.now)
    if seconds > LONGEST:
        return Failed("config", f"The moment {config.until} is more than {LONGEST // 86_400} days away.")
    return Wait(Reason.DELAY, seconds) if seconds > 0 else Done({"waited_seconds": 0.0})


def _until(moment: dt.datetime, now: str) -> float:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return (aware - dt.datetime.fromisoformat(now)).total_seconds()
