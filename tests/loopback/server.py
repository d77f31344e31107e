"""HTTP endpoints of the Hub to create, push, list and download."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from urllib.parse import parse_qs, unquote

import yaml

from loopback.connection import Connection, Cut
from loopback.store import LARGE, File, RefusalError, Store

REPO = r"(?P<kind>models|datasets|spaces)/(?P<id>[^/]+/[^/]+)"
PLAIN = r"(?P<kind>datasets/|spaces/)?(?P<id>[^/]+/[^/]+)"


class LoopbackHub(ThreadingHTTPServer):
    """Server with a `store` and a log of `requests`; `before` runs before each request."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.store = Store()
        self.cuts: list[Cut] = []
        self.requests: list[tuple[str, str, bool]] = []
        self.before: Callable[[str, str], object] = lambda method, path: None
        self.trouble = 0  # status of all responses, if not 0
        self.endpoint = f"http://127.0.0.1:{self.server_port}"
        self.storage = f"http://localhost:{self.server_port}/storage"  # large files are on another host

    def handle_error(self, request, client_address):
        pass  # the client was killed

    def cut_for(self, method, path):
        with self.store.lock:
            for cut in self.cuts:
                if cut.times and cut.method == method and re.search(cut.path, path):
                    cut.times -= 1
                    return cut
        return None


class Handler(Connection):
    """The endpoints."""

    server: LoopbackHub

    def serve(self, method, path, body):
        for verb, pattern, action in ROUTES:
            match = re.fullmatch(pattern, path)
            if match and method in verb.split():
                action(self, body=body, **named(match))
                return
        raise RefusalError(404, message=f"no such endpoint: {method} {path}")

    # Accounts and repositories

    def whoami(self, body):
        if self.account is None:
            raise RefusalError(401, message="Invalid username or password.")
        self.reply({
            "type": "user", "name": self.account.name, "orgs": [{"name": name} for name in self.account.orgs],
            "auth": {"type": "access_token", "accessToken": {"role": self.account.role}},
        })  # fmt: skip

    def create(self, body):
        told = json.loads(body)
        owner = told.get("organization") or (self.account.name if self.account else "")
        repo_id, kind = f"{owner}/{told['name']}", told.get("type") or "model"
        url = f"{self.server.endpoint}/{'' if kind == 'model' else f'{kind}s/'}{repo_id}"
        private = told.get("visibility") == "private"
        try:
            self.server.store.create(kind, repo_id, self.account, private=private, sdk=told.get("sdk"))
        except RefusalError as refusal:
            if refusal.status != 409:
                raise
            self.reply({"error": refusal.message, "url": url}, 409)
            return
        self.reply({"url": url, "name": repo_id})

    def delete(self, body):
        told = json.loads(body)
        key = (told.get("type") or "model", f"{told['organization']}/{told['name']}")
        with self.server.store.lock:
            self.server.store.writable(*key, self.account)
            del self.server.store.repos[key]
        self.reply({})

    def info(self, body, kind, id, revision="main"):  # noqa: A002 - name in the API of the Hub
        repo = self.server.store.readable(kind, id, self.account)
        commit = repo.at(revision)
        self.reply({
            "_id": id, "id": id, "modelId": id, "author": repo.owner, "sha": commit.oid, "private": repo.private,
            "gated": "auto" if repo.gated else False, "disabled": False, "tags": [], "downloads": 0, "likes": 0,
            "createdAt": "2026-01-01T00:00:00.000Z", "lastModified": "2026-01-01T00:00:00.000Z",
            "siblings": [{"rfilename": name} for name in commit.files], "sdk": repo.sdk,
        })  # fmt: skip

    def tree(self, body, kind, id, revision, folder=""):  # noqa: A002
        commit = self.server.store.readable(kind, id, self.account).at(revision)
        inside = {name: file for name, file in commit.files.items() if not folder or name.startswith(f"{folder}/")}
        deep = self.query.get("recursive", ["false"])[0].lower() == "true"
        depth = folder.count("/") + 1 if folder else 0
        rows = [described(name, file) for name, file in inside.items() if deep or name.count("/") == depth]
        folders = {"/".join(name.split("/")[: depth + 1]) for name in inside if name.count("/") > depth}
        rows += [{"type": "directory", "oid": "0" * 40, "size": 0, "path": name} for name in sorted(folders)]
        self.reply(rows)

    def paths(self, body, kind, id, revision):  # noqa: A002
        commit = self.server.store.readable(kind, id, self.account).at(revision)
        if "json" in (self.headers.get("Content-Type") or ""):
            wanted = json.loads(body)["paths"]
        else:
            wanted = parse_qs(body.decode())["paths"]
        self.reply([described(name, commit.files[name]) for name in wanted if name in commit.files])

    def commits(self, body, kind, id, revision):  # noqa: A002
        repo = self.server.store.readable(kind, id, self.account)
        self.reply([
            {"id": commit.oid, "title": commit.title, "message": "", "authors": [], "date": "2026-01-01T00:00:00.000Z"}
            for commit in repo.history(revision)
        ])  # fmt: skip

    # Upload

    def validate(self, body):
        front = re.match(r"---\n(.*?)\n---", json.loads(body)["content"], flags=re.DOTALL)
        try:
            data = yaml.safe_load(front[1]) if front else None
            for model in (data or {}).get("model-index", ()):
                for result in model["results"]:
                    assert result["task"]["type"]
                    assert result["dataset"]["name"]
                    assert result["dataset"]["type"]
                    assert all({"type", "value"} <= metric.keys() for metric in result["metrics"])
        except Exception as error:
            self.reply({"errors": [{"message": f"{type(error).__name__} in the metadata"}], "warnings": []}, 400)
            return
        self.reply({"errors": [], "warnings": [] if data else [{"message": "empty or missing yaml metadata"}]})

    def branch(self, body, kind, id, name):  # noqa: A002
        repo = self.server.store.writable(kind, id, self.account)
        with self.server.store.lock:
            if name in repo.branches:
                raise RefusalError(409, message="Reference already exists")
            repo.branches[name] = repo.at(json.loads(body or b"{}").get("startingPoint", "main")).oid
        self.reply({})

    def preupload(self, body, kind, id, revision):  # noqa: A002
        there = self.server.store.writable(kind, id, self.account).at(revision).files
        self.reply({"files": [
            {
                "path": row["path"], "shouldIgnore": False,
                "uploadMode": "lfs" if row["path"].endswith(LARGE) else "regular",
                "oid": there[row["path"]].etag if row["path"] in there else None,
            }
            for row in json.loads(body)["files"]
        ]})  # fmt: skip

    def lfs_batch(self, body, kind, id):  # noqa: A002
        self.server.store.writable(kind, id, self.account)
        rows = json.loads(body)["objects"]
        for row in rows:
            if row["oid"] not in self.server.store.large_files:
                row["actions"] = {"upload": {"href": f"{self.server.storage}/{row['oid']}"}}
        self.reply({"transfer": "basic", "objects": rows})

    def put(self, body, oid):
        self.server.store.keep_large(oid, body)
        self.reply(b"")

    def commit(self, body, kind, id, revision):  # noqa: A002
        store = self.server.store
        header, *lines = (json.loads(line) for line in body.splitlines())
        with store.lock:
            repo = store.writable(kind, id, self.account)
            head = repo.at(revision)
            if header["value"].get("parentCommit", head.oid) != head.oid:
                raise RefusalError(412, message="A commit has happened since. Please refresh and try again.")
            files = dict(head.files)
            for line in lines:
                value = line["value"]
                if line["key"] == "file":
                    files[value["path"]] = File(base64.b64decode(value["content"]), False)
                elif line["key"] == "lfsFile" and value["oid"] in store.large_files:
                    files[value["path"]] = File(store.large_files[value["oid"]], True)
                elif line["key"] == "deletedFile" and value["path"] in files:
                    del files[value["path"]]
                else:
                    raise RefusalError(400, message=f"{value['path']} cannot be committed")
            oid = repo.commit(revision, header["value"]["summary"], files)
        self.reply({"success": True, "commitOid": oid, "commitUrl": f"{self.server.endpoint}/{id}/commit/{oid}"})

    # Download

    def resolve(self, body, kind, id, revision, name):  # noqa: A002
        repo = self.server.store.downloadable(kind, id, self.account)
        commit = repo.at(revision)
        if name not in commit.files:
            self.reply({}, 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit.oid})
            return
        file = commit.files[name]
        known = {"X-Repo-Commit": commit.oid, "ETag": f'"{file.etag}"'}
        if file.large:
            linked = {"X-Linked-Size": str(len(file.content)), "X-Linked-Etag": f'"{file.etag}"'}
            self.reply(b"", 302, {**known, **linked, "Location": f"{self.server.storage}/{file.sha256}"})
        else:
            self.send_range(file.content, known)

    def storage(self, body, oid):
        self.send_range(self.server.store.large_files[oid], {"ETag": f'"{oid}"'})

    def send_range(self, content, headers):
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if not wanted:
            self.reply(content, headers={"Accept-Ranges": "bytes", **headers})
            return
        first, last = int(wanted[1]), min(int(wanted[2] or len(content) - 1), len(content) - 1)
        told = {"Content-Range": f"bytes {first}-{last}/{len(content)}", **headers}
        self.reply(content[first : last + 1], 206, told)


ROUTES = (
    ("GET", "/api/whoami-v2", Handler.whoami),
    ("POST", "/api/repos/create", Handler.create),
    ("DELETE", "/api/repos/delete", Handler.delete),
    ("POST", "/api/validate-yaml", Handler.validate),
    ("GET", rf"/api/{REPO}", Handler.info),
    ("GET", rf"/api/{REPO}/revision/(?P<revision>[^/]+)", Handler.info),
    ("GET", rf"/api/{REPO}/tree/(?P<revision>[^/]+)(/(?P<folder>.+))?", Handler.tree),
    ("GET", rf"/api/{REPO}/commits/(?P<revision>[^/]+)", Handler.commits),
    ("POST", rf"/api/{REPO}/paths-info/(?P<revision>[^/]+)", Handler.paths),
    ("POST", rf"/api/{REPO}/branch/(?P<name>[^/]+)", Handler.branch),
    ("POST", rf"/api/{REPO}/preupload/(?P<revision>[^/]+)", Handler.preupload),
    ("POST", rf"/api/{REPO}/commit/(?P<revision>[^/]+)", Handler.commit),
    ("POST", rf"/{PLAIN}\.git/info/lfs/objects/batch", Handler.lfs_batch),
    ("PUT", r"/storage/(?P<oid>\w+)", Handler.put),
    ("GET HEAD", r"/storage/(?P<oid>\w+)", Handler.storage),
    ("GET HEAD", rf"/{PLAIN}/resolve/(?P<revision>[^/]+)/(?P<name>.+)", Handler.resolve),
)


def named(match):
    """Return the matched groups of a route, with the kind of repository in the singular."""
    found = {name: unquote(value) for name, value in match.groupdict().items() if value is not None}
    if "id" in match.re.groupindex:
        found["kind"] = (found.get("kind") or "models").rstrip("s/")
    return found


def described(name, file):
    row = {"type": "file", "path": name, "size": len(file.content), "oid": file.sha1}
    return {**row, "lfs": {"oid": file.sha256, "size": len(file.content), "pointerSize": 130}} if file.large else row
