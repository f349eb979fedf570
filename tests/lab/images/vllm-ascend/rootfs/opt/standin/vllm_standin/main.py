# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`vllm`: from the command line to a server that answers while all NPUs are held."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from typing import Any

from .api import Api, Settings
from .config import EngineConfig, NotHere, engine_config
from .cues import BEFORE, STARTING, Cued, fail_if_cued
from .device import Claim
from .engine import Engine
from .executor import EngineFailed, Executor, LocalExecutor
from .executor_nodes import NodesExecutor, run_headless
from .log import logger, set_up, web_logger
from .metrics import Metrics
from .options import SUBCOMMANDS, build_parser, not_here, parse
from .release import Release, load_release
from .speech import Speaker
from .transfer import Transfer
from .web import Request, Server, bind

LOAD_SECONDS = float(os.environ.get("NPUOPS_STANDIN_LOAD_SECONDS", "1"))
WARMUP_SECONDS = float(os.environ.get("NPUOPS_STANDIN_WARMUP_SECONDS", "0"))
DEAD_SECONDS = 2  # a dead engine is shown by /health for so long before the server ends
GRACE_SECONDS = 2  # for requests under way at SIGTERM


def make_executor(config: EngineConfig, release: Release) -> Executor:
    """The executor `config` names; Ray is imported only when it is used."""
    if config.executor != "ray":
        return NodesExecutor(config) if config.meeting else LocalExecutor(config)
    from .executor_ray import RayExecutor

    asked = os.environ.get("VLLM_USE_RAY_V2_EXECUTOR_BACKEND", "1")
    return RayExecutor(config, second_version=release.ray_executor_v2 and asked != "0")


def serve(args: argparse.Namespace, release: Release) -> int:
    """Run until SIGTERM (0) or until a worker is lost (1).

    :raises ValueError, RuntimeError: the engine cannot start (vLLM's texts)
    :raises OSError: the port is taken; found out before the NPUs are
    """
    set_up("APIServer")
    logger.info("vLLM API server version %s", release.version)
    logger.info("This is the lab's stand-in: NPUs, Ray and HTTP as in vLLM, no model behind them.")
    logger.info("non-default args: %s", args.given)
    fail_if_cued(BEFORE)
    config = engine_config(args)
    logger.info("Using max model len %d", config.max_model_len)
    logger.info(
        "Initializing a V1 LLM engine (v%s) with config: model='%s', served_model_name=%s, tensor_parallel_size=%d, "
        "pipeline_parallel_size=%d, data_parallel_size=%d, device_config=npu, distributed_executor_backend=%s",
        *(release.version, config.model, config.names[0], config.tensor, config.pipeline, config.data, config.executor),
    )
    signal.signal(signal.SIGTERM, _stop_early)
    if args.headless:
        return _serve_headless(config, release)
    bound = bind(args.host, args.port)
    executor = make_executor(config, release)
    try:
        began = time.monotonic()
        claims = executor.start()
        fail_if_cued(STARTING)
        kv_tokens = config.kv_tokens(claims)
        time.sleep(LOAD_SECONDS)
        _warm_up()
        _log_start(config, claims, kv_tokens, time.monotonic() - began)
        return asyncio.run(_run(args, config, release, executor, claims, kv_tokens, bound))
    except (EngineFailed, Cued) as error:
        logger.error("EngineCore failed to start.")
        logger.error("%s", error)
        raise RuntimeError(
            "Engine core initialization failed. See root cause above. Failed core proc(s): {}"
        ) from error
    finally:
        executor.stop()
        logger.info("Released all NPUs.")


def _serve_headless(config: EngineConfig, release: Release) -> int:
    """A node beside the head: it ends with 1 when the head or a worker is lost."""
    meeting = config.meeting
    assert meeting is not None
    if meeting.kind == "mp":
        logger.info(
            "Launching vLLM (v%s) headless multiproc executor, with head node address %s:%d for torch.distributed "
            "process group.", release.version, meeting.host, meeting.port,
        )  # fmt: skip
    else:
        logger.info(
            "Launching %d data parallel engine(s) in headless mode, with head node address tcp://%s:%d.",
            config.local_engines, meeting.host, meeting.port,
        )  # fmt: skip
    try:
        fail_if_cued(STARTING)
        run_headless(config)
    except (EngineFailed, Cued) as error:
        logger.error("%s", error)
        return 1
    return 0


def _warm_up() -> None:
    """What takes minutes in vLLM once the weights are there: profiling, compiling, capturing graphs."""
    if WARMUP_SECONDS <= 0:
        return
    logger.info("Start compile_or_warm_up_model")
    time.sleep(WARMUP_SECONDS)
    logger.info("Graph capturing finished in %.0f secs, took 0.00 GiB", WARMUP_SECONDS)


def _stop_early(_number: int, _frame: Any) -> None:
    raise SystemExit(128 + signal.SIGTERM)


def _log_start(config: EngineConfig, claims: list[Claim], kv_tokens: int, seconds: float) -> None:
    for claim in claims:
        logger.info(
            "rank %d: NPU %d (davinci%d) of %s, %.2f of %.2f GiB taken, pid %d",
            claim.rank, claim.logic_id, claim.phy_id, claim.host, claim.held_mb / 1024, claim.usable_mb / 1024,
            claim.pid,
        )  # fmt: skip
    logger.info("GPU KV cache size: %s tokens", f"{kv_tokens:,}")
    logger.info(
        "Maximum concurrency for %s tokens per request: %.2fx",
        f"{config.max_model_len:,}",
        kv_tokens / config.max_model_len,
    )
    logger.info("init engine (profile, create kv cache, warmup model) took %.2f seconds", seconds)


async def _run(
    args: argparse.Namespace,
    config: EngineConfig,
    release: Release,
    executor: Executor,
    claims: list[Claim],
    kv_tokens: int,
    bound: socket.socket,
) -> int:
    cache = {
        "block_size": str(config.block_size),
        "gpu_memory_utilization": str(config.utilization),
        "num_gpu_blocks": str(kv_tokens // config.block_size),
    }
    metrics = Metrics(config.names[0], config.max_model_len, release.vllm, cache)
    prefix = args.enable_prefix_caching is not False
    engine = Engine(config, Speaker.of(release.vllm, config, claims), metrics, kv_tokens, prefix)
    keys = tuple(key for key in args.api_key or [os.environ.get("VLLM_API_KEY")] if key)
    settings = Settings(release.version, release.vllm, keys, args.enable_force_include_usage)
    quiet = args.disable_uvicorn_access_log

    def log(request: Request, status: int) -> None:
        if not quiet:
            web_logger.info('%s - "%s %s HTTP/1.1" %d', request.peer, request.method, request.path, status)

    transfer = Transfer(config.transfer) if config.transfer else None
    if transfer:
        await transfer.listen()
    server = Server(Api(engine, settings, transfer), log)
    web_logger.info("Started server process [%d]", os.getpid())
    web_logger.info("Waiting for application startup.")
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await server.listen(bound)
    web_logger.info("Application startup complete.")
    web_logger.info("Uvicorn running on http://%s:%d (Press CTRL+C to quit)", *bound.getsockname()[:2])
    watch = asyncio.create_task(_watch(executor, engine))
    await asyncio.wait([watch, asyncio.create_task(stopped.wait())], return_when=asyncio.FIRST_COMPLETED)
    if watch.done():
        watch.result()  # a watch that failed must not look like an orderly end
    if engine.dead:
        # Long enough for a health check to see it; then the end of the process tells the supervisor.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), DEAD_SECONDS)
    web_logger.info("Shutting down")
    await server.close(0 if engine.dead else GRACE_SECONDS)
    watch.cancel()
    if transfer:
        transfer.close()
    web_logger.info("Application shutdown complete.")
    return 1 if engine.dead else 0


async def _watch(executor: Executor, engine: Engine) -> None:
    while True:
        reason = await asyncio.to_thread(executor.lost)
        if reason:
            engine.dead = True
            logger.error("%s", reason)
            logger.error("EngineCore encountered a fatal error. EngineDeadError")
            return


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of /usr/local/bin/vllm."""
    words = list(sys.argv[1:] if argv is None else argv)
    release = load_release()
    parser = build_parser(release.options_file, release.version)
    if words and words[0] in SUBCOMMANDS and words[0] != "serve":
        not_here(words[0])
    args = parse(parser, words, release.vllm)
    if args.subparser is None:
        parser.print_help()
        return 0
    try:
        return serve(args, release)
    except NotHere as missing:
        print(f"vllm serve: the lab's stand-in does not have: {missing}", file=sys.stderr)
        return 1
