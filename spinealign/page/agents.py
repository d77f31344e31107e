"""Model Context Protocol server: tools for agents. Images arrive as data URLs and are never written to disk."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import PIL.Image
from mcp import types
from mcp.shared.version import SUPPORTED_PROTOCOL_VERSIONS
from starlette.routing import Route

from spinealign._version import __version__
from spinealign.errors import ImageError, SpineAlignError
from spinealign.imaging.drawing import overlay_heat
from spinealign.imaging.slice import Slice
from spinealign.inference.predictor import Predictor
from spinealign.page import answers
from spinealign.page.guard import AGENTS_ROUTE
from spinealign.page.images import png
from spinealign.page.limits import MAX_FILES, PREDICTIONS_AT_ONCE
from spinealign.page.messages import Asked, Messages
from spinealign.page.uploads import read_content

INSTRUCTIONS = (
    "Classifies one slice at a time as {}. Research software, not a medical device. Do not rely on the result for an "
    "image that is not accepted. Send files as data URLs."
)
NO_DATA_URL = "Send the file as a data URL, data:image/png;base64,... (PNG, JPEG or DICOM)."
NO_LIST = "Send the files in the argument images, as a list of data URLs."

_FILE = {"type": "string", "description": "The PNG, JPEG or DICOM file as a data URL."}
_FILES = {"type": "array", "items": {"type": "string"}, "description": "The PNG, JPEG or DICOM files as data URLs."}
TOOLS = [
    types.Tool(
        name="predict",
        description="Classify one slice. Research software, not a medical device. Returns label, confidence, "
        "probabilities, findings, acceptance, reasons for rejection, and the model.",
        inputSchema={"type": "object", "properties": {"image": _FILE}, "required": ["image"]},
    ),
    types.Tool(
        name="predict_batch",
        description=f"Classify up to {MAX_FILES} slices. Returns for each file, in order, the "
        "result of predict or an error; a file that cannot be used does not affect the others.",
        inputSchema={"type": "object", "properties": {"images": _FILES}, "required": ["images"]},
    ),
    types.Tool(
        name="explain",
        description="Explain the prediction for one slice with an occlusion heat map: how much the "
        "probability drops when a region is covered. Returns the explained label, row and column of the hottest "
        "point, and the image with its heat map.",
        inputSchema={"type": "object", "properties": {"image": _FILE}, "required": ["image"]},
    ),
]


class Agents:
    """Server of the tools `predict`, `predict_batch` and `explain`.

    Attributes:
        route: Route that answers requests.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._lanes = asyncio.Semaphore(PREDICTIONS_AT_ONCE)
        self.route = Route(AGENTS_ROUTE, Messages(self._answer))

    async def _answer(self, asked: Asked) -> types.Result:
        match asked:
            case types.InitializeRequest():
                return _introduce(self._predictor, asked.params.protocolVersion)
            case types.ListToolsRequest():
                return types.ListToolsResult(tools=TOOLS)
            case types.CallToolRequest():
                return await self._call(asked.params.name, asked.params.arguments or {})
            case types.PingRequest():
                return types.EmptyResult()

    async def _call(self, name: str, arguments: dict[str, Any]) -> types.CallToolResult:
        tool = _FUNCTIONS.get(name)
        if tool is None:
            return _failure(f"Unknown tool. Available tools: {', '.join(_FUNCTIONS)}.")
        try:
            async with self._lanes:
                return await asyncio.to_thread(tool, self._predictor, arguments)
        except SpineAlignError as error:
            return _failure(str(error))


def _introduce(predictor: Predictor, version: str | int) -> types.InitializeResult:
    return types.InitializeResult(
        protocolVersion=version if version in SUPPORTED_PROTOCOL_VERSIONS else types.LATEST_PROTOCOL_VERSION,
        capabilities=types.ServerCapabilities(tools=types.ToolsCapability(listChanged=False)),
        serverInfo=types.Implementation(name="spinealign", version=__version__),
        instructions=INSTRUCTIONS.format(" or ".join(predictor.labels)),
    )


@dataclass(frozen=True)
class _Sent:
    """File in a message. Only data URLs are accepted, not paths or other URLs."""

    text: Any
    name: str = ""

    def read(self) -> Slice:
        head, _, content = self.text.partition(",") if isinstance(self.text, str) else ("", "", "")
        if not (head.startswith("data:") and head.endswith(";base64")):
            raise ImageError(NO_DATA_URL)
        try:
            decoded = base64.b64decode(content, validate=True)
        except ValueError as error:  # for non-ASCII text; other invalid text raises its subclass binascii.Error
            raise ImageError(NO_DATA_URL) from error
        return read_content(decoded)

    def delete(self) -> None:
        """Do nothing: the content is only in memory."""


def _predict(predictor: Predictor, arguments: dict[str, Any]) -> types.CallToolResult:
    return _success(answers.answer(predictor, _Sent(arguments.get("image")).read()).to_dict())


def _predict_batch(predictor: Predictor, arguments: dict[str, Any]) -> types.CallToolResult:
    files = arguments.get("images")
    if not isinstance(files, list):
        raise ImageError(NO_LIST)
    rows = answers.answer_all(predictor, [_Sent(file) for file in files])
    return _success({"result": [row.to_dict() for row in rows]})


def _explain(predictor: Predictor, arguments: dict[str, Any]) -> types.CallToolResult:
    heat_map = predictor.explain(_Sent(arguments.get("image")).read())
    picture = png(PIL.Image.fromarray(overlay_heat(heat_map.gray, heat_map.heat)))
    found = json.dumps({"label": heat_map.label, "hottest": list(heat_map.hottest)})
    shown = types.ImageContent(type="image", data=base64.b64encode(picture).decode(), mimeType="image/png")
    return types.CallToolResult(content=[types.TextContent(type="text", text=found), shown])


_FUNCTIONS: dict[str, Callable[[Predictor, dict[str, Any]], types.CallToolResult]] = {
    "predict": _predict,
    "predict_batch": _predict_batch,
    "explain": _explain,
}


def _success(found: dict[str, Any]) -> types.CallToolResult:
    text = types.TextContent(type="text", text=json.dumps(found))  # for agents that only read text
    return types.CallToolResult(content=[text], structuredContent=found)


def _failure(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], isError=True)
