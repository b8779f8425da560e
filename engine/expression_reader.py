"""Reads an expression, finds what it refers to, and rewrites it for `expression_cel.py`.

    input.amount > 100 && has(customer_email)   becomes   v__0 > 100 && v__1

`v__0` is read from the scope by ourselves, so that only what is named is looked up and converted, and so that an absent
name is an error that can say what there is. Source: `schemas/node_configs.yaml`, "Names".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from engine import expression_functions as functions
from engine.expression_cel import FUNCTION, MAX_REFERENCES, METHODS, VARIABLE
from engine.expression_errors import ExpressionProblem
from engine.expression_reading import Mode, Reading, Reference, Segment, quoted
from engine.expression_tokens import Token, tokens_of
from engine.expression_vocabulary import (
    CEL_FUNCTIONS,
    CEL_METHODS,
    CONSTANTS,
    GROWING,
    MACROS,
    MATHEMATICS,
    MAX_NESTING,
    PREFIX,
    TYPES,
    is_hard,
    numbered,
    side_by_side,
    unknown_function,
    unknown_mathematics,
    unknown_method,
)

Pieces = list[tuple[str, int]]


def read(source: str) -> Reading:
    """Raises `ExpressionProblem` with the position in `source`."""
    reader = _Reader(source)
    pieces = reader.sequence(())
    if stray := reader.peek():
        raise reader.problem(f"This {stray.text} closes nothing.", stray)
    if not pieces:
        raise ExpressionProblem("The expression is empty.", source, 0)
    reading = reader.reading
    offset = 0
    for text, place in pieces:
        reading.places.append((offset, place))
        offset += len(text) + 1
    reading.text = " ".join(text for text, _ in pieces)
    if reading.text == f"{VARIABLE}0":
        reading.whole = next((each for each in reading.references if each.mode == "read"), None)
    return reading


class _Reader:
    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens = tokens_of(source)
        self.at = 0
        self.depth = 0
        self.locals: list[str] = []
        self.lenient_list = False  # whether the list that follows may hold absent references
        self.reading = Reading()
        self.types = any(
            each.text == "type" and after.text == "(" for each, after in zip(self.tokens, self.tokens[1:], strict=False)
        )

    # Words

    def peek(self, ahead: int = 0) -> Token | None:
        return self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else None

    def text(self, ahead: int = 0) -> str:
        """The next operator or name; empty at the end and for quoted text."""
        token = self.peek(ahead)
        return token.text if token and token.kind != "text" else ""

    def take(self) -> Token:
        token = self.peek()
        if token is None:
            raise ExpressionProblem("The expression ends too early.", self.source, len(self.source))
        self.at += 1
        return token

    def close(self, opening: Token, closer: str) -> Token:
        token = self.peek()
        if token is None or token.text != closer:
            raise self.problem(f"This {opening.text} needs a closing {closer}.", opening)
        return self.take()

    def problem(self, message: str, token: Token) -> ExpressionProblem:
        return ExpressionProblem(message, self.source, token.start)

    # Grammar: operators pass through, what stands between them is read

    def sequence(self, stops: tuple[str, ...]) -> Pieces:
        """Everything up to one of `stops` or a closing bracket."""
        pieces: Pieces = []
        operand = False  # whether the last thing read was a value
        while (token := self.peek()) and token.text not in stops and token.text not in (")", "]", "}"):
            if token.text == ".":
                raise self.problem("A name is missing before this dot.", token)
            if token.text == "in" or (token.kind == "op" and token.text not in ("(", "[", "{")):
                pieces.append((token.text, token.start))
                self.count(token)
                self.at += 1
                operand = False
                continue
            if operand:
                raise self.problem(side_by_side(token), token)
            pieces += self.primary()
            operand = True
        return pieces

    def count(self, token: Token) -> None:
        if token.text == "+":
            self.reading.joins += 1
        elif token.text not in PREFIX and token.text not in ("?", ":", ","):
            self.reading.scans += 1

    def primary(self) -> Pieces:
        """One value with everything that hangs on it: `.name`, `[index]`, `.method(…)`."""
        token = self.take()
        if token.kind == "text":
            return self.suffixes([(quoted(token.value), token.start)])
        if token.kind == "number" or token.text in CONSTANTS:
            return self.suffixes([(token.text, token.start)])
        if token.kind == "name":
            return self.suffixes(self.named(token))
        if token.text == "(":
            inner = self.nested(token, (",",))
            return self.suffixes([("(", token.start), *inner, (")", self.close(token, ")").start)])
        closer = "]" if token.text == "[" else "}"
        lenient, self.lenient_list = -1 if self.lenient_list else 0, False
        items = _separated(self.arguments(token, closer, lenient), token)
        return self.suffixes([(token.text, token.start), *items, (closer, token.start)])

    def nested(self, opening: Token, stops: tuple[str, ...]) -> Pieces:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise self.problem(f"Brackets are nested more than {MAX_NESTING} deep; use several steps.", opening)
        pieces = self.sequence(stops)
        self.depth -= 1
        if not pieces and self.peek():
            raise self.problem(f"Something is missing after this {opening.text}.", opening)
        return pieces

    def arguments(self, opening: Token, closer: str, lenient: int = 0) -> list[Pieces]:
        """What stands between brackets, at its commas; the closing one is taken."""
        found: list[Pieces] = []
        while self.text() != closer:
            guarded = self.lenient() if lenient < 0 or len(found) < lenient else None
            found.append(guarded or self.nested(opening, (",",)))
            if self.text() != ",":
                break
            self.take()
        self.close(opening, closer)
        return found

    # Names

    def named(self, token: Token) -> Pieces:
        following = self.text()
        if following == "(":
            return self.call(token)
        if following == "{":
            raise self.problem("A map is written without a name before it: {'key': value}.", token)
        if token.text in self.locals or (self.types and token.text in TYPES and following not in (".", "[")):
            return [(token.text, token.start)]
        if token.text == "math" and following == "." and self.text(2) == "(":
            return self.mathematics(token)
        self.at -= 1
        root, segments = self.chain()
        return [(self.variable("read", root, segments), token.start)]

    def chain(self) -> tuple[str, tuple[Segment, ...]]:
        """A name and as much fixed way behind it as there is: `input.items[0]`, `steps["a-b"].x`."""
        root = self.take()
        segments: list[Segment] = []
        while True:
            if self.text() == "." and (name := self.peek(1)) and name.kind == "name" and self.text(2) != "(":
                segments.append(name.text)
                self.at += 2
            elif self.text() == "[" and (segment := self.index()) is not None:
                segments.append(segment)
                self.at += 3
            else:
                break
        if root.text == "steps" and root.text not in self.locals and not (segments and isinstance(segments[0], str)):
            raise self.problem('steps needs the id of a step: steps.charge or steps["charge-card"].', root)
        return root.text, tuple(segments)

    def index(self) -> Segment | None:
        token, closing = self.peek(1), self.text(2)
        if token is None or closing != "]":
            return None
        if token.kind == "number" and token.text.isdecimal() and len(token.text) < 10:
            return int(token.text)
        return token.value if token.kind == "text" else None

    def variable(self, mode: Mode, root: str, segments: tuple[Segment, ...]) -> str:
        known = self.reading.references
        reference = Reference(mode, root, segments)
        if reference not in known:
            if len(known) == MAX_REFERENCES:
                raise ExpressionProblem(f"An expression reads at most {MAX_REFERENCES} values.", self.source, None)
            known[reference] = f"{VARIABLE}{len(known)}"
        name = known[reference]
        self.reading.uses[name] = self.reading.uses.get(name, 0) + 1
        return name

    # What hangs on a value

    def suffixes(self, pieces: Pieces) -> Pieces:
        while (following := self.text()) in (".", "["):
            opening = self.take()
            if following == "[":
                inner = self.nested(opening, ())
                pieces = [*pieces, ("[", opening.start), *inner, ("]", self.close(opening, "]").start)]
                self.reading.scans += 1
                continue
            name = self.take()
            if name.kind != "name":
                raise self.problem("A name is missing after this dot.", opening)
            if self.text() == "(":
                pieces = self.method(pieces, name)
            else:
                pieces = [*pieces, (f"[{quoted(name.text)}]", name.start)]
        return pieces

    def method(self, receiver: Pieces, name: Token) -> Pieces:
        self.tally(name.text)
        opening = self.take()
        if name.text in MACROS:
            return self.loop(receiver, name, opening)
        if name.text not in METHODS and name.text not in CEL_METHODS:
            raise self.problem(unknown_method(name.text), name)
        found = self.given(name, opening)
        if (
            name.text == "contains" and len(found) == 1
        ):  # CEL's own takes time in proportion to the product of both texts.
            at = receiver[0][1]
            return [(f"{FUNCTION}contains([", at), *receiver, (",", name.start), *found[0], ("])", opening.start)]
        return [*receiver, (f".{name.text}", name.start), *_bracketed(opening, found)]

    def loop(self, receiver: Pieces, name: Token, opening: Token) -> Pieces:
        variable = self.peek()
        if variable is None or variable.kind != "name" or self.text(1) != ",":
            example = f"input.items.{name.text}(item, item.price > 10)"
            raise self.problem(f"{name.text}() takes a name and an expression, such as {example}.", name)
        if not variable.text.isascii() or variable.text in CONSTANTS or "__" in variable.text:
            raise self.problem("This cannot be the name of an item; take a simple one, such as x.", variable)
        outermost = not self.locals
        self.reading.looping = True
        self.at += 2
        self.locals.append(variable.text)
        bodies = self.arguments(opening, ")")
        self.locals.pop()
        least, most = MACROS[name.text]
        if not least <= len(bodies) + 1 <= most:
            raise self.problem(f"{name.text}() takes a name and {numbered(least - 1, most - 1, 'expression')}.", name)
        looped = [
            (f".{name.text}", name.start),
            *_bracketed(opening, [[(variable.text, variable.start)], *bodies]),
        ]
        if not outermost or name.text not in ("map", "filter"):
            return [*receiver, *looped]
        at = receiver[0][1]
        pieces = [(f"{FUNCTION}chunks([", at), *receiver, ("]).map(c__, c__", at), *looped, (")", at)]
        return [(f"{FUNCTION}flat([", at), *pieces, ("])", at)]

    # Calls

    def call(self, name: Token) -> Pieces:
        opening = self.take()
        self.tally(name.text)
        if name.text == "has":
            return self.has(name, opening)
        if name.text in CEL_FUNCTIONS:
            return [(name.text, name.start), *_bracketed(opening, self.given(name, opening))]
        function = functions.TABLE.get(name.text)
        if function is None:
            raise self.problem(unknown_function(name.text), name)
        self.lenient_list = name.text == "coalesce" and self.text() == "["
        found = self.arguments(opening, ")", function.lenient)
        if not function.least <= len(found) <= function.most:
            wanted = numbered(function.least, function.most, "value")
            raise self.problem(f"{name.text}() takes {wanted}, not {len(found)}: {function.help}.", name)
        return [(f"{FUNCTION}{name.text}([", name.start), *_separated(found, opening), ("])", opening.start)]

    def given(self, name: Token, opening: Token) -> list[Pieces]:
        """The arguments of one of CEL's own functions or methods."""
        found = self.arguments(opening, ")")
        if name.text == "matches":
            before, pattern = self.tokens[self.at - 3 : self.at - 1]
            self.reading.matches += 1
            self.reading.hard |= pattern.kind != "text" or before.text not in ("(", ",") or is_hard(pattern.value)
        return found

    def mathematics(self, token: Token) -> Pieces:
        self.take()
        name, opening = self.take(), self.take()
        if name.text not in MATHEMATICS:
            raise self.problem(unknown_mathematics(name.text), token)
        self.tally(name.text)
        return [(f"math.{name.text}", token.start), *_bracketed(opening, self.arguments(opening, ")"))]

    def has(self, name: Token, opening: Token) -> Pieces:
        found = self.asked("has")
        if found is None:
            base = self.nested(opening, (",",))
            text, place = base[-1]
            if not text.startswith("["):
                raise self.problem("has() asks for one field, such as has(input.email).", name)
            found = [(f"{FUNCTION}has([", name.start), *base[:-1], (f", {text[1:-1]}])", place)]
        self.close(opening, ")")
        return found

    def lenient(self) -> Pieces | None:
        """An argument that is one reference may be absent."""
        return self.asked("peek")

    def asked(self, mode: Literal["has", "peek"]) -> Pieces | None:
        """The next argument, if it is nothing but a reference."""
        start, token = self.at, self.peek()
        if token is None or token.kind != "name" or token.text in CONSTANTS or self.text(1) == "(":
            return None
        root, segments = self.chain()
        if self.text() not in (",", ")", "]") or (root in self.locals and not segments):
            self.at = start
            return None
        if root not in self.locals:
            return [(self.variable(mode, root, segments), token.start)]
        steps = ", ".join(quoted(each) if isinstance(each, str) else str(each) for each in segments)
        return [(f"{FUNCTION}{mode}([{root}, {steps}])", token.start)]

    def tally(self, name: str) -> None:
        self.reading.scans += 1
        self.reading.growing |= name in GROWING


def _bracketed(opening: Token, found: list[Pieces]) -> Pieces:
    return [("(", opening.start), *_separated(found, opening), (")", opening.start)]


def _separated(found: list[Pieces], opening: Token) -> Iterator[tuple[str, int]]:
    for position, pieces in enumerate(found):
        if position:
            yield (",", opening.start)
        yield from pieces
