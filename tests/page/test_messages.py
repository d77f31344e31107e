"""JSON-RPC messages without a page; test_agents.py sends messages to a page."""

from __future__ import annotations

import asyncio

import httpx

from spinealign.page.messages import Messages


def test_errors_are_logged_and_answered_without_the_request(caplog):
    async def answer(asked):
        raise RuntimeError(f"cannot use {asked.params.arguments}")

    async def ask():
        transport = httpx.ASGITransport(Messages(answer))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as agent:
            params = {"name": "predict", "arguments": {"image": "Smith^Jane"}}
            return await agent.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})

    error = asyncio.run(ask()).json()["error"]
    assert error == {"code": -32603, "message": "The request failed."}
    assert caplog.messages == ["The request of an agent failed: RuntimeError"]
