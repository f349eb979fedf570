#!/usr/bin/env bash
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Arguments go to pytest, for example: tests/tools/unit.sh -k npu_smi
# Without any, what runs on managed nodes (module_utils, the emulator) is tested again with Python 3.8, the oldest one.
set -euo pipefail
cd "$(dirname "$0")/../.."

.venv/bin/python -m pytest "$@"
[ "$#" -eq 0 ] || exit 0

oldest=''
for candidate in python3.8 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.8.*/bin/python3.8; do
  if "$candidate" -c 'import sys, ensurepip; assert sys.version_info[:2] == (3, 8)' 2>/dev/null; then
    oldest=$candidate
    break
  fi
done
if [ -z "$oldest" ]; then
  printf 'unit: no Python 3.8 here, so the run on the oldest Python of a node is left out\n'
  exit 0
fi

venv=.venv-3.8
if [ ! -e "$venv/.stamp" ] || [ "$0" -nt "$venv/.stamp" ]; then
  "$oldest" -m venv --clear "$venv"
  # The last releases for Python 3.8.
  "$venv/bin/python" -m pip install -qq --disable-pip-version-check \
    pytest==8.3.5 hypothesis==6.113.0 PyYAML==6.0.3
  touch "$venv/.stamp"
fi
shopt -s nullglob
paths=(tests/unit/plugins/module_utils tests/unit/lab/test_npusim*.py)
existing=()
for path in "${paths[@]}"; do
  [ ! -e "$path" ] || existing+=("$path")
done
"$venv/bin/python" -m pytest "${existing[@]}"
