"""Files in and out. A file handle is only ever made by the multipart parser from a part of the body that has a file's name;
nothing that a client writes into JSON, a form field or a header becomes one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, cast

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser, DataAndFiles
from rest_framework.request import Request

from api.problems import BodyTooLarge, MalformedBody
from artefacts.errors import FileTooLarge
from auterity.kernel.errors import InvalidInput

FIELD = "file"
ENVELOPE_BYTES = 64 * 1024  # what multipart puts around a file


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A part of a multipart body, on disk. `name` and `sent_as` are the client's words."""

    name: str
    sent_as: str
    content: IO[bytes]


class OnDisk(TemporaryFileUploadHandler):
    """Every file goes to a temporary file, whatever its size, and is cut off where it gets too large."""

    received = 0

    def __init__(self, request: HttpRequest | None = None, *, most: int | None = None) -> None:
        super().__init__(request)
        self._most: int = most or settings.ARTEFACTS["max_upload_bytes"]

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.received += len(raw_data)
        if self.received > self._most:
            raise FileTooLarge(f"A file may have {self._most:,} bytes.", max_bytes=self._most)
        super().receive_data_chunk(raw_data, start)


class UploadParser(BaseParser):
    media_type = "multipart/form-data"

    most: int | None = None  # bytes that a file may have; None: as the settings say

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        request: Request = (parser_context or {})["request"]
        about = {**request.META, "CONTENT_TYPE": media_type or self.media_type}
        try:
            return DataAndFiles(*MultiPartParser(about, cast("Any", stream), [OnDisk(most=self.most)], "utf-8").parse())
        except (RequestDataTooBig, TooManyFilesSent, TooManyFieldsSent) as error:
            raise BodyTooLarge("The body holds more than one file and a few fields.") from error
        except MultiPartParserError as error:
            raise MalformedBody(f"The multipart body cannot be read: {error}.") from error


def uploaded(request: Request) -> Uploaded:
    """The one file of a multipart body. Raises `InvalidInput` where there is none, or more."""
    files = [each for _, found in request.FILES.lists() for each in found]
    if len(files) != 1 or FIELD not in request.FILES:
        raise InvalidInput.of(
            FIELD, "Send one file, as the part named 'file' of a multipart/form-data body.", "required"
        )
    (file,) = files
    return Uploaded(file.name or "", file.content_type or "", file.file)


def announced(request: Request) -> int:
    """Bytes of the file at least, by the body's header. What comes is counted too."""
    length = str(request.META.get("CONTENT_LENGTH") or "0")
    return max(int(length) - ENVELOPE_BYTES, 0) if length.isdecimal() and len(length) < 16 else 0


class WhateverIsAccepted(BaseContentNegotiation):
    """Bytes have the media type they have; refusals are JSON."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type
