"""What is kept of devices: it leaves with an export without its secrets, and goes with its person."""

from __future__ import annotations

import pytest
from django.core.management import call_command

from devices.models import Device
from privacy.inventory import by_label
from tests.api.people import Person
from tests.devices.machines import machine

pytestmark = pytest.mark.django_db(transaction=True)


def test_devices_go_with_their_person(ann: Person, member: Person) -> None:
    gone, kept = machine(member), machine(ann)
    call_command("erase", "user", member.email, "--now")
    assert [str(each.pk) for each in Device.objects.all()] == [kept.id]
    assert gone.answer().status_code == 401


def test_no_key_and_no_token_leaves() -> None:
    hidden = set(by_label()["devices.Device"].hidden)
    assert hidden == {"public_key", "push_secret", "hardware_id_hash"}
    assert by_label()["devices.Installation"].hidden == ("secret_hash",)
