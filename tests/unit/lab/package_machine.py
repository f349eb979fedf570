# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine of directories for the emulated packages' tests: its tools are these and no others."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

# What the installers may call; the rest of this host is out of their sight.
COMMANDS = (
    "awk bash basename cat chmod chown cp cut date df dirname env false grep gzip head id ln ls mkdir mktemp mv printf "
    "python3 readlink realpath rm rmdir sed sha256sum sleep sort stat tail tar tee timeout touch tr true flock"
)
SHIMS = {
    "lspci": 'echo "c1:00.0 Processing accelerators [1200]: Huawei Technologies Co., Ltd. Device [19e5:${CHIP:-d802}]"',
    "uname": "echo x86_64",
    "ifconfig": "",
    "chattr": "",
    "lsattr": "",
    "modinfo": "",
    "ps": "",
    "systemctl": "",
    # The emulated hardware: OCCUPIED, HOT_RESET and STOP say what it does.
    "npusim": """
case $2 in
  place) mkdir -p "$3/driver/tools" "$3/driver/lib64"; touch "$3/driver/tools/upgrade-tool" "$3/driver/lib64/new" ;;
  occupied) [ -n "$OCCUPIED" ] ;;
  hot-reset) echo "${HOT_RESET:-unknown}" ;;
  chips) echo 8 ;;
  step) [ "$3" != "$STOP" ] || kill -9 $PPID ;;
esac""",
}


class PackageMachine:
    """``run`` executes a package in a root of its own; ``env`` is what the shims above read."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "root"
        self.bin = directory / "bin"
        self.home = directory / "home"
        for path in (self.bin, self.home, *(self.root / name for name in ("etc", "lib", "var/lock", "var/log"))):
            path.mkdir(parents=True)
        for name in COMMANDS.split():
            found = shutil.which(name)
            assert found, f"{name} is not here"
            (self.bin / name).symlink_to(found)
        for name, text in SHIMS.items():
            self.tool(name, text)
        (self.root / "etc/passwd").write_text("HwHiAiUser:x:1000:1000::/home/HwHiAiUser:/bin/bash\n")
        (self.root / "etc/group").write_text("HwHiAiUser:x:1000:\n")

    def tool(self, name: str, text: str | None) -> None:
        (self.bin / name).unlink(missing_ok=True)
        if text is not None:
            (self.bin / name).write_text(f"#!{self.bin}/bash\n{text}\n")
            (self.bin / name).chmod(0o755)

    def environment(self, **env: str) -> dict[str, str]:
        return {
            "PATH": str(self.bin), "HOME": str(self.home), "TMPDIR": str(self.home), "LC_ALL": "C",
            "NPUPKG_ROOT": str(self.root), "NPUPKG_PAUSE": "0", **env,
        }  # fmt: skip

    def run(self, package: Path, *words: str, stdin: str = "", timeout: float = 20, **env: str) -> tuple[int, str]:
        """Exit status (124: still running after ``timeout``) and output without colours and dates."""
        argv = [str(self.bin / "timeout"), str(timeout), str(self.bin / "bash"), str(package), *words]
        done = subprocess.run(
            argv,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment(**env),
            check=False,
        )
        text = re.sub(r"\x1b\[\d+m", "", done.stdout)
        return done.returncode, re.sub(r"\[\d[\d :-]+\] ", "", text)

    def read(self, path: str) -> str:
        return (self.root / path).read_text()

    def files(self) -> list[str]:
        return sorted(str(p.relative_to(self.root)) for p in self.root.rglob("*") if p.is_file() or p.is_symlink())


def build(directory: Path) -> Path:
    """All packages in ``directory``."""
    from lab import packages

    assert dict(packages.build(directory))
    return directory


def may_install() -> bool:
    """The installers look for root, and for files of root's."""
    return os.geteuid() == 0
