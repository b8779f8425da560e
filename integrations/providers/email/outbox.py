"""The embedded default: mails become .eml files in a folder, one a key, written whole or not at all."""

from __future__ import annotations

import os
import secrets
from email import message_from_bytes
from pathlib import Path

from pydantic import BaseModel

from engine.ports import Mail, MailReceipt, Unavailable
from integrations.mail import as_bytes, build, digest
from integrations.registry import provider


class Config(BaseModel):
    folder: Path
    sender: str


@provider("email", "outbox", title="Outbox folder", config=Config)
class Outbox:
    """`EmailPort` that keeps the mail instead of sending it. "sent" means: the file is on the disk."""

    def __init__(self, config: Config) -> None:
        self._folder = config.folder
        self._sender = config.sender

    def send(self, mail: Mail, *, timeout: float) -> MailReceipt:
        """Write once. A repeat with the same key changes nothing and returns the first receipt."""
        content = as_bytes(build(mail, self._sender, show_bcc=True))
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._write(self._path(mail.key), content)
            return self._receipt(self._path(mail.key))
        except OSError as error:
            raise Unavailable(f"The outbox folder cannot be written: {error.strerror}.") from error

    def find(self, key: str) -> MailReceipt | None:
        """The receipt of an earlier send; None means that it surely was not sent."""
        try:
            return self._receipt(self._path(key))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unavailable(f"The outbox folder cannot be read: {error.strerror}.") from error

    def _path(self, key: str) -> Path:
        return self._folder / f"{digest(key)}.eml"

    def _write(self, path: Path, content: bytes) -> None:
        """A link appears whole and only once, so that of two writers at once the second finds the first one's file."""
        if path.exists():
            return
        draft = path.with_suffix(f".{secrets.token_hex(6)}.part")
        try:
            with draft.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            path.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink(missing_ok=True)
        self._sync_folder()

    def _sync_folder(self) -> None:
        """The name is durable only once the folder is."""
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _receipt(self, path: Path) -> MailReceipt:
        stored = message_from_bytes(path.read_bytes())
        return MailReceipt(message_id=str(stored["Message-ID"]), status="sent", provider="outbox")
