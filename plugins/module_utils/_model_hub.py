# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hugging Face, ModelScope and openMind (modelers.cn): what they have, and how their own clients bring it.

The list of files is one request to the hub's API, so that check mode needs no client; of openMind only the client
itself lists. The files are brought by the clients, which know mirrors, content stores and how to go on after a cut.

Hugging Face: C(GET /api/models/REPO/revision/REVISION?blobs=true), as C(HfApi.model_info(files_metadata=True)) asks
it. Files in LFS have their sha256, the others the id of their Git blob. ModelScope:
C(GET /api/v1/models/REPO/repo/files), as its client asks it; every file has its sha256; a list of 3000 is cut without a
word.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import json
import re
from urllib.parse import quote, urlencode

from ._model_files import ModelError
from ._model_manifest import chosen

HUBS = ("huggingface", "modelscope", "openmind")
ENDPOINTS = {
    "huggingface": "https://huggingface.co",
    "modelscope": "https://www.modelscope.cn",
    "openmind": "https://modelers.cn",
}
REVISIONS = {"huggingface": "main", "modelscope": "master", "openmind": "main"}
# The environment of the client's process; the token is in none that others can read, and on no command line.
TOKENS = {"huggingface": "HF_TOKEN", "modelscope": "MODELSCOPE_API_TOKEN", "openmind": "NPUOPS_OPENMIND_TOKEN"}
PACKAGES = {"huggingface": "huggingface_hub", "modelscope": "modelscope", "openmind": "openmind_hub"}
_LONGEST_LISTING = 3000
_REPO = re.compile(r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$", re.ASCII)
_COMMIT = re.compile(r"^[0-9a-f]{40}$")

# Runs in the client's Python, with the job as JSON on its standard input. What it prints last is the answer.
CLIENT = r"""
import json, os, sys
job = json.load(sys.stdin)
# As fnmatch has it, a bracket begins a set of letters.
files = [name.replace("[", "[[]") for name in job["files"]]
answer = {}
if job["hub"] == "huggingface":
    from huggingface_hub import snapshot_download
    snapshot_download(job["repo"], revision=job["commit"], local_dir=job["to"], allow_patterns=files,
                      max_workers=job["workers"])
elif job["hub"] == "modelscope":
    from modelscope.hub.snapshot_download import snapshot_download
    snapshot_download(job["repo"], revision=job["commit"], local_dir=job["to"], allow_patterns=files,
                      max_workers=job["workers"])
else:
    from openmind_hub import OmApi, snapshot_download
    token = os.environ.get("NPUOPS_OPENMIND_TOKEN") or None
    if job["list"]:
        api = OmApi(token=token)
        tree = api.list_repo_tree(job["repo"], recursive=True, revision=job["commit"], token=token)
        answer["files"] = {
            entry.path: {"size": entry.size, "sha256": entry.lfs.sha256 if entry.lfs else None}
            for entry in tree if hasattr(entry, "size")
        }
        answer["commit"] = api.get_repo_last_commit(repo_id=job["repo"], revision=job["commit"], token=token).oid
    else:
        snapshot_download(job["repo"], revision=job["commit"], local_dir=job["to"], local_dir_use_symlinks=False,
                          cache_dir=os.path.join(job["to"], ".cache", "openmind"), allow_patterns=files, token=token,
                          max_workers=job["workers"])
print()
print(json.dumps(answer))
"""


def check_repo(hub, repo):
    """Refuse a name that no hub has; it would end up in an address."""
    if not _REPO.match(repo or ""):
        raise ModelError(f"repo is {repo!r}", f"give it as {hub} names it, such as Qwen/Qwen3-32B")


def is_pinned(revision):
    """Whether a revision is a commit, which means the same files for ever."""
    return bool(_COMMIT.match(revision or ""))


def listing_address(hub, endpoint, repo, revision):
    """Where the list of files of a repository is."""
    check_repo(hub, repo)
    base = (endpoint or ENDPOINTS[hub]).rstrip("/")
    if hub == "huggingface":
        return f"{base}/api/models/{repo}/revision/{quote(revision, safe='')}?blobs=true"
    return f"{base}/api/v1/models/{repo}/repo/files?{urlencode({'Revision': revision, 'Recursive': 'True'})}"


def listing_headers(hub, token):
    """Headers of that request; ModelScope takes its token as a session, too."""
    if not token:
        return {}
    found = {"Authorization": f"Bearer {token}"}
    return {**found, "Cookie": f"m_session_id={token}"} if hub == "modelscope" else found


def read_listing(hub, text, revision, include=(), exclude=()):
    """(manifest, commit or revision to download by) of the hub's answer."""
    try:
        found = json.loads(text)
        if hub == "huggingface":
            commit = found["sha"]
            manifest = {
                entry["rfilename"]: {
                    "size": entry["size"],
                    "sha256": (entry.get("lfs") or {}).get("sha256"),
                    "blob": None if entry.get("lfs") else entry.get("blobId"),
                }
                for entry in found["siblings"]
            }
        else:
            # No commit of the whole is told: a branch or tag stays what it is called.
            commit = revision
            entries = found["Data"]["Files"]
            if len(entries) >= _LONGEST_LISTING:
                raise ModelError(
                    f"{hub} lists {len(entries)} files and tells no more", "name those you need with include"
                )
            manifest = {
                entry["Path"]: {"size": entry["Size"], "sha256": entry.get("Sha256") or None}
                for entry in entries
                if entry.get("Type") != "tree"
            }
        return _checked(hub, chosen(manifest, include, exclude)), commit
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ModelError(
            f"{hub} gave a list of files that is not understood ({exc!r}): {text[:120]!r}",
            "see that the endpoint is the hub's, not a proxy's login page",
        ) from exc


def read_client_listing(answer, include=(), exclude=()):
    """The same of what the client printed (openMind): sizes, and checksums of files in LFS."""
    return _checked("openmind", chosen(answer["files"], include, exclude)), answer["commit"]


def _checked(hub, manifest):
    for name, entry in manifest.items():
        if name.startswith("/") or ".." in name.split("/"):
            raise ModelError(f"{hub} lists a file {name!r}, which would lie outside of the model", "do not trust it")
        if not isinstance(entry["size"], int) or isinstance(entry["size"], bool):
            raise ModelError(f"{hub} tells no size of {name}", "give another endpoint: sizes are what is verified")
    if not manifest:
        raise ModelError(f"{hub} lists no file", "correct repo, revision, include and exclude")
    return manifest


def refusal(hub, repo, revision, status, said):
    """The error of a hub that answers with something else than 200."""
    if status in (401, 403):
        remedy = f"give a token that may read it (model_tokens.{hub}), and accept the model's terms on its page"
    elif status == 404:
        remedy = "correct repo and revision; of a private repository a token is needed"
    else:
        remedy = "look at the endpoint and the proxy from that node"
    return ModelError(f"{hub} answers {status} for {repo} at {revision} ({said})", remedy)


def environment(hub, endpoint, token):
    """What the client's process has in its environment besides."""
    # A progress bar per file would fill the log with thousands of lines.
    found = {"TQDM_DISABLE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    # Xet goes on after a cut only as far as its cache of chunks reaches, and mirrors do not have it.
    found["HF_HUB_DISABLE_XET"] = "1"
    if token:
        found[TOKENS[hub]] = token
    if endpoint:
        names = {"huggingface": "HF_ENDPOINT", "modelscope": "MODELSCOPE_ENDPOINT", "openmind": "OPENMIND_HUB_ENDPOINT"}
        found[names[hub]] = endpoint.rstrip("/")
        if hub == "modelscope":
            # Releases before 1.38 know this one.
            found["MODELSCOPE_DOMAIN"] = re.sub(r"^https?://", "", endpoint.rstrip("/"))
    return found


__all__ = [
    "CLIENT",
    "HUBS",
    "PACKAGES",
    "REVISIONS",
    "check_repo",
    "environment",
    "is_pinned",
    "listing_address",
    "listing_headers",
    "read_client_listing",
    "read_listing",
    "refusal",
]
