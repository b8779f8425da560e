import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.formats.vin import check_digit, clean_vin, is_valid_vin

SIGNS = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"
DIGITS = "0123456789X"


@pytest.mark.parametrize("vin", ["1HGCM82633A004352", "1M8GDM9AXKP042788", "11111111111111111", "5GZCZ43D13S812715"])
def test_a_right_check_digit_is_valid(vin: str) -> None:
    assert is_valid_vin(vin)


@pytest.mark.parametrize(
    "vin",
    [
        "1HGCM82633A004353",  # last digit
        "1HGCM82633A00435",  # too short
        "1HGCM82633A0043522",  # too long
        "IHGCM82633A004352",  # the letter I
        "1HGCM82633AOO4352",  # the letter O
        "1HGCM8263QA004352",  # the letter Q
        "",
        "UNKNOWN",
    ],
)
def test_anything_else_is_not(vin: str) -> None:
    assert not is_valid_vin(vin)


def test_blanks_hyphens_and_lower_case_are_cleaned() -> None:
    assert clean_vin(" 1hgcm-82633 a004352\n") == "1HGCM82633A004352"


@given(st.text(alphabet=SIGNS, min_size=17, max_size=17))
def test_exactly_one_check_digit_is_right(vin: str) -> None:
    right = check_digit(vin)
    assert [digit for digit in DIGITS if is_valid_vin(vin[:8] + digit + vin[9:])] == [right]


@given(
    st.text(alphabet=SIGNS, min_size=17, max_size=17), st.sampled_from([*range(8), *range(9, 17)]), st.integers(1, 8)
)
def test_a_mistyped_digit_is_noticed(vin: str, place: int, shift: int) -> None:
    vin = vin[:place] + "0" + vin[place + 1 :]
    vin = vin[:8] + check_digit(vin) + vin[9:]
    assert not is_valid_vin(vin[:place] + str(shift) + vin[place + 1 :])
