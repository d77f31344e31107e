"""Network attacks on the page; `docs/security.md` lists them."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import os
import secrets
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pytest

UNKNOWN = "upload it again"


def ask(url, *, body=None, headers=None):
    """Send a request and return status and text of the response."""
    request = urllib.request.Request(url, data=body, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode("utf-8", "replace")


def send_files(page, files):
    """Upload pairs of name and content in one request."""
    edge = secrets.token_hex(8)
    head = f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="{{}}"\r\n\r\n'
    parts = [head.format(name).encode() + content + b"\r\n" for name, content in files]
    body = b"".join([*parts, f"--{edge}--\r\n".encode()])
    kind = {"Content-Type": f"multipart/form-data; boundary={edge}"}
    return ask(f"{page.url}/gradio_api/upload", body=body, headers=kind)


def send_json(page, body, endpoint="predict"):
    return ask(f"{page.url}/gradio_api/call/{endpoint}", body=body, headers={"Content-Type": "application/json"})


def call(page, data, endpoint="predict"):
    """Call an endpoint and return the kind and data of its last event, or status and text of an error."""
    status, text = send_json(page, json.dumps({"data": data}).encode(), endpoint)
    if status != 200:
        return status, text
    _, stream = ask(f"{page.url}/gradio_api/call/{endpoint}/{json.loads(text)['event_id']}")
    kind, content = stream.strip().splitlines()[-2:]
    return kind.removeprefix("event: "), content.removeprefix("data: ")


def file_data(path, **more):
    return {"path": str(path), "meta": {"_type": "gradio.FileData"}, **more}


@pytest.fixture
def secret(tmp_path, slices):
    """Image on the server that was not uploaded."""
    path = tmp_path / "secret.png"
    path.write_bytes(slices["eight"].read_bytes())
    return path


def test_a_path_that_was_not_uploaded_is_refused(page, secret):
    (own_folder,) = page.folder.glob("spinealign-page-*")
    link = own_folder / "link.png"
    link.symlink_to(secret)
    try:
        around = f"{own_folder}/../../secret.png"
        for path in (secret, "/etc/passwd", "secret.png", around, link, own_folder, "", "\0"):
            for given in (file_data(path), {"path": str(path)}, file_data(path, url=f"{page.url}/x")):
                kind, content = call(page, [given])
                assert kind == "error", path
                assert "fracture" not in content
                assert str(page.folder) not in content
    finally:
        link.unlink()
    kind, content = call(page, [[file_data(secret)]], "predict_batch")
    assert kind == "error"
    assert "fracture" not in content


def test_file_names_with_paths_stay_in_the_upload_folder(page, slices):
    content = slices["eight"].read_bytes()
    for name in ("../../../a.png", "..\\..\\a.png", "/etc/a.png", "....//a.png", "%2e%2e/a.png"):
        status, text = send_files(page, [(name, content)])
        assert status == 200
        (path,) = json.loads(text)
        (own_folder,) = page.folder.glob("spinealign-page-*")
        assert path.startswith(f"{own_folder}/")
        assert os.path.realpath(path) == path
        kind, answer = call(page, [file_data(path, orig_name=name)])
        assert kind == "complete"
        assert json.loads(answer)[0]["label"] == "fracture"
    assert page.files() == []


def test_no_file_is_served_not_even_an_upload(page, slices):
    (path,) = json.loads(send_files(page, [("mine.png", slices["eight"].read_bytes())])[1])
    for place in (path, "/etc/passwd", "app.py", "../pyproject.toml", "%2fetc%2fpasswd", "C:/Windows/win.ini"):
        for route in ("gradio_api/file=", "file=", "gradio_api/file/", "static/../", "gradio_api/stream/"):
            status, text = ask(f"{page.url}/{route}{place}")
            assert status >= 400, (route, place)
            assert "root:" not in text
    call(page, [file_data(path)])


def test_upload_paths_are_random_and_usable_once(page, slices):
    content = slices["eight"].read_bytes()
    (first,), (second,) = (json.loads(send_files(page, [("a.png", content)])[1]) for _ in range(2))
    assert first != second, "the same file of another user has another path"
    assert len(first.split("/")[-3]) == 32
    assert call(page, [file_data(first)])[0] == "complete"
    kind, answer = call(page, [file_data(first)])
    assert (kind, UNKNOWN in answer) == ("error", True)
    assert call(page, [file_data(second)])[0] == "complete", "reading one upload does not delete the other"


def test_no_url_is_fetched(page, slices):
    asked = []

    class Listener(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(slices["eight"].read_bytes())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever).start()
    try:
        own = f"http://127.0.0.1:{server.server_address[1]}/slice.png"
        for address in (own, "https://example.org/slice.png", "file:///etc/passwd", "ftp://127.0.0.1/a.png"):
            for given in (file_data(address), {"path": address}, file_data("/none", url=address)):
                kind, answer = call(page, [given])
                assert kind == "error", address
                assert "fracture" not in answer
            for route in ("gradio_api/file=", "gradio_api/proxy=", "file="):
                assert ask(f"{page.url}/{route}{address}")[0] == 404
        from gradio_client import Client, handle_file
        from gradio_client.exceptions import AppError

        with pytest.raises(AppError):
            Client(page.url, verbose=False).predict(handle_file(own), api_name="/predict")
    finally:
        server.shutdown()
        server.server_close()
    # Gradio's client requests the file itself; the server does not.
    assert all(path == "/slice.png" for path in asked)


def test_malformed_calls_are_errors_and_do_not_stop_the_server(page):
    for data in ([], [1], ["text"], [[]], [{}], [{"path": 1}], [{"path": None}], [{"path": ["a"]}], [None, None, None]):
        kind, answer = call(page, data)
        assert kind == "error" or kind >= 400, data
        assert "Traceback" not in answer
    for body in (b"", b"{", b"[]", b'{"data": 1}', b"\xff"):
        status, _ = send_json(page, body)
        assert 400 <= status < 500, body
    assert ask(f"{page.url}/health")[0] == 200


def test_too_large_uploads_are_refused(page, tmp_path):
    for megabytes, count in ((33, 1), (30, 9)):
        path = tmp_path / "big.png"
        path.write_bytes(b"\0" * (megabytes * 1024**2))
        assert curl_status(f"{page.url}/gradio_api/upload", *["-F", f"files=@{path}"] * count) == 413
    host = urlsplit(page.url).netloc
    address = host.split(":")
    with socket.create_connection((address[0], int(address[1])), timeout=60) as line:
        head = "POST /gradio_api/upload HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\nContent-Type: multipart/"
        line.sendall((head + "form-data; boundary=x\r\n\r\n").format(host).encode())
        part = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
        line.sendall(b"%x\r\n%b\r\n" % (len(part), part))
        megabyte = b"100000\r\n" + b"\0" * 1024**2 + b"\r\n"
        try:
            for _ in range(300):
                line.sendall(megabyte)
        except OSError:
            pass  # the server closed the connection
        assert b" 413 " in received(line)
    path.write_text(json.dumps({"data": ["x" * 2 * 1024**2]}))
    assert curl_status("--json", f"@{path}", f"{page.url}/gradio_api/call/predict") == 413
    assert page.files() == []


def curl_status(*words):
    """Return the status of a response that may arrive before the request is complete."""
    command = ["curl", "-s", "-o", os.devnull, "-w", "%{http_code}", *words]
    return int(subprocess.run(command, capture_output=True, text=True).stdout)


def received(line):
    try:
        return line.recv(65536)
    except OSError:
        return b" 413 (the connection was reset)"


def test_an_interrupted_upload_leaves_no_file(page):
    host, port = urlsplit(page.url).netloc.split(":")
    with socket.create_connection((host, int(port))) as line:
        line.sendall(
            b"POST /gradio_api/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
            b'Content-Disposition: form-data; name="files"; filename="a.png"\r\n\r\nhalf of it'
        )
        deadline = time.monotonic() + 30
        while not page.files():
            assert time.monotonic() < deadline
            time.sleep(0.05)
    while page.files():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_two_hundred_files_at_once_are_refused(page, slices):
    content = slices["small"].read_bytes()
    status, text = send_files(page, [(f"{number}.png", content) for number in range(200)])
    assert (status, text) == (413, "At most 100 files at once.")
    paths = [
        path
        for start in (0, 60)
        for path in json.loads(send_files(page, [(f"{start + number}.png", content) for number in range(60)])[1])
    ]
    kind, answer = call(page, [[file_data(path) for path in paths]], "predict_batch")
    assert kind == "error"
    assert "Too many files: 120." in answer
    assert page.files() == []


def test_other_routes_of_gradio_are_closed(page):
    closed = [
        "gradio_api/vibe-code", "gradio_api/vibe-starter-queries", "gradio_api/process_recording", "monitoring",
        "monitoring/summary", "gradio_api/deep_link?session_hash=a", "gradio_api/runs",
        "gradio_api/run-history/records",
        "gradio_api/component_server", "gradio_api/dev/reload", "docs", "redoc", "openapi.json", "pwa_icon",
        "gradio_api/run/predict", "gradio_api/api/predict",
    ]  # fmt: skip
    for place in closed:
        assert ask(f"{page.url}/{place}")[0] == 404, place
        assert ask(f"{page.url}/{place}", body=b"{}")[0] == 404, place


def test_every_response_has_the_security_headers(page):
    for place in ("", "health", "config", "nothing"):
        try:
            answer = urllib.request.urlopen(f"{page.url}/{place}")
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            policy = answer.headers["content-security-policy"]
            assert "default-src 'self'" in policy
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["referrer-policy"] == "no-referrer"


def test_without_the_login_only_the_health_check_answers(login_page, slices):
    from gradio_client import Client, handle_file

    content, url = slices["eight"].read_bytes(), login_page.url
    assert json.loads(ask(f"{url}/health")[1])["status"] == "ok"
    assert send_files(login_page, [("a.png", content)])[0] == 401
    assert call(login_page, [None])[0] == 401
    assert ask(f"{url}/config")[0] == 401
    for place in ("info", "openapi.json", "queue/status", "queue/data?session_hash=a", "token", "app_id", "user",
                  "heartbeat/a", "call/predict/a"):  # fmt: skip
        assert ask(f"{url}/gradio_api/{place}")[0] == 401, place
    client = Client(url, auth=("ann", "one:two"), verbose=False)
    assert client.predict(handle_file(str(slices["eight"])), api_name="/predict")["label"] == "fracture"
    assert login_page.files() == []
    assert ask(f"{url}/health", headers={"Host": "neck.example.org"})[0] == 200, "a proxy may use another name"


def test_failed_logins_are_limited_and_cookies_are_same_site(login_page):
    def log_in(password, address="192.0.2.1"):
        request = urllib.request.Request(f"{login_page.url}/login", f"username=ann&password={password}".encode())
        request.add_header("X-Forwarded-For", address)  # as a proxy on this machine adds it
        try:
            return urllib.request.urlopen(request)
        except urllib.error.HTTPError as error:
            return error

    with log_in("one:two") as answer:
        cookies = answer.headers.get_all("set-cookie")
        assert answer.status == 200
    assert len(cookies) == 2
    assert all("HttpOnly" in cookie and "SameSite=lax" in cookie for cookie in cookies)
    statuses = []
    for number in range(12):
        with log_in(f"wrong{number}") as answer:
            statuses.append(answer.status)
    assert statuses == [400] * 10 + [429] * 2
    with log_in("one:two") as answer:
        assert answer.status == 429
    with log_in("one:two", "192.0.2.2") as answer:
        assert answer.status == 200, "other addresses may still log in"


def test_unknown_host_names_are_refused(page):
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[::1"):
        assert ask(f"{page.url}/health", headers={"Host": host})[0] in (400, 421), host
    for host in ("localhost", "LOCALHOST:1", "[::1]:7860", "neck.example.org:443"):
        assert ask(f"{page.url}/health", headers={"Host": host})[0] == 200, host


def test_an_upload_without_a_length_counts_its_actual_size(page):
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\na\r\n--x--\r\n'
    kind = {"Content-Type": "multipart/form-data; boundary=x", "Transfer-Encoding": "chunked"}
    paths = []
    for _ in range(6):  # only four of 256 MiB would fit
        status, text = ask(f"{page.url}/gradio_api/upload", body=iter([body]), headers=kind)
        assert status == 200
        paths += json.loads(text)
    call(page, [[file_data(path) for path in paths]], "predict_batch")
    assert page.files() == []


def test_files_in_other_fields_are_refused_and_deleted(page):
    part = '--x\r\nContent-Disposition: form-data; name="{}"; filename="a.png"\r\n\r\na\r\n'
    kind = {"Content-Type": "Multipart/Form-Data; boundary=x"}
    for fields in (["x", "files"], ["x"], []):
        body = "".join(part.format(field) for field in fields) + "--x--\r\n"
        status, text = ask(f"{page.url}/gradio_api/upload", body=body.encode(), headers=kind)
        assert (status, "in a field named files" in text) == (400, True)
    assert ask(f"{page.url}/gradio_api/upload", body=b"no parts", headers=kind)[0] == 400
    long = {"Content-Type": f"multipart/form-data; boundary={'x' * 300}"}
    assert ask(f"{page.url}/gradio_api/upload", body=b"--x", headers=long)[0] == 400
    assert page.files() == []


def test_long_and_hidden_file_names_are_accepted(page, slices):
    content = slices["eight"].read_bytes()
    for name in (
        "1.2.840.113619.2.55.3.6046881190.969.1345678901.1234.5678.dcm",
        ".hidden",
        "..",
        "a" * 300,
        "漢" * 90,
    ):
        status, text = send_files(page, [(name, content)])
        assert status == 200, name
        assert call(page, [file_data(*json.loads(text))])[0] == "complete", name
    assert page.files() == []


def test_form_fields_without_a_file_are_refused(page):
    for query in ("", "?upload_id=abc"):
        body = b'--x\r\nContent-Disposition: form-data; name="files"\r\n\r\nSmith^Jane\r\n--x--\r\n'
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        assert ask(f"{page.url}/gradio_api/upload{query}", body=body, headers=kind)[0] == 400
    assert ask(f"{page.url}/gradio_api/upload?upload_id={'x' * 600}", body=body, headers=kind)[0] == 414
    assert ask(f"{page.url}/assets/{'x' * 600}")[0] == 414
    assert page.files() == []


def test_empty_and_long_session_names_are_refused(page, slices):
    for session in ("", "x" * 65):
        body = json.dumps({"data": [None], "fn_index": 1, "session_hash": session}).encode()
        kind = {"Content-Type": "application/json"}
        assert ask(f"{page.url}/gradio_api/queue/join", body=body, headers=kind)[0] == 400
    (path,) = json.loads(send_files(page, [("a.png", slices["eight"].read_bytes())])[1])
    assert call(page, [file_data(path)])[0] == "complete"


def test_preflight_requests_of_other_sites_are_refused(page):
    headers = {"Host": "evil.example", "Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    for changes, status in (({}, 421), ({"Host": "localhost"}, 403)):
        request = urllib.request.Request(f"{page.url}/config", headers=headers | changes, method="OPTIONS")
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request)
        with caught.value as answer:
            assert answer.status == status
            assert not [name for name in answer.headers if name.lower().startswith("access-control")]
            assert answer.headers["content-security-policy"]


def test_failed_requests_are_not_logged(page):
    asked = ["?page=Smith^Jane", "gradio_api/call/predict/Smith", "gradio_api/queue/data?session_hash=Smith"]
    sent = ["gradio_api/call/v2/predict", "gradio_api/call/Smith", "gradio_api/queue/join"]
    bodies = [{"Smith": 1}, {"data": ["Smith"]}, {"data": ["Smith"], "fn_index": 999, "session_hash": "a"}]
    for place in asked:
        with contextlib.suppress(http.client.IncompleteRead):  # Gradio aborts the response
            ask(f"{page.url}/{place}".replace("^", "%5E"))
    for place, body in zip(sent, bodies):
        kind = {"Content-Type": "application/json"}
        assert ask(f"{page.url}/{place}", body=json.dumps(body).encode(), headers=kind)[0] >= 400
    said = page.log.read_text()
    assert "Smith" not in said
    assert "Traceback" not in said


def test_failed_calls_are_not_logged(page, secret):
    for data in (
        [file_data(secret)],
        [file_data(f"{secret}.gone")],
        [{"path": "Smith^Jane", "meta": 1}],
        [["Smith^Jane"]],
    ):
        assert call(page, data)[0] == "error"
    said = page.log.read_text()
    for word in ("Smith", "slice.dcm", "eight.png", "secret", "Traceback", "/etc/passwd"):
        assert word not in said
