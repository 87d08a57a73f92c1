"""A machine for the instructions of pickles that make plain values (pickletools of Python's library describes them).

It takes the place of ``pickle.Unpickler``, which calls what the file names, and which allocates what the file says it
needs. Here only ``values.NAMES`` mean anything, lengths are checked against what is left of the file, long strings stay
in it, and values are counted.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from densecap.conversion.pickles import values
from densecap.conversion.pickles.values import Array, DType, Name, Refused, Span

#: Values that a pickle may make, and bytes of a string that is taken out of the file.
MAX_VALUES, MAX_STRING = 30_000_000, 1 << 16

#: Longest number in digits, and longest whole number in bytes.
MAX_NUMBER, MAX_INTEGER = 64, 9

_MARK = object()


class Machine:
    """Runs the instructions of ``buffer`` from ``position`` on."""

    def __init__(self, buffer: mmap.mmap, position: int = 0) -> None:
        self.buffer, self.position, self.size = buffer, position, len(buffer)
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.texts: dict[str, str] = {}
        self.made = 0

    def run(self) -> Any:
        """What the pickle holds. Errors: Refused, with ``position`` where."""
        try:
            while True:
                code = self.buffer[self.position]
                self.position += 1
                if code == 0x2E:  # STOP
                    return self.stack.pop()
                step = STEPS.get(code)
                if step is None:
                    raise Refused(f"it has the instruction {code:#04x}, which makes more than plain values")
                step(self)
        except IndexError:
            what = "it ends too early" if self.position >= self.size else "an instruction lacks what it works on"
            raise Refused(what) from None

    # reading

    def take(self, count: int, what: str = "a value") -> int:
        """Go on by ``count`` bytes; returns where they begin."""
        start = self.position
        if not 0 <= count <= self.size - start:
            raise Refused(f"{what} would take {count:,} bytes where {self.size - start:,} are left")
        self.position += count
        return start

    def number(self, code: str) -> Any:
        return struct.unpack_from(code, self.buffer, self.take(struct.calcsize(code)))[0]

    def line(self) -> str:
        end = self.buffer.find(b"\n", self.position)
        if end < 0:
            raise Refused("a line of text has no end")
        start, self.position = self.position, end + 1
        return self.buffer[start:end].decode("latin-1")

    def span(self, code: str) -> bytes | Span:
        """The bytes of a string whose length stands before it."""
        count = self.number(code)
        start = self.take(count, "a string")
        return self.buffer[start : start + count] if count <= MAX_STRING else Span(self.buffer, start, start + count)

    # the stack

    def push(self, value: Any) -> None:
        self.made += 1
        if self.made > MAX_VALUES:
            raise Refused(f"it makes more than {MAX_VALUES:,} values")
        self.stack.append(value)

    def push_text(self, text: str) -> None:
        """Once for each text, however often it stands in the file."""
        self.push(self.texts.setdefault(text, text))

    def since_mark(self) -> list[Any]:
        """What was pushed since the last mark, which goes away as well."""
        for index in range(len(self.stack) - 1, -1, -1):
            if self.stack[index] is _MARK:
                found = self.stack[index + 1 :]
                del self.stack[index:]
                return found
        raise Refused("an instruction lacks its mark")

    def fill(self, keys_and_values: list[Any]) -> None:
        """Put pairs into the dictionary on the stack."""
        target = self.stack[-1]
        if not isinstance(target, dict) or len(keys_and_values) % 2:
            raise Refused("entries are put into what is no dictionary")
        for key, value in zip(keys_and_values[::2], keys_and_values[1::2]):
            if not isinstance(key, str | int | np.integer | bytes):
                raise Refused(f"a key of a dictionary is {type(key).__name__}")
            target[int(key) if isinstance(key, np.integer) else key] = value

    def extend(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise Refused("items are put into what is no list")
        self.stack[-1].extend(items)


def _reduce(machine: Machine) -> None:
    """Calls, of which there are four that make something, and only plain values."""
    arguments, name = machine.stack.pop(), machine.stack.pop()
    known = name.known if isinstance(name, Name) else None
    if known is None or not isinstance(arguments, tuple):
        raise Refused(f"it asks for {name.text if isinstance(name, Name) else 'something'} to be called")
    if known == values.RECONSTRUCT:
        machine.push(Array())
    elif known == values.DTYPE:
        machine.push(DType.of(arguments))
    elif known == values.SCALAR and len(arguments) == 2:
        scalar = Array()
        scalar.set_state(((), arguments[0], False, arguments[1]))
        machine.push(scalar.array()[()])
    elif known == values.ENCODE and arguments and isinstance(arguments[0], str | Span):
        machine.push(_encoded(arguments[0]))
    elif known == values.ORDERED and not arguments:
        machine.push({})
    else:
        raise Refused(f"it asks for {name.text} with other arguments than those of an array")


def _encoded(text: str | Span) -> bytes:
    """Bytes as Python 3 wrote them for Python 2: as a text of the same characters."""
    if isinstance(text, Span):
        text = text.buffer[text.start : text.stop].decode("utf-8", errors="strict")
    return text.encode("latin-1")


def _build(machine: Machine) -> None:
    state, target = machine.stack.pop(), machine.stack[-1]
    if not isinstance(target, Array | DType):
        raise Refused(f"it sets the state of {type(target).__name__}")
    target.set_state(state)


def _global(machine: Machine, module: str, name: str) -> None:
    machine.push(Name(f"{module}.{name}"[:100], values.NAMES.get((module, name))))


def _stack_global(machine: Machine) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    if not isinstance(name, str) or not isinstance(module, str):
        raise Refused("a name is no text")
    _global(machine, module, name)


def _string(machine: Machine, code: str) -> None:
    """A string of Python 2: any bytes, each a character."""
    found = machine.span(code)
    machine.push(found) if isinstance(found, Span) else machine.push_text(found.decode("latin-1"))


def _unicode(machine: Machine, code: str) -> None:
    found = machine.span(code)
    machine.push(found) if isinstance(found, Span) else machine.push_text(found.decode("utf-8", "surrogatepass"))


def _quoted(machine: Machine) -> None:
    """A string of Python 2 in quotes, as protocol 0 has them; escapes are those of bytes."""
    text = machine.line()
    if len(text) < 2 or text[0] != text[-1] or text[0] not in "'\"":
        raise Refused("a string is not in quotes")
    machine.push_text(text[1:-1].encode("latin-1").decode("unicode_escape"))


def _integer(machine: Machine, code: str) -> None:
    count = machine.number(code)
    if not 0 <= count <= MAX_INTEGER:
        raise Refused(f"a whole number has {count:,} bytes")
    start = machine.take(count)
    machine.push(int.from_bytes(machine.buffer[start : start + count], "little", signed=True))


def _written(machine: Machine) -> None:
    """A whole number in digits, or a truth value."""
    text = machine.line().removesuffix("L")
    if len(text) > 20:
        raise Refused("a whole number has more than 20 digits")
    machine.push({"00": False, "01": True}[text] if text in ("00", "01") else int(text))


def _get(machine: Machine, index: int) -> None:
    if index not in machine.memo:
        raise Refused(f"it refers to value {index}, which is not there")
    machine.push(machine.memo[index])


def _put(machine: Machine, index: int) -> None:
    machine.memo[index] = machine.stack[-1]


def _tuple(machine: Machine, count: int) -> None:
    if len(machine.stack) < count:
        raise IndexError
    found = machine.stack[-count:]
    del machine.stack[-count:]
    machine.push(tuple(found))


def _item(machine: Machine) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    machine.fill([key, value])


def _append(machine: Machine) -> None:
    value = machine.stack.pop()
    machine.extend([value])


def _dictionary(machine: Machine) -> None:
    found = machine.since_mark()
    machine.push({})
    machine.fill(found)


STEPS: dict[int, Callable[[Machine], Any]] = {
    ord("("): lambda m: m.push(_MARK),
    ord("0"): lambda m: m.stack.pop(),
    ord("1"): lambda m: m.since_mark(),
    ord("2"): lambda m: m.push(m.stack[-1]),
    ord("F"): lambda m: m.push(float(m.line()[:MAX_NUMBER])),
    ord("I"): _written,
    ord("L"): _written,
    ord("J"): lambda m: m.push(m.number("<i")),
    ord("K"): lambda m: m.push(m.number("<B")),
    ord("M"): lambda m: m.push(m.number("<H")),
    ord("N"): lambda m: m.push(None),
    ord("R"): _reduce,
    ord("S"): _quoted,
    ord("T"): lambda m: _string(m, "<i"),
    ord("U"): lambda m: _string(m, "<B"),
    ord("V"): lambda m: m.push_text(m.line().encode("latin-1").decode("raw_unicode_escape")),
    ord("X"): lambda m: _unicode(m, "<I"),
    ord("a"): _append,
    ord("b"): _build,
    ord("c"): lambda m: _global(m, m.line(), m.line()),
    ord("d"): _dictionary,
    ord("}"): lambda m: m.push({}),
    ord("e"): lambda m: m.extend(m.since_mark()),
    ord("g"): lambda m: _get(m, int(m.line())),
    ord("h"): lambda m: _get(m, m.number("<B")),
    ord("j"): lambda m: _get(m, m.number("<I")),
    ord("l"): lambda m: m.push(m.since_mark()),
    ord("]"): lambda m: m.push([]),
    ord("p"): lambda m: _put(m, int(m.line()[:20])),
    ord("q"): lambda m: _put(m, m.number("<B")),
    ord("r"): lambda m: _put(m, m.number("<I")),
    ord("s"): _item,
    ord("t"): lambda m: m.push(tuple(m.since_mark())),
    ord(")"): lambda m: m.push(()),
    ord("u"): lambda m: m.fill(m.since_mark()),
    ord("G"): lambda m: m.push(m.number(">d")),
    ord("B"): lambda m: m.push(m.span("<I")),
    ord("C"): lambda m: m.push(m.span("<B")),
    0x80: lambda m: m.number("<B"),
    0x85: lambda m: _tuple(m, 1),
    0x86: lambda m: _tuple(m, 2),
    0x87: lambda m: _tuple(m, 3),
    0x88: lambda m: m.push(True),
    0x89: lambda m: m.push(False),
    0x8A: lambda m: _integer(m, "<B"),
    0x8B: lambda m: _integer(m, "<i"),
    0x8C: lambda m: _unicode(m, "<B"),
    0x8D: lambda m: _unicode(m, "<Q"),
    0x8E: lambda m: m.push(m.span("<Q")),
    0x93: _stack_global,
    0x94: lambda m: _put(m, len(m.memo)),
    0x95: lambda m: m.number("<Q"),
}
