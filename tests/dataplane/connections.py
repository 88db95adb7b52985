"""One user's connection: a question, and the status code of its answer. HTTP/1.1, or gRPC without TLS."""

from __future__ import annotations

import asyncio
from typing import Protocol

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError

from tests.dataplane.grpc import MESSAGE, Headers, status_of

PATIENCE = 10.0
"""Seconds for an answer; then there is none."""


class Unanswered(Exception):
    """The answer did not come, or is not one of this protocol."""


class Connection(Protocol):
    """One connection, asked for one thing at a time."""

    async def ask(self, *, last: bool) -> tuple[int, str]:
        """Return the status code and what was said; ``last`` when nothing more is asked for here.

        Raises OSError, EOFError, TimeoutError or Unanswered.
        """
        ...

    def close(self) -> None:
        """End the connection."""
        ...


class HttpConnection:
    """HTTP/1.1: GET of a path of a host."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, path: str
    ) -> None:
        self._reader, self._writer = reader, writer
        self._request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n%s\r\n"

    async def ask(self, *, last: bool) -> tuple[int, str]:
        """Return the status code and the head."""
        self._writer.write((self._request % ("Connection: close\r\n" if last else "")).encode())
        async with asyncio.timeout(PATIENCE):
            head = await self._reader.readuntil(b"\r\n\r\n")
            await self._reader.readexactly(_length(head))
        return int(head.split(b" ", 2)[1]), head.decode(errors="replace")

    def close(self) -> None:
        """End the connection."""
        self._writer.close()


class GrpcConnection:
    """Calls of the method that ``path`` names. One whose gRPC status is not 0 counts as not answered."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, path: str
    ) -> None:
        self._reader, self._writer = reader, writer
        self._head: Headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", host),
            (":path", path),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
        ]
        self._http = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._http.initiate_connection()

    async def ask(self, *, last: bool) -> tuple[int, str]:
        """Return the status code of the answer's head, 0 when the call failed, and all headers."""
        stream = self._http.get_next_available_stream_id()
        self._http.send_headers(stream, self._head)
        self._http.send_data(stream, MESSAGE, end_stream=True)
        self._writer.write(self._http.data_to_send())
        async with asyncio.timeout(PATIENCE):
            headers = await self._answer(stream)
        if last:
            self._http.close_connection()
            self._writer.write(self._http.data_to_send())
        code, status = status_of(headers)
        return (code if status == "0" else 0), str(headers)

    async def _answer(self, stream: int) -> Headers:
        headers: Headers = []
        while True:
            received = await self._reader.read(65536)
            if not received:
                raise EOFError("the connection ended before the answer")
            try:
                events = self._http.receive_data(received)
            except ProtocolError as error:
                raise Unanswered(repr(error)) from None
            for event in events:
                match event:
                    case DataReceived():
                        self._http.acknowledge_received_data(event.flow_controlled_length or 0, stream)
                    case StreamEnded():
                        self._writer.write(self._http.data_to_send())
                        return headers
                    case StreamReset() | ConnectionTerminated():
                        raise Unanswered(repr(event))
                headers += getattr(event, "headers", None) or ()
            self._writer.write(self._http.data_to_send())

    def close(self) -> None:
        """End the connection."""
        self._writer.close()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0
