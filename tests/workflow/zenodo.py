"""A server that answers for zenodo.org: its interface, as far as records are read."""

from __future__ import annotations

import contextlib
import hashlib
import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

RECORD = 7
_API = f"/api/records/{RECORD}"
_ZENODO = "https://zenodo.org"


@contextlib.contextmanager
def zenodo(files: Path, folder: Path) -> Iterator[dict[str, str]]:
    """Serve the files of a folder as a record.

    Gives the environment in which zenodo.org leads there: a proxy, and a certificate of
    ours that programs trust, both made in `folder`.
    """
    subject = ["-subj", "/CN=zenodo.org", "-addext", "subjectAltName=DNS:zenodo.org"]
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject]
    made += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(made, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    class Record(BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.removeprefix(f"{_API}/files/").removesuffix("/content")
            if self.headers["Authorization"] != "Bearer token":
                self.send_error(403)
            elif self.path == _API:
                self._send(json.dumps({"files": _listed(files)}).encode())
            elif (files / name).is_file():
                self._send((files / name).read_bytes())
            else:
                self.send_error(404)

        def _send(self, content):
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format, *args):
            """Say nothing."""

    class Proxy(BaseHTTPRequestHandler):
        def do_CONNECT(self):
            self.send_response(200)
            self.end_headers()
            with context.wrap_socket(self.connection, server_side=True) as encrypted:
                Record(encrypted, self.client_address, self.server)
            self.close_connection = True

        def log_message(self, format, *args):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}"
        trusted = {"REQUESTS_CA_BUNDLE": str(certificate)}
        yield dict.fromkeys(("https_proxy", "HTTPS_PROXY"), address) | trusted
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _listed(files: Path) -> list[dict]:
    return [
        {
            "key": path.name,
            "size": path.stat().st_size,
            "checksum": f"md5:{hashlib.md5(path.read_bytes()).hexdigest()}",
            "links": {"self": f"{_ZENODO}{_API}/files/{path.name}/content"},
        }
        for path in files.iterdir()
        if path.is_file()
    ]
