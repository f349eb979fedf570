#!/usr/bin/python
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: plan_page
short_description: Show a placement as a picture, a page and a table
version_added: 1.0.0
description:
  - Draws the nodes with their NPUs to the scale of their memory, the slices in them, the services in colours with a
    legend, and what is free.
  - Runs on the controller. The page and the picture need no other file, and the same plan gives the same files.
  - vNPUs that are there and belong to no service of the plan are drawn as well, hatched.
options:
  placement:
    description:
      - What M(npuops.ascend.npu_placement) returned.
      - With its option C(placed) beside that, slices in there that no service gets any more are counted as to be taken
        away, instead of drawn as somebody else's.
    type: dict
    required: true
  nodes:
    description:
      - What each node has, by inventory name. A mapping with C(chips) and, if they were read, C(vnpus) and
        C(templates), all as M(npuops.ascend.npu_info) returns them.
    type: dict
    required: true
  title:
    description: Title of the page.
    type: str
    default: NPU plan
  html:
    description: File for the page. Left out, it is not written.
    type: path
  svg:
    description: File for the picture. Left out, it is not written.
    type: path
extends_documentation_fragment:
  - ansible.builtin.files
  - npuops.ascend.attributes
  - npuops.ascend.attributes.action_group_npu
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details:
      - The table is what a reader wants to compare.
  idempotent:
    support: full
  platform:
    platforms: posix
author:
  - npuops contributors (@npuops)
seealso:
  - module: npuops.ascend.npu_placement
  - module: npuops.ascend.npu_info
"""

EXAMPLES = r"""
---
- name: Write the plan to a page that can be sent to a colleague
  npuops.ascend.plan_page:
    placement: "{{ placement }}"
    nodes: "{{ hostvars | npuops.ascend.placement_nodes(groups['ascend']) }}"
    title: Night shift
    html: plan.html
    svg: plan.svg
    mode: "0644"
  delegate_to: localhost
  run_once: true
  register: plan

- name: Show it in the terminal
  ansible.builtin.debug:
    var: plan.table
"""

RETURN = r"""
table:
  description:
    - The services, how those with V(auto) in C(vnpu.memory_gb) were sized, then what is free, as lines for a terminal.
  returned: always
  type: list
  elements: str
  sample:
    - "#  SERVICE    ENGINE  MODEL   PLACE                         MEMORY  ENDPOINT"
    - "1  embedding  tei     bge-m3  node0: vir10_3c_32g of NPU 6  32 GB   http://192.0.2.10:8003"
summary:
  description: The same in a few sentences, without the services.
  returned: always
  type: list
  elements: str
  sample: ["8 of 8 NPUs used (no placement needs fewer)", "0 GB of 512 GB memory free, 0 NPUs idle"]
files:
  description: The files of the plan.
  returned: always
  type: list
  elements: str
  sample: [/root/plan.html, /root/plan.svg]
written:
  description: Those of them that were written, or would be.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._plan_page import page, picture, read_plan, table
from ..module_utils._text_file import write_text


def main():
    module = AnsibleModule(
        argument_spec={
            "placement": {"type": "dict", "required": True},
            "nodes": {"type": "dict", "required": True},
            "title": {"type": "str", "default": "NPU plan"},
            "html": {"type": "path"},
            "svg": {"type": "path"},
        },
        add_file_common_args=True,
        supports_check_mode=True,
    )
    given = module.params
    try:
        plan = read_plan(given["placement"], given["nodes"], given["title"])
    except (KeyError, TypeError) as exc:
        module.fail_json(
            msg="placement and nodes do not belong together, or are not what npu_placement and npu_info return; "
            f"reading them failed with {exc!r}."
        )
    texts = ((given["html"], page(plan)), (given["svg"], picture(plan)))
    written = [path for path, text in texts if path and write_text(module, path, text)]
    files = [path for path in (given["html"], given["svg"]) if path]
    module.exit_json(changed=bool(written), files=files, written=written, table=table(plan), summary=plan.summary())


if __name__ == "__main__":
    main()
