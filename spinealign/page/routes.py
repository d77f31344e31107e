"""The addresses that are ours: uploads, each into a folder that nobody can guess, and the health of the server."""

from __future__ import annotations

import os
import secrets
import shutil

from gradio.route_utils import MultiPartException, upload_fn
from gradio.routes import API_PREFIX, file_upload_statuses
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from spinealign._version import __version__
from spinealign.page.limits import MAX_FILE_BYTES, MAX_FILES, MAX_UPLOAD_BYTES
from spinealign.page.storage import Storage
from spinealign.page.uploads import upload_folder

UPLOAD_ROUTE = f"{API_PREFIX}/upload"
HEALTH_ROUTE = "/health"


def own_routes(model: str) -> list[Route]:
    """Return the routes that come before Gradio's.

    Args:
        model: The name of the model as people may see it.
    """
    storage = Storage()

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok", "model": model, "version": __version__})

    async def upload(request: Request) -> Response:
        return await receive_uploads(request, storage)

    return [Route(HEALTH_ROUTE, health, methods=["GET"]), Route(UPLOAD_ROUTE, upload, methods=["POST"])]


async def receive_uploads(request: Request, storage: Storage) -> Response:
    """Store the files of a request.

    Gradio names the folder of an upload after its content, so that two people who send the same file share it, and it
    leaves a file behind whose upload breaks off. Here each request has a folder of its own, which goes with a failure.

    Returns:
        The paths of the files, which `slice_file` takes.
    """
    folder = upload_folder() / secrets.token_hex(16)
    if not storage.take(folder, int(request.headers.get("content-length", MAX_UPLOAD_BYTES))):
        return PlainTextResponse("Too many files wait to be read; try again in some minutes.", status_code=503)
    upload_id = request.query_params.get("upload_id")
    kept = False
    try:
        paths, _, _ = await upload_fn(
            request, folder, MAX_FILE_BYTES, upload_id, upload_progress=file_upload_statuses if upload_id else None
        )
        if len(paths) > MAX_FILES:
            return PlainTextResponse(f"At most {MAX_FILES} files at once.", status_code=413)
        kept = bool(paths)
        return JSONResponse([os.fspath(path) for path in paths])
    except MultiPartException as error:
        return PlainTextResponse(error.message, status_code=413 if "maximum allowed size" in error.message else 400)
    except ClientDisconnect:
        return Response(status_code=400)  # nobody is there to read it
    finally:
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)
