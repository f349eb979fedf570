#!/usr/bin/env bash
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# venv.sh DIR REQUIREMENTS: a virtual environment in DIR with the newest supported Python that really runs.
# As root on Debian or Ubuntu it installs what the environment itself needs; elsewhere it says what to do.
set -euo pipefail

dir=$1
requirements=$2
supported=(python3.13 python3.12 python3.11)

die() {
  printf 'venv: %s\n' "$*" >&2
  exit 1
}

can_apt() {
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null
}

apt_install() {
  local log
  log=$(mktemp)
  printf 'venv: installing %s with apt-get\n' "$*"
  if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; } \
    >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    die "apt-get could not install $*: its last lines are above, all of it is in $log."
  fi
  rm -f "$log"
}

# The environment's own interpreter is on PATH under make, and must not be taken for the machine's.
path_without_dir() {
  local absolute out='' entry
  absolute=$(realpath -m "$dir")/bin
  local IFS=:
  for entry in $PATH; do
    [ "$entry" = "$absolute" ] || out=$out${out:+:}$entry
  done
  printf '%s' "$out"
}

# find_python MODULE: the newest supported interpreter that starts and can import MODULE. A name on PATH is no proof:
# pyenv leaves shims which only print an error.
find_python() {
  local name executable
  for name in "${PYTHON:-}" "${supported[@]}" python3; do
    [ -n "$name" ] || continue
    executable=$("$name" -c "
import sys, $1
assert (3, 11) <= sys.version_info[:2] <= (3, 13)
print(sys.executable)" 2>/dev/null) || continue
    printf '%s' "$executable"
    return
  done
  return 1
}

PATH=$(path_without_dir)
if ! python=$(find_python ensurepip); then
  # Debian ships Python without ensurepip until pythonX.Y-venv is installed.
  if python=$(find_python venv); then
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    can_apt || die "$python has no ensurepip: run 'sudo apt-get install $package', then the same command again."
    apt_install "$package"
  elif can_apt; then
    apt_install python3 python3-venv
  fi
  python=$(find_python ensurepip) || die "Python 3.11, 3.12 or 3.13 is needed and none of ${supported[*]} on PATH" \
    "runs: install one with its venv module (Debian 12: 'sudo apt-get install python3 python3-venv'; elsewhere for" \
    "example 'uv python install 3.13'), then the same command again."
fi

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
if ! "$dir/bin/python" -c "import sys, pip; assert '%d.%d' % sys.version_info[:2] == '$version'" 2>/dev/null; then
  printf 'venv: %s with %s (Python %s)\n' "$dir" "$python" "$version"
  "$python" -m venv --clear "$dir"
fi

if ! command -v ssh >/dev/null; then
  can_apt || die "Ansible needs the ssh client: run 'sudo apt-get install openssh-client', then the same command again."
  apt_install openssh-client
fi

printf 'venv: %s\n' "$requirements"
"$dir/bin/python" -m pip install -qq --disable-pip-version-check -r "$requirements" ||
  die "pip could not install $requirements: is a package index reachable (pip config list)?"
