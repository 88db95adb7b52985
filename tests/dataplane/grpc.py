"""As much gRPC as counting calls takes: unary, over HTTP/2 without TLS, every call answered with the version.

A message is framed by a byte for its compression and four for its length; the outcome stands in trailers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, RequestReceived, StreamEnded

PREFACE = b"PRI * HTTP/2.0\r\n"
"""What a client that speaks HTTP/2 says first."""

MESSAGE = b"\0\0\0\0\0"
"""A message without fields."""

Headers = list[tuple[str, str]]


class GrpcServer:
    """One connection's server side. ``note`` hears the authority of each call."""

    def __init__(self, transport: asyncio.Transport, version: str, note: Callable[[str], None]) -> None:
        self._transport = transport
        self._note = note
        field = b"\x0a" + bytes([len(version)]) + version.encode()
        self._message = b"\0" + len(field).to_bytes(4, "big") + field
        self._authorities: dict[int, str] = {}
        self._http = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._http.initiate_connection()

    def receive(self, data: bytes) -> None:
        """Take what the client sent, and answer."""
        for event in self._http.receive_data(data):
            match event:
                case RequestReceived():
                    self._authorities[event.stream_id or 0] = dict(_text(event.headers)).get(":authority", "")
                case DataReceived():
                    self._http.acknowledge_received_data(
                        event.flow_controlled_length or 0, event.stream_id or 0
                    )
                case StreamEnded():
                    self._answer(event.stream_id or 0)
                case ConnectionTerminated():
                    self._transport.close()
                    return
        self._transport.write(self._http.data_to_send())

    def _answer(self, stream: int) -> None:
        self._note(self._authorities.pop(stream, ""))
        self._http.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc")])
        self._http.send_data(stream, self._message)
        self._http.send_headers(stream, [("grpc-status", "0")], end_stream=True)


def status_of(headers: Headers) -> tuple[int, str]:
    """Return the HTTP status and the gRPC status of a call, "" when it has none."""
    known = dict(_text(headers))
    return int(known.get(":status", "0")), known.get("grpc-status", "")


def _text(headers: object) -> Headers:
    assert isinstance(headers, list)
    return [(str(name), str(value)) for name, value in headers]
