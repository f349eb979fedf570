# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plan lets through, an argparse parser made of the same release's option list takes, as it is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from vllm_standin import options as standin

from ansible_collections.npuops.ascend.plugins.module_utils import _vllm, _vllm_options
from ansible_collections.npuops.ascend.plugins.module_utils._services import DERIVED_ARGS, REFUSED_ARGS

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (ROOT / "tests/fixtures/vllm_cli", ROOT / "tests/lab/images/vllm-ascend/rootfs/opt/standin/cli")
LISTS = sorted(path for folder in FOLDERS for path in folder.glob("serve-*.json"))

# One of each form, and what is nearly one: of which some are right for every kind of option.
SAMPLES = (True, False, 1, -1, 2.5, "x", "1", "1.5", "32k", "1.5K", "auto", "None", "Deep-GEMM", "-x", "n=/p", "{a}")
SAMPLES += ({"a": 1}, '{"a": 1}', [1, 2], ["a", "b"], [1, "x"], [], "", {"name": "n", "path": "/p"}, 128)
# A file, a name that the service has anyway.
LEFT_OUT = {"config", "served_model_name", *DERIVED_ARGS, *REFUSED_ARGS}


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_what_is_let_through_is_taken(path, tmp_path, capsys):
    version = path.stem.split("-")[1]
    given = json.loads(path.read_text(encoding="utf-8"))
    for option in given["options"]:
        # What the stand-in's parser, made for its own two releases, has not met: an option without a default, and one
        # that stores its word and logs that it is deprecated.
        option["default"] = option["default"].replace("'==SUPPRESS=='", "None")
        option["kind"] = option["kind"].replace("DeprecatedLogConfigFileAction", "_StoreAction")
    path = tmp_path / path.name
    path.write_text(json.dumps(given), encoding="utf-8")
    image = f"quay.io/ascend/vllm-ascend:v{version}"
    parser = standin.build_parser(path, version)
    taken = 0
    for name, option in _vllm_options.options(_vllm_options.data.RELEASES.index(version)).items():
        if name in LEFT_OUT:
            continue
        right = [v for v in (*SAMPLES, *option.choices[:2]) if not _vllm_options.check({name: v}, image)[0]]
        assert right, f"{name}: nothing of the samples is right"
        for value in right:
            words = _vllm.flags({name: value}, image)
            try:
                standin.parse(parser, ["serve", "/m", *words], version)
            except SystemExit:
                pytest.fail(f"{name}: {value!r} became {words}: {capsys.readouterr().err.splitlines()[-1]}")
            taken += 1
    assert taken > 500
