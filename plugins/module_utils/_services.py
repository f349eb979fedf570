# Copyright (c) 2026, npuops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What C(ascend_services) may say: the shape of one service, judged without looking at any machine.

This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re

from ._services_transfer import check_transfer

ENGINES = ("vllm", "mindie", "tei", "paddleocr")
EXECUTORS = ("ray", "mp", "dp")
# What this release can start; the rest of the contract is understood, and refused before anything is changed.
SERVED_ENGINES = ("vllm",)
SERVED_EXECUTORS = ("ray", "mp", "dp")

REQUIRED = ("name", "engine", "model", "hosts", "port")
KEYS = REQUIRED + ("npus", "vnpu", "share", "parallel", "executor", "replicas", "transfer", "allow", "args", "env")
PARALLEL_KEYS = ("tensor", "pipeline", "data")
# What a service may go on with although it is known to fail, see _placement_strategy and
# _placement_transfer.
ALLOW = (
    "tensor_heads",
    "ep_without_experts",
    "mp_over_nodes",
    "ep_over_nodes",
    "pp_with_ep",
    "pp_with_dp",
    "prefill_tensor",
)

# These follow from other keys of the service; giving them twice would let the two disagree.
DERIVED_ARGS = {
    "model": "model",
    "port": "port",
    "tensor_parallel_size": "parallel.tensor",
    "pipeline_parallel_size": "parallel.pipeline",
    "data_parallel_size": "parallel.data",
    "distributed_executor_backend": "executor",
}

# What would make another service of it than the one that was placed, or put a secret on a command line.
REFUSED_ARGS = {
    "api_key": "put it into serve_api_keys, from a vault: on a command line everybody on the node can read it",
    "hf_token": "leave it out: the model is a directory, and on a command line everybody on the node can read it",
    "uds": "leave it out: the endpoint is a TCP port",
    "headless": "leave it out: hosts and parallel say where the engine runs",
    "nnodes": "leave it out: hosts says how many there are",
    "node_rank": "leave it out: hosts says the order",
    "master_addr": "leave it out: it is the address of the first host",
    "master_port": "leave it out: each service gets a port of its own",
    "data_parallel_size_local": "leave it out: hosts and parallel say it",
    "data_parallel_start_rank": "leave it out: hosts says the order",
    "data_parallel_rank": "leave it out: hosts says the order",
    "data_parallel_address": "leave it out: it is the address of the first host",
    "data_parallel_rpc_port": "leave it out: each service gets a port of its own",
    "data_parallel_hybrid_lb": "leave it out: the first host has the one endpoint; use replicas for one on each",
    "data_parallel_external_lb": "leave it out: the first host has the one endpoint; use replicas for one on each",
    "grpc": "leave it out: the endpoint is checked over HTTP",
    "ssl_keyfile": "leave it out: put a proxy with TLS before the endpoint",
    "ssl_certfile": "leave it out: put a proxy with TLS before the endpoint",
}

# These differ from node to node, or mark a process as the collection's.
DERIVED_ENV = (
    "NPUOPS_SERVICE",
    "SPT_NOENV",
    "HCCL_IF_IP",
    "VLLM_HOST_IP",
    "RAY_ADDRESS",
    "ASCEND_RT_VISIBLE_DEVICES",
    "ASCEND_VISIBLE_DEVICES",
    "RAY_EXPERIMENTAL_NOSET_ASCEND_RT_VISIBLE_DEVICES",
)

# Whoever may ask the engine reads a container's environment, and so does every process in it and its crash reports.
_SECRET = re.compile(
    r"(^|_)(TOKEN|SECRETS?|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|(API|ACCESS|SECRET|PRIVATE|AUTH)_?KEY(_ID)?)$",
    re.I,
)
_LOGIN = re.compile(r"^[a-z][a-z0-9+.-]*://[^/@\s]+:[^/@\s]+@", re.I)

_NAME = re.compile(r"^[a-z][a-z0-9_-]{0,39}$")
# Units and containers that a service has beside its own are called after it.
_BESIDE = ("ray", "watchdog", "proxy")
_ARG = re.compile(r"^[a-z][a-z0-9_]*$")
_ENV = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")


class Problem:
    """One reason not to go on: where, what about, what is wrong, what to do. All four are text."""

    __slots__ = ("host", "item", "problem", "remedy")

    def __init__(self, host, item, problem, remedy):
        self.host = host
        self.item = item
        self.problem = problem
        self.remedy = remedy

    def sentence(self):
        return f"{self.host}: {self.item}: {self.problem}; {self.remedy}."

    def to_dict(self):
        return {
            "host": self.host,
            "item": self.item,
            "problem": self.problem,
            "remedy": self.remedy,
            "sentence": self.sentence(),
        }

    def __repr__(self):
        return f"Problem({self.sentence()!r})"

    def __eq__(self, other):
        return isinstance(other, Problem) and self.to_dict() == other.to_dict()

    __hash__ = None


def _is_int(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _positive(value):
    return _is_int(value) and value > 0


def _nearest(word, known):
    """The known word that differs in the fewest letters, for «did you mean»; None if all are far."""
    import difflib  # only needed to word an error

    close = difflib.get_close_matches(str(word), known, n=1)
    return close[0] if close else None


def _keys(found, known, where):
    for key in found:
        if key not in known:
            near = _nearest(key, known)
            hint = f"write '{near}'" if near else f"the known keys are {', '.join(known)}"
            yield f"key '{key}' is not known{where}", hint


def _check_npus(npus):
    if isinstance(npus, dict):
        ids = npus.get("ids")
        unknown = list(_keys(npus, ("ids",), " in npus"))
        if unknown:
            yield from unknown
        elif not isinstance(ids, list) or not ids or not all(_is_int(i) and i >= 0 for i in ids):
            yield f"npus.ids is {ids!r}", "list NPU ids as `npu-smi info` prints them, for example {ids: [4, 5]}"
        elif len(set(ids)) != len(ids):
            yield f"npus.ids {ids} names an NPU twice", "list every NPU once"
    elif not _positive(npus):
        yield f"npus is {npus!r}", "give how many NPUs on each host, or exact ids as {ids: [4, 5]}"


def _check_share(share):
    if not isinstance(share, dict):
        yield f"share is {share!r}", "give it as {aicore: 5, memory_gb: 30}"
        return
    yield from _keys(share, ("aicore", "memory_gb"), " in share")
    for key in ("aicore", "memory_gb"):
        value = share.get(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
            yield f"share.{key} is {value!r}", "give a number above 0"


def _check_vnpu(vnpu):
    if not isinstance(vnpu, dict) or ("memory_gb" in vnpu) == ("template" in vnpu):
        yield f"vnpu is {vnpu!r}", "give either {memory_gb: 23} or {template: vir10_3c_32g}"
        return
    yield from _keys(vnpu, ("memory_gb", "template", "dynamic", "npu_id", "chip_id"), " in vnpu")
    memory = vnpu.get("memory_gb", 1)
    if memory != "auto" and (isinstance(memory, bool) or not isinstance(memory, (int, float)) or memory <= 0):
        yield f"vnpu.memory_gb is {memory!r}", "give a number above 0, or auto"
    template = vnpu.get("template", "vir")
    if not isinstance(template, str) or not template:
        yield f"vnpu.template is {template!r}", "give a name that `npu-smi info -t template-info` prints"
    if not isinstance(vnpu.get("dynamic", False), bool):
        yield f"vnpu.dynamic is {vnpu['dynamic']!r}", "give true or false"
    for key in ("npu_id", "chip_id"):
        if key in vnpu and not (_is_int(vnpu[key]) and vnpu[key] >= 0):
            yield f"vnpu.{key} is {vnpu[key]!r}", "give an id as `npu-smi info` prints it"
    if "chip_id" in vnpu and "npu_id" not in vnpu:
        yield "vnpu.chip_id says nothing without vnpu.npu_id", "add npu_id"


def _check_alone(service):
    """A process uses one vNPU at most, so nothing about several devices makes sense beside it."""
    parallel = service.get("parallel")
    sizes = parallel.values() if isinstance(parallel, dict) else ()
    if any(_is_int(size) and size > 1 for size in sizes):
        yield "a service on a slice has one device, parallel must be 1 throughout", "leave parallel out"
    if "share" in service:
        yield "a slice is not time-shared", "leave share out, or share whole NPUs with npus"
    if service.get("executor") in ("ray", "dp"):
        yield f"a service on a slice needs no {'Ray' if service['executor'] == 'ray' else 'dp'}", "leave executor out"
    if service.get("replicas") is True:
        yield "a service on a slice has one slice", "write one service for each slice"


def _check_parallel(parallel):
    if not isinstance(parallel, dict):
        yield f"parallel is {parallel!r}", "give it as {tensor: 8, pipeline: 2}"
        return
    yield from _keys(parallel, PARALLEL_KEYS, " in parallel")
    for key in PARALLEL_KEYS:
        if key in parallel and not _positive(parallel[key]):
            yield f"parallel.{key} is {parallel[key]!r}", "give a whole number above 0"


def _check_spread(service, executor, hosts):
    """How a service uses several hosts: as copies of their own, or as one."""
    replicas, parallel = service.get("replicas", False), service.get("parallel")
    data = parallel.get("data", 1) if isinstance(parallel, dict) else 1
    if not isinstance(replicas, bool):
        yield f"replicas is {replicas!r}", "give true for a whole copy on each host, or leave it out"
    elif replicas and executor in ("ray", "dp"):
        yield f"replicas are whole on their host, so there is nothing for executor '{executor}'", "leave executor out"
    elif executor == "mp" and hosts > 1 and not replicas and data != 1:
        yield f"executor 'mp' over {hosts} hosts has one engine, and parallel.data is {data}", "use 'dp'"
    elif executor == "dp" and parallel is not None and _positive(data) and data % hosts:
        yield (
            f"executor 'dp' puts whole engines on its hosts, and {hosts} cannot share parallel.data {data} evenly",
            f"make data a multiple of {hosts}",
        )


def _check_allow(allow):
    if not isinstance(allow, list):
        yield f"allow is {allow!r}", f"list what to go on with, of {', '.join(ALLOW)}"
        return
    for name in allow:
        if name not in ALLOW:
            near = _nearest(name, ALLOW)
            yield f"allow has '{name}'", f"write '{near}'" if near else f"use one of {', '.join(ALLOW)}"


def _names(value):
    values = value if isinstance(value, list) else [value]
    return bool(values) and all(isinstance(name, str) and name for name in values)


def _check_args(service):
    args = service.get("args", {})
    if not isinstance(args, dict):
        yield f"args is {args!r}", "give the engine's flags as a mapping"
        return
    if service.get("engine") != "vllm":
        return
    for key in args:
        if not isinstance(key, str) or not _ARG.match(key):
            yield (
                f"args key '{key}' is not snake_case",
                f"write '{re.sub('[^a-z0-9]+', '_', str(key).lower()).strip('_')}'",
            )
        elif key in DERIVED_ARGS:
            yield f"args.{key} is set by the collection", f"set '{DERIVED_ARGS[key]}' of the service instead"
        elif key in REFUSED_ARGS:
            yield f"args.{key} is not accepted", REFUSED_ARGS[key]
        elif key == "served_model_name" and not _names(args[key]):
            yield f"args.served_model_name is {args[key]!r}", "give a name, or a list of names"


def _check_env(env):
    if not isinstance(env, dict):
        yield f"env is {env!r}", "give it as a mapping of names to texts"
        return
    for key, value in env.items():
        if not isinstance(key, str) or not _ENV.match(key):
            yield f"env name '{key}' is not a variable name", "use letters, digits and '_'"
        elif key in DERIVED_ENV:
            yield f"env.{key} is set by the collection, for each node", "leave it out"
        elif _SECRET.search(key) or _LOGIN.search(str(value)):
            what = "is a secret by its name" if _SECRET.search(key) else "holds a user and a password"
            yield (
                f"env.{key} {what}, and an engine shows a container's environment to all who may ask it",
                "put it into serve_secrets under the service's name, from a vault; the key of the endpoint into "
                "serve_api_keys",
            )
        elif isinstance(value, (dict, list)) or value is None:
            yield f"env.{key} is {value!r}", "quote it as a text"
        elif isinstance(value, bool):
            yield (
                f"env.{key} is the boolean {str(value).lower()}",
                "quote it: the engine must see the very text that you mean",
            )


def _shape(service):
    """Pairs (problem, remedy) of one service that is a mapping."""
    yield from _keys(service, KEYS, "")
    for key in REQUIRED:
        if service.get(key) in (None, "", []):
            yield f"'{key}' is missing", "add it"
    name = service.get("name")
    if name and (not isinstance(name, str) or not _NAME.match(name)):
        yield (
            f"name {name!r} cannot name a container and a unit",
            "use up to 40 of a-z, 0-9, '-' and '_', a letter first",
        )
    engine = service.get("engine")
    if engine and engine not in ENGINES:
        yield f"engine '{engine}' is not known", f"use one of {', '.join(ENGINES)}"
    model = service.get("model")
    if model and (not isinstance(model, str) or not model.startswith("/")):
        yield f"model {model!r} is not an absolute path", "give the directory of the weights on the node"
    hosts = service.get("hosts")
    if hosts and (not isinstance(hosts, list) or not all(isinstance(h, str) for h in hosts)):
        yield f"hosts is {hosts!r}", "list inventory names"
    elif hosts and len(set(hosts)) != len(hosts):
        yield "hosts names a node twice", "list every node once"
    port = service.get("port")
    if port is not None and not (_is_int(port) and 1024 <= port <= 65535):
        yield f"port is {port!r}", "give a number from 1024 to 65535"
    if sum(key in service for key in ("npus", "vnpu")) != 1:
        yield "it must say either npus or vnpu", "give the number of NPUs, or a slice"
    if "npus" in service:
        yield from _check_npus(service["npus"])
    if "vnpu" in service:
        yield from _check_vnpu(service["vnpu"])
        if (
            isinstance(service["vnpu"], dict)
            and "npu_id" in service["vnpu"]
            and isinstance(hosts, list)
            and len(hosts) > 1
        ):
            yield (
                f"vnpu.npu_id names an NPU, and {len(hosts)} hosts may take the service",
                "name the one host of that NPU, or leave npu_id out",
            )
        yield from _check_alone(service)
    if "share" in service:
        yield from _check_share(service["share"])
    if "parallel" in service:
        yield from _check_parallel(service["parallel"])
    executor = service.get("executor")
    if executor is not None and executor not in EXECUTORS:
        yield f"executor '{executor}' is not known", f"use one of {', '.join(EXECUTORS)}"
    elif isinstance(hosts, list) and "vnpu" not in service:
        yield from _check_spread(service, executor, len(hosts))
    if "transfer" in service:
        yield from check_transfer(service)
    yield from _check_allow(service.get("allow", []))
    yield from _check_args(service)
    yield from _check_env(service.get("env", {}))


def check_shape(services):
    """Every fault that can be seen in C(services) alone.

    :arg services: what the inventory gives as C(ascend_services).
    :returns: a list of Problem, in the order of the services; empty when all is well.
    """
    if not isinstance(services, list):
        return [Problem("inventory", "ascend_services", "it is not a list", "write one entry for each service")]
    problems = []
    seen = set()
    named = [service["name"] for service in services if isinstance(service, dict) and "name" in service]
    taken = {f"{name}-{beside}": name for name in named for beside in _BESIDE}
    for index, service in enumerate(services):
        item = f"ascend_services[{index}]"
        if not isinstance(service, dict):
            problems.append(Problem("inventory", item, "it is not a mapping", "write name, engine, model, hosts, port"))
            continue
        name = service.get("name")
        if name:
            item = f"service '{name}'"
        problems.extend(Problem("inventory", item, text, remedy) for text, remedy in _shape(service))
        if isinstance(name, str) and name in seen:
            problems.append(Problem("inventory", item, "the name is used twice", "rename one of them"))
        if isinstance(name, str) and name in taken:
            text = f"service '{taken[name]}' has a unit npuops-{name}, too"
            problems.append(Problem("inventory", item, text, "rename one of them"))
        if isinstance(name, str):
            seen.add(name)
    return problems


def check_served(services):
    """What is well said, but cannot be started by the roles of this release.

    :arg services: services that passed C(check_shape).
    :returns: a list of Problem; empty when every service can be started.
    """
    problems = []
    for service in services:
        faults = []
        if service["engine"] not in SERVED_ENGINES:
            faults.append(
                (
                    f"engine '{service['engine']}' is not served by this release",
                    f"use one of {', '.join(SERVED_ENGINES)}",
                )
            )
        if service.get("executor", "mp") not in SERVED_EXECUTORS:
            faults.append(
                (
                    f"executor '{service['executor']}' is not served by this release",
                    f"use one of {', '.join(SERVED_EXECUTORS)}",
                )
            )
        spread = len(service["hosts"]) > 1 and not service.get("replicas")
        if service.get("parallel", {}).get("data", 1) > 1 and spread and service.get("executor", "ray") == "ray":
            faults.append(("Ray does not do data parallelism over several hosts", "use executor dp"))
        if "share" in service:
            faults.append(("time sharing of an NPU is not served by this release", "give the service NPUs of its own"))
        problems.extend(Problem("inventory", f"service '{service['name']}'", text, remedy) for text, remedy in faults)
    return problems
