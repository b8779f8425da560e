"""Multipart bodies, as clients send them and as attackers do, and small files of every kind."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import openpyxl
from PIL import Image

BOUNDARY = "----boundary7781"
MEDIA = f"multipart/form-data; boundary={BOUNDARY}"


def part(content: bytes, disposition: str, media: str = "") -> bytes:
    lines = f"--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n"
    return lines.encode() + (f"Content-Type: {media}\r\n".encode() if media else b"") + b"\r\n" + content + b"\r\n"


def body(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def file_body(name: str, content: bytes, media: str = "") -> bytes:
    return body(part(content, f'name="file"; filename="{name}"', media))


def send(api: Any, name: str, content: bytes, media: str = "", **headers: str) -> Any:
    return api.post("/api/files", raw=file_body(name, content, media), media=MEDIA, **headers)


def workbook() -> bytes:
    book = openpyxl.Workbook()
    book.active.append(["a"])
    book.active.append([1])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def workbook_with(name: str, data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(workbook())) as archive:
        parts = {each: archive.read(each) for each in archive.namelist()}
    return zipped({**parts, name: data})


def zipped(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return out.getvalue()


def picture(kind: str, size: tuple[int, int] = (3, 2), **more: Any) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(out, kind, **more)
    return out.getvalue()


def pdf() -> bytes:
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>",
    ]
    out, places = bytearray(b"%PDF-1.7\n"), []
    for number, each in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(out)
    out += b"xref\n0 4\n0000000000 65535 f \n" + table + b"trailer << /Size 4 /Root 1 0 R >>\n"
    return bytes(out + b"startxref\n%d\n%%%%EOF" % start)
