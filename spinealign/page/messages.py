"""JSON-RPC over HTTP for agents: one message per POST request, answered in its response, never stored or logged.

The message types come from the package mcp. Its server is not used because it logs messages that it cannot parse,
configures the logging of the whole process, and parses messages of any size in the event loop.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from mcp import types
from mcp.shared.exceptions import McpError
from mcp.shared.version import SUPPORTED_PROTOCOL_VERSIONS
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from spinealign.page.guard import Receive, Scope, Send
from spinealign.page.limits import MAX_AGENT_VALUES, MAX_AGENTS_BYTES

Asked: TypeAlias = types.InitializeRequest | types.PingRequest | types.ListToolsRequest | types.CallToolRequest
Answer: TypeAlias = Callable[[Asked], Awaitable[types.Result]]

logger = logging.getLogger(__name__)

_ASKED: dict[str, type[Asked]] = {
    "initialize": types.InitializeRequest,
    "ping": types.PingRequest,
    "tools/list": types.ListToolsRequest,
    "tools/call": types.CallToolRequest,
}


class Messages:
    """ASGI application that receives the messages of agents.

    Args:
        answer: Coroutine function that answers a request.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer, self._left = answer, MAX_AGENTS_BYTES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one message."""
        try:
            response = await self._respond(Request(scope, receive))
        except ClientDisconnect:
            return  # the client is gone
        except HTTPException as error:
            headers = {**(error.headers or {}), "connection": "close"}
            response = PlainTextResponse(error.detail, error.status_code, headers=headers)
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        if request.method != "POST":  # a GET waits for messages from the server, which sends none
            raise HTTPException(405, "Send messages with POST.", {"allow": "POST"})
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise HTTPException(415, "Send application/json.")
        version = request.headers.get("mcp-protocol-version", types.LATEST_PROTOCOL_VERSION)
        if version not in SUPPORTED_PROTOCOL_VERSIONS:
            raise HTTPException(400, f"Supported protocol versions: {', '.join(SUPPORTED_PROTOCOL_VERSIONS)}.")
        async with self._received(request) as message:
            return await self._reply(message)

    @asynccontextmanager
    async def _received(self, request: Request) -> AsyncIterator[Any]:
        """Parse a message, whose bytes count towards the memory limit until it is answered.

        Only bytes that have arrived count, so a request that merely announces a large body does not block others.
        Commas are counted before parsing to limit the number of JSON values: parsing many values is slow, parsing long
        strings is not.
        """
        body, taken, commas = bytearray(), 0, 0
        try:
            async for chunk in request.stream():
                if len(chunk) > self._left:
                    raise HTTPException(503, "Too many requests at once; try again.")
                self._left -= len(chunk)
                taken += len(chunk)
                body += chunk
                commas += chunk.count(b",")
                if commas > MAX_AGENT_VALUES:
                    raise HTTPException(413, f"Too many JSON values; send at most {MAX_AGENT_VALUES}.")
            message = _parse(body)
            body.clear()
            yield message
        finally:
            self._left += taken

    async def _reply(self, message: Any) -> Response:
        if isinstance(message, dict) and isinstance(message.get("method"), str) and "id" not in message:
            return Response(status_code=202)  # notifications need no answer
        try:
            number = types.JSONRPCRequest.model_validate(message).id
        except ValueError:
            return _error(None, types.INVALID_REQUEST, "Send one JSON-RPC 2.0 request.")
        try:
            result = await self._answer(_asked(message))
        except McpError as error:
            return _error(number, error.error.code, error.error.message)
        except Exception as error:  # the message may quote the request
            logger.error("The request of an agent failed: %s", type(error).__name__)
            return _error(number, types.INTERNAL_ERROR, "The request failed.")
        return _json({"id": number, "result": result.model_dump(by_alias=True, mode="json", exclude_none=True)})


def _parse(body: bytearray) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None  # rejected as an invalid request


def _asked(message: dict[str, Any]) -> Asked:
    kind = _ASKED.get(message["method"])
    if kind is None:
        raise McpError(
            types.ErrorData(
                code=types.METHOD_NOT_FOUND, message=f"Unknown method. Available methods: {', '.join(_ASKED)}."
            )
        )
    try:
        return kind.model_validate(message)
    except ValueError as error:  # the message quotes the request
        text = f"Invalid parameters for {message['method']}."
        raise McpError(types.ErrorData(code=types.INVALID_PARAMS, message=text)) from error


def _error(number: types.RequestId | None, code: int, text: str) -> Response:
    return _json({"id": number, "error": {"code": code, "message": text}}, 400 if number is None else 200)


def _json(answer: dict[str, Any], status: int = 200) -> Response:
    """Return an ASCII response, because the id of the request may hold a lone surrogate."""
    return Response(json.dumps({"jsonrpc": "2.0", **answer}), status, media_type="application/json")
