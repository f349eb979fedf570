#!/usr/bin/env python3
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write plugins/module_utils/_vllm_options_data.py from the option lists of C(vllm serve).

A list is what vLLM's own parser holds: for each argparse action C(flags), C(dest), C(nargs), C(kind) (class of the
action), C(type) (name of the function), C(choices) and C(default). The lists of two releases are part of the lab's
stand-in image, the others are fixtures. For another release add serve-VERSION.json to the fixtures, run this, and read
what it changed; an option whose value is of a type that is not known here stops it.

    tests/tools/vllm_options.py            # writes the module
    tests/tools/vllm_options.py --check    # exit code 1 when the module is not what the lists give
"""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LISTS = (ROOT / "tests/fixtures/vllm_cli", ROOT / "tests/lab/images/vllm-ascend/rootfs/opt/standin/cli")
MODULE = ROOT / "plugins/module_utils/_vllm_options_data.py"

# vLLM's type functions, as the kinds of _vllm_options.py. What stands in a list, and is no option to set.
KINDS = {
    None: "text",
    "str": "text",
    "int": "int",
    "float": "float",
    "bool": "word",
    "loads": "json",
    "_parse_type": "json",
    "parse_dataclass": "config",
    "union_dict_and_str": "mixed",
    "human_readable_int": "size",
    "human_readable_int_or_auto": "size_auto",
    "<lambda>": "name",
}
NO_OPTIONS = ("help", "model_tag")

# The lists name only the wrapper of `X | None`. What is inside, where it is not text, is from vLLM's config classes;
# where it could not be read there it is "any", and only switches are refused.
OPTIONAL = {
    "int": "seed max_log_len num_gpu_blocks_override max_parallel_loading_workers max_cpu_loras mamba_block_size "
    "distributed_timeout_seconds cpu_distributed_timeout_seconds numa_bind_nodes max_cudagraph_capture_size "
    "cudagraph_capture_sizes",
    "float": "rope_theta kv_offloading_size video_pruning_rate",
    "size": "kv_cache_memory_bytes",
    "config": "pooler_config override_pooler_config mm_processor_kwargs default_mm_loras speculative_config "
    "diffusion_config quantization_config kv_transfer_config kv_events_config ec_transfer_config reasoning_config "
    "weight_transfer_config watermark_config engram_config",
    "any": "custom_histogram_buckets grpc_port max_lora_cls_labels max_num_active_seqs max_num_queued_reqs "
    "max_num_queued_tokens max_num_scheduled_tokens prefix_cache_retention_interval prefix_match_unit",
}
_OPTIONAL = {name: kind for kind, names in OPTIONAL.items() for name in names.split()}

HEAD = '''\
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of C(vllm serve) by release. Written by tests/tools/vllm_options.py, not by hand.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

# A row is a kind, in which of the RELEASES it holds (a digit for each), and names. In CHOICES a row is about one
# option: its name, and what it may be.
'''


def read_lists():
    """{version: options}, oldest first."""
    found = {}
    for path in (path for folder in LISTS for path in folder.glob("serve-*.json")):
        given = json.loads(path.read_text(encoding="utf-8"))
        found[given["vllm"]] = given["options"]
    return dict(sorted(found.items(), key=lambda item: [int(part) for part in item[0].split(".")]))


def kind_of(option):
    """The kind of an option, with a + when it takes several words and an = when only certain ones."""
    if option["kind"] == "BooleanOptionalAction":
        return "flag"
    if option["kind"] == "_StoreTrueAction":
        return "on"
    if option["kind"] == "_AppendAction":
        return "each"
    if option["kind"] == "LoRAParserAction":
        return "lora+"
    optional = option["type"] == "_optional_type"
    kind = _OPTIONAL.get(option["dest"], "text") if optional else KINDS[option["type"]]
    return kind + ("+" if option["nargs"] == "+" else "")


def names_of(option):
    """How the option is written in snake_case: C(dest), and its other long names."""
    flags = [flag[2:].replace("-", "_") for flag in option["flags"] if flag.startswith("--")]
    return [flag for flag in flags if not flag.startswith("no_") or flag[3:] not in flags]


def module():
    """The text of the module."""
    lists = read_lists()
    plain, choices = {}, {}
    for index, options in enumerate(lists.values()):
        for option in options:
            if option["dest"] in NO_OPTIONS:
                continue
            for name in names_of(option):
                key = (kind_of(option), name, " ".join(option["choices"] or ()))
                table = choices if option["choices"] else plain
                table.setdefault(key, ["0"] * len(lists))[index] = "1"
    rows = {}
    for (kind, name, _none), mask in plain.items():
        rows.setdefault((kind, "".join(mask)), []).append(name)
    text = [HEAD + "RELEASES = (" + ", ".join(f'"{version}"' for version in lists) + ")\n", 'PLAIN = """']
    for (kind, mask), names in sorted(rows.items()):
        text.append(_folded(f"{kind} {mask} {' '.join(sorted(names))}"))
    text += ['"""\n', 'CHOICES = """']
    for (kind, name, words), mask in sorted(choices.items(), key=lambda item: (item[0][1], item[1])):
        text.append(_folded(f"{kind} {''.join(mask)} {name} {words}"))
    return "\n".join([*text, '"""', ""])


def _folded(row):
    return textwrap.fill(row, 118, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def main(argv):
    text = module()
    if argv == ["--check"]:
        return 0 if MODULE.read_text(encoding="utf-8") == text else 1
    if argv:
        raise SystemExit(__doc__)
    MODULE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
