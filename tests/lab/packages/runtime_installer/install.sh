# shellcheck shell=bash disable=SC1007,SC1091,SC2034,SC2154,SC2174
# (variables cross files that are sourced or made by the catalog; paths are made level by level before)
# Installer of Ascend Docker Runtime. $1: --NAME of the package, $2: --directory it was called in, then the caller's
# words. What it installs is the emulated OCI runtime in payload/.
umask 027
. ./guard.sh
. ./common.sh
. ./package.conf # version, title (how this release calls itself), eula (y: asks), old_words (y: --quiet and the like)

start_script=${1#--}
shift 2
install_path=/usr/local/Ascend/Ascend-Docker-Runtime
config_dir=$ROOT/etc/ascend-docker-runtime.d
scene=docker config_file= keep_default=no action= types= path_given= scene_given=
a500=n a500a2=n a200=n a200isoc=n a200ia2=n

[ "$UID" = 0 ] || stop "failed, please run with root permission"

once() { # option, flag that is set when it was there
  [ -z "$2" ] || stop "failed, '$1' Repeat parameter!"
}
for word in "$@"; do
  case $word in
    --install | --uninstall | --upgrade)
      case " $action " in *" $word "*) stop "${word#--} failed, '$word' Repeat parameter!" ;; esac
      action="$action $word" ;;
    --install-path=*)
      once --install-path "$path_given"
      path_given=y install_path=${word#*=}/Ascend-Docker-Runtime ;;
    --install-scene=*)
      once --install-scene "$scene_given"
      scene_given=y scene=${word#*=}
      case $scene in
        docker | containerd) ;;
        isula) keep_default=yes ;;
        *) stop "failed, please check the parameter of --install-scene=<scene>" ;;
      esac ;;
    --ce=isula)
      [ "$old_words" = y ] || { log "[ERROR]" "failed, unsupported parameters: $word"; exit 1; }
      scene=isula keep_default=yes ;;
    --config-file-path=*)
      once --config-file-path "$config_file"
      config_file=${word#*=}
      [ -e "$ROOT$config_file" ] || stop "failed, file '$config_file' does not exist." ;;
    --install-type=*)
      once --install-type "$types"
      types=${word#*=}
      case $types in
        A500) a500=y ;; A500A2) a500a2=y ;; A200) a200=y ;; A200ISoC) a200isoc=y ;; A200IA2) a200ia2=y ;;
        *) stop "failed, please check the parameter of --install-type=<type>" ;;
      esac ;;
    --version) echo "${title_version} version: $version"; exit 0 ;;
    --quiet | --check | --info | --list | --tar) # only older releases get here: the archive of newer ones rejects them
      echo "[WARNING]: $word is meaningless for Ascend-docker-runtime and will be discarded in the future"
      [ "$word" = --quiet ] || exit 0 ;;
    *) stop "failed, unsupported parameters: $word" ;;
  esac
done
if [ -z "$action" ]; then
  [ -z "$path_given" ] ||
    stop "failed, only input <install_path> command. When use --install-path you also need input --install or --uninstall or --upgrade"
  [ -z "$scene_given" ] ||
    stop "failed, only input <install-scene> command. When use --install-scene you also need input --install or --uninstall or --upgrade"
  echo "Error input"
  exit 0
fi
target=$ROOT$(echo "$install_path" | sed 's/\/*$//')
case $scene in
  docker) config=${config_file:-/etc/docker/daemon.json} ;;
  isula) config=${config_file:-/etc/isulad/daemon.json} ;;
  containerd) stop "install failed, the emulated package knows docker and isula, not containerd" ;;
esac
config=$ROOT$config

accept_eula() { # asks for ever when its input has ended
  cat ./agreement.txt
  echo ""
  echo "Do you accept the EULA to install Ascend-docker-runtime?[Y/N]"
  while true; do
    read -r answer
    case $answer in
      [Yy]) log "[INFO]" "user accepted EULA"; return ;;
      [Nn]) log "[INFO]" "install cancelled, user declined EULA"; exit 0 ;;
      *) echo "Do you accept the EULA to install Ascend-docker-runtime?[Y/N]" ;;
    esac
  done
}
same_platform() { # by the name of the package file, as it was called
  case $start_script in
    *"$(uname -m)"*) echo "[INFO] platform($(uname -m)) matched!" ;;
    *) echo "[ERROR] platform($(uname -m)) mismatch for $start_script, please check it"; return 1 ;;
  esac
}
lay_down() {
  cp -f ./ascend-docker-plugin-install-helper "$target/" && chmod 550 "$target/ascend-docker-plugin-install-helper" || return 1
  for name in ascend-docker-runtime ascend-docker-hook ascend-docker-cli ascend-docker-destroy; do
    cp -f "./payload/$name" "$target/$name" && chmod 550 "$target/$name" || return 1
  done
  # What a release of the runtime needs beside its executables.
  [ ! -d ./payload/lib ] || { rm -rf "${target:?}/lib" && cp -r ./payload/lib "$target/lib"; } || return 1
  cp -f ./uninstall.sh ./common.sh ./guard.sh "$target/script/" && chmod 500 "$target/script/uninstall.sh"
}
base_list() { # replaces what is there, with all that was added to it
  cp -f ./base.list "$config_dir/base.list" && chmod 440 "$config_dir/base.list"
}
save_info() {
  printf '%s\n' "version=v$version" "arch=$(uname -m)" os=linux "path=$install_path" \
    "build=Ascend-docker-runtime_$version-$(uname -m)" "a500=$a500" "a500a2=$a500a2" "a200=$a200" \
    "a200isoc=$a200isoc" "a200ia2=$a200ia2" "install-scene=$scene" "config-file-path=$config_file" \
    >"$target/ascend_docker_runtime_install.info"
  chmod 640 "$target/ascend_docker_runtime_install.info"
}

install() {
  [ "$eula" != y ] || accept_eula
  echo "[INFO] installing $title_plain"
  same_platform || stop "install failed, run package and os not matched in arch"
  case $install_path in
    /*) ;;
    *) echo "[ERROR]: install path: $install_path is a relative path, please use absolute path"; exit 1 ;;
  esac
  safe_path "$target" || stop "install failed, $install_path is invalid"
  mkdir -p -m 750 "$target/assets" "$target/script"
  chmod 750 "$target"
  lay_down || stop "install failed, copy of executable files returned non-zero"
  safe_path "$config_dir/base.list" || stop "install failed, /etc/ascend-docker-runtime.d/base.list is invalid"
  mkdir -p -m 750 "$config_dir"
  base_list
  echo "[INFO] install executable files success"
  echo "[INFO] install scene is 'docker'."
  safe_path "$config" || stop "install failed, ${config#"$ROOT"} is invalid"
  [ -d "$(dirname "$config")" ] || mkdir -p -m 750 "$(dirname "$config")"
  local helper="add $config $config.$PPID $target/ascend-docker-runtime $keep_default $scene"
  # shellcheck disable=SC2086
  "$target/ascend-docker-plugin-install-helper" $helper >/dev/null ||
    stop "install failed, './ascend-docker-plugin-install-helper $helper ' return non-zero"
  mv -f "$config.$PPID" "$config"
  log "[INFO]" "${config#"$ROOT"} modify success"
  chmod 600 "$config"
  save_info
  echo "[INFO] $title has been installed in: $install_path"
  echo "[INFO] The version of $title is: $version"
  echo '[INFO] please reboot daemon and container engine to take effect'
  log "[INFO]" "$title install success"
}
uninstall() {
  echo "[INFO] uninstalling $title_plain $version"
  if [ ! -d "$target" ]; then
    log "[WARNING]" "uninstall skipping, the specified install path does not exist"
    exit 0
  fi
  safe_path "$target" || stop "uninstall failed, $install_path or $install_path/script is invalid"
  "$target/script/uninstall.sh" none "$scene" "$config_file" ||
    stop "uninstall failed, '$install_path/script/uninstall.sh none $scene $config_file' return non-zero"
  log "[INFO]" "$title uninstall success"
}
upgrade() {
  [ "$eula" != y ] || accept_eula
  echo "[INFO] upgrading $title_plain"
  same_platform || stop "upgrade failed, run package and os not matched in arch"
  [ -d "$target" ] || stop "upgrade failed, the specified install path does not exist, stopping upgrading"
  [ -d "$config_dir" ] || stop "upgrade failed, the configuration directory does not exist"
  safe_path "$target" || stop "upgrade failed, $install_path or $install_path/script is invalid"
  mkdir -p -m 750 "$target/script"
  lay_down || stop "upgrade failed, copy of executable files returned non-zero"
  local info=$target/ascend_docker_runtime_install.info
  if [ -f "$info" ]; then
    for key in a500:A500 a500a2:A500A2 a200:A200 a200isoc:A200ISoC a200ia2:A200IA2; do
      if grep -q "^${key%:*}=y" "$info"; then types=${key#*:}; printf -v "${key%:*}" y; fi
    done
    base_list
    save_info
  fi
  echo "[INFO] $title has been installed in: $install_path"
  echo "[INFO] upgrade $title_plain success"
  echo "[INFO] The version of $title is: v$version"
  log "[INFO]" "$title upgrade success"
}
case " $action " in
  *" --install "*) install ;;
  *" --uninstall "*) uninstall ;;
  *) upgrade ;;
esac
