"""The outbox writes a mail once, however often and by however many it is asked."""

from __future__ import annotations

import threading
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest

from engine.ports import Attachment, Mail, MailReceipt, Rejected, Unavailable
from integrations.mail import digest
from integrations.providers.email.outbox import Config, Outbox
from integrations.selectors import email_port


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(Config(folder=tmp_path / "outbox", sender="Auterity <no-reply@auterity.local>"))


def mail(**more: object) -> Mail:
    return Mail(**{"key": "run/mail/0", "to": ["ann@example.com"], "subject": "Hi", "text": "Hello"} | more)  # type: ignore[arg-type]


def test_mail_becomes_a_file(outbox: Outbox, tmp_path: Path) -> None:
    receipt = outbox.send(mail(bcc=["boss@example.com"]), timeout=5)
    assert receipt == MailReceipt(f"<{digest('run/mail/0')}@auterity.local>", "sent", "outbox")
    [file] = (tmp_path / "outbox").iterdir()
    assert file.name == f"{digest('run/mail/0')}.eml"
    stored = message_from_bytes(file.read_bytes())
    assert (stored["To"], stored["Bcc"], stored["Subject"]) == ("ann@example.com", "boss@example.com", "Hi")


def test_repeat_gives_the_first_receipt_and_changes_nothing(outbox: Outbox, tmp_path: Path) -> None:
    first = outbox.send(mail(), timeout=5)
    [file] = (tmp_path / "outbox").iterdir()
    before = file.read_bytes()
    again = outbox.send(mail(text="Something else", sender="x@other.example"), timeout=5)
    assert again == first
    assert [each.read_bytes() for each in (tmp_path / "outbox").iterdir()] == [before]


def test_two_threads_at_once_write_one_file(outbox: Outbox, tmp_path: Path) -> None:
    for turn in range(20):
        gate = threading.Barrier(2)
        receipts: list[MailReceipt] = []

        def send(key: str = f"run/mail/{turn}", gate=gate, receipts=receipts) -> None:
            gate.wait(5)
            receipts.append(outbox.send(mail(key=key), timeout=5))

        threads = [threading.Thread(target=send) for _ in range(2)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(10)
        assert len(receipts) == 2
        assert receipts[0] == receipts[1]
    assert len(list((tmp_path / "outbox").iterdir())) == 20


def test_find_tells_the_truth(outbox: Outbox) -> None:
    assert outbox.find("run/mail/0") is None
    receipt = outbox.send(mail(), timeout=5)
    assert outbox.find("run/mail/0") == receipt
    assert outbox.find("run/mail/1") is None


def test_key_with_path_characters_stays_in_the_folder(outbox: Outbox, tmp_path: Path) -> None:
    outbox.send(mail(key="../../etc/passwd"), timeout=5)
    assert [each.parent for each in tmp_path.rglob("*.eml")] == [tmp_path / "outbox"]


def test_unusable_mail_leaves_nothing_behind(outbox: Outbox, tmp_path: Path) -> None:
    with pytest.raises(Rejected):
        outbox.send(mail(subject="a\nb"), timeout=5)
    assert not (tmp_path / "outbox").exists()


def test_folder_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(Unavailable, match="outbox folder cannot be written"):
        Outbox(Config(folder=tmp_path / "taken", sender="a@b.example")).send(mail(), timeout=5)


def test_outbox_is_the_default_and_smtp_takes_over_when_set(settings) -> None:
    assert type(email_port()).__name__ == "Outbox"
    settings.SMTP_URL = "smtp://user:pass@mail.example.com"
    assert type(email_port()).__name__ == "Smtp"


def test_attachments_are_kept_in_the_file(outbox: Outbox, tmp_path: Path) -> None:
    outbox.send(mail(attachments=[Attachment("a.pdf", "application/pdf", b"%PDF-1.7 \x00")]), timeout=5)
    [file] = (tmp_path / "outbox").iterdir()
    read = message_from_bytes(file.read_bytes(), policy=SMTP)
    assert isinstance(read, EmailMessage)
    [part] = read.iter_attachments()
    assert (part.get_filename(), part.get_content()) == ("a.pdf", b"%PDF-1.7 \x00")
