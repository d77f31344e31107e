"""Connections of the Hub on loopback; requests and responses may be interrupted."""

from __future__ import annotations

import json
import socket
import struct
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, unquote, urlsplit

from loopback.store import RefusalError


@dataclass
class Cut:
    """An interruption of connections.

    Attributes:
        method: Method of the request.
        path: Pattern of its path.
        times: Number of interruptions.
        share: Share of the body that is transferred, in [0, 1).
        hard: Whether the connection is reset instead of closed.
        answer: Whether the request is served and the response is interrupted.
    """

    method: str
    path: str
    times: int = 1
    share: float = 0.5
    hard: bool = False
    answer: bool = False


class Connection(BaseHTTPRequestHandler):
    """Parsing of requests and writing of responses."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        self.answer("GET")

    def do_HEAD(self):
        self.answer("HEAD")

    def do_POST(self):
        self.answer("POST")

    def do_PUT(self):
        self.answer("PUT")

    def do_DELETE(self):
        self.answer("DELETE")

    def answer(self, method):
        url = urlsplit(self.path)
        path = unquote(url.path)
        self.query = parse_qs(url.query)
        self.server.requests.append((method, path, "Authorization" in self.headers))
        self.cut = self.server.cut_for(method, path)
        self.server.before(method, path)
        body = self.read_body()
        if body is None:
            return
        if self.server.trouble:
            self.reply({}, self.server.trouble)
            return
        try:
            token = (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None
            self.account = self.server.store.account(token)
            self.serve(method, url.path, body)
        except RefusalError as refusal:
            self.reply({"error": refusal.message}, refusal.status, {
                "X-Error-Code": refusal.code, "X-Error-Message": refusal.message,
            })  # fmt: skip

    def read_body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
                if self.cut:
                    return self.break_off()
            self.rfile.readline()
            return b"".join(parts)
        length = int(self.headers.get("Content-Length") or 0)
        if self.cut and length and not self.cut.answer:
            self.rfile.read(int(length * self.cut.share))
            return self.break_off()
        return self.rfile.read(length)

    def break_off(self):
        if self.cut.hard:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True
        self.connection.close()

    def reply(self, content, status=200, headers=None):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            if value:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.cut:
            self.wfile.write(body[: int(len(body) * self.cut.share)])
            self.break_off()
            return
        self.wfile.write(body)
