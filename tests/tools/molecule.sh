#!/usr/bin/env bash
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# molecule.sh SCENARIO [arguments of `molecule test`, for example --destroy=never]
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH=$PWD/.venv/bin:$PATH

scenario=$1
shift
# A scenario has a lab of its own, whatever lab the caller works with.
export NPUOPS_LAB=molecule
exec molecule test --scenario-name "$scenario" --report "$@"
