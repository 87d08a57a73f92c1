"""Checkpoints of TensorFlow: one file of version 1, or of version 2 an index and files of numbers beside it.

Version 1 (saved_tensor_slice.proto) has under the empty key the names, shapes and types of all variables, and under
each other key a piece of one. Version 2 (tensor_bundle.proto) has under each name where in ``PREFIX.data-*`` the
numbers are. Graphs (``.meta``) are not needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from densecap.conversion.mapped_file import mapped
from densecap.conversion.tensorflow.crc32c import masked_crc32c
from densecap.conversion.tensorflow.table import KIND, Entry, entries
from densecap.conversion.tensorflow.variables import FLOAT, Variable, extent_of, numbers_of, shape_of
from densecap.conversion.wire import BYTES, Message
from densecap.errors import UserError

INDEX = ".index"


@dataclass(frozen=True)
class TensorFlowFile:
    """``version`` 1 or 2; variables by name."""

    path: Path
    version: int
    variables: dict[str, Variable]


def given_path(path: Path) -> Path:
    """The file to read: of version 2 TensorFlow's own name for a checkpoint is that of no file."""
    index = path.with_name(path.name + INDEX)
    return index if not path.exists() and index.is_file() else path


def read(path: str | Path) -> TensorFlowFile:
    """The variables of a checkpoint, their numbers not yet looked at but for their checksum.

    Errors: UserError when a file is missing, incomplete, broken or something else.
    """
    path = Path(path)
    found = list(entries(path))
    if not found or found[0].key:
        raise UserError(f"{path} cannot be read as {KIND}: it does not begin with a list of its variables")
    head, *others = found
    first = next(head.message(path).fields(), None)
    if first is not None and first.kind == BYTES:
        return TensorFlowFile(path, 1, _version1(path, head, others))
    return TensorFlowFile(path, 2, _version2(path, head, others))


def _version1(path: Path, head: Entry, others: list[Entry]) -> dict[str, Variable]:
    variables: dict[str, Variable] = {}
    for message in _parts(head.message(path), 1):
        for item in _parts(message, 1):
            variable = _described(path, item)
            variables[variable.name] = variable
    for entry in others:
        for piece in _parts(entry.message(path), 2):
            fields = {item.number: item for item in piece.fields()}
            name = piece.text(fields[1]) if 1 in fields else ""
            if name not in variables or 3 not in fields:
                raise piece.error(f"there are numbers of {name or 'something without a name'}", piece.start)
            extent = extent_of(piece.inner(fields[2])) if 2 in fields else ()
            variables[name].pieces.append((extent, numbers_of(piece.inner(fields[3]))))
    return variables


def _described(path: Path, message: Message) -> Variable:
    """A SavedSliceMeta: name, shape and type."""
    fields = {item.number: item for item in message.fields()}
    shape = shape_of(message.inner(fields[2])) if 2 in fields else ()
    kind = fields[3].value if 3 in fields else 0
    return Variable(path, message.text(fields[1]) if 1 in fields else "", shape, kind)


def _parts(message: Message, number: int) -> list[Message]:
    return [message.inner(item) for item in message.fields() if item.number == number]


def _version2(path: Path, head: Entry, others: list[Entry]) -> dict[str, Variable]:
    header = {item.number: item.value for item in head.message(path).fields()}
    if header.get(2, 0):
        raise UserError(f"{path} was written on a machine of another byte order, which is not read")
    variables: dict[str, Variable] = {}
    for entry in others:
        name = entry.key.decode("utf-8", errors="replace")
        message = entry.message(path)
        fields = {item.number: item for item in message.fields()}
        numbers = {number: item.value for number, item in fields.items()}
        shape = shape_of(message.inner(fields[2])) if 2 in fields else ()
        variable = Variable(path, name, shape, numbers.get(1, 0))
        variables[name] = variable
        if variable.type == FLOAT and 7 not in fields:
            checksum = int.from_bytes(message.buffer[fields[6].start : fields[6].stop], "little") if 6 in fields else 0
            where = (numbers.get(3, 0), header.get(1, 1), numbers.get(4, 0), numbers.get(5, 0), checksum)
            variable.pieces.append(((), partial(_stored, variable, *where)))
    return variables


def _stored(variable: Variable, shard: int, shards: int, offset: int, size: int, checksum: int) -> np.ndarray:
    """The numbers of a variable of version 2. Errors: UserError where they are missing or changed."""
    path = variable.path
    data = path.with_name(f"{path.name.removesuffix(INDEX)}.data-{shard:05d}-of-{shards:05d}")
    buffer = mapped(data)
    if offset + size > len(buffer) or size % 4:
        raise variable.error(f"its numbers would take {size:,} bytes from byte {offset:,} of {len(buffer):,} in {data}")
    with memoryview(buffer) as view, view[offset : offset + size] as content:
        if masked_crc32c(content) != checksum:
            raise variable.error(f"the checksum of its numbers in {data} is wrong; is it complete?")
    return np.frombuffer(buffer, "<f4", size // 4, offset)
