# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for Hugging Face and ModelScope: so much of their HTTP that the real clients download from it.

    python3 hub.py DIRECTORY [--port 8090] [--address 0.0.0.0] [--token TOKEN] [--rate MB/s]

DIRECTORY has the repositories as C(owner/name/revision/…files). For Hugging Face a revision is told as a commit (the
SHA-1 of its name, unless it is one); ModelScope knows it by its name. Files C(*.safetensors), and those larger than
C(LFS_BYTES), are in LFS, so their sha256 is told.

For a test: C(POST /lab/cut?path=NAME&after=BYTES&times=N) ends the next N answers with that file after so many bytes;
C(POST /lab/lie?path=NAME) flips the last byte of it from then on; C(GET /lab/log) lists what was asked, one JSON text
a line, with the bytes that were sent; C(POST /lab/reset) forgets all of it.

Stdlib only, Python 3.8. What it speaks was written down from requests of huggingface_hub 2.4 and modelscope 1.40.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

LFS_BYTES = 1 << 20
_COMMIT = re.compile(r"^[0-9a-f]{40}$")
_CHUNK = 64 * 1024


def commit_of(revision):
    """The commit that Hugging Face tells for a revision."""
    return revision if _COMMIT.match(revision) else hashlib.sha1(revision.encode()).hexdigest()


class Hub:
    """Repositories on a disk, and what a test wants to go wrong."""

    def __init__(self, root, token="", rate=0.0):
        self.root, self.token, self.rate = root, token, rate
        self.lock = threading.Lock()
        self.known = {}
        self.reset()

    def reset(self):
        self.log, self.cuts, self.lies = [], {}, set()

    def revision(self, repo, revision):
        """Directory of a revision by its name or commit, or None."""
        base = os.path.join(self.root, *repo.split("/"))
        for name in sorted(os.listdir(base)) if os.path.isdir(base) else []:
            if revision in (name, commit_of(name)):
                return os.path.join(base, name)
        return None

    def entry(self, path):
        """{size, sha256, blob, lfs} of a file, read through once."""
        found = os.stat(path)
        mark = (found.st_size, found.st_mtime_ns)
        with self.lock:
            if self.known.get(path, (None,))[0] != mark:
                sha256, blob = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % found.st_size)
                with open(path, "rb") as handle:
                    for block in iter(lambda: handle.read(1 << 20), b""):
                        sha256.update(block)
                        blob.update(block)
                lfs = path.endswith(".safetensors") or found.st_size > LFS_BYTES
                entry = {"size": found.st_size, "sha256": sha256.hexdigest(), "blob": blob.hexdigest(), "lfs": lfs}
                self.known[path] = (mark, entry)
            return self.known[path][1]

    def files(self, base):
        """(path inside, entry) of all files of a revision."""
        for folder, folders, names in os.walk(base):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(folder, name)
                yield os.path.relpath(path, base), self.entry(path)

    def cut_after(self, name):
        """Bytes after which this answer ends, or None."""
        with self.lock:
            after, times = self.cuts.get(name, (None, 0))
            if times:
                self.cuts[name] = (after, times - 1)
            return after if times else None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_GET(self):
        self.answer()

    def do_HEAD(self):
        self.answer()

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        if url.path == "/lab/cut":
            self.hub.cuts[query["path"]] = (int(query["after"]), int(query.get("times", 1)))
        elif url.path == "/lab/lie":
            self.hub.lies.add(query["path"])
        elif url.path == "/lab/reset":
            self.hub.reset()
        else:
            return self.refuse(404, "no such action")
        return self.send(200, b"{}")

    def answer(self):
        url = urlsplit(self.path)
        path, query = unquote(url.path), {key: values[0] for key, values in parse_qs(url.query).items()}
        if path == "/lab/log":
            return self.send(200, "".join(json.dumps(line) + "\n" for line in self.hub.log).encode())
        if not self.allowed():
            self.note(0, 401)
            return self.refuse(401, "Invalid username or password.")
        for pattern, method in (
            (r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", self.hf_info),
            (r"/api/models/([^/]+/[^/]+)/tree/([^/]+)", self.hf_tree),
            (r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.hf_file),
            (r"/api/v1/models/([^/]+/[^/]+)/repo/files", self.ms_files),
            (r"/api/v1/models/([^/]+/[^/]+)/repo", self.ms_file),
            (r"/api/v1/models/([^/]+/[^/]+)/revisions", self.ms_revisions),
            (r"/api/v1/models/([^/]+/[^/]+)", self.ms_info),
        ):
            match = re.fullmatch(pattern, path)
            if match:
                return method(query, *match.groups())
        self.note(0, 404)
        return self.refuse(404, "no such page")

    def allowed(self):
        if not self.hub.token:
            return True
        shown = self.headers.get("Authorization", "") + " " + self.headers.get("Cookie", "")
        return self.hub.token in re.split(r"[ =;]+", shown)

    # ---- Hugging Face

    def hf_info(self, query, repo, revision):
        base = self.hub.revision(repo, revision or "main")
        if not base:
            self.note(0, 404)
            return self.refuse(404, "Revision Not Found", code="RevisionNotFound")
        siblings = []
        for name, entry in self.hub.files(base):
            sibling = {"rfilename": name}
            if query.get("blobs"):
                sibling.update(size=entry["size"], blobId=entry["blob"])
                if entry["lfs"]:
                    sibling["lfs"] = {"sha256": entry["sha256"], "size": entry["size"], "pointerSize": 134}
            siblings.append(sibling)
        self.note(0, 200)
        commit = commit_of(os.path.basename(base))
        return self.json({"id": repo, "modelId": repo, "sha": commit, "private": False, "siblings": siblings})

    def hf_tree(self, _query, repo, revision):
        base = self.hub.revision(repo, revision)
        if not base:
            return self.refuse(404, "Revision Not Found", code="RevisionNotFound")
        tree = []
        for name, entry in self.hub.files(base):
            told = {"type": "file", "path": name, "size": entry["size"], "oid": entry["blob"]}
            if entry["lfs"]:
                told["lfs"] = {"oid": entry["sha256"], "size": entry["size"], "pointerSize": 134}
            tree.append(told)
        self.note(0, 200)
        return self.json(tree)

    def hf_file(self, _query, repo, revision, name):
        base = self.hub.revision(repo, revision)
        path = base and os.path.join(base, name)
        if not path or not os.path.isfile(path):
            return self.refuse(404, "Entry not found", code="EntryNotFound")
        entry = self.hub.entry(path)
        etag = entry["sha256"] if entry["lfs"] else entry["blob"]
        headers = {"X-Repo-Commit": commit_of(os.path.basename(base)), "ETag": f'"{etag}"'}
        if entry["lfs"]:
            headers.update({"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(entry["size"])})
        return self.file(path, name, headers)

    # ---- ModelScope

    def ms_info(self, _query, repo):
        self.note(0, 200)
        owner, name = repo.split("/")
        return self.json({"Code": 200, "Success": True, "Data": {"Path": owner, "Name": name, "Id": 1}})

    def ms_revisions(self, _query, repo):
        base = os.path.join(self.hub.root, *repo.split("/"))
        names = sorted(os.listdir(base)) if os.path.isdir(base) else []
        told = [{"Revision": name, "CreatedAt": 1700000000} for name in names]
        self.note(0, 200)
        return self.json(
            {"Code": 200, "Success": True, "Data": {"RevisionMap": {"Branches": told, "Tags": []}, "Total": len(told)}}
        )

    def ms_files(self, query, repo):
        base = self.hub.revision(repo, query.get("Revision", "master"))
        if not base:
            self.note(0, 404)
            return self.json({"Code": 10010205001, "Success": False, "Message": "no such revision"}, 404)
        files = [
            {
                "Name": os.path.basename(name),
                "Path": name,
                "Type": "blob",
                "Size": entry["size"],
                "Sha256": entry["sha256"],
                "IsLFS": entry["lfs"],
                "Revision": commit_of(os.path.basename(base)),
                "CommittedDate": 1700000000,
            }
            for name, entry in self.hub.files(base)
        ]
        self.note(0, 200)
        return self.json({"Code": 200, "Success": True, "Data": {"Files": files, "IsVisual": 0}})

    def ms_file(self, query, repo):
        base = self.hub.revision(repo, query.get("Revision", "master"))
        name = query.get("FilePath", "")
        path = base and os.path.join(base, name)
        if not path or not os.path.isfile(path):
            return self.json({"Code": 404, "Success": False, "Message": "no such file"}, 404)
        return self.file(path, name, {})

    # ---- what both share

    def file(self, path, name, headers):
        """A file or a range of it, slowly if asked, cut short if a test wants it."""
        size = os.path.getsize(path)
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first, last = (int(match[1]), min(int(match[2] or size), size - 1)) if match else (0, size - 1)
        if match and first >= size:
            return self.send(416, b"", {"Content-Range": f"bytes */{size}"})
        self.send_response(206 if match else 200)
        length = last - first + 1
        if match:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        kind = "application/octet-stream"
        told = {"Content-Length": str(length), "Accept-Ranges": "bytes", "Content-Type": kind, **headers}
        for key, value in told.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            self.note(0, 200)
            return None
        after = self.hub.cut_after(name)
        sent = 0
        with open(path, "rb") as handle:
            handle.seek(first)
            while sent < length:
                block = handle.read(min(_CHUNK, length - sent))
                if name in self.hub.lies and first + sent + len(block) == size:
                    block = block[:-1] + bytes([block[-1] ^ 1])
                if after is not None and sent + len(block) > after:
                    self.wfile.write(block[: max(0, after - sent)])
                    self.note(after, 206 if match else 200, first)
                    self.close_connection = True
                    self.connection.close()
                    return None
                self.wfile.write(block)
                sent += len(block)
                if self.hub.rate:
                    time.sleep(len(block) / self.hub.rate / 1e6)
        self.note(sent, 206 if match else 200, first)
        return None

    def json(self, value, status=200):
        return self.send(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def refuse(self, status, words, code=None):
        headers = {"X-Error-Message": words, "Content-Type": "application/json"}
        if code:
            headers["X-Error-Code"] = code
        return self.send(status, json.dumps({"error": words}).encode(), headers)

    def send(self, status, body, headers=None):
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def note(self, sent, status, first=0):
        line = {"method": self.command, "path": self.path, "status": status, "from": first, "bytes": sent}
        with self.hub.lock:
            self.hub.log.append({**line, "agent": self.headers.get("User-Agent", "").split(";")[0]})

    def log_message(self, *_arguments):
        """Nothing on stderr: C(/lab/log) has it."""


def serve(root, port=0, address="127.0.0.1", token="", rate=0.0):
    """A server that runs in threads; C(server_address) has its port, C(shutdown) ends it."""
    hub = Hub(root, token, rate)
    server = ThreadingHTTPServer((address, port), type("HubHandler", (Handler,), {"hub": hub}))
    server.hub, hub.port = hub, server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--address", default="0.0.0.0")
    parser.add_argument("--token", default="")
    parser.add_argument("--rate", type=float, default=0.0, help="MB/s of one answer; 0 is as fast as it goes")
    asked = parser.parse_args()
    serve(asked.root, asked.port, asked.address, asked.token, asked.rate)
    threading.Event().wait()


if __name__ == "__main__":
    main()
