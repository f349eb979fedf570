# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible.module_utils import _internal
from ansible.module_utils.common import warnings
from ansible.module_utils.testing import patch_module_args


@pytest.fixture(autouse=True)
def no_warnings_of_other_tests(monkeypatch):
    """Ansible keeps a module's warnings for the process, and adds them to the result of the next module.

    Once a test has imported a plugin of the controller, it would show them there and no longer return them.
    """
    monkeypatch.setattr(_internal, "is_controller", False)
    warnings._global_warnings.clear()


@pytest.fixture
def call_module(capsys):
    """Run a module with arguments; what it returned, with ``failed`` as Ansible would see it."""

    def run(module, **arguments):
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out)

    return run
