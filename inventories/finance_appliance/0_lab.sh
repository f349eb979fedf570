#!/usr/bin/env bash
# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Addresses and keys of the running lab. Delete this file when hosts.yml names a machine of your own.
exec "$(dirname "$0")/../lab/lab.py" "$@"
