"""The documentation site."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

import spinealign

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_site_loads_nothing_from_other_hosts(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 15
    for page in pages:
        loaded = re.findall(
            r"<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)=\"?(?:https?:)?//[^\s>]*", page.read_text()
        )
        assert loaded == [], page.name


def test_the_reference_documents_every_public_name(site):
    documented = re.findall(r'id="(spinealign\.[\w.]+)"', (site / "reference.html").read_text())
    public = {f"spinealign.{name}" for name in spinealign.__all__} - {"spinealign.__version__"}
    assert public - set(documented) == {"spinealign.SpineAlignError"}
    assert "spinealign.errors.SpineAlignError" in documented


@pytest.mark.browser
def test_the_search_works_without_a_server(site, chromium):
    page = chromium.new_page()
    page.goto((site / "index.html").as_uri())
    page.get_by_role("textbox", name="Search").click()
    page.keyboard.type("shortcut baseline")
    page.get_by_text(re.compile(r"\d+ matching documents")).wait_for(timeout=30_000)
    assert "How the numbers are made" in page.locator(".md-search-result__list").inner_text()
    page.close()
