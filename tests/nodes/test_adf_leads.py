"""ADF.md, "Normalised lead": what a lead says, however it was written."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from adf_samples import CLEAN, DATA, adf, lead
from hypothesis import given
from hypothesis import strategies as st

from nodes.formats.adf import parse_adf

LEAD_KEYS = {
    "prospect_id", "source", "status", "requested_at", "requested_at_original", "interest", "vehicle", "trade_in",
    "other_vehicles", "customer", "timeframe", "comments", "vendor", "provider", "raw",
}  # fmt: skip


def test_the_clean_example_gives_every_fact() -> None:
    found = lead(CLEAN)
    assert set(found) == LEAD_KEYS
    assert (found["prospect_id"], found["source"], found["status"]) == ("EL-20417", "ExampleListings", "new")
    assert found["requested_at"] == "2026-11-20T14:14:05Z"
    assert found["requested_at_original"] == "2026-11-20T09:14:05-05:00"
    assert found["interest"] == "buy"
    car = found["vehicle"]
    assert (car["vin"], car["vin_valid"]) == ("1HGCM82633A004352", True)
    assert (car["year"], car["make"], car["model"]) == (2026, "Honda", "CR-V")
    assert (car["trim"], car["stock"]) == ("EX-L", "H2604")
    assert car["price"] == {"amount": 36450, "currency": "USD", "type": "asking"}
    assert car["colors"] == [{"exterior": "Blue", "interior": None, "preference": "1"}]
    assert car["finance"] == {
        "method": "finance",
        "amounts": [{"amount": 5000, "currency": "USD", "type": "downpayment", "limit": "maximum"}],
        "balance": None,
    }
    assert found["trade_in"]["odometer"] == {"value": 81200, "units": "mi", "status": "original"}
    assert (found["trade_in"]["year"], found["trade_in"]["make"]) == (2017, "Toyota")
    assert found["other_vehicles"] == []
    assert found["timeframe"] == {
        "description": "Within two weeks",
        "earliest": "2026-11-21",
        "latest": "2026-12-05",
    }
    assert found["comments"].startswith("Is it still available?")
    assert found["vendor"]["name"] == "Example Motors"
    assert found["vendor"]["contact"]["email"] == "sales@example.org"
    assert found["provider"]["url"] == "https://listings.example.com"
    assert found["raw"] == CLEAN[CLEAN.index("<adf>") :].strip()


def test_the_clean_example_gives_the_whole_customer() -> None:
    assert lead(CLEAN)["customer"] == {
        "id": None,
        "name": {"full": "Jane Smith", "first": "Jane", "middle": None, "last": "Smith"},
        "email": "customer@example.com",
        "emails": ["customer@example.com"],
        "phones": [{"number": "(512) 555-0143", "e164": "+15125550143", "type": "cellphone", "time": "evening"}],
        "address": {
            "type": "home",
            "street": "12 Elm Street",
            "apartment": None,
            "city": "Austin",
            "region": "TX",
            "postal_code": "78701",
            "country": "US",
        },
        "preferred_contact": "email",
        "preferred_time": "evening",
    }


@pytest.mark.parametrize("form", ["text", "bytes"])
def test_the_example_as_it_is_mailed(form: str) -> None:
    content = (DATA / "as-mailed.eml").read_bytes()
    found = lead(content if form == "bytes" else content.decode("windows-1252"))
    assert (found["prospect_id"], found["source"]) == ("771", "Example Trucks")
    assert found["requested_at"] == "2026-11-20T21:01:00Z"  # The mail's own zone, as the date names none.
    assert found["requested_at_original"] == "11/20/2026 3:01 PM"
    assert (found["vehicle"]["year"], found["vehicle"]["make"]) == (None, "Ford")
    assert found["vehicle"]["comments"] == "crew cab & tow package"
    assert found["customer"]["name"]["full"] == "John Doe"
    assert found["customer"]["phones"][0]["e164"] == "+15125550178"
    assert found["comments"] == "What's the payment with $3,000 down?"
    assert found["vendor"] == {"id": None, "name": "Example Motors", "url": None, "contact": None}
    assert found["provider"]["name"] == "Example Trucks"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("crew cab & tow", "crew cab & tow"),
        ("crew cab &amp; tow", "crew cab & tow"),
        ("AT&T &nbsp;&copy; &unknown; &#8217;s", "AT&T © &unknown; ’s"),
        ("http://x.example/?a=1&copy=2&b=3", "http://x.example/?a=1&copy=2&b=3"),
        ("price < 3000 and > 2000", "price < 3000 and > 2000"),
        ("I <3 it & him <j@example.com>", "I <3 it & him <j@example.com>"),
        ("<![CDATA[a < b & <c>]]>", "a < b & <c>"),
        ("<![CDATA[a & b]]> & c", "a & b & c"),
        ("one<br>two<BR/>three", "one\ntwo\nthree"),
        ("  one  \n\n\n\n  two ", "one\n\ntwo"),
        ("<b>now</b> & here", "now & here"),
    ],
)
def test_comments_are_read_as_they_were_meant(written: str, read: str) -> None:
    content = adf(f"<contact><name>J</name></contact><comments>{written}</comments>")
    assert lead(content)["comments"] == read


def test_comments_under_the_prospect_count_too_and_none_twice() -> None:
    content = adf("<contact><name>J</name></contact><comments>one</comments>", "<comments>two</comments>")
    assert lead(content)["comments"] == "one\n\ntwo"
    same = adf("<contact><name>J</name></contact><comments>one</comments>", "<comments>one</comments>")
    assert lead(same)["comments"] == "one"


def test_a_lead_without_a_vehicle_is_a_lead() -> None:
    found = lead(adf())
    assert (found["vehicle"], found["trade_in"], found["interest"]) == (None, None, None)
    assert (found["requested_at"], found["vendor"], found["provider"]) == (None, None, None)


def test_empty_elements_are_null() -> None:
    car = lead(adf(rest="<vehicle><year/><make></make><model>  </model><vin/><price/><odometer/></vehicle>"))["vehicle"]
    assert [car[name] for name in ("year", "make", "model", "vin", "price", "odometer")] == [None] * 6
    assert (car["interest"], car["vin_valid"]) == ("buy", False)


@pytest.mark.parametrize("interest", ["trade-in", "Trade-In", "tradein", "trade in", "TRADE_IN"])
def test_a_trade_in_is_told_from_the_wanted_vehicle(interest: str) -> None:
    traded = f"<vehicle interest='{interest}'><make>Toyota</make></vehicle>"
    rest = traded + "<vehicle interest='lease'><make>Kia</make></vehicle>"
    found = lead(adf(rest=rest))
    assert (found["interest"], found["vehicle"]["make"], found["trade_in"]["make"]) == ("lease", "Kia", "Toyota")


def test_a_trade_in_alone() -> None:
    found = lead(adf(rest="<vehicle interest='trade-in'><make>Toyota</make></vehicle>"))
    assert (found["interest"], found["vehicle"], found["trade_in"]["make"]) == ("trade-in", None, "Toyota")


def test_further_vehicles_are_kept() -> None:
    rest = "<vehicle><make>Kia</make></vehicle><vehicle interest='test-drive'><make>Ford</make></vehicle>"
    found = lead(adf(rest=rest))
    assert [(each["interest"], each["make"]) for each in found["other_vehicles"]] == [("test-drive", "Ford")]


@pytest.mark.parametrize(
    ("vin", "kept", "valid"),
    [
        ("1hgcm82633a004352", "1HGCM82633A004352", True),
        ("1HGCM-82633 A004352", "1HGCM82633A004352", True),
        ("1HGCM82633A004353", "1HGCM82633A004353", False),
        ("N/A", "N/A", False),
    ],
)
def test_a_vin_is_verified(vin: str, kept: str, valid: bool) -> None:
    car = lead(adf(rest=f"<vehicle><vin>{vin}</vin></vehicle>"))["vehicle"]
    assert (car["vin"], car["vin_valid"]) == (kept, valid)


@pytest.mark.parametrize(
    ("price", "read"),
    [
        ("<price type='MSRP' currency='usd'>$36,450.00</price>", {"amount": 36450, "currency": "USD", "type": "msrp"}),
        ("<price>36450.5</price>", {"amount": 36450.5, "currency": None, "type": None}),
        ("<price>US$ 1,250,000</price>", {"amount": 1250000, "currency": "USD", "type": None}),
        ("<price type='call'>Call us</price>", {"amount": None, "currency": None, "type": "call"}),
        ("<price currency='USD'></price>", None),
    ],
)
def test_prices(price: str, read: Any) -> None:
    assert lead(adf(rest=f"<vehicle>{price}</vehicle>"))["vehicle"]["price"] == read


@pytest.mark.parametrize(("year", "read"), [("2026", 2026), ("MY 2026", 2026), ("26", None), ("20261", None)])
def test_years(year: str, read: int | None) -> None:
    assert lead(adf(rest=f"<vehicle><year>{year}</year></vehicle>"))["vehicle"]["year"] == read


@pytest.mark.parametrize(
    ("names", "name"),
    [
        ("<name>Jane Smith</name>", ("Jane Smith", None, None, None)),
        ("<name part='first'>Jane</name><name part='last'>Smith</name>", ("Jane Smith", "Jane", None, "Smith")),
        (
            "<name part='First'>J</name><name part='middle'>Q</name><name part='surname'>S</name>",
            ("J Q S", "J", "Q", "S"),
        ),
        ("<name part='full' type='business'>Acme &amp; Co</name>", ("Acme & Co", None, None, None)),
    ],
)
def test_names(names: str, name: tuple[str | None, ...]) -> None:
    read = lead(adf(f"<contact>{names}</contact>"))["customer"]["name"]
    assert (read["full"], read["first"], read["middle"], read["last"]) == name


def test_several_phones_and_emails_with_the_preferred_one_first() -> None:
    contact = (
        "<email>a@example.com</email><email preferredcontact='1'>mailto:b@example.com</email><email>none given</email>"
        "<phone type='voice' time='day'>512-555-0143 or 512-555-0144</phone><phone type='fax'>512/555-0145</phone>"
        "<phone/>"
    )
    customer = lead(adf(f"<contact>{contact}</contact>"))["customer"]
    assert customer["email"] == "b@example.com"
    assert customer["emails"] == ["b@example.com", "a@example.com"]
    assert [each["e164"] for each in customer["phones"]] == ["+15125550143", "+15125550144", "+15125550145"]
    assert [each["type"] for each in customer["phones"]] == ["voice", "voice", "fax"]
    assert (customer["preferred_contact"], customer["preferred_time"]) == ("email", "day")


def test_the_address_country_decides_about_phones_and_region_stands_for_regioncode() -> None:
    address = "<address><street line='1'>1 High St</street><street line='2'>Soho</street><region>London</region>"
    contact = f"<contact><phone>020 7946 0958</phone>{address}<country>UK</country></address></contact>"
    customer = lead(adf(contact))["customer"]
    assert customer["phones"][0]["e164"] == "+442079460958"
    assert (customer["address"]["street"], customer["address"]["region"]) == ("1 High St, Soho", "London")


def test_a_ten_digit_number_elsewhere_is_not_taken_for_american() -> None:
    contact = "<contact><phone>5125550143</phone><address><country>Atlantis</country></address></contact>"
    assert lead(adf(contact))["customer"]["phones"][0]["e164"] is None


def test_a_contact_directly_under_the_prospect_or_the_customer_is_found() -> None:
    assert lead("<adf><prospect><contact><email>a@b.example</email></contact></prospect></adf>")["customer"]["email"]
    assert lead(adf("<name>Jane</name><phone>1</phone>"))["customer"]["name"]["full"] == "Jane"


def test_the_lowest_sequence_names_the_prospect_and_the_provider_stands_in_for_its_source() -> None:
    rest = "<id sequence='10' source='ten'>X</id><id sequence='2' source='two'>Y</id><id sequence='1' source='one'/>"
    found = lead(adf(rest=rest))
    assert (found["prospect_id"], found["source"]) == ("Y", "two")
    assert lead(adf(rest="<id>7</id><provider><name>Cars</name></provider>"))["source"] == "Cars"


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2026-11-20T09:14:05", "2026-11-20T14:14:05Z"),
        ("11/20/2026 9:14 AM", "2026-11-20T14:14:00Z"),
        ("2026-11-20T09:14:05Z", "2026-11-20T09:14:05Z"),
        ("yesterday", None),
    ],
)
def test_a_date_without_a_zone_takes_the_one_that_is_given(written: str, utc: str | None) -> None:
    content = adf(rest=f"<requestdate>{written}</requestdate>")
    found = parse_adf(content, ZoneInfo("America/New_York")).items[0]
    assert (found["requested_at"], found["requested_at_original"]) == (utc, written)


@given(st.text(max_size=200))
def test_any_name_survives(name: str) -> None:
    name = "J" + "".join(sign for sign in name if sign.isprintable() and sign not in "<>&") + "."
    found = lead(adf(f"<contact><name part='full'>{name}</name></contact>"))
    assert found["customer"]["name"]["full"] == " ".join(name.split())
