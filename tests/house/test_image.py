"""The container image: its files linted, and built and run for real, without a Docker engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

Tree = Callable[[Mapping[str, str]], Path]

COMPOSE = ["check-jsonschema", "--builtin-schema", "vendor.compose-spec"]


def complaints(*command: str | Path) -> str:
    """What a linter of the virtual environment says, "" when it is content."""
    tool = Path(sys.executable).with_name(str(command[0]))
    run = subprocess.run([tool, *command[1:]], capture_output=True, text=True, check=False)
    return "" if run.returncode == 0 else run.stdout + run.stderr


def unhardened(compose: Path) -> list[str]:
    """What a compose file's services may do that none needs."""
    wanted = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}
    services: dict[str, dict[str, Any]] = yaml.safe_load(compose.read_text())["services"]
    return [f"{name}: {key}" for name, service in services.items() for key in wanted if service.get(key) != wanted[key]]


def test_the_image_and_its_composition_are_linted(root: Path) -> None:
    assert complaints("hadolint", root / "docker/Dockerfile") == ""
    assert complaints(*COMPOSE, root / "docker/compose.yaml") == ""
    assert unhardened(root / "docker/compose.yaml") == []


def test_the_linters_find_a_breach(tree: Tree) -> None:
    folder = tree(
        {
            "Dockerfile": "FROM debian\nRUN cd /srv && sudo apt-get install curl\n",
            "compose.yaml": "services: {gateway: {image: figway, read-only: true, cap_drop: [ALL]}}\n",
        }
    )
    assert "DL3006" in complaints("hadolint", folder / "Dockerfile")
    assert "read-only" in complaints(*COMPOSE, folder / "compose.yaml")
    assert unhardened(folder / "compose.yaml") == ["gateway: read_only", "gateway: security_opt"]


@pytest.fixture(scope="module")
def image(
    root: Path, machines: ModuleType, bare_debian: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The image's file system, and its configuration as a Docker engine reads it."""
    machines.need("buildah")
    store = tmp_path_factory.mktemp("images")
    environment = {**os.environ, "BUILDAH_ISOLATION": "chroot"}

    def buildah(*arguments: str) -> str:
        command = ("buildah", "--root", f"{store}/root", "--runroot", f"{store}/run", *arguments)
        return str(machines.run(*command, cwd=root, environment=environment)).strip()

    base = buildah("from", "scratch")
    buildah("add", "--quiet", base, str(bare_debian), "/")
    buildah("commit", "--quiet", base, "debian:bookworm-slim")
    buildah("build", "--quiet", "--pull=never", "--format=docker", "--file=docker/Dockerfile", "--tag=figway", ".")
    container = buildah("from", "--pull=never", "figway")
    config = json.loads(buildah("inspect", "--type=image", "figway"))["Docker"]["config"]
    yield Path(buildah("mount", container)), config
    buildah("umount", container)
    buildah("rm", "--all")
    buildah("rmi", "--all", "--force")


# What compose.yaml asks for: everything read-only but the volume and /tmp.
READ_ONLY = """
mount --rbind "$root" "$root"
mount --bind "{workspace}" "$root/workspace"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount --bind "{state}" "$root/var/lib/figway"
mount -o remount,bind,ro "$root"
mount -o remount,bind,ro "$root/workspace"
"""


@pytest.mark.slow
def test_the_image_serves_with_nothing_writable_but_its_volume(
    image: tuple[Path, dict[str, Any]], machines: ModuleType, servers: ModuleType, tmp_path: Path
) -> None:
    folder, config = image
    workspace, state, port = tmp_path / "workspace", tmp_path / "state", servers.free_port()
    workspace.mkdir()
    (workspace / "gateway.yaml").write_text("upstreams: {}\n")
    state.mkdir()
    os.chown(state, 10001, 10001)
    enter = partial(
        machines.command,
        folder,
        environment={**dict(each.split("=", 1) for each in config["Env"]), "FIGWAY_PORT": str(port)},
        mounts=READ_ONLY.format(workspace=workspace, state=state),
        user=config["User"],
    )
    serve = [*config["Entrypoint"], *config["Cmd"], "--workspace", config["WorkingDir"]]
    health = config["Healthcheck"]["Test"][1:]
    process = subprocess.Popen(enter(*serve))
    try:
        assert _becomes_healthy(enter(*health), process)
    finally:
        # The namespaces end with it, and with them all that runs inside.
        process.kill()
        process.wait()
    assert subprocess.run(enter("touch", "/opt/figway/x"), capture_output=True, check=False).returncode != 0


def _becomes_healthy(health: list[str], process: subprocess.Popen[bytes]) -> bool:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        if subprocess.run(health, capture_output=True, check=False).returncode == 0:
            return True
        time.sleep(0.5)
    return False
