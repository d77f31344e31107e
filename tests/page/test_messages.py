"""The messages of agents, where no page is needed; test_agents.py sends them to one."""

from __future__ import annotations

import asyncio

import httpx

from spinealign.page.messages import Messages


def test_what_breaks_is_logged_and_answered_without_a_word_of_what_was_sent(caplog):
    async def answer(asked):
        raise RuntimeError(f"cannot use {asked.params.arguments}")

    async def ask():
        transport = httpx.ASGITransport(Messages(answer))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as agent:
            params = {"name": "predict", "arguments": {"image": "Smith^Jane"}}
            return await agent.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})

    error = asyncio.run(ask()).json()["error"]
    assert error == {"code": -32603, "message": "It could not be answered."}
    assert caplog.messages == ["An agent was not answered: RuntimeError"]
