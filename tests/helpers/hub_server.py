"""A hub on localhost: the part of the hub's HTTP protocol that downloads need, over folders of this machine."""

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlparse

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """Repositories by name, and the faults that a test wants; `url` is what HF_ENDPOINT should say."""

    repositories: dict[str, Path]
    gated: set[str] = field(default_factory=set)
    cut: dict[str, int] = field(default_factory=dict)  # file name -> the first answer ends after so many bytes
    flipped: set[str] = field(default_factory=set)  # file names whose first byte is altered on the way
    ranges: list[str] = field(default_factory=list)  # what was asked for by range, as it came
    sent: Counter[str] = field(default_factory=Counter)  # bytes by file name
    headers: dict[str, str] = field(default_factory=dict)  # that go with every answer, in place of its own
    url: str = ""


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_args) -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, *, with_body: bool) -> None:
            parts = unquote(urlparse(self.path).path).strip("/").split("/")
            if parts[:2] == ["api", "models"]:
                return self._listing("/".join(parts[2:4]))
            repository, revision, name = "/".join(parts[:2]), parts[3], "/".join(parts[4:])
            if repository not in hub.repositories:
                return self._refuse(404, "RepoNotFound")
            if repository in hub.gated:
                return self._refuse(403, "GatedRepo")
            if revision not in ("main", COMMIT):
                return self._refuse(404, "RevisionNotFound")
            path = hub.repositories[repository] / name
            if not path.is_file():
                return self._refuse(404, "EntryNotFound")
            return self._file(path, name, with_body=with_body)

        def _file(self, path: Path, name: str, *, with_body: bool) -> None:
            content = path.read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            first = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
            if "Range" in self.headers:
                hub.ranges.append(f"{name} from {first}")
            self.send_response(206 if first else 200)
            tag = digest if name.endswith(".safetensors") else digest[:40]  # small files carry git's hash
            headers = {"ETag": f'"{tag}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
            headers["Content-Length"] = str(len(content) - first)
            if first:
                headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
            for key, value in {**headers, **hub.headers}.items():
                self.send_header(key, value)
            self.end_headers()
            if not with_body:
                return
            if name in hub.flipped:
                content = bytes([content[0] ^ 1]) + content[1:]
            body = content[first:]
            if name in hub.cut:
                body = body[: hub.cut.pop(name)]
                self.close_connection = True
            hub.sent[name] += len(body)
            self.wfile.write(body)

        def _listing(self, repository: str) -> None:
            root = hub.repositories[repository]
            files = [path for path in sorted(root.rglob("*")) if path.is_file()]
            rows = [
                {
                    "type": "file",
                    "path": path.relative_to(root).as_posix(),
                    "size": path.stat().st_size,
                    "oid": "0" * 40,
                }
                for path in files
            ]
            self._send(200, json.dumps(rows).encode(), {"Content-Type": "application/json"})

        def _refuse(self, status: int, code: str) -> None:
            self._send(status, b"", {"X-Error-Code": code, "X-Error-Message": code})

        def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for key, value in {**headers, **hub.headers, "Content-Length": str(len(body))}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

    return Handler


@contextmanager
def served(hub: Hub) -> Iterator[Hub]:
    """Within, `hub` answers on a free port of 127.0.0.1."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
