"""Screenshots of the page for README and docs: `make screenshots`."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from serving import ROOT, served_page

from spinealign.imaging.preprocessing import render
from spinealign.phantoms.axial_neck import draw_phantom

FOLDER = ROOT / "docs" / "images"
DESK, PHONE = {"width": 1020, "height": 820}, {"width": 390, "height": 844}


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        served_page(Path(folder)) as (url, _),
        sync_playwright() as playwright,
    ):
        chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        files = batch_files(Path(folder) / "slices")
        shots: list[tuple[str, dict[str, object], Callable[[Page], None]]] = [
            ("page", {"viewport": DESK}, lambda tab: example(tab, "5 mm break")),
            ("page-dark", {"viewport": DESK, "color_scheme": "dark"}, lambda tab: example(tab, "Intact neck")),
            ("page-rejected", {"viewport": DESK}, lambda tab: example(tab, "Not a CT slice")),
            ("page-phone", {"viewport": PHONE, "device_scale_factor": 1}, lambda tab: example(tab, "5 mm break")),
            ("page-batch", {"viewport": DESK}, lambda tab: batch(tab, files)),
            ("page-model", {"viewport": DESK}, lambda tab: tab.get_by_role("tab", name="The model").click()),
        ]
        for name, options, act in shots:
            take(browser, url, name=name, options=options, act=act)
        browser.close()


def take(browser: Browser, url: str, *, name: str, options: dict[str, object], act: Callable[[Page], None]) -> None:
    context = browser.new_context(**options)
    tab = context.new_page()
    tab.goto(url)
    tab.wait_for_selector("#sa-upload input[type=file]", state="attached")
    act(tab)
    tab.mouse.move(0, 0)
    tab.evaluate("document.activeElement.blur()")
    tab.wait_for_timeout(800)  # wait for the end of animations
    shot = Image.open(BytesIO(tab.screenshot(full_page=True))).convert("RGB")
    shot.save(FOLDER / f"{name}.png", optimize=True)
    context.close()
    print(f"{name}.png: {shot.width} x {shot.height}, {(FOLDER / f'{name}.png').stat().st_size / 1e3:.0f} kB")


def example(tab: Page, name: str) -> None:
    tab.get_by_role("button", name=name, exact=True).click()
    tab.wait_for_selector(".sa-heat", timeout=120_000)


def batch(tab: Page, files: list[Path]) -> None:
    tab.get_by_role("tab", name="Many slices").click()
    tab.set_input_files("#sa-uploads input[type=file]", files)
    tab.get_by_role("link", name="Table as CSV").wait_for(timeout=120_000)


def batch_files(folder: Path) -> list[Path]:
    """Write a batch: phantoms, a too small image, noise, and a truncated file."""
    folder.mkdir()
    for number in range(6):
        drawn = draw_phantom(3_000_100 + number, fractured=number % 2 == 1, break_mm=5.0, size=384)
        Image.fromarray(render(drawn.slice)).save(folder / f"slice-{number + 1}.png")
    Image.fromarray(render(draw_phantom(3_000_110, size=100).slice)).save(folder / "thumbnail.png")
    noise = np.random.default_rng(0).integers(0, 256, (384, 384), np.uint8)
    Image.fromarray(noise).save(folder / "noise.png")
    (folder / "broken.png").write_bytes((folder / "slice-1.png").read_bytes()[:3000])
    return sorted(folder.iterdir())


if __name__ == "__main__":
    main()
