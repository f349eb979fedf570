# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the runtime changes in a container's ``config.json`` before runc reads it."""

from __future__ import annotations

import os
import stat
from typing import Any, Callable

from . import devices
from .common import Log, RuntimeFailure, value

HOOK, DESTROY = "ascend-docker-hook", "ascend-docker-destroy"
MARK = "ASCEND_DOCKER_RUNTIME=True"
LD_PATH = "LD_LIBRARY_PATH"
LD_FOLDERS = (
    "/usr/local/Ascend/driver/lib64/common",
    "/usr/local/Ascend/driver/lib64/driver",
    "/usr/lib64",
)
MANAGER_SINCE = (26, 0)  # versions that look for the library before anything else
LD_SINCE = (26, 1)  # versions that put the driver's libraries on the container's path
COMMON = ("devmm_svm", "hisi_hdc")
OF_310B = (
    "svm0", "ts_aisle", "upgrade", "sys", "vdec", "vpc", "pngd", "venc", "log_drv", "acodec", "ai", "ao", "vo", "hdmi",
)  # fmt: skip
NO_COMMON = ("Atlas 200I SoC A1", "Atlas 200 Model 3000")
TYPES = ((stat.S_ISCHR, "c"), (stat.S_ISBLK, "b"))


class Editor:
    """Edits one ``spec``, a decoded ``config.json``.

    ``open_library`` returns a ``dcmi.Library`` or raises; ``folder`` holds the programs; ``dev`` and ``look``
    (``os.stat``) find device nodes.
    """

    def __init__(
        self,
        spec: dict[str, Any],
        folder: str,
        open_library: Callable[[], Any],
        version: tuple[int, ...],
        log: Log,
        dev: str = "/dev",
        look: Callable[[str], os.stat_result] = os.stat,
    ) -> None:
        if not spec.get("process"):
            raise RuntimeFailure("empty process info")
        self._spec, self._folder, self._version, self._log = spec, folder, version, log
        self._open, self._opened = open_library, None
        self._dev, self._look = dev, look

    @property
    def env(self) -> list[str]:
        return self._spec["process"].setdefault("env", [])

    def edit(self) -> None:
        """Everything. Raises ``RuntimeFailure``; a vNPU that was cut before that stays, as it really does."""
        try:
            numbers = devices.wanted(self.env, None if self._version >= MANAGER_SINCE else self._chip_type)
        except RuntimeFailure as failure:
            raise RuntimeFailure(f"failed to check {devices.VISIBLE} parameter, err: {failure}") from None
        if numbers:
            self._log.info(f"devices is: [{' '.join(map(str, numbers))}]")
            if self._version >= MANAGER_SINCE:
                try:
                    self._library("")
                except RuntimeFailure:
                    raise RuntimeFailure("failed to find a valid manager") from None
            try:
                numbers = self._hooks(numbers)
            except RuntimeFailure as failure:
                raise RuntimeFailure(f"failed to inject hook, err: {failure}") from None
            try:
                self._devices(numbers)
            except RuntimeFailure as failure:
                raise RuntimeFailure(f"failed to add device to env: {failure}") from None
        if self._version >= LD_SINCE:
            self._library_path()
        if self.env:
            self.env.append(MARK)

    def _library(self, what: str) -> Any:
        """The opened library; ``what`` begins the sentence when it cannot be."""
        if self._opened is None:
            try:
                self._opened = self._open()
            except RuntimeFailure as failure:
                raise RuntimeFailure(f"{what}cannot init dcmi : {failure}") from None
        return self._opened

    def _chip_type(self) -> str:
        return self._library("get chip name error: ").chip_type

    def _hooks(self, numbers: list[int]) -> list[int]:
        """The hook that mounts the driver, and the vNPU of a dynamic split with the hook that takes it back."""
        hooks = self._spec.setdefault("hooks", {})
        before = hooks.setdefault("prestart", [])
        path = os.path.join(self._folder, HOOK)
        if not any(HOOK in hook.get("path", "") for hook in before):
            before.append({"path": path, "args": [path]})
        if devices.virtual(self.env):
            return numbers
        template = devices.template(self.env)
        if not template:
            return numbers
        number = devices.one(numbers)
        card, device, made = self._library("").create(number, template)
        self._log.info(f"vnpu split done: vdevice: {made}")
        self._make_virtual()
        path = os.path.join(self._folder, DESTROY)
        hooks.setdefault("poststop", []).append({"path": path, "args": [path, str(card), str(device), str(made)]})
        return [made]

    def _make_virtual(self) -> None:
        for index, entry in enumerate(self.env):
            words = entry.split("=")
            if len(words) == 2 and words[0].strip() == devices.OPTIONS:
                self.env[index] = entry.strip() + ",VIRTUAL"
                return
        self.env.append(f"{devices.OPTIONS}=VIRTUAL")

    def _devices(self, numbers: list[int]) -> None:
        name = "vdavinci" if devices.virtual(self.env) else "davinci"
        for number in numbers:
            try:
                self._add(f"{name}{number}", f"davinci{number}")
            except RuntimeFailure as failure:
                raise RuntimeFailure(f"failed to add davinci device to spec: {failure}") from None
        try:
            self._managers()
        except RuntimeFailure as failure:
            raise RuntimeFailure(f"failed to add Manager device to spec: {failure}") from None

    def _managers(self) -> None:
        chip_type = self._chip_type()
        self._log.info(f"device type is: {chip_type}")
        self._add_if_there("dvpp_cmdlist")
        if chip_type == "Ascend310B":
            for name in OF_310B:
                self._add_if_there(name)
            if not self._add_if_there("davinci_manager_docker", "davinci_manager"):
                self._add("davinci_manager")
            return
        self._add("davinci_manager")
        if self._library("").product not in NO_COMMON:
            for name in COMMON:
                self._add(name)

    def _add_if_there(self, name: str, inside: str | None = None) -> bool:
        try:
            self._add(name, inside)
        except RuntimeFailure as failure:
            self._log.warn(f"failed to add {name} to spec : {failure}")
            return False
        return True

    def _add(self, name: str, inside: str | None = None) -> None:
        """A device node of the host for the container, under the name ``inside``, with the right to use it."""
        path = os.path.join(self._dev, name)
        try:
            found = self._look(path)
        except OSError as exc:
            raise RuntimeFailure(f"failed to get {path} info : {exc.strerror.lower()}") from None
        kind = next((letter for test, letter in TYPES if test(found.st_mode)), "")
        if not kind:
            raise RuntimeFailure(f"failed to get {path} info : not a device node")
        major, minor = os.major(found.st_rdev), os.minor(found.st_rdev)
        linux = self._spec.setdefault("linux", {})
        node = {
            "path": "/dev/" + (inside or name), "type": kind, "major": major, "minor": minor,
            "fileMode": stat.S_IMODE(found.st_mode), "uid": found.st_uid, "gid": found.st_gid,
        }  # fmt: skip
        rule = {"allow": True, "type": kind, "major": major, "minor": minor, "access": "rwm"}
        linux.setdefault("devices", []).append(node)
        linux.setdefault("resources", {}).setdefault("devices", []).append(rule)

    def _library_path(self) -> None:
        there = [path for path in LD_FOLDERS if os.path.isdir(path)]
        old = value(self.env, LD_PATH, last=True)
        if not old:
            if there:
                self.env.append(f"{LD_PATH}={':'.join(there)}")
            return
        new = [path for path in there if path not in old.split(":")]
        if new:
            index = max(i for i, entry in enumerate(self.env) if entry.startswith(f"{LD_PATH}="))
            self.env[index] = f"{LD_PATH}={':'.join(new)}:{old}"
