"""Framing of the page: by the Hub in a Space, and by no other site."""

from __future__ import annotations

import re
import urllib.request

import pytest
from conftest import serve_page

pytestmark = pytest.mark.browser

HUB = "https://huggingface.co"
# Chromium asks before a public page may embed one from localhost; a real Space is public itself.
ALLOWED = ["local-network-access"]


@pytest.fixture(scope="module")
def space(tmp_path_factory, toy_model):
    folder = tmp_path_factory.mktemp("space") / "uploads"
    with serve_page(folder, "--model", str(toy_model), SPACE_ID="owner/name") as served:
        yield served


@pytest.fixture
def site(chromium):
    """Return a function that makes a tab in which an origin shows another page in a frame."""
    contexts = []

    def made(origin, url):
        contexts.append(chromium.new_context(permissions=ALLOWED))
        tab = contexts[-1].new_page()
        shown = f'<iframe src="{url}" width="1000" height="900"></iframe>'
        tab.route(f"{origin}/**", lambda route: route.fulfill(content_type="text/html", body=shown))
        return tab

    yield made
    for context in contexts:
        context.close()


def refusal(tab, origin):
    """Open the site and return the browser's message about the blocked frame."""
    with tab.expect_console_message(lambda message: "frame-ancestors" in message.text) as said:
        tab.goto(f"{origin}/")
    tab.frames[1].wait_for_url("chrome-error:**", wait_until="commit")
    return said.value.text


def test_a_space_works_in_a_frame_of_the_hub(site, space, slices):
    tab, faults = site(HUB, space.url), []
    tab.on("console", lambda message: message.type == "error" and faults.append(message.text))
    tab.goto(f"{HUB}/spaces/owner/name")
    frame = tab.frame_locator("iframe")
    frame.locator("#sa-upload input[type=file]").set_input_files(slices["eight"])
    frame.locator("#sa-finding .sa-card[data-accepted=true]").wait_for()
    frame.locator(".sa-heat").wait_for()
    assert frame.locator(".sa-label").inner_text() == "fracture"
    assert faults == []
    assert space.files() == []


@pytest.mark.parametrize("origin", ["https://example.org", "https://huggingface.co.example.org"])
def test_other_sites_cannot_frame_a_space(site, space, origin):
    assert f"frame-ancestors 'self' {HUB}\"" in refusal(site(origin, space.url), origin)


def test_outside_a_space_not_even_the_hub_can_frame_the_page(site, page):
    assert "frame-ancestors 'none'" in refusal(site(HUB, page.url), HUB)


def test_the_policy_of_a_space_names_only_the_hub(space):
    with urllib.request.urlopen(space.url) as answer:
        (ancestors,) = re.findall("frame-ancestors ([^;]*)", answer.headers["content-security-policy"])
    assert ancestors.split() == ["'self'", HUB]
