#!/usr/bin/env bash
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# ansible-test insists on a real path that ends in ansible_collections/<namespace>/<name>; a symlink does not do.
# Arguments go to `ansible-test sanity`, for example: tests/tools/sanity.sh --test validate-modules
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH=$PWD/.venv/bin:$PATH

copy=.cache/sanity/ansible_collections/npuops/ascend
rm -rf "$copy"
mkdir -p "$copy"
# The work tree as git sees it: what the tarball carries, and the unit tests. Not the link to itself; not the vendors'
# outputs, which are not ours to mend; not the programs of the lab and the tools, whose first line may name python3
# (a collection's may not) and which ruff and shellcheck judge. A file deleted but not yet committed is still listed.
git ls-files -z --cached --others --exclude-standard -- . \
  ':!.collections' ':!tests/fixtures/corpus' ':!tests/fixtures/diagnose' ':!tests/lab' ':!tests/tools' ':!inventories/lab' |
  while IFS= read -r -d '' file; do
    if [ -e "$file" ] || [ -L "$file" ]; then printf '%s\0' "$file"; fi
  done | tar --create --null --files-from=- | tar --extract --directory="$copy"

# pip versions pinned by the supported ansible-core releases; a real get-pip that is already there stays.
cache=~/.ansible/test/cache
mkdir -p "$cache"
pins=$(python -c '
import re, pathlib, ansible_test
source = pathlib.Path(ansible_test.__path__[0], "_internal/python_requirements.py").read_text()
print(*sorted(set(re.findall(r"\bpip=.(\d[\d.]*)", source))))')
for pin in $pins; do
  [ -e "$cache/get_pip_${pin//./_}.py" ] || cp tests/tools/get_pip_standin.py "$cache/get_pip_${pin//./_}.py"
done

cd "$copy"
# Without a repository of its own it would ask the outer one, to which all of this is ignored.
git init -q
git add --all
ansible-test sanity --color no --python "$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')" "$@"
