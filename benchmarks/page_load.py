"""Load test of the page on loopback, compared with the predictor itself: `python benchmarks/page_load.py`.

Concurrent clients upload phantoms and call `/predict`; the same number of threads calls a predictor. Each request to
the page consists of an upload, a queued call and an event stream. The server runs in a separate process on the same
machine.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
from PIL import Image
from serving import served_page

from spinealign import Predictor
from spinealign.imaging.preprocessing import render
from spinealign.phantoms.axial_neck import draw_phantom
from spinealign.reporting.tables import Table

EDGE = "0f2d9c"
WARM_UP = 40
ROUNDS = 10
Ask = Callable[[bytes], dict[str, object]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=20, help="concurrent clients (default: %(default)s)")
    parser.add_argument("--predictions", type=int, default=500, help="total predictions (default: %(default)s)")
    parser.add_argument("--explain", action="store_true", help="request heat maps, which need the most memory")
    options = parser.parse_args()
    images = [phantom(seed) for seed in range(20)]
    predictor = Predictor.from_pretrained()
    endpoint, direct = ("explain", predictor.explain) if options.explain else ("predict", predictor)
    served, bare = [], []
    with tempfile.TemporaryDirectory() as folder, served_page(Path(folder)) as (url, process):
        start = memory(process)
        load(lambda image: ask(url, image, endpoint), images, clients=options.clients, count=WARM_UP)
        before = memory(process)
        for _ in range(ROUNDS):  # alternate, so that other load on the machine affects both equally
            share = options.predictions // ROUNDS
            served.append(load(lambda image: ask(url, image, endpoint), images, clients=options.clients, count=share))
            bare.append(
                load(lambda image: {"label": direct(image).label}, images, clients=options.clients, count=share)
            )
        time.sleep(5)
        after = memory(process)
        left = [path for path in Path(folder).rglob("*") if path.is_file()]
    cores = len(psutil.Process().cpu_affinity())
    errors = sum(run.errors for run in served)
    print(f"{options.clients} clients, {options.predictions} predictions, {cores} core(s) in total; errors: {errors}\n")
    rates = [options.predictions / sum(run.elapsed for run in runs) for runs in (bare, served)]
    rows = [("predictions per second", f"{rates[0]:.1f}", f"{rates[1]:.1f}", f"{rates[1] / rates[0]:.2f}")]
    for part in (50, 95):
        direct_s, page_s = (
            np.percentile(np.concatenate([run.seconds for run in runs]), part) for runs in (bare, served)
        )
        times = (f"{direct_s:.2f}", f"{page_s:.2f}", f"{page_s / direct_s:.2f}")
        rows.append((f"time for {part} % of the answers, s", *times))
    print(Table(("measure", "predictor", "page", "ratio"), rows, numbers=(1, 2, 3)).markdown())
    print(
        f"\nMemory: {start:.0f} MiB after the start, {before:.0f} MiB after {WARM_UP} predictions, {after:.0f} MiB at "
        f"the end ({after / before - 1:+.1%}); leftover files: {len(left)}"
    )


def phantom(seed: int) -> bytes:
    stream = BytesIO()
    Image.fromarray(render(draw_phantom(4_000_000 + seed, size=384).slice)).save(stream, "PNG")
    return stream.getvalue()


class Run(NamedTuple):
    """Seconds of each answer, elapsed seconds of the run, and number of failed requests."""

    seconds: np.ndarray
    elapsed: float
    errors: int


def load(answer: Ask, images: list[bytes], *, clients: int, count: int) -> Run:
    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        answers = list(pool.map(lambda number: timed(answer, images[number % len(images)]), range(count)))
    elapsed = time.perf_counter() - start
    return Run(np.array([seconds for seconds, _ in answers]), elapsed, sum(not right for _, right in answers))


def timed(answer: Ask, image: bytes) -> tuple[float, bool]:
    start = time.perf_counter()
    try:
        right = "label" in answer(image)
    except (OSError, ValueError, KeyError, IndexError):
        right = False
    return time.perf_counter() - start, right


def ask(url: str, image: bytes, endpoint: str) -> dict[str, object]:
    head = f'--{EDGE}\r\nContent-Disposition: form-data; name="files"; filename="slice.png"\r\n\r\n'.encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={EDGE}"}
    (path,) = json.loads(post(f"{url}/gradio_api/upload", head + image + f"\r\n--{EDGE}--\r\n".encode(), kind))
    body = json.dumps({"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}]}).encode()
    event = json.loads(post(f"{url}/gradio_api/call/{endpoint}", body, {"Content-Type": "application/json"}))[
        "event_id"
    ]
    with urllib.request.urlopen(f"{url}/gradio_api/call/{endpoint}/{event}") as stream:
        return json.loads(stream.read().decode().split("data: ")[-1])[0]


def post(url: str, body: bytes, headers: dict[str, str]) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, data=body, headers=headers)) as answer:
        return answer.read()


def memory(process: int) -> float:
    return psutil.Process(process).memory_info().rss / 1024**2


if __name__ == "__main__":
    main()
