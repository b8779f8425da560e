import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.formats.phones import to_e164


@pytest.mark.parametrize(
    ("number", "country", "e164"),
    [
        ("(512) 555-0143", "US", "+15125550143"),
        ("512.555.0143", "", "+15125550143"),
        ("1-512-555-0143", "", "+15125550143"),
        ("512 555 0143 ext. 12", "USA", "+15125550143"),
        ("512-555-0143 x4", "", "+15125550143"),
        ("+1 (512) 555-0143", "DE", "+15125550143"),
        ("416-555-0143", "Canada", "+14165550143"),
        ("020 7946 0958", "United Kingdom", "+442079460958"),
        ("+44 (0)20 7946 0958", "", "+442079460958"),
        ("0044 20 7946 0958", "", "+442079460958"),
        ("011 44 20 7946 0958", "US", "+442079460958"),
        ("55 1234 5678", "MX", "+525512345678"),
        ("06 12 34 56 78", "FR", "+33612345678"),
    ],
)
def test_numbers_whose_country_is_known(number: str, country: str, e164: str) -> None:
    assert to_e164(number, country) == e164


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("555-0143", ""),  # no area code
        ("112-555-0143", "US"),  # no area code begins with 1
        ("512-555-0143", "Atlantis"),  # another country, unknown to us
        ("020 7946 0958", ""),  # ten digits are missing, so the country is not known
        ("1-800-FLOWERS", "US"),
        ("call me", ""),
        ("", ""),
        ("+123", ""),
        ("+1234567890123456", ""),
    ],
)
def test_numbers_that_leave_doubt(number: str, country: str) -> None:
    assert to_e164(number, country) is None


@given(st.text(max_size=40), st.sampled_from(["", "US", "GB", "Atlantis"]))
def test_whatever_comes_the_answer_is_e164_or_nothing(number: str, country: str) -> None:
    e164 = to_e164(number, country)
    assert e164 is None or (e164[0] == "+" and 8 <= len(e164) - 1 <= 15)
