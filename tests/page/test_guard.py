from __future__ import annotations

import asyncio

import pytest

from spinealign.page.guard import Guard, security_headers


def answer_of(guard, messages, *, path="/gradio_api/upload", headers=()):
    """Return status and text of the response; after the given messages, the request stalls."""
    sent = []

    async def receive():
        if messages:
            return messages.pop(0)
        await asyncio.sleep(3600)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "path": path, "headers": list(headers)}
    asyncio.run(asyncio.wait_for(guard(scope, receive, send), 30))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


async def reader(scope, receive, send):
    """Application that reads the whole body, as Gradio does."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RuntimeError("the client is gone")
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


def chunk(size, *, more):
    return {"type": "http.request", "body": b"x" * size, "more_body": more}


def test_a_body_within_its_limits_passes():
    assert answer_of(Guard(reader), [chunk(5, more=True), chunk(6, more=False)]) == (200, b"11")


def test_an_upload_that_stalls_times_out():
    answer = answer_of(Guard(reader, body_seconds=0.05), [chunk(5, more=True)])
    assert answer == (408, b"The request took too long.")


def test_a_body_that_grows_too_large_is_refused():
    pieces = [chunk(1024**2, more=True) for _ in range(300)]
    assert answer_of(Guard(reader), pieces) == (413, b"The request is too large.")
    assert answer_of(Guard(reader), [chunk(2 * 1024**2, more=False)], path="/gradio_api/call/predict")[0] == 413


@pytest.mark.parametrize("length", [b"999999999999", b"-1", b"many"])
def test_an_invalid_content_length_is_refused_before_reading(length):
    assert answer_of(Guard(reader), [], headers=[(b"content-length", length)])[0] == 413


@pytest.mark.parametrize(
    "path", ["/gradio_api/file=/etc/passwd", "/gradio_api/proxy=http://a", "/anything", "/config/x"]
)
def test_paths_off_the_allow_list_are_not_found(path):
    assert answer_of(Guard(reader), [], path=path) == (404, b"Not found.")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([(b"host", b"neck.example.org")], 200),
        ([(b"host", b"neck.example.org"), (b"origin", b"https://neck.example.org")], 200),
        ([(b"host", b"10.0.0.1"), (b"x-forwarded-host", b"neck.org"), (b"origin", b"https://neck.org")], 200),
        ([(b"host", b"10.0.0.1"), (b"origin", b"https://me-neck.hf.space")], 200),
        ([(b"host", b"neck.example.org"), (b"origin", b"https://evil.example")], 403),
        ([(b"host", b"neck.example.org"), (b"origin", b"null")], 403),
        ([(b"origin", b"")], 403),
        ([(b"host", b"neck.example.org"), (b"sec-fetch-site", b"cross-site")], 403),
        ([(b"host", b"neck.example.org"), (b"sec-fetch-site", b"same-origin")], 200),
    ],
)  # fmt: skip
def test_requests_of_other_sites_are_refused(monkeypatch, headers, status):
    monkeypatch.setenv("SPACE_HOST", "me-neck.hf.space")
    found = answer_of(Guard(reader), [chunk(1, more=False)], path="/gradio_api/token", headers=headers)
    assert found[0] == status


def test_cors_headers_are_removed():
    sent = []

    async def generous(scope, receive, send):
        headers = [(b"Access-Control-Allow-Origin", b"https://evil.example"), (b"x-kept", b"1")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

    async def send(message):
        sent.append(message)

    asyncio.run(Guard(generous)({"type": "http", "path": "/", "headers": []}, None, send))
    names = {name.lower() for name, _ in sent[0]["headers"]}
    assert b"x-kept" in names
    assert not [name for name in names if name.startswith(b"access-control")]


def test_errors_are_logged_by_class_name_only(caplog):
    async def faulty(scope, receive, send):
        raise KeyError("Smith^Jane")

    assert answer_of(Guard(faulty), []) == (500, b"The request failed.")
    assert caplog.messages == ["A request failed: KeyError"]


def test_the_hub_may_frame_the_page_only_in_a_space(monkeypatch):
    monkeypatch.delenv("SPACE_ID", raising=False)
    assert "frame-ancestors 'none'" in security_headers()["content-security-policy"]
    monkeypatch.setenv("SPACE_ID", "owner/name")
    assert "frame-ancestors 'self' https://huggingface.co" in security_headers()["content-security-policy"]
