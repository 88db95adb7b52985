"""Writes native histograms with timestamps into a Prometheus: the remote-write protocol, version 1, by hand.

promtool reads OpenMetrics text, which has no native histograms, and the Python client makes none.
"""

from __future__ import annotations

import struct
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

LITERAL = 60_000
"""Bytes of one uncompressed piece of a snappy block."""


@dataclass(frozen=True, slots=True)
class NativeSample:
    """Counts of the buckets (2^((i-1)/2^schema), 2^(i/2^schema)] by i, at a moment (Unix seconds)."""

    moment: float
    schema: int
    buckets: Mapping[int, int]

    def message(self) -> bytes:
        """Return the protocol's Histogram."""
        filled = sorted(index for index, count in self.buckets.items() if count)
        spans, deltas, before = [], [], 0
        for position, index in enumerate(filled):
            if position == 0 or index != filled[position - 1] + 1:
                gap = index - (filled[position - 1] + 1 if position else 0)
                spans.append([gap, 0])
            spans[-1][1] += 1
            deltas.append(self.buckets[index] - before)
            before = self.buckets[index]
        total = sum(self.buckets.values())
        parts = [_number(1, total), _double(3, total * 0.1), _number(4, _zigzag(self.schema))]
        parts += [_double(5, 1e-128), _number(6, 0)]
        parts += [_bytes(11, _number(1, _zigzag(gap)) + _number(2, length)) for gap, length in spans]
        parts += [_bytes(12, b"".join(_varint(_zigzag(delta)) for delta in deltas))] if deltas else []
        return b"".join([*parts, _number(15, int(self.moment * 1000))])


def push(address: str, series: Iterable[tuple[Mapping[str, str], Sequence[NativeSample]]]) -> None:
    """Write series, each with its samples in the order of time. Raises urllib.error.HTTPError."""
    body = b"".join(
        _bytes(1, _labels(labels) + b"".join(_bytes(4, sample.message()) for sample in samples))
        for labels, samples in series
    )
    request = urllib.request.Request(
        f"{address}/api/v1/write",
        data=snappy(body),
        headers={
            "Content-Encoding": "snappy",
            "Content-Type": "application/x-protobuf",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        },
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=30):
        pass


def snappy(body: bytes) -> bytes:
    """Return a snappy block that compresses nothing."""
    pieces = [body[start : start + LITERAL] for start in range(0, len(body), LITERAL)]
    literals = [b"\xf4" + struct.pack("<H", len(piece) - 1) + piece for piece in pieces]
    return _varint(len(body)) + b"".join(literals)


def _labels(labels: Mapping[str, str]) -> bytes:
    pairs = [_bytes(1, name.encode()) + _bytes(2, value.encode()) for name, value in sorted(labels.items())]
    return b"".join(_bytes(1, pair) for pair in pairs)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _double(field: int, value: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value
