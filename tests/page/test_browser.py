"""The page in Chromium."""

from __future__ import annotations

import base64
import csv
import json
import shutil
from io import BytesIO

import pytest
from conftest import serve_page
from gradio_client import Client, handle_file
from PIL import Image

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
UPLOAD, UPLOADS = "#sa-upload input[type=file]", "#sa-uploads input[type=file]"


@pytest.fixture
def visit(chromium, page):
    """Return a function that opens the page; at the end, check for errors and for requests to other hosts."""
    contexts, faults = [], []

    def opened(**options):
        contexts.append(chromium.new_context(**{"viewport": {"width": 1240, "height": 900}, **options}))
        tab = contexts[-1].new_page()
        tab.set_default_timeout(30_000)
        tab.on("console", lambda message: message.type == "error" and faults.append(message.text))
        tab.on("pageerror", lambda error: faults.append(str(error)))
        tab.on("response", lambda answer: answer.status >= 400 and faults.append(f"{answer.status} {answer.url}"))
        tab.on("request", lambda request: _elsewhere(request.url, page.url) and faults.append(request.url))
        tab.goto(page.url)
        tab.wait_for_selector(UPLOAD, state="attached")
        return tab

    yield opened
    for context in contexts:
        context.close()
    assert faults == []


def _elsewhere(url, own):
    return not url.startswith((own, "data:", "blob:"))


def finding(tab):
    return tab.locator("#sa-finding .sa-card[data-accepted]")


def downloaded(tab, link):
    with tab.expect_download() as waiting:
        tab.get_by_role("link", name=link).click()
    return waiting.value


def sort_by(tab, column):
    tab.locator("[data-sortable] thead button", has_text=column).click()


def clear(tab, slices):
    """Upload a damaged file, so that an error message replaces the finding."""
    tab.set_input_files(UPLOAD, slices["broken"])
    alert = tab.locator("#sa-finding [role=alert]")
    alert.wait_for()
    assert "This file is damaged or truncated; copy or export it again." in alert.inner_text()


def test_an_upload_shows_its_finding_and_is_deleted(visit, page, slices):
    tab = visit()
    for kind in ("eight", "dicom"):
        tab.set_input_files(UPLOAD, slices[kind])
        finding(tab).wait_for()
        assert tab.locator(".sa-badge").inner_text() == "Accepted"
        assert tab.locator(".sa-label").inner_text() == "fracture"
        assert "Classified as fracture from 60.0%" in tab.locator("#sa-finding").inner_text()
        tab.wait_for_selector(".sa-heat")
        clear(tab, slices)
        assert page.files() == []


def test_a_new_image_does_not_wait_for_the_last_heat_map(visit, page, slices):
    tab = visit()
    tab.set_input_files(UPLOAD, slices["eight"])
    finding(tab).wait_for()
    tab.set_input_files(UPLOAD, slices["small"])
    tab.wait_for_selector(".sa-card[data-accepted=false] .sa-links")
    tab.wait_for_timeout(1000)  # a late answer would appear in this time
    assert "too small" in finding(tab).inner_text()
    assert page.files() == []


SLOW = """
import sys, time
from spinealign.inference.predictor import Predictor
from spinealign.page import answers, launch
quick, answer = Predictor.explain, answers.answer
Predictor.explain = lambda *given, **more: time.sleep(1.5) or quick(*given, **more)
answers.answer = lambda *given: time.sleep(0.1) or answer(*given)
launch(Predictor.from_pretrained(sys.argv[1]))
"""


@pytest.mark.slow
def test_a_slow_answer_never_replaces_a_later_one(chromium, tmp_path, toy_model, slices):
    script = tmp_path / "slow.py"
    script.write_text(SLOW)
    with serve_page(tmp_path / "uploads", str(toy_model), script=str(script)) as served:
        tab = chromium.new_page()
        tab.goto(served.url)
        tab.set_input_files(UPLOAD, slices["eight"])
        finding(tab).wait_for()
        tab.set_input_files(UPLOAD, slices["broken"])
        tab.locator("#sa-finding [role=alert]").wait_for()
        tab.wait_for_timeout(3000)  # the first heat map is ready after this time
        assert "This image cannot be used" in tab.locator("#sa-finding").inner_text()
        tab.get_by_role("button", name="Intact neck").click()
        finding(tab).wait_for()
        tab.route(
            "**/upload?*", lambda route: route.fulfill(json=[f"{next(served.folder.glob('spine*'))}/gone/0/a.png"])
        )
        tab.set_input_files(UPLOAD, slices["eight"])
        tab.locator("#sa-finding [role=alert]", has_text="upload it again").wait_for()
        tab.wait_for_timeout(3000)
        assert "upload it again" in tab.locator("#sa-finding").inner_text()
        tab.unroute("**/upload?*")
        tab.get_by_role("tab", name="Many slices").click()
        tab.set_input_files(UPLOADS, [slices["eight"]] * 12)
        tab.locator(".sa-table tbody tr").first.wait_for()
        tab.set_input_files(UPLOADS, [slices["small"]])
        tab.locator(".sa-table tbody th", has_text="small.png").wait_for()
        tab.wait_for_timeout(2500)
        assert tab.locator(".sa-table tbody th").all_inner_texts() == ["small.png"]
        assert served.files() == []
        tab.close()


def test_unsupported_and_too_large_files_show_the_reason(visit, page, tmp_path):
    pdf, big = tmp_path / "report.pdf", tmp_path / "big.png"
    pdf.write_bytes(b"%PDF-1.7 no slice")
    big.write_bytes(b"\0" * (33 * 1024**2))
    tab = visit()
    tab.set_input_files(UPLOAD, pdf)
    alert = tab.locator("#sa-finding [role=alert]")
    alert.wait_for()
    assert "This file is a PDF document; save the slice as PNG, TIFF or DICOM." in alert.inner_text()
    tab.set_input_files(UPLOAD, big)
    tab.get_by_text("maximum allowed size", exact=False).first.wait_for()
    assert page.files() == []


def test_an_image_can_be_pasted_and_dropped(visit, slices):
    content = base64.b64encode(slices["eight"].read_bytes()).decode()
    give = """([selector, kind, content]) => {
        const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
        const data = new DataTransfer();
        data.items.add(new File([bytes], "slice.png", { type: "image/png" }));
        const options = { bubbles: true, cancelable: true };
        const event = kind === "paste" ? new ClipboardEvent(kind, { ...options, clipboardData: data })
            : new DragEvent(kind, { ...options, dataTransfer: data });
        document.querySelector(selector).dispatchEvent(event);
    }"""
    tab = visit()
    for selector, kind in (("body", "paste"), ("#sa-upload button", "drop")):
        tab.evaluate(give, [selector, kind, content])
        finding(tab).wait_for()
        tab.wait_for_selector(".sa-heat")
        clear(tab, slices)


def test_the_viewer_fades_and_zooms_without_the_server(visit, slices):
    tab = visit()
    tab.set_input_files(UPLOAD, slices["eight"])
    heat = tab.wait_for_selector(".sa-heat")
    asked = []
    tab.on("request", lambda request: asked.append(request.url))
    slider = tab.get_by_label("Heat map", exact=True)
    for value, opacity in (("0", "0"), ("100", "1"), ("40", "0.4")):
        slider.fill(value)
        assert heat.evaluate("element => getComputedStyle(element).opacity") == opacity
    assert [url for url in asked if not url.startswith("data:")] == []
    sheet = tab.locator(".sa-sheet")
    width = sheet.bounding_box()["width"]
    tab.get_by_role("button", name="Zoom in").click()
    assert sheet.bounding_box()["width"] == pytest.approx(1.5 * width, rel=0.01)
    tab.locator(".sa-stage").press("+")
    assert sheet.bounding_box()["width"] == pytest.approx(2.25 * width, rel=0.01)
    left = sheet.bounding_box()["x"]
    tab.locator(".sa-stage").press("ArrowLeft")
    assert sheet.bounding_box()["x"] == pytest.approx(left + 40, abs=1)
    shown = tab.locator(".sa-image").get_attribute("src")
    tab.get_by_role("button", name="Intact neck").click()
    tab.wait_for_function("shown => ![null, shown].includes(document.querySelector('.sa-image')?.src)", arg=shown)
    tab.wait_for_function("!document.querySelector('.sa-stage[data-zoomed]')")


def test_the_result_downloads_and_does_not_shift_the_layout(visit, slices):
    tab = visit()
    before = [tab.locator(place).bounding_box() for place in ("#sa-view .sa-stage", "#sa-finding", ".sa-controls")]
    tab.set_input_files(UPLOAD, slices["dicom"])
    tab.wait_for_selector(".sa-heat")
    after = [tab.locator(place).bounding_box() for place in ("#sa-view .sa-stage", "#sa-finding", ".sa-controls")]
    assert [(box["x"], box["y"]) for box in after] == [(box["x"], box["y"]) for box in before]
    assert after[0] == before[0]
    content = json.loads(downloaded(tab, "Result as JSON").path().read_text())
    assert list(content) == [
        "label", "confidence", "probabilities", "findings", "accepted", "rejection_reasons", "notes", "model",
    ]  # fmt: skip
    assert content["label"] == "fracture"
    picture = downloaded(tab, "Result as a picture")
    assert picture.suggested_filename == "spinealign.png"
    assert Image.open(BytesIO(picture.path().read_bytes())).size[0] > 600


def test_a_batch_has_a_sortable_table_and_a_csv_file(visit, page, slices):
    tab = visit()
    tab.get_by_role("tab", name="Many slices").click()
    tab.set_input_files(UPLOADS, [slices[kind] for kind in ("small", "broken", "eight", "dicom")])
    tab.get_by_role("link", name="Table as CSV").wait_for()
    names = tab.locator(".sa-table tbody th")
    assert names.all_inner_texts() == ["small.png", "broken.png", "eight.png", "slice.dcm"]
    sort_by(tab, "File")
    assert names.all_inner_texts() == ["broken.png", "eight.png", "slice.dcm", "small.png"]
    sort_by(tab, "Confidence")
    sort_by(tab, "Confidence")
    assert names.all_inner_texts()[-1] == "broken.png"
    assert tab.locator(".sa-table thead th").nth(2).get_attribute("aria-sort") == "descending"
    with downloaded(tab, "Table as CSV").path().open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["source"] for row in rows] == ["small.png", "broken.png", "eight.png", "slice.dcm"]
    assert [row["accepted"] for row in rows] == ["False", "", "True", "True"]
    assert rows[1]["error"] == "This file is damaged or truncated; copy or export it again."
    assert page.files() == []


def test_an_example_works_with_the_keyboard_only(visit):
    tab = visit()
    reached = []
    for _ in range(30):
        tab.keyboard.press("Tab")
        reached.append(
            tab.evaluate("(document.activeElement.innerText || document.activeElement.ariaLabel || '').trim()")
        )
        if reached[-1] == "5 mm break":
            break
    assert any("upload" in name.lower() for name in reached)
    tab.keyboard.press("Enter")
    finding(tab).wait_for()
    tab.wait_for_selector(".sa-heat")
    assert tab.evaluate("document.activeElement.innerText") == "5 mm break", "the focus does not move"
    tab.locator("#sa-opacity").focus()
    tab.keyboard.press("End")
    assert tab.evaluate("document.documentElement.style.getPropertyValue('--sa-opacity')") == "1"
    assert tab.locator("#sa-finding").get_attribute("aria-live") == "polite"


def test_on_a_phone_nothing_is_wider_than_the_screen(visit, slices):
    tab = visit(**PHONE)
    tab.set_input_files(UPLOAD, slices["small"])
    tab.wait_for_selector(".sa-heat")
    for name in ("One slice", "Many slices", "The model"):
        tab.get_by_role("tab", name=name).click()
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390, name


def test_a_rejected_image_shows_its_reasons_legibly(visit, slices):
    tab = visit()
    tab.set_input_files(UPLOAD, slices["small"])
    finding(tab).wait_for()
    said = finding(tab).inner_text()
    assert said.startswith("Not accepted")
    assert "too small: shorter side 100 pixels (limit 128)" in said
    assert "Do not rely on this result" in said
    assert tab.locator(".sa-bars li").count() == 2
    for scheme in ("light", "dark"):
        tab.emulate_media(color_scheme=scheme)
        tab.wait_for_function("dark => document.body.classList.contains('dark') === dark", arg=scheme == "dark")
        for selector in (".sa-quiet", ".sa-badge", ".sa-warning", ".sa-reasons li", ".sa-share", ".sa-name"):
            assert contrast(tab, selector) >= 4.5, (scheme, selector)


def contrast(tab, selector):
    """Return the WCAG 2 contrast ratio between a text and its background."""
    return tab.locator(selector).first.evaluate("""element => {
        const channels = (color) => color.match(/[\\d.]+/g).map(Number);
        const light = ([r, g, b]) => [r, g, b].map((value) => value / 255)
            .map((value) => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
            .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);
        const fill = (place) => channels(getComputedStyle(place).backgroundColor);
        let behind = element;
        while (behind !== document.body && (fill(behind)[3] ?? 1) < 1) behind = behind.parentElement;
        const [one, other] = [channels(getComputedStyle(element).color), fill(behind)].map(light);
        return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    }""")


def test_another_model_can_be_chosen_if_allowed(visit, slices, toy_model, tmp_path):
    folder = tmp_path / "<i>mine"
    shutil.copytree(toy_model, folder, ignore=shutil.ignore_patterns("metrics.json"))
    tab = visit()
    tab.get_by_role("tab", name="The model").click()
    for part in ("toy", "82.0 to 100.0 %", "97.5 to 99.8 %", "96.75 %", "not a medical device"):
        assert part in tab.locator(".sa-about").inner_text()
    box = tab.get_by_label("Another model")
    box.fill("nobody/nothing here")
    box.press("Enter")
    tab.locator("#sa-model [role=alert]").wait_for()
    assert "nobody/nothing here" in tab.locator("#sa-model").inner_text()
    box.fill(str(folder))
    tab.get_by_role("button", name="Use it").click()
    tab.locator("#sa-model [role=status]").wait_for()
    assert "come from <i>mine." in tab.locator("#sa-model").inner_text()
    assert "no measured scores" in tab.locator(".sa-about").inner_text()
    tab.get_by_role("tab", name="One slice").click()
    tab.set_input_files(UPLOAD, slices["eight"])
    tab.wait_for_selector(".sa-heat")
    assert json.loads(downloaded(tab, "Result as JSON").path().read_text())["model"] == "<i>mine"


@pytest.mark.slow
def test_a_chosen_model_stays_and_is_never_replaced(visit, page, slices, toy_model, tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(toy_model, folder)
    tab = visit()
    tab.get_by_role("tab", name="The model").click()
    tab.get_by_label("Another model").fill(str(folder))
    tab.get_by_role("button", name="Use it").click()
    tab.locator("#sa-model [role=status]").wait_for()
    client = Client(page.url, verbose=False)
    for _ in range(40):  # more sessions than the server keeps
        client.predict(handle_file(str(slices["small"])), api_name="/predict")
    tab.get_by_role("tab", name="One slice").click()
    tab.set_input_files(UPLOAD, slices["eight"])
    tab.wait_for_selector(".sa-heat")
    assert "Model: mine" in finding(tab).inner_text()
    for name in ("other", "third"):  # the server keeps two
        shutil.copytree(toy_model, tmp_path / name)
        other = visit()
        other.get_by_role("tab", name="The model").click()
        other.get_by_label("Another model").fill(str(tmp_path / name))
        other.get_by_role("button", name="Use it").click()
        other.locator("#sa-model [role=status]").wait_for()
    shutil.rmtree(folder)
    tab.set_input_files(UPLOAD, slices["small"])
    tab.locator("#sa-finding [role=alert]").wait_for()
    assert "mine" in tab.locator("#sa-finding").inner_text()
    assert page.files() == []


@pytest.mark.slow
def test_a_visitor_logs_in(chromium, tmp_path, toy_model):
    with serve_page(tmp_path / "uploads", "--model", str(toy_model), SPINEALIGN_AUTH="ann:right") as served:
        tab = chromium.new_page()
        tab.goto(served.url)
        for password in ("wrong", "right"):
            tab.get_by_label("username").fill("ann")
            tab.get_by_label("password").fill(password)
            assert "not a medical device" in tab.locator("body").inner_text()
            tab.get_by_role("button", name="Login").click()
            if password == "wrong":
                tab.get_by_text("Incorrect Credentials").wait_for()
        tab.get_by_role("button", name="5 mm break", exact=True).click()
        tab.wait_for_selector(".sa-heat")
        tab.close()


def test_file_names_are_shown_as_text_and_never_run(visit, slices, tmp_path):
    names = ["<img src=x onerror=alert(1)>.png", "{{constructor}}${alert(2)}.png", "=cmd.png"]
    for name in names:
        (tmp_path / name).write_bytes(slices["broken"].read_bytes())
    tab = visit()
    tab.on("dialog", lambda dialog: pytest.fail(dialog.message))
    tab.get_by_role("tab", name="Many slices").click()
    tab.set_input_files(UPLOADS, [tmp_path / name for name in names])
    tab.get_by_role("link", name="Table as CSV").wait_for()
    assert tab.locator(".sa-table tbody th").all_inner_texts() == names
    with downloaded(tab, "Table as CSV").path().open(newline="") as stream:
        assert [row["source"] for row in csv.DictReader(stream)] == [*names[:2], "'=cmd.png"]
