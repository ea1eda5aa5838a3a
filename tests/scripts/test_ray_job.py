"""The job file for a build on many machines goes with the image and the command."""

from __future__ import annotations

import shlex
from typing import Any

import yaml

from fitting_room.cli.parser import make_parser
from tests.conftest import PROJECT

JOB, *OTHERS = yaml.safe_load_all((PROJECT / "deploy" / "ray-job.yaml").read_text("utf-8"))
CLUSTER = JOB["spec"]["rayClusterSpec"]
PODS: list[dict[str, Any]] = [
    group["template"]["spec"] for group in (CLUSTER["headGroupSpec"], *CLUSTER["workerGroupSpecs"])
]


def test_the_image_is_one_that_the_dockerfile_makes() -> None:
    stages = (PROJECT / "Dockerfile").read_text("utf-8")
    for pod in PODS:
        (container,) = pod["containers"]
        assert f" AS {container['image'].rpartition(':')[2]}\n" in stages


def test_the_command_is_one_that_there_is() -> None:
    python, *module, command = shlex.split(JOB["spec"]["entrypoint"])[:4]
    assert (python, module, command) == ("python", ["-m", "fitting_room"], "build")
    arguments = [a.replace("$INDEX", "milvus://milvus:19530/shop") for a in shlex.split(
        JOB["spec"]["entrypoint"])[3:]]  # fmt: skip
    options = make_parser().parse_args(arguments)
    assert (options.index, options.ray) == ("milvus://milvus:19530/shop", "auto")


def test_nobody_is_root_and_every_volume_is_there() -> None:
    claims = {one["metadata"]["name"] for one in OTHERS if one["kind"] == "PersistentVolumeClaim"}
    for pod in PODS:
        assert pod["securityContext"]["runAsNonRoot"] is True
        (container,) = pod["containers"]
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} <= set(volumes)
        for volume in volumes.values():
            assert "emptyDir" in volume or volume["persistentVolumeClaim"]["claimName"] in claims


def test_nothing_secret_is_in_it() -> None:
    for pod in PODS:
        for variable in pod["containers"][0]["env"]:
            secret = "KEY" in variable["name"] or variable["name"] == "INDEX"
            assert secret == ("valueFrom" in variable)
