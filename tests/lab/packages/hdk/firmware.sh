# shellcheck shell=bash disable=SC1007,SC1091,SC2034,SC2154,SC2174
# (variables cross files that are sourced or made by the catalog; paths are made level by level before)
# The firmware's installer. $1: --NAME of the package, $2: --directory it was called in, then the caller's words.
# The vendor has not published this one: texts are of published logs, refusals those of the driver's installer.
. ./guard.sh
TAG=Firmware tag=firmware
. ./common.sh
. ./package.conf # chip_ids

file_name=${1##*/}
file_name=${file_name#--}
file_name=${file_name% }
shift 2
all_words="$*"
operation=Install user=HwHiAiUser group=HwHiAiUser path=/usr/local/Ascend
full= upgrade= uninstall= check= version= quiet= force= install_type= modes=0 counted=0 given_path=
[ -n "$(info_get UserName)" ] && user=$(info_get UserName)
[ -n "$(info_get UserGroup)" ] && group=$(info_get UserGroup)

[ $# -gt 0 ] || { say "[ERROR]ERR_NO:0x0004;ERR_DES: Unrecognized parameters. Try './xxx.run --help' for more information."; exit 1; }
need_root
open_logs
for word in "$@"; do
  counted=$((counted + 1))
  case $word in
    --full) full=y install_type=full modes=$((modes + 1)) ;;
    --upgrade) operation=Upgrade upgrade=y modes=$((modes + 1)) ;;
    --uninstall) operation=Uninstall uninstall=y ;;
    --version) version=y ;;
    --check) check=y ;;
    --quiet) quiet=y ;;
    --force) force=y ;;
    --install-path=*) given_path=${word#*=} ;;
    --install-username=*) user=${word#*=} ;;
    --install-usergroup=*) group=${word#*=} ;;
    *) unknown_word "$word" ;;
  esac
done
[ -z "$full$upgrade" ] || need_chip "$chip_ids"
need_alone
base=$(info_get Firmware_Install_Path_Param)
old=$(version_in "$ROOT${base:-/nowhere}/firmware/version.info")
new=$(version_in version.info)
[ -z "$base" ] || say "[INFO]base version is ${old:-none}."

wrong() { refuse "[ERROR]ERR_NO:0x0004;ERR_DES:$1"; }
if [ -n "$uninstall" ]; then
  [ $counted -eq 1 ] || [ -n "$force$quiet" ] || wrong "uninstall can't use with other parameters except force."
elif [ -n "$version$check" ]; then
  [ $counted -eq 1 ] || wrong "version/check can't use with other parameters."
elif [ $modes -ne 1 ]; then
  wrong "The parameter needs to be used with full/upgrade."
elif [ -n "$given_path" ] && [ -n "$upgrade" ]; then
  wrong "install-path param need used with full."
fi

accepted=$(sed -n 's/^compatible_version_drv=//p' version.info)
driver_path=$(info_get Driver_Install_Path_Param)
driver_path=${driver_path:-/usr/local/Ascend}
driver=$(version_in "$ROOT$driver_path/driver/version.info")
ver_check() {
  [ -z "$driver" ] || in_spans "$accepted" "$driver" && return 0
  log "[ERROR]driver is installed, current version: $driver, required version is $accepted, version check failed."
  say "[ERROR]driver is installed, current version: $driver, required version is $accepted, version check failed."
  return 1
}
if [ -n "$check" ]; then
  ver_check || leave 1
  leave 0
fi
if [ -n "$version" ]; then
  say "[INFO]firmware version :$new"
  exit 0
fi
trap 'operation_log failed; exit 1' INT QUIT TERM HUP

if [ -n "$uninstall" ]; then
  [ -n "$base" ] ||
    { operation_log failed; refuse "[ERROR]ERR_NO:0x0080;ERR_DES:Firmware package is not installed on this device, uninstall failed"; }
  rm -rf "$ROOT$base/firmware"
  rmdir "$ROOT$base" 2>/dev/null
  info_drop Firmware_Install_Type
  info_drop Firmware_Install_Path_Param
  operation_log success
  colour "[INFO]\033[32mFirmware package uninstalled successfully! Uninstallation takes effect immediately. \033[0m"
  leave 0
fi

colour "[WARNING]\033[33mDo not power off or restart the system during the installation/upgrade\033[0m"
need_user
path=${given_path:-${base:-/usr/local/Ascend}}
# Chips are written through the driver's tool.
[ -e "$ROOT$driver_path/driver/tools/upgrade-tool" ] ||
  { operation_log failed; refuse "[ERROR]ERR_NO:0x0080;ERR_DES:driver package is not installed on this device, please install the driver package first"; }
mkdir -p "$ROOT$path"
need_space 32 "$ROOT$path"
ver_check || leave 1
[ -z "$old" ] || [ -n "$quiet$upgrade" ] ||
  ask "Firmware package has been installed on the path $base, the version is $old, and the version of this package is $new,do you want to continue?  [y/n] " "installation Stoped!"

failed() {
  colour "[ERROR]\033[31m$1, details in : $logfile \033[0m"
  colour "[INFO]Failed to ${operation,,} firmware package, please retry after uninstall and reboot!"
  operation_log failed
  leave 1
}
percent() {
  say "[INFO]upgradePercentage: $1%"
  step "$1" "$path"
  sleep "${NPUPKG_PAUSE:-0.1}"
}
[ -n "$(info_get UserName)" ] || info_set UserName "$user"
[ -n "$(info_get UserGroup)" ] || info_set UserGroup "$group"
info_set Firmware_Install_Type full
info_set Firmware_Install_Path_Param "$path"
rm -f "$ROOT$path/firmware/version.info"
percent 0
{
  mkdir -p "$ROOT$path/firmware/script" "$ROOT$path/firmware/image" &&
    cp -f uninstall.sh common.sh guard.sh "$ROOT$path/firmware/script/" &&
    chmod 500 "$ROOT$path/firmware/script/uninstall.sh" &&
    head -c 500000 /dev/zero >"$ROOT$path/firmware/image/firmware.bin"
} 2>>"$ROOT$logfile" || failed "Copy firmware files failed"
percent 50
cp version.info "$ROOT$path/firmware/version.info" 2>>"$ROOT$logfile" || failed "Copy firmware files failed"
chmod 444 "$ROOT$path/firmware/version.info"
percent 100
say "[INFO]The firmware of [$(machine chips)] chips are successfully upgraded."
operation_log success
done_word=installed
[ -n "$upgrade" ] && [ -n "$base" ] && done_word=upgraded
say "[INFO]Firmware package $done_word successfully! Reboot now or after driver installation for the installation/upgrade to take effect."
leave 0
