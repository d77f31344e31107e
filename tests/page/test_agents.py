"""The tools for agents, asked as agents ask them."""

from __future__ import annotations

import asyncio
import base64
import json
from io import BytesIO

import pytest
from conftest import serve_page
from PIL import Image

from spinealign import Predictor


@pytest.fixture(scope="module")
def served(tmp_path_factory, toy_model):
    with serve_page(tmp_path_factory.mktemp("agents") / "uploads", "--model", str(toy_model), "--mcp") as page:
        yield page


@pytest.fixture(scope="module")
def ask(served):
    """Call tools in one session; without any, list them."""

    async def session(calls):
        from mcp import ClientSession
        from mcp.client.streamable_http import streamable_http_client

        async with streamable_http_client(f"{served.url}/mcp") as (read, write, _), ClientSession(read, write) as agent:
            await agent.initialize()
            if not calls:
                return (await agent.list_tools()).tools
            return [await agent.call_tool(name, arguments) for name, arguments in calls]

    return lambda *calls: asyncio.run(session(calls))


@pytest.fixture
def sent(slices):
    return {
        kind: f"data:application/octet-stream;base64,{base64.b64encode(path.read_bytes()).decode()}"
        for kind, path in slices.items()
    }


def test_each_tool_says_what_it_takes_and_that_it_is_no_medical_device(ask):
    tools = {tool.name: tool for tool in ask()}
    assert list(tools) == ["predict", "predict_batch", "explain"]
    assert "not a medical device" in tools["predict"].description
    assert tools["predict"].inputSchema["properties"]["image"]["type"] == "string"
    assert tools["predict_batch"].inputSchema["properties"]["images"]["items"] == {"type": "string"}
    assert "$ref" not in str([tool.inputSchema for tool in tools.values()])


def test_the_tools_give_what_the_predictor_gives(ask, sent, slices, toy_model, served):
    predictor = Predictor.from_pretrained(toy_model)
    kinds = ("eight", "broken", "small", "dicom")
    single, several, explained = ask(
        ("predict", {"image": sent["dicom"]}),
        ("predict_batch", {"images": [sent[kind] for kind in kinds]}),
        ("explain", {"image": sent["eight"]}),
    )
    expected = predictor(slices["dicom"])
    assert single.structuredContent["label"] == expected.label == "fracture"
    assert single.structuredContent["confidence"] == pytest.approx(expected.confidence, abs=1e-6)
    rows = several.structuredContent["result"]
    assert [row.get("accepted") for row in rows] == [True, None, False, True]
    assert rows[1] == {"error": "This file is damaged or truncated; copy or export it again."}
    found, picture = explained.content
    assert tuple(json.loads(found.text)["hottest"]) == predictor.explain(slices["eight"]).hottest
    assert Image.open(BytesIO(base64.b64decode(picture.data))).size == (64, 64)
    assert served.files() == []


def test_neither_addresses_nor_paths_nor_other_text_are_opened(ask, served, slices, sent):
    images = (f"{served.url}/health", "/etc/passwd", f"file://{slices['eight']}", str(slices["eight"]), "data:,a", "",
              "data:image/png;base64,%%%", sent["eight"].replace("base64", "utf8"))  # fmt: skip
    for result in ask(*(("predict", {"image": image}) for image in images)):
        assert result.isError
        assert "Send the file as a data URL" in result.content[0].text
    (many,) = ask(("predict_batch", {"images": [sent["small"]] * 101}))
    assert "101 files are too many at once; send at most 100." in many.content[0].text
    assert "Traceback" not in served.log.read_text()
