from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from spinealign.page.blocks import Page
from spinealign.page.limits import ANSWERS_KEPT, WAITING_PREDICTIONS


async def queue_of(*sessions):
    """Return a page in whose queue a call of each of these waits; Gradio needs a running loop to build one."""
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


def test_uploads_of_calls_that_wait_are_known():
    page = asyncio.run(queue_of("ann", "bob"))
    assert "/uploads/ann/a.png" in page.waiting.uploads()


def test_an_answer_that_nobody_fetches_is_forgotten_but_no_call_that_waits():
    page = asyncio.run(queue_of("ann", "bob"))
    calls = page._queue.event_ids_to_events
    answered = next(number for number, call in calls.items() if call.session_hash == "ann")
    del calls[answered]  # as Gradio does when it has answered
    page.waiting.forget_unread(older_than=3600)
    assert answers(page) == {"ann", "bob"}
    page.waiting.forget_unread(older_than=0)
    assert answers(page) == {"bob"}


def test_an_answer_is_kept_for_a_while_however_long_its_session_has_been_idle_before():
    page = asyncio.run(queue_of("ann"))
    page._queue.event_ids_to_events.clear()
    page.waiting.forget_unread(older_than=3600)
    page.waiting._unread._since["ann"] -= 100
    asyncio.run(put(page, "ann"))
    page._queue.event_ids_to_events.clear()
    page.waiting.forget_unread(older_than=60)
    assert answers(page) == {"ann"}


def test_nobody_takes_all_the_room():
    async def greedy():
        page = await queue_of(*["eve"] * WAITING_PREDICTIONS)
        with pytest.raises(AssertionError):
            await put(page, "eve")
        await put(page, "ann")

    asyncio.run(greedy())


def test_many_unread_answers_give_way_but_never_a_call_that_waits():
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
    assert page._queue.pending_messages_per_session["eve0"].empty(), "what is for nobody goes nowhere"


def test_the_queue_keeps_no_record_of_calls():
    page = asyncio.run(queue_of("ann", "bob", "eve"))
    assert page._queue.event_analytics == {}
