"""XML to plain JSON values. DTDs and entities are refused (defusedxml), so no document can read a file or grow.

`<a x="1">t<b/></a>` becomes {"@x": "1", "#text": "t", "b": null}; an element that repeats becomes a list; an element
with text alone becomes that text; namespaces are dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring, iterparse

from nodes.formats.content import MIB, Unreadable

MAX_DEPTH = 100
PIECE = MIB  # bytes that the parser is given at once


def parse_xml(text: str, path: str = "") -> list[Any]:
    """The elements at `path` (`catalog/book`, from the root), else the document as one item. Raises `Unreadable`."""
    root = read_xml(text)
    if not path:
        return [{local_name(root): to_plain(root)}]
    names = [name for name in path.strip("/").split("/") if name]
    found = [root] if names and names[0] == local_name(root) else []
    for name in names[1:]:
        found = [child for each in found for child in each if local_name(child) == name]
    return [to_plain(each) for each in found]


def read_xml(text: str) -> Element:
    """The root element of a well-formed document. Raises `Unreadable`."""
    try:
        root: Element = fromstring(text.lstrip("\ufeff \t\r\n"), forbid_dtd=True)
    except DefusedXmlException as error:
        raise _declared() from error
    except ParseError as error:
        raise _broken(error) from error
    return root


def stream_xml(file: IO[bytes], path: str = "") -> Iterator[Any]:
    """The same from a file: with a `path` one element at a time is in memory. Raises `Unreadable`."""
    names = [name for name in path.strip("/").split("/") if name]
    open_elements: list[Element] = []
    try:
        for event, element in iterparse(_InLargePieces(file), events=("start", "end"), forbid_dtd=True):
            if event == "start":
                open_elements.append(element)
                if len(open_elements) > MAX_DEPTH:
                    raise Unreadable(f"The XML is nested deeper than {MAX_DEPTH} levels.")
                continue
            depth = len(open_elements)
            if names and depth == len(names) and names == [local_name(each) for each in open_elements]:
                yield to_plain(element)
            elif not names and depth == 1:
                yield {local_name(element): to_plain(element)}
            open_elements.pop()
            if names and depth <= len(names) and open_elements:
                open_elements[-1].remove(element)
    except DefusedXmlException as error:
        raise _declared() from error
    except ParseError as error:
        raise _broken(error) from error


class _InLargePieces:
    """A file for a parser that begins a long tag or comment again with every 16 KiB it is given."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, _size: int = -1) -> bytes:
        return self._file.read(PIECE)


def to_plain(element: Element, depth: int = 0) -> Any:
    if depth > MAX_DEPTH:
        raise Unreadable(f"The XML is nested deeper than {MAX_DEPTH} levels.")
    plain: dict[str, Any] = {f"@{_local(name)}": value for name, value in element.attrib.items()}
    repeated: set[str] = set()
    for child in element:
        name, value = local_name(child), to_plain(child, depth + 1)
        if name in repeated:
            plain[name].append(value)
        elif name in plain:
            plain[name] = [plain[name], value]
            repeated.add(name)
        else:
            plain[name] = value
    text = "".join([element.text or "", *(child.tail or "" for child in element)]).strip()
    if not plain:
        return text or None
    return {**plain, "#text": text} if text else plain


def local_name(element: Element) -> str:
    return _local(str(element.tag))


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _declared() -> Unreadable:
    return Unreadable(
        "The XML holds a document type definition or an entity declaration (<!DOCTYPE …>, <!ENTITY …>). Those can "
        "read foreign files, so they are refused; remove them and send the document again."
    )


def _broken(error: ParseError) -> Unreadable:
    line, column = error.position
    reason = str(error).split(":")[0]
    return Unreadable(f"The XML is not well-formed at line {line}, column {column + 1}: {reason}.")
