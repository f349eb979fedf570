# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The release this image stands for: read from release.json beside the package's folder."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

HOME = Path(os.environ.get("NPUOPS_STANDIN_HOME", Path(__file__).resolve().parent.parent))


@dataclass(frozen=True)
class Release:
    """vLLM's version, the image tag, and the behaviours in which releases differ."""

    vllm: str
    tag: str
    ray_executor_v2: bool

    @property
    def version(self) -> str:
        """What `vllm --version` and /version print: the images build vLLM without a device target."""
        return f"{self.vllm}+empty"

    @property
    def options_file(self) -> Path:
        return HOME / "cli" / f"serve-{self.vllm}.json"


def load_release(path: Path | None = None) -> Release:
    """Read a release description.

    :raises FileNotFoundError: the image was built without one
    """
    return Release(**json.loads((path or HOME / "release.json").read_text(encoding="utf-8")))
