from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from spinealign.page.blocks import Page
from spinealign.page.limits import ANSWERS_KEPT, WAITING_PREDICTIONS


async def queue_of(*sessions):
    """Return a page with a waiting call for each session. Building a queue needs a running event loop."""
    import gradio

    with Page() as page:
        gradio.on([], lambda value: value, gradio.Textbox(), gradio.Textbox(), api_name="echo")
    for session in sessions:
        await put(page, session)
    return page


async def put(page, session):
    from gradio.data_classes import PredictBodyInternal

    data = [{"path": f"/uploads/{session}/a.png"}]
    page._queue.max_size = None
    taken, _, _ = await page._queue.push(
        PredictBodyInternal(session_hash=session, data=data, fn_index=0), SimpleNamespace(), None
    )
    assert taken


def answers(page):
    return set(page._queue.pending_messages_per_session) | set(page._queue.pending_event_ids_session)


def test_uploads_of_waiting_calls_are_listed():
    page = asyncio.run(queue_of("ann", "bob"))
    assert "/uploads/ann/a.png" in page.waiting.uploads()


def test_unfetched_answers_are_dropped_but_not_waiting_calls():
    page = asyncio.run(queue_of("ann", "bob"))
    calls = page._queue.event_ids_to_events
    answered = next(number for number, call in calls.items() if call.session_hash == "ann")
    del calls[answered]  # as Gradio does after answering
    page.waiting.forget_unread(older_than=3600)
    assert answers(page) == {"ann", "bob"}
    page.waiting.forget_unread(older_than=0)
    assert answers(page) == {"bob"}


def test_a_new_call_restarts_the_idle_time_of_its_session():
    page = asyncio.run(queue_of("ann"))
    page._queue.event_ids_to_events.clear()
    page.waiting.forget_unread(older_than=3600)
    page.waiting._unread._since["ann"] -= 100
    asyncio.run(put(page, "ann"))
    page._queue.event_ids_to_events.clear()
    page.waiting.forget_unread(older_than=60)
    assert answers(page) == {"ann"}


def test_one_session_cannot_fill_the_queue():
    async def greedy():
        page = await queue_of(*["eve"] * WAITING_PREDICTIONS)
        with pytest.raises(AssertionError):
            await put(page, "eve")
        await put(page, "ann")

    asyncio.run(greedy())


def test_many_unfetched_answers_never_displace_waiting_calls():
    async def flooded():
        page = await queue_of("ann")
        for number in range(ANSWERS_KEPT + 10):
            session = f"eve{number}"
            await put(page, session)
            calls = page._queue.event_ids_to_events
            del calls[next(key for key, call in calls.items() if call.session_hash == session)]
        return page

    page = asyncio.run(flooded())
    assert "ann" in answers(page)
    assert len(answers(page)) <= ANSWERS_KEPT
    assert page._queue.pending_messages_per_session["eve0"].empty(), "messages for dropped sessions are discarded"


def test_the_queue_keeps_no_record_of_calls():
    page = asyncio.run(queue_of("ann", "bob", "eve"))
    assert page._queue.event_analytics == {}
