# shellcheck shell=bash disable=SC1007,SC1091,SC2034,SC2154,SC2174
# (variables cross files that are sourced or made by the catalog; paths are made level by level before)
# What the installers of driver and firmware share: log, texts, /etc/ascend_install.info. Sourced.
# TAG (Driver, Firmware) and tag (driver, firmware) are set by the caller.
seclog=/var/log/ascend_seclog
logfile=$seclog/ascend_install.log
install_info=$ROOT/etc/ascend_install.info

now() { date +"%Y-%m-%d %H:%M:%S"; }
say() { echo "[$TAG] [$(now)] $1"; }
colour() { echo -e "[$TAG] [$(now)] $1"; }
log() { echo "[$TAG] [$(now)] [uid=$(id -u)($(id -un))] $1" >>"$ROOT$logfile"; }
leave() {
  say "[INFO]End time: $(now)" | tee -a "$ROOT$logfile"
  exit "$1"
}
refuse() { # one sentence, logged, exit 1
  log "$1"
  say "$1"
  leave 1
}
unknown_word() { refuse "[ERROR]ERR_NO:0x0004;ERR_DES: Unrecognized parameters: $1. Try './xxx.run --help' for more information."; }
operation_log() { # result
  local level=SUGGESTION type="install_type=${install_type:-}; "
  case $operation in Upgrade) level=MINOR type= ;; Uninstall) level=MAJOR type= ;; esac
  echo "$operation $level root $start_time 127.0.0.1 $file_name $1 ${type}cmdlist=$all_words." \
    >>"$ROOT$seclog/operation.log"
}

info_get() { [ -f "$install_info" ] && sed -n "s/^$1=//p" "$install_info" | tail -n 1; }
info_set() {
  touch "$install_info"
  sed -i "/^$1=/d" "$install_info"
  echo "$1=$2" >>"$install_info"
  chmod 644 "$install_info"
}
info_drop() {
  [ -f "$install_info" ] || return 0
  sed -i "/^$1=/d" "$install_info"
  grep -q Install_Path_Param "$install_info" || rm -f "$install_info"
}
version_in() { [ -f "$1" ] && sed -n 's/^Version=//p' "$1" | head -n 1; }

open_logs() {
  mkdir -p "$ROOT$seclog"
  chmod 750 "$ROOT$seclog"
  start_time=$(now)
  say "[INFO]Start time: $start_time" | tee -a "$ROOT$logfile"
  chmod 640 "$ROOT$logfile"
  say "[INFO]LogFile: $logfile"
  say "[INFO]OperationLogFile: $seclog/operation.log"
  log "[INFO]UserCommand: $file_name $all_words"
}

ask() { # question, what is said on n: y goes on, n leaves with 0, anything else (and the end of input) asks again
  say "[INFO]$1"
  while true; do
    read -r answer
    case $answer in
      y) return 0 ;;
      n) say "[INFO]$2"; leave 0 ;;
      *) say "[ERROR]ERR_NO:0x0002;ERR_DES:input error, please input again!" ;;
    esac
  done
}

need_root() {
  [ "$(id -u)" -eq 0 ] && return
  say "[ERROR]ERR_NO:0x0093;ERR_DES:do not have root permission, operation failed, please use root permission!"
  exit 1
}
need_arch() { # of the package
  [ "$(uname -m)" = "${1/-/_}" ] && return
  colour "[ERROR]\033[31mArch mismatch, src package is $1, cur os is $(uname -m) \033[0m"
  leave 1
}
need_chip() { # PCI ids that the package serves; a machine that shows no NPU is not refused
  local seen
  seen=$(lspci -nn 2>/dev/null | grep -o '19e5:d[0-9]0[0-9]' | sort -u | tr '\n' ' ')
  log "[INFO] Driver  expected bdfs ($1), device actual bdfs is (${seen% })"
  [ -z "$seen" ] && return
  for id in $1; do [[ $seen == *$id* ]] && return; done
  refuse "[ERROR]The current installation package and environment is not match, please check."
}
need_alone() { # the lock ends with this process, however that ends
  exec 9>"$ROOT/var/lock/npupkg-$tag"
  flock -n 9 && return
  refuse "[ERROR]ERR_NO:0x0094;ERR_DES:There is already a process being executed,please do not execute multiple tasks at the same time"
}
need_space() { # MB, path
  local free
  free=$(df -BM "$2" | awk '/[0-9]%/ {print $(NF-2)}')
  log "[INFO]freeSpace:$free"
  [ "${free%?}" -gt "$1" ] && return
  refuse "[ERROR]free space only $free, cannot install $tag package (greater than $1M), please make sure enough space under the installation path"
}
need_user() {
  grep -q "^$user:" "$ROOT/etc/passwd" ||
    refuse "[ERROR]ERR_NO:0x0091;ERR_DES:$user not exists! Please add $user"
  grep -q "^$group:" "$ROOT/etc/group" ||
    refuse "[ERROR]ERR_NO:0x0091;ERR_DES:$group group not exists! Please add $group group"
  local gid members
  gid=$(awk -F: -v u="$user" '$1 == u {print $4}' "$ROOT/etc/passwd")
  members=$(awk -F: -v g="$group" '$1 == g {print $3 ":," $4 ","}' "$ROOT/etc/group")
  case $members in "$gid":* | *",$user,"*) ;;
    *) refuse "[ERROR]ERR_NO:0x0096;ERR_DES:$group not right! Please check the relatianship of $user and $group" ;;
  esac
  say "[INFO]set username and usergroup, $user:$group"
}
need_tools() { # the vendor's list has some forty, which every system has but these
  local missing=
  for tool in lspci ifconfig chattr lsattr modinfo ps systemctl; do
    command -v "$tool" >/dev/null 2>&1 || missing=$missing$tool,
  done
  [ -z "$missing" ] || refuse "[ERROR]The list of missing tools: $missing"
}
progress() {
  say "[INFO]upgradePercentage:$1%"
  log "[INFO]upgradePercentage:$1%"
  step "$1" "$path"
  sleep "${NPUPKG_PAUSE:-0.1}"
}

# Whether version $2 is in one of the spans $1: [low,high],[low,high]; a limit with a dot at its end takes all below it.
in_spans() {
  awk -v spans="$1" -v v="$2" '
    function key(text,  parts, n, i, out) {
      n = split(text, parts, /[^0-9]+/); out = ""
      for (i = 1; i <= 6; i++) out = out sprintf("%06d", i <= n ? parts[i] : 0)
      return out
    }
    BEGIN {
      while (match(spans, /\[[^]]+\]/)) {
        split(substr(spans, RSTART + 1, RLENGTH - 2), limit, ",")
        spans = substr(spans, RSTART + RLENGTH)
        if (limit[2] ~ /\.$/ && index(v, limit[2]) == 1) exit 0
        if (key(limit[1]) <= key(v) && key(v) <= key(limit[2])) exit 0
      }
      exit 1
    }'
}
