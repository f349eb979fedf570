#!/usr/bin/env bash
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Every linter runs even if one before it failed, so that one run shows all there is to mend.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
PATH=$PWD/.venv/bin:$PATH

failed=()

check() {
  local name=$1
  shift
  printf '== %s\n' "$name"
  "$@" || failed+=("$name")
}

# Templates are shell only once they are rendered.
mapfile -t shell_files < <(git ls-files -z --cached --others --exclude-standard -- . ':!*.j2' |
  xargs -0 grep -IlsE '^#!(/usr)?/bin/(env )?(ba)?sh' --)

check yamllint yamllint --strict .
check ruff ruff check --quiet --output-format concise .
check shellcheck shellcheck "${shell_files[@]}"
check antsibull-changelog antsibull-changelog lint
# Lint needs no lab to be up, and must see the checkout before an installed copy.
export ANSIBLE_INVENTORY=$PWD/tests/tools/lint_inventory.yml ANSIBLE_COLLECTIONS_PATH=$PWD/.collections
# Offline, or it would install a copy of this collection and lint playbooks against that.
check ansible-lint ansible-lint --offline -q

if [ "${#failed[@]}" -gt 0 ]; then
  printf 'lint: failed: %s\n' "${failed[*]}" >&2
  exit 1
fi
printf 'lint: passed\n'
