# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quantized weights: those of ModelSlim get their flag, those for CUDA are refused, others are left alone."""

from __future__ import annotations

import pytest

from ansible_collections.npuops.ascend.plugins.module_utils._vllm_weights import told_by_weights

MODELSLIM = {"quant_model_description": True, "quantization": "W8A8", "weights_bytes": 10}


def model(method, **more):
    return {"quant_model_description": False, "quantization": method, "weights_bytes": 10, **more}


def judge(found, chip="910B4", **args):
    return told_by_weights({"args": args, "chip": chip}, found)


def test_weights_of_modelslim_get_their_flag():
    assert judge(MODELSLIM, max_model_len=1) == ({"max_model_len": 1, "quantization": "ascend"}, None)
    assert judge(MODELSLIM, quantization="ascend") == ({"quantization": "ascend"}, None)


def test_null_leaves_the_flag_out():
    assert judge(MODELSLIM, quantization=None) == ({"quantization": None}, None)


def test_another_flag_for_weights_of_modelslim():
    _args, (problem, remedy) = judge(MODELSLIM, quantization="awq")
    assert "quantized by ModelSlim (W8A8)" in problem and remedy == "leave it out"


@pytest.mark.parametrize("method", ["awq", "gptq", "bitsandbytes", "fp8", "AWQ", "mxfp4"])
def test_weights_for_cuda_are_refused(method):
    args, (problem, remedy) = judge(model(method))
    assert args == {} and method in problem and "CUDA" in problem and "ModelSlim" in remedy
    assert "args.quantization" in judge({}, quantization=method.lower())[1][0]


@pytest.mark.parametrize("method", [None, "compressed-tensors", "something-new"])
def test_weights_that_are_not_known_to_fail_stay_as_they_are(method):
    assert judge(model(method), max_model_len=1) == ({"max_model_len": 1}, None)


def test_fp8_is_for_ascend_950():
    assert judge(model("fp8"), chip="Ascend950PR") == ({}, None)
    assert judge(model("awq"), chip="Ascend950PR")[1] is not None


def test_the_flag_without_the_weights():
    assert "no quant_model_description.json" in judge(model(None), quantization="ascend")[1][0]
    # Of a model that nobody has read nothing is said.
    assert judge({}, quantization="ascend") == ({"quantization": "ascend"}, None)
