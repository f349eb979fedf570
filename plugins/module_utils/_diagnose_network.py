# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Known failures: HCCL, Ray, and whatever connects processes and nodes. Data only, see L(Entry).

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from ._diagnose_types import FOLLOWS, Entry

ENTRIES = (
    Entry(
        "hccl-ei0006",
        r"EI0006.*Getting socket times out|Communication_Error_Get_Socket\(EI0006\)|Get_Socket_Timeout\(EI0006\)",
        (
            "Getting socket times out",
            "Communication_Error_Get_Socket(EI0006)",
            "Get_Socket_Timeout(EI0006)",
        ),
        "Peer rank did not connect: a rank died/started late, wrong HCCL_IF_IP/IFNAME, RoCE link/gateway "
        "down, TLS switch differs between nodes, or different network segment.",
        "Same HCCL env on all ranks, HCCL_CONNECT_TIMEOUT (default 120 s) up to 1200-7200, check hccn_tool "
        "link/net_health/tls on all nodes, start order.",
        (
            "vllm-ascend#486",
            "vllm-ascend#5461",
            "vllm-ascend#9447",
            "vllm-project/afd-plugin#229",
        ),
        rank=FOLLOWS,
    ),
    Entry(
        "hccl-listen",
        r"\[HcclSocket\]\[Listen\] socket type\[\d+\], listen on ip\[\S+\] and specific port\[\d+\] fail",
        ("[HcclSocket][Listen] socket type[",),
        "HCCL device/host port (seen 16666) already used by another process or instance on the same chip/IP.",
        "Stop the other instance; give each instance its own chips; reserve the port.",
        ("vllm-ascend#1955",),
        inferred=True,
    ),
    Entry(
        "hccl-ei0009",
        r"EI0009.*Transport init error",
        ("Transport init error",),
        "HCCL transport could not be created (same device used by two processes, or peer abnormal).",
        "Check the other NPUs' first error; do not share one chip between two ranks.",
        ("vllm-ascend#3162",),
        rank=FOLLOWS,
    ),
    Entry(
        "hccl-rootinfo",
        r"hcclCommInitRootInfoConfig.*error code is",
        ("hcclCommInitRootInfoConfig",),
        "HCCL communicator init failed.",
        "Look in plog ($HOME/ascend/log/debug, ASCEND_PROCESS_LOG_PATH) on every rank for the first EI code.",
        ("vllm-ascend#3196",),
        rank=FOLLOWS,
        inferred=True,
    ),
    Entry(
        "hccl-buffsize",
        (
            r"HCCL_BUFFSIZE(_EP)? is too SMALL|hccl buffer is too small|The DDR address of the MTE instruction "
            r"is out of range"
        ),
        (
            "is too SMALL",
            "hccl buffer is too small",
            "The DDR address of the MTE instruction is out of range",
        ),
        "EP dispatch/combine needs a larger HCCL buffer (message prints NEEDED_HCCL_BUFFSIZE... = N MB).",
        "export HCCL_BUFFSIZE >= N on every rank (200 default in the message; docs use 512-1024 for MoE, "
        "256/600 for PD), restart (Ray: before ray start).",
        (
            "vllm-ascend#5287 log",
            "vllm-ascend#16835",
            "vllm-ascend#2674",
            "vllm-ascend#6131",
            "vllm-ascend#4051",
        ),
    ),
    Entry(
        "gloo-if",
        r"Unable to find address for: |Gloo connectFullMesh failed",
        (
            "Unable to find address for: ",
            "Gloo connectFullMesh failed",
        ),
        "GLOO/TP_SOCKET_IFNAME names an interface that does not exist on that node (names differ per node).",
        "Set GLOO_SOCKET_IFNAME/TP_SOCKET_IFNAME/HCCL_SOCKET_IFNAME per host from the interface holding HCCL_IF_IP.",
        ("ray.md / DeepSeek-V3.1.md (per-node nic_name)",),
        inferred=True,
    ),
    Entry(
        "sync-507014",
        r"ACL stream synchronize failed, error code:507014",
        ("ACL stream synchronize failed, error code:507014",),
        "Cross-node EP (MoeDistributeDispatch) with PP on RoCE; also generic AICore timeout.",
        "v0.11.0rc1/2: disable --enable-expert-parallel under Ray; later: keep PP or DP at 1 for "
        "cross-node RoCE MoE; check HCCL first.",
        (
            "vllm-ascend#3529",
            "vllm-ascend#4123",
            "vllm-ascend#4250",
            "pipeline_parallel.md limitations @182b75ea84",
        ),
        rank=FOLLOWS,
    ),
    Entry(
        "ray-no-npu",
        r"Current node has no NPU available\. current_node_resource=",
        ("Current node has no NPU available. current_node_resource=",),
        "Ray node has no free NPU resource: ray started with --num-gpus (GPU instead of NPU), NPUs already "
        "reserved by another placement group, acl import failed so 0 NPUs, or driver runs on a node "
        "without NPUs.",
        "ray start without --num-gpus; check `ray status` shows N NPU per node; stop stale vllm jobs; vLLM "
        ">= 0.23 RayExecutorV2 no longer needs an NPU on the driver node.",
        (
            "vllm-ascend#3114",
            "vllm-ascend#3116 (commit d586255678)",
            "vllm-ascend#8306",
            "vllm/v1/executor/ray_utils.py (0.23.0)",
        ),
    ),
    Entry(
        "ray-pg",
        (
            r"The number of required NPUs exceeds the total number of available NPUs in the placement "
            r"group|Cannot provide a placement group (?:of|requiring)|Waiting for creating a placement group "
            r"of specs for \d{3,} seconds"
        ),
        (
            "The number of required NPUs exceeds the total number of available NPUs in the placement group",
            "Cannot provide a placement group ",
            "Waiting for creating a placement group of specs for ",
        ),
        "Worker node not joined (or fewer NPUs than world size), or VLLM_HOST_IP != ray node ip.",
        "Wait for all nodes before vllm serve; VLLM_HOST_IP must equal --node-ip-address; check ports 6379 "
        "& 10002-19999.",
        (
            "gpustack/gpustack#4171",
            "vllm/v1/executor/ray_utils.py (0.23.0)",
        ),
        rank=FOLLOWS,
    ),
    Entry(
        "ray-gcs",
        (
            r"Failed to connect to GCS at address \S+ with(?:in)? \d+ seconds|Timed out while waiting for GCS to "
            r"become available"
        ),
        (
            "Failed to connect to GCS at address ",
            "Timed out while waiting for GCS to become available",
        ),
        "Head not reachable: wrong port, firewall, head bound to another IP, or head died.",
        "Open head port (6379 default), start head with --node-ip-address=<ip> --port, start workers after it.",
        ("gpustack/gpustack#4171",),
        rank=FOLLOWS,
    ),
    Entry(
        "ray-raylet-exit",
        r"Some Ray subprocesses exited unexpectedly",
        ("Some Ray subprocesses exited unexpectedly",),
        "raylet crashed (see /tmp/ray/session_latest/logs).",
        "Read raylet.err; typical: version mismatch head/worker, ports in use, shm.",
        ("vllm-ascend#946",),
        rank=FOLLOWS,
        inferred=True,
    ),
    Entry(
        "ray-auth",
        (
            r"Token authentication is enabled but no authentication token was found|authentication token is "
            r"invalid or incorrect"
        ),
        (
            "Token authentication is enabled but no authentication token was found",
            "authentication token is invalid or incorrect",
        ),
        "Ray >= 2.52 with RAY_AUTH_MODE=token but token missing/different on this node.",
        "Distribute the same ~/.ray/auth_token (0600) or RAY_AUTH_TOKEN(_PATH) to all nodes; or "
        "RAY_AUTH_MODE=disabled on an isolated network.",
        (
            "ray/_private/authentication/*.py (2.60.0)",
            "docs.ray.io ray-security/token-auth",
        ),
    ),
    Entry(
        "ray-pp-missing-layer",
        r"'PPMissingLayer' object has no attribute 'self_attn'",
        ("'PPMissingLayer' object has no attribute 'self_attn'",),
        "PP bug with Ray in 0.11.0rc.",
        "Upgrade; or TP only.",
        ("vllm-ascend#3524",),
    ),
    Entry(
        "dp-timeout",
        r"Timed out waiting for engines to send",
        ("Timed out waiting for engines to send",),
        "Another node's engines did not connect: wrong --data-parallel-address/-rpc-port, missing "
        "--headless or start-rank on the worker, firewall, engine crashed earlier, slow weight load.",
        "Check the worker log first; same args, unique --data-parallel-start-rank; open the rpc port and "
        "ZMQ ports; raise VLLM_ENGINE_READY_TIMEOUT_S.",
        (
            "vllm-ascend#4250",
            "vllm-ascend#3977",
            "vllm-ascend#2390",
            "vllm-ascend#3633",
        ),
        rank=FOLLOWS,
        inferred=True,
    ),
    Entry(
        "dp-rank-oob",
        r"DP adjusted local rank \d+ is out of bounds for \d+ devices",
        ("DP adjusted local rank ",),
        "Visible NPUs < dp_local*tp*pp (from v0.24 vLLM no longer isolates devices per DP rank).",
        "Set ASCEND_RT_VISIBLE_DEVICES/--device-ids to enough chips; dp-size-local*tp <= chips.",
        ("vllm_ascend/worker/worker.py _init_device @182b75ea84",),
    ),
    Entry(
        "mooncake-init",
        r"TransferEngine initialization failed with ret_value: -?\d+|Mooncake memory registration failed",
        (
            "TransferEngine initialization failed with ret_value: ",
            "Mooncake memory registration failed",
        ),
        "RDMA/NPU network not ready: /etc/hccn.conf not mounted, device IPs missing, driver too old.",
        "Mount /etc/hccn.conf; check hccn_tool; HDK >= 25.5 recommended.",
        (
            "mooncake_transfer_engine.py:28,39",
            "pd_disaggregation_mooncake_multi_node.md",
            "kv_pool.md:1104",
        ),
        rank=FOLLOWS,
        inferred=True,
    ),
    Entry(
        "zmq-in-use",
        r"zmq\.error\.ZMQError: Address already in use",
        ("zmq.error.ZMQError: Address already in use",),
        "kv_port overlaps AscendDirectTransport's random range [20000, 20000+npus*1000) or two instances share it.",
        "kv_port >= 28000 (8 NPUs) or >= 36000 (16 NPUs), unique per instance, +num_chips reserved.",
        ("pd_disaggregation_mooncake_multi_node.md kv_port guide",),
    ),
    Entry(
        "pd-tp",
        (
            r"prefill_tp_size: \d+ must be greater than or equal to the decode_tp_size|Only support P node tp "
            r"size lagger then D node tp size"
        ),
        (
            " must be greater than or equal to the decode_tp_size",
            "Only support P node tp size lagger then D node tp size",
        ),
        "Prefill TP smaller than decode TP.",
        "P TP >= D TP and divisible.",
        (
            "mooncake_hybrid_connector.py:1484",
            "ascend_config.py:232",
        ),
    ),
    Entry(
        "pd-balance",
        r"enable_balance_scheduling only supports PD-mixed mode",
        ("enable_balance_scheduling only supports PD-mixed mode",),
        "Balance scheduling set in a PD-disaggregated role.",
        "Remove it for kv_producer/kv_consumer.",
        ("vllm_ascend/platform.py:827",),
    ),
)
