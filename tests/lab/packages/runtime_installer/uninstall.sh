#!/usr/bin/env bash
# shellcheck disable=SC1091,SC2034,SC2154
# script/uninstall.sh of Ascend Docker Runtime: NONE SCENE CONFIG-FILE, all of them optional.
cd "$(dirname "$(readlink -f "$0")")" || exit 1
. ./guard.sh
. ./common.sh
home=$(dirname "$PWD")
scene=${2:-docker}
config=$ROOT/etc/docker/daemon.json keep_default=no
echo "[INFO] You will recover Docker's daemon"
if [ "$scene" = isula ]; then config=$ROOT/etc/isulad/daemon.json keep_default=yes; fi
[ -z "$3" ] || config=$ROOT$3
[ "$UID" = 0 ] || stop "failed, please run with root permission"
if [ ! -f "$config" ]; then
  log "[WARNING]" "uninstall skipping, ${config#"$ROOT"} does not exist"
  exit 0
fi
safe_path "$config" || stop "uninstall failed, ${config#"$ROOT"} is invalid"
"$home/ascend-docker-plugin-install-helper" rm "$config" "$config.$PPID" "$keep_default" "$scene" >/dev/null ||
  stop "uninstall failed, '$home/ascend-docker-plugin-install-helper rm $config $config.$PPID $keep_default $scene ' return non-zero"
mv -f "$config.$PPID" "$config"
log "[INFO]" "${config#"$ROOT"} modify success"
rm -rf "$ROOT/etc/ascend-docker-runtime.d"
cd /
rm -rf "$home"
echo "[INFO] delete ${home#"$ROOT"} successful"
log "[INFO]" "uninstall.sh exec success"
