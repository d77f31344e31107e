"""Read damaged image files, and list those that end in anything but an image or an `ImageError`.

    python benchmarks/fuzz_readers.py ../shared/data/dicom_conformance --files 20000

Each file is a mutation of one of the DICOM files of the folder, or of a small picture, array or NIfTI volume. It is
read by `read_slice` and `read_volume` in a worker process, so that a crash of a decoder is found too. The same seed
gives the same files.
"""

from __future__ import annotations

import argparse
import gzip
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path

import nibabel
import numpy as np
from PIL import Image

from spinealign import read_slice, read_volume
from spinealign.errors import ImageError

GROUP = 500  # files of a process
SECONDS = 1.0  # of processor time; an error that takes longer is listed
MAX_BYTES = 300_000  # larger originals are left out, because they only take longer
_EXTREMES = (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\0\0\1\0", b"\xfe\xff\0\xe0", b"\xfe\xff\xdd\xe0")


def originals(folder: Path | None = None) -> list[bytes]:
    """Return the files to mutate: those of a folder, and small ones of other formats."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file()) if folder else []
    found = [path.read_bytes() for path in paths if 0 < path.stat().st_size <= MAX_BYTES and path.suffix != ".csv"]
    gray = np.random.default_rng(0).integers(0, 256, (24, 20)).astype(np.uint8)
    for form in ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF", "JPEG2000"):
        for image in (Image.fromarray(gray), Image.fromarray(gray).convert("RGB")):
            stream = BytesIO()
            image.save(stream, form)
            found.append(stream.getvalue())
    deep, array = BytesIO(), BytesIO()
    Image.fromarray(gray.astype(np.uint16) * 100).save(deep, "TIFF")
    np.save(array, gray)
    volume = nibabel.Nifti1Image(np.zeros((4, 5, 6), np.int16), np.eye(4)).to_bytes()
    return [*found, deep.getvalue(), array.getvalue(), volume, gzip.compress(volume)]


def mutated(files: Sequence[bytes], seed: int) -> bytes:
    """Return a damaged copy of one of the files."""
    random = np.random.default_rng(seed)
    content = bytearray(files[random.integers(len(files))])
    for _ in range(random.integers(1, 6)):
        reach = min(len(content), int(random.choice([400, 2000, len(content)])))  # mostly in the header
        if reach < 8:
            break
        place = int(random.integers(reach))
        size = int(random.integers(1, 33))
        match random.integers(7):
            case 0:
                content[place] = random.integers(256)
            case 1:
                content[place] ^= 1 << random.integers(8)
            case 2:
                content[place : place + 4] = _EXTREMES[random.integers(len(_EXTREMES))]
            case 3:
                del content[place : place + size]
            case 4:
                content[place:place] = random.bytes(size)
            case 5:
                content[place:place] = content[place : place + size * 16]
            case 6:
                del content[place:]
    return bytes(content)


def check(content: bytes) -> str:
    """Read a file, and return what went wrong besides an `ImageError` in time; empty if nothing did."""
    for read in (lambda: read_slice(content, frame=0), lambda: read_volume(content)):
        start = time.process_time()
        try:
            read()
        except ImageError as error:
            if (seconds := time.process_time() - start) > SECONDS:
                return f"{seconds:.1f} s for {error}"
        except BaseException as error:
            return f"{type(error).__name__}: {error}"
    return ""


def problems(
    files: Sequence[bytes], seeds: range, note: Callable[[int], None] = lambda _: None
) -> Iterator[tuple[int, str]]:
    """Yield seed and problem of each mutated file with one."""
    for seed in seeds:
        note(seed)
        if found := check(mutated(files, seed)):
            yield seed, found


def _work(folder: Path | None, seeds: range, current: object, found: object) -> None:
    files = originals(folder)
    for item in problems(files, seeds, lambda seed: setattr(current, "value", seed)):
        found.put(item)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="DICOM files")
    parser.add_argument("--files", type=int, default=20_000, help="number of mutated files")
    parser.add_argument("--first_seed", type=int, default=0)
    options = parser.parse_args()
    context = multiprocessing.get_context("fork")
    current, found = context.Value("q"), context.SimpleQueue()
    start, end, count = options.first_seed, options.first_seed + options.files, 0
    while start < end:
        group = range(start, min(start + GROUP, end))
        worker = context.Process(target=_work, args=(options.folder, group, current, found))
        worker.start()
        worker.join()
        while not found.empty():
            seed, problem = found.get()
            count += 1
            print(f"seed {seed}: {problem}", flush=True)
        start = group.stop
        if worker.exitcode:
            count += 1
            print(f"seed {current.value}: the process ended with {worker.exitcode}", flush=True)
            start = current.value + 1
    print(f"{options.files} files, {count} problems")
    return int(count > 0)


if __name__ == "__main__":
    sys.exit(main())
