"""Tools for agents, called over the Model Context Protocol."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
from io import BytesIO

import httpx
import pytest
from PIL import Image

from spinealign import Predictor


@pytest.fixture(scope="module")
def ask(page):
    """Return a function that calls tools in one session, or lists them if no call is given."""

    async def session(calls):
        from mcp import ClientSession
        from mcp.client.streamable_http import streamable_http_client

        async with streamable_http_client(f"{page.url}/mcp") as (read, write, _), ClientSession(read, write) as agent:
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


def test_each_tool_describes_its_input_and_has_a_disclaimer(ask):
    tools = {tool.name: tool for tool in ask()}
    assert list(tools) == ["predict", "predict_batch", "explain"]
    assert "not a medical device" in tools["predict"].description
    assert tools["predict"].inputSchema["properties"]["image"]["type"] == "string"
    assert tools["predict_batch"].inputSchema["properties"]["images"]["items"] == {"type": "string"}
    assert "$ref" not in str([tool.inputSchema for tool in tools.values()])


def test_the_tools_give_what_the_predictor_gives(ask, sent, slices, toy_model, page):
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
    assert page.files() == []


def test_urls_paths_and_other_text_are_not_opened(ask, page, slices, sent):
    images = (f"{page.url}/health", "/etc/passwd", f"file://{slices['eight']}", str(slices["eight"]), "data:,a", "",
              "data:image/png;base64,%%%", sent["eight"].replace("base64", "utf8"))  # fmt: skip
    for result in ask(*(("predict", {"image": image}) for image in images)):
        assert result.isError
        assert "Send the file as a data URL" in result.content[0].text
    (many,) = ask(("predict_batch", {"images": [sent["small"]] * 101}))
    assert "Too many files: 101. Send at most 100 at once." in many.content[0].text
    assert "Traceback" not in page.log.read_text()


def rpc(method, params=None, **more):
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params or {}, **more}


def call(tool, **arguments):
    return rpc("tools/call", {"name": tool, "arguments": arguments})


@pytest.fixture(scope="module")
def http(page):
    with httpx.Client(base_url=page.url, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def post(http):
    headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    return lambda content, **more: http.post(
        "/mcp",
        content=content if isinstance(content, bytes) else json.dumps(content).encode(),
        headers={**headers, **more},
    )


def test_messages_of_agents_are_not_logged(http, post, page, sent):
    secret, image, logged = "Smith^Jane", sent["eight"], page.log.read_text()
    for message in (
        {"jsonrpc": "2.0", "id": 7, "result": {"patient": secret, "image": image}},
        {"jsonrpc": "2.0", "id": secret, "error": {"code": 1, "message": secret}},
        {"jsonrpc": "2.0", "id": {secret: 1}, "method": "ping"},
        {"jsonrpc": "2.0", "method": f"notifications/{secret}", "params": {"x": secret}},
        {"jsonrpc": "2.0", "method": "notifications/progress", "params": {secret: secret}},
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": secret}},
        [call("predict", image=secret)],
        secret,
        rpc(secret),
        rpc("tools/call", {secret: 1}),
        rpc("tools/call", {"tool": "predict", "arguments": {"image": image, "patient": secret}}),
        rpc("tools/call", [secret]),
        rpc("resources/read", {"uri": f"file:///{secret}"}),
        rpc("prompts/get", {"name": secret}),
        rpc("initialize", {secret: 1}),
        rpc("ping", id="\ud800"),
        call(secret),
        call("predict", image={secret: 1}),
        call("predict", image=f"data:\ud800{secret};base64,\ud800"),
        call("predict", image=secret, patient=secret),
        call("predict_batch", images={secret: 1}),
        b'{"Smith^Jane',
        b'{"Smith^Jane": "\xff"}',
        b'{"Smith^Jane": ' + b"1" * 5_000 + b"}",
        b'{"Smith^Jane": ' + b"[" * 100_000,
        b"",
    ):  # fmt: skip
        answer = post(message)
        assert answer.status_code in (200, 202, 400), message
        assert secret not in answer.text.replace(f'"id": "{secret}"', "")
        assert len(answer.content) < 500
    post(rpc("ping"), **{"content-type": f"text/{secret}"})
    post(rpc("ping"), **{"mcp-protocol-version": secret, "mcp-session-id": secret})
    http.request("DELETE", "/mcp", headers={"mcp-session-id": secret})
    assert post(rpc("ping")).json() == {"jsonrpc": "2.0", "id": 7, "result": {}}
    assert page.log.read_text() == logged


def test_requests_that_never_finish_do_not_block_others(http, page, post):
    host, port = page.url.removeprefix("http://").split(":")
    with contextlib.ExitStack() as standing:
        waiting = b"GET /mcp HTTP/1.1\r\nAccept: text/event-stream\r\n"
        unsent = b"POST /mcp HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 40000000\r\n"
        for start in (waiting, unsent) * 20:
            line = standing.enter_context(socket.create_connection((host, int(port)), timeout=60))
            line.sendall(start + b"Host: localhost\r\n\r\n")
        assert post(rpc("ping")).status_code == 200
    for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
        refused = http.request(method, "/mcp", headers={"accept": "text/event-stream"})
        assert (refused.status_code, refused.headers["allow"]) == (405, "POST")


def test_a_value_that_is_not_an_image_does_not_stop_a_batch(ask, post, sent):
    others = ["data:image/png;base64,\u00e9", "data:image/png;base64,AAA", sent["broken"], "", None, 1, True, ["x"], {}]
    answer = post(call("predict_batch", images=[sent["eight"], *others, "data:;base64,\ud800", sent["eight"]]))
    rows = answer.json()["result"]["structuredContent"]["result"]
    assert ["label" in row for row in rows] == [True, *[False] * 10, True]
    assert all(list(row) == ["error"] for row in rows[1:-1])
    assert json.loads(answer.json()["result"]["content"][0]["text"]) == {"result": rows}
    for result in ask(("predict_batch", {}), ("predict_batch", {"images": sent["eight"]}), ("explain", {"images": []})):
        assert result.isError
        assert result.content[0].text.startswith("Send the file")


def test_a_message_with_too_many_values_is_refused(post, sent):
    many = post(b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":[' + b"0," * 2_000_000 + b"0]}}")
    assert (many.status_code, many.text) == (413, "Too many JSON values; send at most 1000.")
    assert post(call("predict_batch", images=[sent["small"]] * 100)).status_code == 200


def test_the_total_size_of_unanswered_messages_is_limited(http, post, page):
    largest = json.dumps(call("predict", image="data:image/png;base64," + "A" * 40 * 1024**2)).encode()
    host, port = page.url.removeprefix("http://").split(":")
    head = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=60) as first:
        first.sendall(head % len(largest) + largest[:-1])  # it has all arrived when the next one is refused
        refused = [answer for answer in (post(largest) for _ in range(5)) if answer.status_code == 503]
        assert refused
        assert refused[0].text == "Too many requests at once; try again."
        assert post(rpc("ping")).status_code == 200
        first.sendall(largest[-1:])
        assert b"200 OK" in first.recv(1_000)
    for _ in range(2):
        answer = post(largest)
        assert answer.status_code == 200
        assert "larger than 32 MiB" not in answer.text
    assert post(b" " * (44 * 1024**2 + 1)).status_code == 413


def test_initialization_negotiates_the_protocol_version(post):
    asked = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "a", "version": "1"}}
    answer = post(rpc("initialize", asked)).json()["result"]
    assert (answer["protocolVersion"], answer["serverInfo"]["name"]) == ("2025-06-18", "spinealign")
    assert list(answer["capabilities"]) == ["tools"]
    assert post(rpc("initialize", {**asked, "protocolVersion": "1"})).json()["result"]["protocolVersion"] > "2025-06-18"
    assert post(rpc("ping"), **{"mcp-protocol-version": "1"}).status_code == 400
    assert post(rpc("ping"), **{"content-type": "text/plain"}).status_code == 415
    assert post(rpc("prompts/list")).json()["error"]["code"] == -32601
