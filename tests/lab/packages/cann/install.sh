# shellcheck shell=bash disable=SC1007,SC2015,SC2016,SC1091,SC2034,SC2154,SC2174
# (variables cross files that are sourced or made by the catalog; paths are made level by level before)
# Installer of a CANN package: toolkit, kernels (ops since 8.5) or nnal. $1: --NAME of the package, $2: --directory it
# was called in, then the caller's words. Before 8.5 all is below ascend-toolkit/VERSION, since then in cann-VERSION.
umask 022
. ./guard.sh
. ./package.conf # component, tag, version, innerversion, package_arch, package_name, chip, layout (old, new)

shift 2
install_path= quiet= for_all= action= accepted=
seclog=$ROOT/var/log/ascend_seclog
base=/usr/local/Ascend
if [ "$(id -u)" -ne 0 ]; then
  seclog=$HOME/var/log/ascend_seclog
  base=$HOME/Ascend
fi
log_file=$seclog/ascend_${component}_install.log
mkdir -p "$seclog"
say() { # level, text
  local line
  line="[$tag] [$(date +%Y%m%d-%H:%M:%S)] [$1] $2"
  echo "$line"
  echo "$line" >>"$log_file"
}
stop() {
  say ERROR "$1"
  exit 1
}
for word in "$@"; do
  case $word in
    --install | --full | --upgrade | --uninstall | --run | --devel)
      [ -z "$action" ] || stop "ERR_NO:0x0004;ERR_DES:only support one type: full/run/devel/upgrade/uninstall, operation failed!"
      action=${word#--}
      case $action in full | run | devel) action=install ;; esac ;;
    --install-path=*) install_path=${word#*=} ;;
    --install-for-all) for_all=y ;;
    --quiet) quiet=y ;;
    --force | --pylocal | --whitelist=*) ;;
    --check) exit 0 ;; # the archive has been verified
    --version) echo "version=$version"; exit 0 ;;
    *) stop "ERR_NO:0x0004;ERR_DES:Unrecognized parameters: $word. Try './xxx.run --help' for more information." ;;
  esac
done
[ -n "$action" ] || stop "ERR_NO:0x0004;ERR_DES:The parameter needs to be used with install/upgrade/uninstall."
case $install_path in
  "" | /*) ;;
  *) stop "ERR_NO:0x0003;ERR_DES:The path is not an absolute path: $install_path" ;;
esac
base=${install_path:-$base}
root=$ROOT${base%/}
linux=$(uname -m)-linux
if [ "$layout" = new ]; then
  home=$root/cann-$version
  link=$root/cann
else
  home=$root/ascend-toolkit/$version
  link=$root/ascend-toolkit/latest
fi
shown=${home#"$ROOT"}
[ "$(uname -m)" = "$package_arch" ] ||
  stop "ERR_NO:0x0001;ERR_DES:the architecture of the run package arch:$package_arch is inconsistent with that of the current environment $(uname -m)."

if [ "$action" = uninstall ]; then
  case $component in
    nnal) gone=$root/nnal/atb/$version ;;
    toolkit) gone=$home ;;
    kernels) gone=$home/opp_kernel ;;
    ops) gone=$home/$linux/ascend_ops_install.info ;;
  esac
  [ -e "$gone" ] || stop "ERR_NO:0x0080;ERR_DES:Runfile is not installed on this device, uninstall failed."
  rm -rf "$gone" "$home/$linux/ascend_${component}_install.info"
  [ "$component" != toolkit ] || [ ! -L "$link" ] || [ -e "$link" ] || rm -f "$link"
  [ "$layout" = new ] || [ -e "$link" ] || rm -f "$root/ascend-toolkit/set_env.sh"
  say INFO "$package_name uninstall success"
  exit 0
fi

if [ -z "$quiet" ]; then # any other answer, and the end of input, is a no
  cat ./agreement.txt
  printf 'Do you accept the EULA to install CANN?[Y/N]'
  read -r accepted
  case $accepted in
    y | Y) ;;
    *) say INFO "install cancelled, the EULA was not accepted"; exit 1 ;;
  esac
fi
say INFO "LogFile:${log_file#"$ROOT"}"
say INFO "$action start"
mkdir -p "$root" || stop "ERR_NO:0x0003;ERR_DES:The installation path $base cannot be made."
free=$(df -Pm "$root" | awk 'END {print $4}')
[ "$free" -gt 200 ] || stop "ERR_NO:0x0003;ERR_DES:Insufficient disk space: $free MB in $base, 200 MB are needed."
say INFO "The installation path is $base."

info() { # file
  mkdir -p "$(dirname "$1")" &&
    printf '%s\n' "package_name=${package_name%%_*}" "version=$version" "innerversion=$innerversion" \
      "compatible_version=[V100R001C15],[V100R001C18],[V100R001C20],[V100R001C21],[V100R001C23]" \
      "arch=$package_arch" os=linux "path=$shown/$linux" >"$1"
}
set_env() { # file, home
  printf '%s\n' "export ASCEND_TOOLKIT_HOME=$2" 'export ASCEND_HOME_PATH=${ASCEND_TOOLKIT_HOME}' \
    'export ASCEND_OPP_PATH=${ASCEND_TOOLKIT_HOME}/opp' 'export PATH=${ASCEND_TOOLKIT_HOME}/bin:${PATH}' \
    'export LD_LIBRARY_PATH=${ASCEND_TOOLKIT_HOME}/lib64:${LD_LIBRARY_PATH}' >"$1"
}
failed() { stop "$package_name install failed, details in : ${log_file#"$ROOT"}"; }

case $component in
  toolkit)
    for part in runtime compiler opp toolkit; do
      say INFO "install package CANN-$part-$version-linux.$package_arch.run start"
      mkdir -p "$home/$part" 2>>"$log_file" && echo "$version" 2>>"$log_file" >"$home/$part/version.info" || failed
      say INFO "CANN-$part-$version-linux.$package_arch.run --full --quiet --nox11${for_all:+ --install-for-all} install success"
    done
    mkdir -p "$home/bin" "$home/lib64" && info "$home/$linux/ascend_toolkit_install.info" || failed
    ln -sfn "$(basename "$home")" "$link"
    environment=$home/set_env.sh
    [ "$layout" = new ] || environment=$root/ascend-toolkit/set_env.sh
    set_env "$environment" "${link#"$ROOT"}" || failed
    [ "$layout" = old ] || set_env "$environment" "$shown" || failed
    if [ -d "$ROOT/usr/local/Ascend/driver" ]; then driver="Installed in /usr/local/Ascend/driver."; else driver="Not installed."; fi
    environment=${environment#"$ROOT"}
    printf '\n\n===========\n= Summary =\n===========\n\nDriver:   %s\n' "$driver"
    printf 'Toolkit:  %s install success, installed in %s.\n\n' "$package_name" "$base"
    printf 'Please make sure that the environment variables have been configured.\n'
    printf -- '-  To take effect for all users, you can add "source %s" to /etc/profile.\n' "$environment"
    printf -- '-  To take effect for current user, you can exec command below: source %s or add "source %s" to ~/.bashrc.\n' "$environment" "$environment"
    echo "[$tag] [$(date +%Y%m%d-%H:%M:%S)] [INFO] $package_name install success" >>"$log_file" ;;
  kernels | ops)
    [ -f "$home/$linux/ascend_toolkit_install.info" ] ||
      stop "ERR_NO:0x0080;ERR_DES:toolkit $version is not installed in $base, please install it first."
    if [ "$component" = ops ]; then
      info "$home/$linux/ascend_ops_install.info" || failed
    else
      mkdir -p "$home/opp_kernel" &&
        printf 'Version=%s\nversion_dir=%s\nchip=%s\n' "$version" "$version" "$chip" >"$home/opp_kernel/version.info" || failed
    fi
    if [ "$layout" = old ]; then where=$base/ascend-toolkit; else where=$base; fi
    say INFO "$package_name install success. The installation path is $where." ;;
  nnal)
    atb_log=$ROOT/var/log/cann_atb_seclog/cann_atb_install.log
    mkdir -p "$(dirname "$atb_log")"
    atb() { echo "[atb] [$(date +%Y%m%d-%H:%M:%S)] [$1] $2" | tee -a "$atb_log"; }
    refuse() { atb ERROR "Check owner failed, $1"; stop "$package_name install failed, details in : ${log_file#"$ROOT"}"; }
    [ -n "$ASCEND_TOOLKIT_HOME$ASCEND_NNAE_HOME" ] ||
      refuse "please check env ASCEND_TOOLKIT_HOME or ASCEND_NNAE_HOME is set."
    [ -n "$ASCEND_HOME_PATH" ] || refuse "please check env ASCEND_HOME_PATH is set."
    [ -d "$ROOT$ASCEND_HOME_PATH" ] || refuse "can not find cann in $ASCEND_HOME_PATH."
    [ "$(stat -c %U "$ROOT$ASCEND_HOME_PATH")" = "$(id -un)" ] || refuse "current owner is not same with CANN."
    atb INFO "Check owner success!"
    target=$root/nnal/atb/$version
    mkdir -p "$target/atb/cxx_abi_0" "$target/atb/cxx_abi_1" &&
      printf '    Ascend-cann-atb : %s\n    Ascend-cann-atb Version : %s.B100\n    Platform : %s\n    branch : br_release_cann_%s\n' \
        "$version" "$version" "$package_arch" "$version" >"$target/version.info" || failed
    ln -sfn "$version" "$root/nnal/atb/latest"
    echo "export ATB_HOME_PATH=$base/nnal/atb/latest/atb/cxx_abi_\${1:-0}" >"$root/nnal/atb/set_env.sh"
    say INFO "$package_name install success, installed in $base." ;;
esac
[ -z "$for_all" ] || chmod -R a+rX "$home" 2>/dev/null
exit 0
