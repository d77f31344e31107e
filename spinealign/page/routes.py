"""Routes of the upload, into folders that cannot be guessed, and of the health check."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from pathlib import Path

from gradio.route_utils import GradioMultiPartParser, MultiPartException
from gradio.routes import API_PREFIX, file_upload_statuses
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from spinealign._version import __version__
from spinealign.page.limits import MAX_FILE_BYTES, MAX_FILES, MAX_UPLOAD_BYTES
from spinealign.page.storage import Storage
from spinealign.page.uploads import upload_folder
from spinealign.page.waiting import Waiting

UPLOAD_ROUTE = f"{API_PREFIX}/upload"
HEALTH_ROUTE = "/health"
NO_FILES = "Send the files as multipart/form-data, each in a field named files."


def own_routes(model: str, waiting: Waiting) -> list[Route]:
    """Return the routes that take precedence over Gradio's; the health check fails once the queue has stopped."""
    storage = Storage()

    async def health(_: Request) -> Response:
        status = "stopped" if waiting.is_stopped else "ok"
        content = {"status": status, "model": model, "version": __version__}
        return JSONResponse(content, status_code=503 if waiting.is_stopped else 200)

    async def upload(request: Request) -> Response:
        return await receive_uploads(request, storage)

    return [Route(HEALTH_ROUTE, health, methods=["GET"]), Route(UPLOAD_ROUTE, upload, methods=["POST"])]


async def receive_uploads(request: Request, storage: Storage) -> Response:
    """Store the files of a request.

    Gradio's own route names the folder after the content, so that two users with the same file share it. It also keeps
    form fields without a file in memory, and leaves the file of an interrupted upload on disk. Here each request has a
    separate folder, which is deleted on failure.

    Returns:
        JSON list of the file paths, or an error.
    """
    folder = upload_folder() / secrets.token_hex(16)
    announced = MAX_UPLOAD_BYTES if "transfer-encoding" in request.headers else request.headers.get("content-length", 0)
    if not storage.take(folder, int(announced)):
        return PlainTextResponse("Too many uploads are waiting; try again in a few minutes.", status_code=503)
    kept = False
    try:
        paths = await _store(request, folder)
        storage.settle(folder, sum(path.stat().st_size for path in paths))
        kept = True
        return JSONResponse([os.fspath(path) for path in paths])
    except MultiPartException as error:
        if error.message.startswith("Too many files"):
            return PlainTextResponse(f"At most {MAX_FILES} files at once.", status_code=413)
        return PlainTextResponse(error.message, status_code=413 if "maximum allowed size" in error.message else 400)
    except ValueError:  # from the parser
        return PlainTextResponse(NO_FILES, status_code=400)
    except ClientDisconnect:
        return Response(status_code=400)  # the client is gone
    finally:
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)


async def _store(request: Request, folder: Path) -> list[Path]:
    """Write the files of a request into numbered subfolders of a folder.

    Raises:
        MultiPartException: If the request does not consist of files, or is too large.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise MultiPartException(NO_FILES)
    upload_id = request.query_params.get("upload_id")
    progress = file_upload_statuses if upload_id else None
    if progress:
        progress.track(upload_id)
    parser = GradioMultiPartParser(
        request.headers, request.stream(), max_files=MAX_FILES, max_fields=0, upload_dir=folder, upload_id=upload_id,
        upload_progress=progress, max_file_size=MAX_FILE_BYTES,
    )  # fmt: skip
    parts = (await parser.parse()).multi_items()
    if not parts or any(field != "files" for field, _ in parts):
        raise MultiPartException(NO_FILES)
    paths = []
    for number, (_, part) in enumerate(parts):
        paths.append(folder / str(number) / _plain(part.filename or ""))
        paths[-1].parent.mkdir()
        part.file.close()
        os.rename(part.file.name, paths[-1])
    if progress:
        progress.set_done(upload_id)
    return paths


def _plain(name: str) -> str:
    """Return the last part of a path as a valid file name."""
    plain = re.sub(r"[^\w. ()-]", "_", name.replace("\\", "/").rsplit("/", 1)[-1])[-60:]
    return plain.lstrip(". ") or "file"  # Gradio treats names with a leading dot as hidden files
