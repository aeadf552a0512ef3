"""Bare Debian machines for the slow tests: a file system made by debootstrap, entered in namespaces of its own.

What is mounted and started inside is gone when the command ends, however it ends. All of this needs root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CERTIFICATES = Path("/usr/local/share/ca-certificates")


def need(*tools: str) -> None:
    """Raises a sentence when this machine lacks a tool or we aren't root."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        raise RuntimeError(f"{', '.join(missing)} missing: run docker/apt-install slow")
    if os.geteuid() != 0:
        raise RuntimeError("making a bare machine needs root: run make test-slow as root")


def debootstrap(folder: Path) -> None:
    """Makes a minimal Debian 12 in `folder`, that trusts what this machine trusts and asks the same name servers."""
    need("debootstrap", "unshare")
    run("debootstrap", "--variant=minbase", "bookworm", str(folder))
    for name in ("resolv.conf", "hosts"):
        shutil.copy(f"/etc/{name}", folder / "etc" / name)
    shutil.copytree(CERTIFICATES, folder / CERTIFICATES.relative_to("/"), dirs_exist_ok=True)


def command(
    folder: Path, *arguments: str, environment: Mapping[str, str], mounts: str = "", user: str = "0:0"
) -> list[str]:
    """The command line that runs `arguments` in the machine `folder`, with `environment` and nothing else, as `user`.

    `mounts` is a script that runs outside just before, with the machine's folder as `$root`.
    """
    inside = ["env", "-i", *(f"{name}={value}" for name, value in {"PATH": PATH, **environment}.items()), *arguments]
    prepare = 'root=$1; user=$2; shift 2; mount -t proc proc "$root/proc"; mount -t tmpfs tmpfs "$root/dev/shm"'
    enter = f'{prepare}\n{mounts}\nexec chroot --userspec="$user" "$root" "$@"'
    namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
    return [*namespaces, "sh", "-ec", enter, "enter", str(folder), user, *inside]


def run(*arguments: str, cwd: Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    """What a command prints; raises `RuntimeError` with all of it when it fails."""
    done = subprocess.run(
        arguments, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: exit {done.returncode}\n{done.stdout[-8000:]}")
    return done.stdout
