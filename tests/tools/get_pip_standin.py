# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stand-in for get-pip.py, which ansible-test downloads from a host that only serves that file.

Where nothing but a package index is reachable, Python's own ensurepip and then pip from the index do the same.
ansible-test takes it from its cache (``~/.ansible/test/cache/get_pip_<version>.py``) and runs it with pip's arguments.
"""

from __future__ import annotations

import subprocess
import sys

# A child process, because ensurepip sets PIP_CONFIG_FILE=/dev/null in the one that runs it.
subprocess.check_call([sys.executable, "-m", "ensurepip"])
# Options of get-pip, not of pip.
arguments = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
subprocess.check_call([sys.executable, "-m", "pip", "install", "--quiet", *arguments])
