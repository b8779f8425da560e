"""What is shown of a step's settings never holds a credential."""

from __future__ import annotations

from executions.lines import MASK, masked


def test_headers_that_carry_credentials_are_masked() -> None:
    config = {"url": "https://api.example.com", "headers": {"Authorization": "Bearer abc", "Accept": "text/plain"}}
    assert masked(config, []) == {
        "url": "https://api.example.com",
        "headers": {"Authorization": MASK, "Accept": "text/plain"},
    }
    assert config["headers"]["Authorization"] == "Bearer abc"  # The step itself still sends it.


def test_paths_named_sensitive_are_masked_and_others_are_left() -> None:
    config = {"body": {"ssn": "123-45-6789", "name": "Jane"}, "text": "hi"}
    assert masked(config, ["body.ssn", "nowhere.at.all"]) == {"body": {"ssn": MASK, "name": "Jane"}, "text": "hi"}
