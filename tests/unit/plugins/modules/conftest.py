# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.module_utils.common import warnings


@pytest.fixture(autouse=True)
def no_warnings_of_other_tests():
    """Ansible keeps a module's warnings for the process, and adds them to the result of the next module."""
    warnings._global_warnings.clear()
