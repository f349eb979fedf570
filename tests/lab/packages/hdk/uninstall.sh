#!/usr/bin/env bash
# shellcheck disable=SC1091,SC2034,SC2154
# driver/script/uninstall.sh and firmware/script/uninstall.sh of an installation: --quiet, --force or nothing.
cd "$(dirname "$(readlink -f "$0")")" || exit 1
. ./guard.sh
part=$(basename "$(dirname "$PWD")")
TAG=${part^} tag=$part
. ./common.sh
file_name=Ascend-$part-uninstall all_words="$*" operation=Uninstall force=
need_root
base=$(dirname "$(dirname "$PWD")")
base=${base#"$ROOT"}
old=$(version_in "$ROOT$base/$part/version.info")
start_time=$(now)
say "[INFO]base version is ${old:-none}."
for word in "$@"; do
  case $word in
    --quiet) ;;
    --force) force=y ;;
    *) refuse "[ERROR]ERR_NO:0x0004;ERR_DES: Unrecognized parameters: $word. Only support '--quiet' and '--force'." ;;
  esac
done
cd /
if [ "$part" = firmware ]; then
  rm -rf "$ROOT$base/firmware"
  info_drop Firmware_Install_Type
  info_drop Firmware_Install_Path_Param
  operation_log success
  colour "[INFO]\033[32mFirmware package uninstalled successfully! Uninstallation takes effect immediately. \033[0m"
  exit 0
fi
if [ -z "$force" ] && machine occupied; then
  colour "[ERROR]\033[31mThe davinci nodes are occupied by some processes, please stop processes and install or uninstall again, details in : $logfile \033[0m"
  colour "[INFO]If you want to install or uninstall the driver forcibly, add the force parameter. For details, see [--help]."
  operation_log failed
  exit 1
fi
machine release "$ROOT$base"
rm -rf "$ROOT$base/driver" "$ROOT/usr/local/dcmi" "$ROOT/etc/custom_process.cfg"
rm -f "$ROOT/usr/local/bin/npu-smi" "$ROOT/usr/bin/hccn_tool"
for key in Driver_Install_Status Driver_Install_Path_Param Driver_Install_Type Driver_Install_Mode Driver_Install_For_All; do
  info_drop $key
done
rmdir "$ROOT$base" 2>/dev/null
operation_log success
colour "[INFO]\033[32mDriver package uninstalled successfully! \033[0m\033[31mReboot needed for uninstallation to take effect! \033[0m"
exit 0
