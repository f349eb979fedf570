#!/usr/bin/env bash
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The tarball as a user gets it: small, without the workshop, and usable from a directory that is not the checkout.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH=$PWD/.venv/bin:$PATH

die() {
  printf 'build: %s\n' "$*" >&2
  exit 1
}

work=$PWD/.cache/build
rm -rf "$work"
mkdir -p "$work/elsewhere"
ansible-galaxy collection build --output-path "$work" >"$work/build.log" 2>&1 || die "$(cat "$work/build.log")"
tarballs=("$work"/npuops-ascend-*.tar.gz)
tarball=${tarballs[0]}

size=$(stat -c %s "$tarball")
[ "$size" -lt 1048576 ] || die "$tarball has $size bytes; more than 1 MiB means that something strayed into it"
strays=$(tar -tzf "$tarball" | grep -E '^(\.|tests/|extensions/)' || true)
[ -z "$strays" ] || die "the tarball carries what only the repository needs: $strays"

# From here on only the installed copy may be found, with the user's defaults and not the checkout's.
: >"$work/elsewhere/ansible.cfg"
export ANSIBLE_COLLECTIONS_PATH=$work/collections ANSIBLE_CONFIG=$work/elsewhere/ansible.cfg
ansible-galaxy collection install --offline --no-deps --collections-path "$work/collections" "$tarball" \
  >"$work/install.log" 2>&1 || die "$(cat "$work/install.log")"
cd "$work/elsewhere"
cat >inventory.yml <<'YAML'
---
ascend:
  hosts:
    node1:
    node2:
YAML
ansible-playbook npuops.ascend.site -i inventory.yml --syntax-check >/dev/null || die "npuops.ascend.site does not load"
for module in "$work"/collections/ansible_collections/npuops/ascend/plugins/modules/*.py; do
  ansible-doc --type module "npuops.ascend.$(basename "$module" .py)" >/dev/null ||
    die "the documentation of $(basename "$module") does not load"
done
printf 'build: %s, %s KiB, installs and loads\n' "$(basename "$tarball")" "$((size / 1024))"
