# shellcheck shell=bash disable=SC1007,SC1091,SC2034,SC2154,SC2174
# (variables cross files that are sourced or made by the catalog; paths are made level by level before)
# What the installer of Ascend Docker Runtime and its uninstall.sh share. Sourced.
log_dir=$ROOT/var/log/ascend-docker-runtime
log() { # level, text: printed and logged
  echo "$1 $2"
  mkdir -p -m 750 "$log_dir"
  echo "$1 [$(date +'%Y/%m/%d %H:%M:%S')] [uid: $UID] [${SSH_CLIENT%% *}] [ascend-docker-runtime] $2" \
    >>"$log_dir/installer.log"
  chmod 640 "$log_dir/installer.log"
}
stop() { # text: an error and the end
  log "[ERROR]" "$1"
  exit 1
}
safe_file() {
  [ ! -L "$1" ] || { echo "[ERROR] $1 is soft link"; return 1; }
  [ "$(stat -c %u:%g "$1")" = 0:0 ] || { echo "[ERROR] user or group of $1 is not root"; return 1; }
  case $(stat -c %A "$1") in
    ?????w* | ????????w*) echo "[ERROR] group or other of $1 has write permission"; return 1 ;;
  esac
}
safe_path() { # it, or the nearest parent that exists, and all above
  [[ $1 =~ ^[a-zA-Z0-9./_-]+$ ]] || { echo "[ERROR] parameter is invalid, char not all in 'a-zA-Z0-9./_-'"; return 1; }
  local at
  at=$(realpath -m -s "$1")
  while [ ! -e "$at" ] && [ ! -L "$at" ]; do at=$(dirname "$at"); done
  while [ "$at" != / ] && [ "$at" != "${ROOT:-/}" ]; do
    safe_file "$at" || return 1
    at=$(dirname "$at")
  done
}
