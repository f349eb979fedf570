# shellcheck shell=bash disable=SC1007,SC1091,SC2034,SC2154,SC2174
# (variables cross files that are sourced or made by the catalog; paths are made level by level before)
# Sourced by every emulated installer. NPUPKG_ROOT (tests) puts a directory in the place of /.
ROOT=${NPUPKG_ROOT:-}
if [ -z "$ROOT" ] && ! tr '\0' '\n' </proc/1/environ 2>/dev/null | grep -q '^NPUSIM_PROFILE='; then
  echo "This is an emulated package: it installs nothing outside the nodes of the lab." >&2
  exit 1
fi

# The machine under the software. A fault may end the installer in `step`, or fill the disk.
machine() { npusim stack "$@"; }
step() { machine step "$1" "$ROOT$2"; }
