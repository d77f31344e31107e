"""Put the page under load on loopback, beside the bare predictor: `python benchmarks/page_load.py`.

Clients that upload a phantom and ask `/predict` share the predictions; every request goes through the upload, the queue
and the stream of events, as a program's does. The server runs in a process of its own, on the same machine.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import psutil
from PIL import Image
from serving import served_page

from spinealign import Predictor
from spinealign.imaging.conditioning import render
from spinealign.imaging.phantom import draw_phantom

EDGE = "0f2d9c"
WARM_UP = 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=20, help="at once (default: %(default)s)")
    parser.add_argument("--predictions", type=int, default=500, help="in all (default: %(default)s)")
    options = parser.parse_args()
    images = [phantom(seed) for seed in range(20)]
    with tempfile.TemporaryDirectory() as place, served_page(Path(place)) as (url, process):
        run(url, images, clients=options.clients, count=WARM_UP)
        before = memory(process)
        seconds, errors, elapsed = run(url, images, clients=options.clients, count=options.predictions)
        time.sleep(5)
        after = memory(process)
        left = [path for path in Path(place).rglob("*") if path.is_file()]
        cores = len(psutil.Process().cpu_affinity())
    bare = bare_seconds(images, count=options.predictions)
    rate, bare_rate = options.predictions / elapsed, len(bare) / bare.sum()
    print(f"{options.clients} clients, {options.predictions} predictions, {cores} core(s) for all; errors: {errors}\n")
    print("| what | bare predictor | page | ratio |\n|---|---:|---:|---:|")
    print(f"| predictions a second | {bare_rate:.1f} | {rate:.1f} | {rate / bare_rate:.2f} |")
    for share in (50, 95):
        alone, served = np.percentile(bare, share) * 1e3, np.percentile(seconds, share) * 1e3
        print(f"| {share} % answered within, ms | {alone:.0f} | {served:.0f} | {served / alone:.1f} |")
    fair = np.percentile(seconds, 95) / (np.percentile(bare, 95) * options.clients)
    print(f"| 95 %, beside {options.clients} calls in a row, ratio | 1 | | {fair:.2f} |")
    print(
        f"\nMemory before {before:.0f} MiB, after {after:.0f} MiB ({after / before - 1:+.1%}). Files left: {len(left)}."
    )


def phantom(seed: int) -> bytes:
    stream = BytesIO()
    Image.fromarray(render(draw_phantom(4_000_000 + seed, size=384).slice)).save(stream, "PNG")
    return stream.getvalue()


def run(url: str, images: list[bytes], *, clients: int, count: int) -> tuple[np.ndarray, int, float]:
    """Return the seconds of each answer, the number of errors, and the seconds of all together."""
    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        answers = list(pool.map(lambda number: timed(url, images[number % len(images)]), range(count)))
    elapsed = time.perf_counter() - start
    return np.array([seconds for seconds, _ in answers]), sum(not right for _, right in answers), elapsed


def timed(url: str, image: bytes) -> tuple[float, bool]:
    start = time.perf_counter()
    try:
        right = "label" in predict(url, image)
    except (OSError, ValueError, KeyError, IndexError):
        right = False
    return time.perf_counter() - start, right


def predict(url: str, image: bytes) -> dict[str, object]:
    head = f'--{EDGE}\r\nContent-Disposition: form-data; name="files"; filename="slice.png"\r\n\r\n'.encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={EDGE}"}
    (path,) = json.loads(post(f"{url}/gradio_api/upload", head + image + f"\r\n--{EDGE}--\r\n".encode(), kind))
    body = json.dumps({"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}]}).encode()
    event = json.loads(post(f"{url}/gradio_api/call/predict", body, {"Content-Type": "application/json"}))["event_id"]
    with urllib.request.urlopen(f"{url}/gradio_api/call/predict/{event}") as stream:
        return json.loads(stream.read().decode().split("data: ")[-1])[0]


def post(url: str, body: bytes, headers: dict[str, str]) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, data=body, headers=headers)) as answer:
        return answer.read()


def bare_seconds(images: list[bytes], *, count: int) -> np.ndarray:
    predictor = Predictor.from_pretrained()
    seconds = []
    for number in range(count + 5):
        start = time.perf_counter()
        predictor(images[number % len(images)])
        seconds.append(time.perf_counter() - start)
    return np.array(seconds[5:])


def memory(process: int) -> float:
    return psutil.Process(process).memory_info().rss / 1024**2


if __name__ == "__main__":
    main()
