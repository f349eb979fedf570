# shellcheck shell=bash disable=SC1007,SC1091,SC2034,SC2154,SC2174
# (variables cross files that are sourced or made by the catalog; paths are made level by level before)
# The driver's installer. $1: --NAME of the package, $2: --directory it was called in, then the caller's words.
. ./guard.sh
TAG=Driver tag=driver
. ./common.sh
. ./package.conf # package_arch, chip_ids

file_name=${1##*/}
file_name=${file_name#--}
file_name=${file_name% }
shift 2
all_words="$*"
operation=Install user=HwHiAiUser group=HwHiAiUser path=/usr/local/Ascend
full= upgrade= uninstall= check= version= quiet= force= docker= devel= virtual=
install_type= for_all=no given_path= given_user= given_group= modes=0 counted=0
hotreset=unknown
[ -n "$(info_get UserName)" ] && user=$(info_get UserName)
[ -n "$(info_get UserGroup)" ] && group=$(info_get UserGroup)

[ $# -gt 0 ] || { say "[ERROR]ERR_NO:0x0004;ERR_DES: Unrecognized parameters. Try './xxx.run --help' for more information."; exit 1; }
if [ "$(id -u)" -ne 0 ]; then need_root; fi
open_logs

a_mode() { # an installation type: one and no more
  [ -z "$install_type" ] || refuse "[ERROR]ERR_NO:0x0004;ERR_DES:only support one type: full/debug/run/docker/devel, operation failed!"
  install_type=$1 modes=$((modes + 1))
}
for word in "$@"; do
  case $word in
    --install-for-all) for_all=yes ;;
    --norebuild) ;;
    *) counted=$((counted + 1)) ;;&
    --full) a_mode full; full=y ;;
    --run) a_mode run; full=y ;;
    --debug) a_mode debug; full=y ;;
    --devel) a_mode devel; devel=y ;;
    --docker) a_mode docker; docker=y ;;
    --upgrade) operation=Upgrade upgrade=y modes=$((modes + 1)) ;;
    --uninstall) operation=Uninstall uninstall=y ;;
    --version) version=y ;;
    --check) check=y ;;
    --quiet) quiet=y ;;
    --force) force=y ;;
    --vnpu_guest | --vnpu_host | --vnpu_docker_host) virtual=${word#--} ;;
    --install-username=*) given_user=y user=${word#*=} ;;
    --install-usergroup=*) given_group=y group=${word#*=} ;;
    --install-path=*)
      given_path=${word#*=}
      [ -n "$given_path" ] || refuse "[ERROR]ERR_NO:0x0003;ERR_DES:install path is null, install failed" ;;
    *) unknown_word "$word" ;;
  esac
done

need_arch "$package_arch"
[ -z "$full$upgrade$devel" ] || need_chip "$chip_ids"
need_alone
base=$(info_get Driver_Install_Path_Param)
old=$(version_in "$ROOT${base:-/nowhere}/driver/version.info")
if [ -n "$base" ]; then say "[INFO]base version is ${old:-none}."; fi
log "[INFO]base version is ${old:-destroyed or not exist}."
[ -z "$full$upgrade$docker$devel" ] ||
  colour "[WARNING]\033[33mDo not power off or restart the system during the installation/upgrade\033[0m"

wrong() { refuse "[ERROR]ERR_NO:0x0004;ERR_DES:$1"; }
if [ -n "$uninstall" ]; then
  [ $counted -eq 1 ] || { [ $counted -eq 2 ] && [ -n "$force" ]; } ||
    wrong "uninstall can't use with other parameters except force."
elif [ -n "$version$check" ]; then
  [ $counted -eq 1 ] || wrong "version/check can't use with other parameters."
elif [ $modes -ne 1 ]; then
  wrong "The parameter needs to be used with full/debug/run/${force:+upgrade/uninstall}${force:-docker/upgrade/devel}."
elif [ $for_all = yes ] && [ -n "$docker$upgrade" ]; then
  wrong "install-for-all param need used with full/debug/run/devel."
elif [ -n "$given_path" ] && [ -n "$upgrade" ]; then
  wrong "install-path param need used with full/debug/run/docker/devel."
elif [ -n "$virtual" ] && [ "$install_type" != full ] && [ "$install_type" != run ]; then
  wrong "vnpu_host/vnpu_guest/vnpu_docker_host param need used with full/run."
elif [ "$given_user" != "$given_group" ]; then
  say "[ERROR]ERR_NO:0x0004;ERR_DES:Username and usergroup are not specified at the same time."
  say "[ERROR]Please input the right params and try again."
  leave 1
elif [ -n "$given_user" ] && [ -n "$upgrade" ]; then
  wrong "install-username and install-usergroup params need used with full/debug/run/docker/devel."
fi

new=$(version_in version.info)
accepted=$(sed -n 's/^compatible_version_fw=//p' version.info)
firmware_path=$(info_get Firmware_Install_Path_Param)
firmware=$(version_in "$ROOT${firmware_path:-/usr/local/Ascend}/firmware/version.info")
ver_check() { # against the firmware package that is installed, if one is
  [ -z "$firmware" ] || in_spans "$accepted" "$firmware" && return 0
  log "[ERROR]firmware is installed, current version: $firmware, required version is $accepted, version check failed."
  say "[ERROR]firmware is installed, current version: $firmware, required version is $accepted, version check failed."
  return 1
}
if [ -n "$check" ]; then
  ver_check || leave 1
  leave 0
fi
if [ -n "$version" ]; then
  say "[INFO]driver version :$new"
  exit 0
fi
trap 'operation_log failed; exit 1' INT QUIT TERM HUP

not_same="[ERROR]ERR_NO:0x0095;ERR_DES:The user and group are not same with last installation,do not support overwriting installation"
if [ -n "$given_user" ]; then
  if [ "$for_all" = no ]; then
    [ "$user" != root ] || refuse "[ERROR]ERR_NO:0x0091;ERR_DES:username not permission for root"
    [ "$group" != root ] || refuse "[ERROR]ERR_NO:0x0091;ERR_DES:usergroup not permission for root"
  fi
  [ -z "$(info_get UserName)" ] || [ "$(info_get UserName)" = "$user" ] || refuse "$not_same"
  [ -z "$(info_get UserGroup)" ] || [ "$(info_get UserGroup)" = "$group" ] || refuse "$not_same"
fi
[ -n "$uninstall" ] || need_user

if [ -n "$upgrade" ]; then
  install_type=$(info_get Driver_Install_Type)
  install_type=${install_type:-full}
  [ "$(info_get Driver_Install_For_All)" = yes ] && for_all=yes
fi
path=${given_path:-${base:-/usr/local/Ascend}}
case $path in /*) ;; *) refuse "[ERROR]ERR_NO:0x0003;ERR_DES:install-path input error, install failed" ;; esac
[[ $path =~ ^[a-zA-Z0-9/_.-]+$ ]] ||
  refuse "[ERROR]ERR_NO:0x0003;ERR_DES:The install-path [$path] is invalid according to regular-expression, only characters in [a-z,A-Z,0-9,-,_] are supported."
if [ -z "$uninstall" ]; then
  [ "$path" = /usr/local/Ascend ] || [ -d "$ROOT$(dirname "$path")" ] ||
    refuse "[ERROR]ERR_NO:0x0003;ERR_DES:install path $(dirname "$path") not exists,runpackage only support create one level of directory,need create $(dirname "$path")."
  mkdir -p "$ROOT$path" && chmod 755 "$ROOT$path"
  need_space 300 "$ROOT$path"
  [ -n "$docker$devel" ] || need_tools
  owner=$(stat -c %U "$ROOT$path")
  if [ "$owner" != root ]; then
    colour "[ERROR]\033[31mThe given directory, including its parents, should belong to root, details in : $logfile \033[0m"
    leave 1
  fi
fi

busy() {
  colour "[ERROR]\033[31mThe davinci nodes are occupied by some processes, please stop processes and install or uninstall again, details in : $logfile \033[0m"
  log "[ERROR]The davinci nodes are occupied by some processes, please stop processes and install or uninstall again."
  colour "[INFO]If you want to install or uninstall the driver forcibly, add the force parameter. For details, see [--help]."
  operation_log failed
  leave 1
}
# The vendor's scripts ask the tool of the installed driver for this; without one, nothing is asked.
remove_old() {
  [ -n "$force" ] || [ ! -e "$ROOT$base/driver/tools/upgrade-tool" ] || ! machine occupied || busy
  chattr -R -i "$ROOT$base/driver" 2>/dev/null
  rm -f "$ROOT$base/driver/version.info"
  log "[INFO]rm -rf version.info success"
  info_drop Driver_Install_Status
  machine release "$ROOT$base"
  if [ -n "$uninstall" ] || [ "$base" != "$path" ]; then
    rm -rf "$ROOT$base/driver"
    rm -f "$ROOT/usr/local/bin/npu-smi" "$ROOT/usr/bin/hccn_tool"
    rm -rf "$ROOT/usr/local/dcmi"
  else
    rm -rf "$ROOT$base/driver/device" "$ROOT$base/driver/host"
  fi
  log "[INFO]uninstall driver success"
}
uninstalled() {
  rmdir "$ROOT$base" 2>/dev/null
  for key in Driver_Install_Path_Param Driver_Install_Type Driver_Install_Mode Driver_Install_For_All; do
    info_drop $key
  done
  operation_log success
  rm -f "$ROOT/etc/custom_process.cfg"
  colour "[INFO]\033[32mDriver package uninstalled successfully! \033[0m\033[31mReboot needed for uninstallation to take effect! \033[0m"
  leave 0
}

failed() { # step of run_driver_install that failed
  [ -z "$1" ] || colour "[ERROR]\033[31m$1 failed, details in : $logfile \033[0m"
  colour "[INFO]Failed to ${operation,,} driver package, please retry after uninstall and reboot!"
  operation_log failed
  leave 1
}
lay_down() {
  local driver=$ROOT$path/driver
  mkdir -p "$driver/script" "$driver/tools" "$driver/lib64/common" "$driver/lib64/driver" "$driver/device" "$driver/include" &&
    cp -f uninstall.sh common.sh guard.sh "$driver/script/" &&
    chmod 500 "$driver/script/uninstall.sh" &&
    head -c 2000000 /dev/zero >"$driver/device/ascend_${chip}_device_sw.img" &&
    mkdir -p "$ROOT/usr/local/dcmi" &&
    machine place "$ROOT$path" "$new"
}
install_now() {
  if [ -z "$docker$devel" ] && [ ! -f "$ROOT/etc/vnpu.cfg" ]; then
    printf 'vnpu_config_recover:enable\n[vnpu-config start]\n[vnpu-config end]\n' >"$ROOT/etc/vnpu.cfg"
    chmod 600 "$ROOT/etc/vnpu.cfg"
  fi
  [ -n "$(info_get UserName)" ] || info_set UserName "$user"
  [ -n "$(info_get UserGroup)" ] || info_set UserGroup "$group"
  info_set Driver_Install_Type "$install_type"
  info_set Driver_Install_Path_Param "$path"
  info_set Driver_Install_For_All "$for_all"
  info_set Driver_Install_Mode "${virtual:-normal}"
  say "[INFO]driver install type: Direct"
  progress 10
  lay_down 2>>"$ROOT$logfile" || failed Drv_file_copy
  progress 30
  progress 40
  echo "DAVINCI_HOME_PATH=$path" >"$ROOT/lib/davinci.conf" || failed Pcie_load_path_set
  progress 50
  progress 90
  [ -e "$ROOT/etc/hccn.conf" ] || : >"$ROOT/etc/hccn.conf"
  chmod 640 "$ROOT/etc/hccn.conf"
  # Replaced as the vendor's script does, not renamed into place: a full disk leaves none or half of one.
  rm -f "$ROOT$path/driver/version.info"
  cp version.info "$ROOT$path/driver/version.info" 2>>"$ROOT$logfile" || failed Drv_file_copy
  chmod 444 "$ROOT$path/driver/version.info"
  progress 100
  completed
}
completed() {
  local done_word=${1:-installed}
  [ -n "$upgrade" ] && [ -n "$base" ] && done_word=upgraded
  [ -n "$docker$devel" ] && hotreset=success
  if [ "$hotreset" != success ]; then
    [ -n "$force" ] || hotreset=$(machine hot-reset)
    [ "$hotreset" != unknown ] || [ -n "$force" ] || [ -n "$base" ] ||
      say "[WARNING]There are some chips not ready, please check after reboot"
  fi
  operation_log success
  case $hotreset in
    success) colour "[INFO]\033[32mDriver package $done_word successfully! The new version takes effect immediately. \033[0m" ;;
    ko_abort)
      colour "[INFO]\033[32mDriver package $done_word finished! \033[0m"
      colour "[WARNING]\033[33mKernel modules can not be removed, reboot needed for installation/upgrade to take effect! \033[0m" ;;
    *) colour "[INFO]\033[32mDriver package $done_word successfully! \033[0m\033[31mReboot needed for installation/upgrade to take effect! \033[0m" ;;
  esac
  [ -n "$docker$devel" ] && leave 0
  info_set Driver_Install_Status complete
  [ "$hotreset" = success ] && leave 0
  leave 2
}

if [ -z "$base" ]; then
  [ -z "$uninstall" ] ||
    { operation_log failed; refuse "[ERROR]ERR_NO:0x0080;ERR_DES:Driver package is not installed on this device, uninstall failed"; }
  ver_check || leave 1
  operation=Install
  install_now
elif [ -n "$uninstall" ]; then
  remove_old
  uninstalled
elif [ -n "$upgrade" ]; then
  remove_old
  ver_check || leave 1
  install_now
else
  ver_check || leave 1
  [ -z "$old" ] || [ -n "$quiet" ] ||
    ask "Driver package has been installed on the path $base, the version is $old, and the version of this package is $new,do you want to continue?  [y/n] " "installation Stoped!"
  remove_old
  install_now
fi
