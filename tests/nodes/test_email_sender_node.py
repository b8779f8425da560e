import uuid
from typing import Any

import pytest

from engine.expressions import ExpressionError
from engine.house_ports import StoredFile
from engine.node import Done, Failed
from engine.ports import Attachment, Mail, MessageTemplate, Rejected, Unknown
from engine.registry import NODES
from engine.testing import FakeStep, RecordingEmail, memory_ports, problems_of, run_node

PLAIN = {"to": "jane@example.com", "subject": "Hello", "text": "Hi"}
FOLLOW_UP = MessageTemplate(
    name="follow_up_template",
    subject="About your {{ car }}",
    text="Dear {{ customer_name }}, & so on",
    html="<p>Dear {{ customer_name }}</p>",
)


def send(config: dict[str, Any], **step: Any) -> tuple[Any, list[Mail]]:
    ports = memory_ports(templates=[FOLLOW_UP])
    outcome = run_node("email", config, FakeStep(ports=ports, key="e/n/0", **step))
    assert isinstance(ports.email, RecordingEmail)
    return outcome, ports.email.sent


def refused(config: dict[str, Any], **step: Any) -> Failed:
    outcome, sent = send(config, **step)
    assert sent == []
    assert isinstance(outcome, Failed)
    return outcome


def test_a_mail_is_sent_once_with_the_steps_key() -> None:
    outcome, sent = send(
        {**PLAIN, "from": "Sales <sales@example.org>", "reply_to": "r@example.org", "html": "<p>Hi</p>"}
    )
    assert sent == [
        Mail(
            key="e/n/0", to=["jane@example.com"], subject="Hello", text="Hi", html="<p>Hi</p>", cc=[], bcc=[],
            sender="Sales <sales@example.org>", reply_to="r@example.org",
        )
    ]  # fmt: skip
    assert outcome == Done(
        {
            "email_sent": True,
            "email_id": str(uuid.uuid5(uuid.NAMESPACE_URL, "e/n/0")),
            "message_id": "<e/n/0@memory.test>",
            "status": "sent",
            "provider": "memory",
        },
        receipt="<e/n/0@memory.test>",
    )


def test_001s_example_sends_a_stored_message() -> None:
    config = {"label": "Send Follow-up Email", "to": "customer@example.com", "template": "follow_up_template"}
    outcome, sent = send(config, inputs={"customer_name": "Jane <b>", "car": "CR-V"})
    assert outcome.output["email_sent"] is True
    assert sent[0].subject == "About your CR-V"
    assert sent[0].text == "Dear Jane <b>, & so on"
    assert sent[0].html == "<p>Dear Jane &lt;b&gt;</p>"


def test_template_data_lies_over_the_inputs_and_own_texts_over_the_stored_ones() -> None:
    config = {**PLAIN, "text": "", "template": "follow_up_template", "template_data": {"customer_name": "Ada"}}
    _, sent = send(config, inputs={"customer_name": "Jane", "car": "x"})
    assert (sent[0].subject, sent[0].text) == ("Hello", "Dear Ada, & so on")


def test_a_stored_message_sees_nothing_but_its_data() -> None:
    ports = memory_ports(templates=[MessageTemplate("t", "s", "{{ steps.secret.x }}")])
    with pytest.raises(ExpressionError):
        run_node(
            "email", {"to": "a@example.com", "template": "t"}, FakeStep(ports=ports, steps={"secret": {"x": "leak"}})
        )
    assert ports.email.sent == []  # type: ignore[attr-defined]


def test_values_are_never_read_as_templates() -> None:
    _, sent = send(
        {"to": "a@example.com", "template": "follow_up_template"}, inputs={"customer_name": "{{ car }}", "car": "c"}
    )
    assert sent[0].text == "Dear {{ car }}, & so on"


def test_an_unknown_template_names_those_there_are() -> None:
    with pytest.raises(Rejected, match="there are: follow_up_template"):
        send({"to": "a@example.com", "template": "nope"})


@pytest.mark.parametrize(
    ("given", "addresses"),
    [
        ("a@example.com, b@example.com", ["a@example.com", "b@example.com"]),
        ("a@example.com; A@EXAMPLE.COM", ["a@example.com"]),
        (["a@example.com,b@example.com", "c@example.com"], ["a@example.com", "b@example.com", "c@example.com"]),
        ('"Smith, Jane" <jane@example.com>, b@example.com', ['"Smith, Jane" <jane@example.com>', "b@example.com"]),
        ([None, "a@example.com", ""], ["a@example.com"]),
        ("josé@exämple.example", ["josé@exämple.example"]),
    ],
)
def test_recipients_are_split(given: Any, addresses: list[str]) -> None:
    outcome, sent = send({**PLAIN, "to": given})
    assert isinstance(outcome, Done)
    assert sent[0].to == addresses


@pytest.mark.parametrize(
    "address",
    [
        "jane", "jane@", "@example.com", "jane@example", "a b@example.com", "jane@example..com", "<jane@example.com",
        "alice@example.org)bob@example.org", "jane@@example.com", "{{ nobody }}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("field", ["to", "cc", "bcc", "from", "reply_to"])
def test_what_is_no_address_is_refused_by_its_field(field: str, address: str) -> None:
    failed = refused({**PLAIN, field: address})
    assert failed.code == (
        "rejected" if "{{" in address else "config"
    )  # What data brought is not the configuration's fault.
    assert "is no e-mail address; write jane@example.com" in failed.details["fields"][field]


@pytest.mark.parametrize("sign", ["\n", "\r", "\r\n", "\x00"])
def test_nobody_can_add_headers(sign: str) -> None:
    for field in ("to", "cc", "from", "reply_to"):
        assert field in refused({**PLAIN, field: f"jane@example.com{sign}Bcc: evil@example.com"}).details["fields"]
    assert "subject" in refused({**PLAIN, "subject": f"Hi{sign}Bcc: evil@example.com"}).details["fields"]


def test_fifty_recipients_are_the_most() -> None:
    many = [f"p{n}@example.com" for n in range(50)]
    outcome, sent = send({**PLAIN, "to": many})
    assert isinstance(outcome, Done)
    assert len(sent[0].to) == 50
    failed = refused({**PLAIN, "to": many, "cc": "one@example.com"})
    assert failed.details["fields"]["to"] == "One mail may have 50 recipients; this one has 51."


def test_an_endless_list_is_refused_at_once() -> None:
    failed = refused({**PLAIN, "to": '"\\' * 500_000})
    assert "this list is 1,000,000 characters long" in failed.message


@pytest.mark.parametrize("nobody", ["", None, [], [None], " , "])
def test_an_empty_recipient_is_told(nobody: Any) -> None:
    told = refused({**PLAIN, "to": nobody}).details["fields"]["to"]
    assert told == (
        "There is no recipient; the value it was made from is empty."
        if nobody == " , "
        else "A mail needs at least one recipient."
    )


def test_an_empty_message_is_told() -> None:
    assert set(refused({**PLAIN, "subject": " ", "text": "\n"}).details["fields"]) == {"subject", "text"}


@pytest.mark.parametrize(
    ("config", "places"),
    [
        (PLAIN, []),
        ({"to": "{{ customer_email }}", "template": "t"}, []),
        ({"to": "a@example.com"}, ["subject", "text"]),
        ({"to": "a@example.com", "subject": "s", "html": "<p>"}, []),
        ({**PLAIN, "to": "jane"}, ["to"]),
        ({**PLAIN, "from": "jane"}, ["from"]),
        ({**PLAIN, "to": []}, ["to"]),
        ({**PLAIN, "attachments": ["{{ steps.read.artefact }}"]}, []),
    ],
)
def test_mistakes_are_found_when_it_is_saved(config: dict[str, Any], places: list[str]) -> None:
    assert [where for where, _ in problems_of("email", config)] == places


PDF = StoredFile("f-1", "Offer.pdf", "application/pdf", b"%PDF-1.7 offer")
ROWS = StoredFile("f-2", "rows.csv", "text/csv", b"a,b\n")


def attached(given: Any, *files: StoredFile) -> tuple[Any, list[Mail]]:
    ports = memory_ports(files=files)
    outcome = run_node("email", {**PLAIN, "attachments": given}, FakeStep(ports=ports))
    assert isinstance(ports.email, RecordingEmail)
    return outcome, ports.email.sent


@pytest.mark.parametrize("given", [["f-1", "f-2"], [{"artefact": "f-1", "items": []}, None, {"file": "f-2"}]])
def test_stored_files_are_attached_by_id_or_as_the_output_that_made_them(given: Any) -> None:
    outcome, sent = attached(given, PDF, ROWS)
    assert isinstance(outcome, Done)
    assert [list(mail.attachments) for mail in sent] == [
        [
            Attachment("Offer.pdf", "application/pdf", b"%PDF-1.7 offer"),
            Attachment("rows.csv", "text/csv", b"a,b\n"),
        ]
    ]


def test_one_file_alone_needs_no_list() -> None:
    _, sent = attached("f-1", PDF)
    assert [each.name for each in sent[0].attachments] == ["Offer.pdf"]


def test_a_file_that_is_not_there_sends_nothing() -> None:
    with pytest.raises(Rejected, match="There is no file of the id 'f-9'"):
        attached(["f-1", "f-9"], PDF)


def test_attachments_that_are_too_large_together_send_nothing() -> None:
    half = StoredFile("f-1", "half.csv", "text/csv", b"x" * (11 * 1024 * 1024))
    ports = memory_ports(files=[half])
    with pytest.raises(Rejected, match=r"more than 20 MiB together; 'half\.csv' does not fit any more"):
        run_node("email", {**PLAIN, "attachments": ["f-1", "f-1"]}, FakeStep(ports=ports))
    assert isinstance(ports.email, RecordingEmail)
    assert ports.email.sent == []


def test_too_many_attachments_are_refused() -> None:
    outcome, sent = attached(["f-1"] * 21, PDF)
    assert (outcome.code, sent) == ("rejected", [])
    assert "One mail may carry 20 files; this one has 21." in outcome.message


def test_numbers_from_templates_are_text() -> None:
    _, sent = send({**PLAIN, "subject": 12, "text": {"a": 1}})
    assert (sent[0].subject, sent[0].text) == ("12", '{"a":1}')


def test_a_failure_of_the_port_passes_through() -> None:
    ports = memory_ports(mail_failures=[Unknown("The server took the mail and fell silent.")])
    with pytest.raises(Unknown):
        run_node("email", PLAIN, FakeStep(ports=ports))


def test_after_a_crash_the_mail_is_looked_up_by_its_key() -> None:
    node_type = NODES.get("email")
    assert node_type.lookup is not None
    config = node_type.config.model_validate(PLAIN)
    step = FakeStep(key="e/n/0")
    assert node_type.lookup(config, step) is None
    sent = node_type.run(config, step)
    assert node_type.lookup(config, step) == sent
