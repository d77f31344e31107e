"""The model as tools for agents, by the Model Context Protocol; what they send is never a file here."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar, cast

import PIL.Image
from mcp.server.fastmcp import FastMCP, Image
from mcp.server.fastmcp.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from starlette.routing import Route

from spinealign.errors import SliceError, SpineAlignError
from spinealign.imaging.pictures import overlay_heat
from spinealign.imaging.slice import Slice
from spinealign.inference.predictor import Predictor
from spinealign.page import answers
from spinealign.page.guard import AGENTS_ROUTE, App, Receive, Scope, Send, refuse
from spinealign.page.images import png
from spinealign.page.limits import AGENTS_AT_ONCE, MAX_AGENT_BYTES, MAX_FILES, PREDICTIONS_AT_ONCE
from spinealign.page.uploads import read_content

T = TypeVar("T")
INSTRUCTIONS = (
    "Axial CT slices of the neck: fracture or normal. Research software, not a medical device. An answer about an "
    "image that is not accepted must not be relied on. Files are sent as data URLs."
)
NO_DATA_URL = "Send the file as a data URL, data:image/png;base64,... (PNG, JPEG or DICOM)."


class Agents:
    """A server of tools: `predict`, `predict_batch` and `explain`.

    Attributes:
        route: Where it is asked.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._server = FastMCP(
            "spinealign",
            INSTRUCTIONS,
            stateless_http=True,
            json_response=True,
            max_request_body_size=MAX_AGENT_BYTES,
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),  # the guard does it
            log_level="WARNING",
        )
        _add_tools(self._server, predictor)
        (route,) = self._server.streamable_http_app().routes
        self.route = Route(AGENTS_ROUTE, _AtMost(cast(Route, route).endpoint, AGENTS_AT_ONCE))

    def running(self) -> AbstractAsyncContextManager[None]:
        """Let it answer until the block ends."""
        return self._server.session_manager.run()


class _AtMost:
    """ASGI application that lets so many requests in at a time, for what they carry lies in memory."""

    def __init__(self, app: App, most: int) -> None:
        self._app, self._left = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._left == 0:
            await refuse(send, 503, "Too many ask at once; try again.")
            return
        self._left -= 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._left += 1


def _add_tools(server: FastMCP, predictor: Predictor) -> None:
    lanes = asyncio.Semaphore(PREDICTIONS_AT_ONCE)

    async def run(answer: Callable[[], T]) -> T:
        try:
            async with lanes:
                return await asyncio.to_thread(answer)
        except SpineAlignError as error:
            raise ToolError(str(error)) from error

    @server.tool()
    async def predict(image: str) -> dict[str, Any]:
        """Predict one axial CT slice of the neck: fracture or normal. Research software, not a medical device.

        Args:
            image: The PNG, JPEG or DICOM file as a data URL.

        Returns:
            Label, confidence, probabilities, whether the image was accepted, why not, and the model.
        """
        return await run(lambda: answers.answer(predictor, _read(image)).to_dict())

    @server.tool()
    async def predict_batch(images: list[str]) -> list[dict[str, Any]]:
        """Predict many axial CT slices of the neck; a file that cannot be used gives its error and never ends the rest.

        Args:
            images: The PNG, JPEG or DICOM files as data URLs.

        Returns:
            For each file, in order, what `predict` returns, or its error.
        """
        return await run(lambda: _answer_all(predictor, images))

    @server.tool(structured_output=False)
    async def explain(image: str) -> list[Any]:
        """Show where the answer for one axial CT slice comes from: what it loses when a part is covered.

        Args:
            image: The PNG, JPEG or DICOM file as a data URL.

        Returns:
            The label that was explained, row and column of the hottest place, and the image under its heat map.
        """
        return await run(lambda: _explain(predictor, _read(image)))


def _read(text: str) -> Slice:
    """Read an image from a data URL; a path or an address is none."""
    head, _, content = text.partition(",")
    if not (head.startswith("data:") and head.endswith(";base64")):
        raise SliceError(NO_DATA_URL)
    try:
        return read_content(base64.b64decode(content, validate=True))
    except binascii.Error as error:
        raise SliceError(NO_DATA_URL) from error


def _answer_all(predictor: Predictor, images: list[str]) -> list[dict[str, Any]]:
    if len(images) > MAX_FILES:
        raise SliceError(f"{len(images)} files are too many at once; send at most {MAX_FILES}.")
    rows: list[dict[str, Any]] = []
    for image in images:
        try:
            rows.append(answers.answer(predictor, _read(image)).to_dict())
        except SpineAlignError as error:
            rows.append({"error": str(error)})
    return rows


def _explain(predictor: Predictor, image: Slice) -> list[Any]:
    heat_map = predictor.explain(image)
    picture = PIL.Image.fromarray(overlay_heat(heat_map.gray, heat_map.heat))
    return [{"label": heat_map.label, "hottest": list(heat_map.hottest)}, Image(data=png(picture), format="png")]
