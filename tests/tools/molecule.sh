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
# Molecule takes a step without a playbook for done; it looks for verify.yml even where a step names another one.
directory=extensions/molecule/$scenario
steps=$(sed -n 's/^ *- \(prepare\|converge\|side_effect\|verify\) *\([^ ]*\)$/\1.yml \2/p' "$directory/molecule.yml")
for step in $steps; do
  if [ ! -e "$directory/$step" ]; then
    printf '%s: %s is not there, so a step of the scenario would be left out.\n' "$directory/molecule.yml" "$step" >&2
    exit 1
  fi
done
# A scenario has a lab of its own, whatever lab the caller works with; its name is in extensions/molecule/config.yml, too.
export NPUOPS_LAB=${NPUOPS_MOLECULE_LAB:-molecule}
exec molecule test --scenario-name "$scenario" --report "$@"
