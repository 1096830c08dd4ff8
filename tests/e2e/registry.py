"""Runs on a node: a registry with one image and one credential, for what a pull really does. Python 3.9."""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.server
import json
import sys
import tarfile

CREDENTIAL = "Basic " + base64.b64encode(b"puller:opensesame").decode()
KIND = "application/vnd.docker.distribution.manifest.v2+json"


class Image:
    """One image of a `docker save` archive, as the blobs and the manifest of a registry."""

    def __init__(self, path: str) -> None:
        self.blobs: dict[str, bytes] = {}
        with tarfile.open(path) as archive:

            def read(name: str) -> bytes:
                member = archive.extractfile(name)
                assert member is not None
                return member.read()

            saved = json.loads(read("manifest.json"))[0]
            config = self._blob(read(saved["Config"]), "application/vnd.docker.container.image.v1+json")
            layers = [
                self._blob(gzip.compress(read(name), 1), "application/vnd.docker.image.rootfs.diff.tar.gzip")
                for name in saved["Layers"]
            ]
        document = {"schemaVersion": 2, "mediaType": KIND, "config": config, "layers": layers}
        self.manifest = json.dumps(document).encode()
        self.blobs["manifest"] = self.manifest

    def _blob(self, data: bytes, kind: str) -> dict[str, object]:
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.blobs[digest] = data
        return {"mediaType": kind, "size": len(data), "digest": digest}


def handler(image: Image) -> type[http.server.BaseHTTPRequestHandler]:
    class Registry(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.headers.get("Authorization") != CREDENTIAL:
                self._answer(401, b"{}", "application/json")
            elif "/manifests/" in self.path:
                self._answer(200, image.manifest, KIND)
            else:
                found = image.blobs.get(self.path.rpartition("/")[2], b"{}")
                self._answer(200, found, "application/octet-stream")

        do_HEAD = do_GET  # noqa: N815  # the library's name

        def _answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("WWW-Authenticate", 'Basic realm="here"')
            self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
            self.send_header("Docker-Content-Digest", "sha256:" + hashlib.sha256(body).hexdigest())
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

    return Registry


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), handler(Image(sys.argv[1]))).serve_forever()
