import io
import struct
import zlib
from typing import Any

import pytest
from PIL import Image as Pillow

from engine.house_ports import StoredFile
from engine.node import Done, Failed
from engine.ports import Completion, HttpAnswer, Rejected, Unavailable, Usage
from engine.testing import FakeStep, ScriptedHttp, ScriptedLlm, answer, completion, memory_ports, problems_of, run_node
from nodes.formats.content import Unreadable
from nodes.formats.pictures import MAX_PIXELS, SIDE, kind_of, read_picture

URL = "https://pictures.example.com/car.png?token=secret"
FILE = "018f0000-0000-7000-8000-000000000001"


def drawn(
    kind: str = "PNG", size: tuple[int, int] = (40, 30), mode: str = "RGB", colour: Any = "red", **more: Any
) -> bytes:
    out = io.BytesIO()
    Pillow.new(mode, size, colour).save(out, kind, **more)
    return out.getvalue()


def ask(config: dict[str, Any], content: bytes = drawn(), **ports: Any) -> tuple[Any, Any]:
    given = {"answers": [answer(content)], "completions": [completion("A red car.")], **ports}
    outside = memory_ports(**given)
    return run_node("ai-image-analysis", {"image": URL, **config}, FakeStep(ports=outside, key="e/n/0")), outside


def test_a_picture_by_its_address_is_shown_to_the_model() -> None:
    outcome, outside = ask({"prompt": "What is it?", "model": "sees-1", "system": "Be brief."})
    assert isinstance(outside.llm, ScriptedLlm)
    [prompt] = outside.llm.prompts
    assert (prompt.text, prompt.model, prompt.system, prompt.key) == ("What is it?", "sees-1", "Be brief.", "e/n/0")
    [image] = prompt.images
    assert image.media_type == "image/jpeg"
    with Pillow.open(io.BytesIO(image.content)) as shown:
        assert (shown.format, shown.size) == ("JPEG", (40, 30))
    assert outcome == Done(
        {
            "text": "A red car.",
            "data": None,
            "model": "scripted-1",
            "provider": "scripted",
            "usage": {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13},
            "cost_estimate": 0.0,
            "image": {"format": "png", "width": 40, "height": 30},
        },
        usage=outcome.usage,
    )


def test_a_stored_file_is_read_by_its_id() -> None:
    outcome, outside = ask({"image": FILE}, files=[StoredFile(FILE, "car.gif", "image/gif", drawn("GIF"))], answers=[])
    assert outcome.output["image"] == {"format": "gif", "width": 40, "height": 30}
    assert outside.http.calls == []
    with pytest.raises(Rejected, match="There is no file of the id"):
        ask({"image": FILE})


def test_data_is_demanded_as_elsewhere() -> None:
    schema = {"type": "object", "properties": {"colour": {"type": "string"}}}
    usage = Usage("scripted", "s")
    good, _ = ask({"response_schema": schema}, completions=[Completion("{}", {"colour": "red"}, usage)])
    assert good.output["data"] == {"colour": "red"}
    bad, _ = ask({"response_schema": schema}, completions=[Completion("no", None, usage)])
    assert isinstance(bad, Failed)
    assert "response_schema asks for" in bad.message


@pytest.mark.parametrize(
    ("status", "failure"), [(404, Rejected), (302, Rejected), (503, Unavailable), (429, Unavailable)]
)
def test_an_address_without_a_picture_is_told_without_its_query(status: int, failure: type[Exception]) -> None:
    with pytest.raises(failure) as told:
        ask({}, answers=[HttpAnswer(status, {}, b"", 1.0)])
    assert type(told.value) is failure
    assert str(told.value) == f"pictures.example.com answered {status} instead of the picture."


@pytest.mark.parametrize(
    "content",
    [
        b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7", b"GIF89a", b"\xff\xd8\xff\xe0",
        b"\x89PNG\r\n\x1a\n" + b"x" * 50,
        b"RIFF\x00\x00\x00\x00WAVE", b"BM" + b"\x00" * 60, b"II*\x00" + b"\x00" * 20, drawn()[:40], b"\x00\x00\x00 ftypavif",
        b"%!PS-Adobe-3.0 EPSF-3.0",
    ],
)  # fmt: skip
def test_what_is_no_picture_never_reaches_the_model(content: bytes) -> None:
    outcome, outside = ask({}, content)
    assert isinstance(outcome, Failed)
    assert outcome.code == "rejected"
    assert outside.llm.prompts == []


def bomb(width: int, height: int) -> bytes:
    """A PNG whose header promises more than its few bytes hold."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\x00" * 100))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("width", "height"), [(8000, 8000), (30000, 30000), (MAX_PIXELS + 1, 1), (2**31 - 1, 2**31 - 1)]
)
def test_a_bomb_is_refused_by_its_header(width: int, height: int) -> None:
    with pytest.raises(Unreadable):
        read_picture(bomb(width, height))


def test_large_pictures_are_made_small_and_say_what_they_were() -> None:
    picture = read_picture(drawn("JPEG", (5000, 1000)))
    assert (picture.format, picture.width, picture.height) == ("jpeg", 5000, 1000)
    with Pillow.open(io.BytesIO(picture.content)) as small:
        assert max(small.size) <= SIDE


def test_metadata_stays_behind_and_the_picture_is_turned_upright() -> None:
    exif = Pillow.Exif()
    exif[0x0112] = 6  # Orientation: turned by a quarter.
    exif[0x010F] = "CAMERA-MARKER"
    picture = read_picture(drawn("JPEG", (40, 20), exif=exif))
    assert b"CAMERA-MARKER" not in picture.content
    with Pillow.open(io.BytesIO(picture.content)) as upright:
        assert (upright.size, dict(upright.getexif())) == ((20, 40), {})


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("PNG", "RGBA"),
        ("PNG", "LA"),
        ("PNG", "P"),
        ("PNG", "1"),
        ("PNG", "I;16"),
        ("JPEG", "CMYK"),
        ("WEBP", "RGBA"),
        ("GIF", "P"),
    ],
)
def test_every_kind_of_pixel_can_be_drawn_anew(kind: str, mode: str) -> None:
    picture = read_picture(drawn(kind, mode=mode, colour=0))
    assert picture.format == kind.lower()
    assert kind_of(picture.content) == "jpeg"


def test_what_is_transparent_becomes_white() -> None:
    with Pillow.open(io.BytesIO(read_picture(drawn(mode="RGBA", colour=(0, 0, 0, 0))).content)) as shown:
        assert shown.convert("RGB").getpixel((5, 5)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("image", "fits"),
    [
        (URL, True),
        (FILE, True),
        ("{{ inputs.x }}", True),
        ("", False),
        ("file:///etc/passwd", False),
        ("car.png", False),
    ],
)
def test_mistakes_are_found_when_it_is_saved(image: str, fits: bool) -> None:
    assert (problems_of("ai-image-analysis", {"image": image}) == []) is fits


def test_a_models_connection_is_used_instead() -> None:
    own = ScriptedLlm([completion("Mine.")])
    outcome, outside = ask({"connection_id": "c1"}, connections={"c1": own})
    assert outcome.output["text"] == "Mine."
    assert (len(own.prompts), outside.llm.prompts) == (1, [])
    assert isinstance(outside.http, ScriptedHttp)
