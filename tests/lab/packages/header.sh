#!/usr/bin/env bash
# Emulated vendor package: runs on lab nodes only. The archive follows the last line of this script.
# It verifies, unpacks and starts the installer inside, and speaks, as the self-extracting archives of the vendor do.
label='@LABEL@'
script='@SCRIPT@'
scratch_root=@SCRATCH@
known='@KNOWN@'
sha256='@SHA256@'
size=@SIZE@
skip=@SKIP@
unpacked_kb=@UNPACKED_KB@

help() {
  cat >&2 <<'END'
@HELP@
END
}

sum_of_archive() { tail -n +"$((skip + 1))" "$0" | head -c "$size" | sha256sum | cut -c1-64; }

# What the archive itself understands; the rest is for the installer, which is also told --nox11 by some callers.
mode=run
target=
words=()
for word in "$@"; do
  case "$word" in
    -h | --help) mode=help ;;
    --nox11 | --noprogress) ;;
    --noexec) mode=noexec ;;
    --extract=*) target=${word#*=} ;;
    --list) mode=list ;;
    *) words+=("$word") ;;
  esac
done
if [ -n "$known" ]; then # these archives reject what is not in their help, without going further
  for word in "$@"; do
    case " $known -h " in
      *" ${word%%=*} "*) ;;
      *) echo "Error input" >&2; help; exit 1 ;;
    esac
  done
fi
if [ "$mode" = help ]; then
  help
  exit 0
fi

printf 'Verifying archive integrity...' >&2
printf '  100%%  ' >&2
found=$(sum_of_archive)
if [ "$found" != "$sha256" ]; then
  echo "Error in SHA256 checksums: $found is different from $sha256" >&2
  exit 2
fi
printf ' SHA256 checksums are OK.' >&2
echo " All good."

if [ "$mode" = list ]; then
  tail -n +"$((skip + 1))" "$0" | tar tzf -
  exit
fi
if [ -n "$target" ]; then
  mkdir -p "$target" || exit 1
  scratch=$target
else
  [ -d "$scratch_root" ] || scratch_root=$PWD
  scratch=$(mktemp -d "$scratch_root/selfgz$$XXXXXX") || {
    echo "Cannot create target directory $scratch_root/selfgz$$" >&2
    exit 1
  }
  trap 'rm -rf "$scratch"' EXIT
fi
here=$PWD
printf 'Uncompressing %s' "$label" >&2
free=$(df -kP "$scratch" | awk 'END {print $4}')
if [ "$free" -lt "$unpacked_kb" ]; then
  echo "" >&2
  echo "Not enough space left in $scratch ($free KB) to decompress $0 ($unpacked_kb KB)" >&2
  exit 1
fi
if ! tail -n +"$((skip + 1))" "$0" | tar xzof - -C "$scratch" 2>/dev/null; then
  echo " ... Extraction failed." >&2
  exit 1
fi
echo "  100%  " >&2
[ "$mode" = noexec ] && exit 0

cd "$scratch" || exit 1
bash "./$script" "--$0 " "--$here" "${words[@]}"
exit
