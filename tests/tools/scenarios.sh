#!/usr/bin/env bash
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# scenarios.sh JOBS SCENARIO…  Runs them, JOBS at a time, each with a lab of its own. One at a time, it shows what they print
# and stops at the first that fails; several at a time, it keeps that in files, runs all, and says which have failed.
set -euo pipefail
cd "$(dirname "$0")/../.."

jobs=$1
shift
if [ "$jobs" -le 1 ]; then
  for name in "$@"; do tests/tools/molecule.sh "$name"; done
  exit 0
fi

logs=$PWD/.cache/molecule
mkdir -p "$logs"
rm -f "$logs"/*.log

# Started by xargs below, for one scenario.
one() {
  local began=$SECONDS log=$1/$2.log
  if NPUOPS_MOLECULE_LAB=molecule$SLOT tests/tools/molecule.sh "$2" >"$log" 2>&1 </dev/null; then
    printf '%s: passed, %d s\n' "$2" $((SECONDS - began))
  else
    printf '%s: FAILED, %d s, see %s\n' "$2" $((SECONDS - began)) "$log"
    return 1
  fi
}
export -f one

# Its status is 123 when any of them has failed.
printf '%s\n' "$@" | xargs --max-procs="$jobs" --process-slot-var=SLOT -I '{}' bash -euo pipefail -c 'one "$@"' one "$logs" '{}'
