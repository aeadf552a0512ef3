"""The two lists that a fresh machine is set up from: system packages (docker/apt.txt) and locked Python packages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

Tree = Callable[[Mapping[str, str]], Path]

SECTIONS = ["image", "run", "test", "slow"]
LOCKS = {"requirements.txt", "requirements-test.txt", "requirements-build.txt"}


def loose_lines(lock: Path) -> list[str]:
    """Lines of a lock that are neither a pinned, hashed package nor a comment: index addresses, ranges, paths."""
    text = re.sub(r"^ *#.*\n", "", lock.read_text(), flags=re.MULTILINE)
    pinned = r"[a-z0-9._-]+==[^\s;]+(?: ; [^\\\n]+?)?(?: \\\n    --hash=sha256:[0-9a-f]{64})+\n"
    return [line for line in re.sub(pinned, "", text, flags=re.MULTILINE).splitlines() if line]


def locked(lock: Path) -> dict[str, str]:
    """What a lock pins: {package: version}; a package pinned twice, by Python version, counts with both."""
    pins: dict[str, str] = {}
    for name, version in re.findall(r"^([a-z0-9._-]+)==(\S+)", lock.read_text(), re.MULTILINE):
        pins[name] = f"{pins[name]} {version}" if name in pins else version
    return pins


def unlocked(tree: Path) -> list[str]:
    """What pyproject.toml asks for and the locks don't have; and runtime pins that the tests' lock doesn't share."""
    project = tomllib.loads((tree / "pyproject.toml").read_text())
    runtime, test, build = (locked(tree / "docker" / f"requirements{each}.txt") for each in ("", "-test", "-build"))
    extras = [each for extra in project["project"].get("optional-dependencies", {}).values() for each in extra]
    return (
        [name for name in map(_name, project["project"]["dependencies"]) if name not in runtime]
        + [name for name in map(_name, extras) if name not in test]
        + [name for name in map(_name, project["build-system"]["requires"]) if name not in build]
        + [name for name, version in runtime.items() if test.get(name) != version]
    )


def _name(requirement: str) -> str:
    match = re.match(r"[\w.-]+", requirement)
    assert match
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def sections(list_file: Path) -> dict[str, list[str]]:
    """The packages of docker/apt.txt by section."""
    found: dict[str, list[str]] = {}
    for line in filter(None, (line.partition("#")[0].strip() for line in list_file.read_text().splitlines())):
        if line.startswith("["):
            found[line.strip("[]")] = []
        else:
            found[list(found)[-1]].append(line)
    return found


def test_every_python_package_is_pinned_and_hashed(root: Path) -> None:
    assert {path.name for path in (root / "docker").glob("requirements*.txt")} == LOCKS
    assert {name: loose_lines(root / "docker" / name) for name in LOCKS} == {name: [] for name in LOCKS}


def test_the_locks_follow_the_project(root: Path) -> None:
    assert unlocked(root) == [], "run: make lock"


def test_system_packages_are_listed_once(root: Path) -> None:
    listed = sections(root / "docker/apt.txt")
    assert list(listed) == SECTIONS
    names = [name for packages in listed.values() for name in packages]
    assert len(names) == len(set(names))
    assert all(packages == sorted(packages) for packages in listed.values())


@pytest.mark.parametrize(
    "line",
    ["--index-url https://example.org/simple", "httpx>=0.27", "lxml @ file:///wheels/lxml.whl", "orjson==3.13.0"],
)
def test_a_loose_line_is_found(tree: Tree, line: str) -> None:
    good = f"rich==15.0.0 \\\n    --hash=sha256:{'0' * 64}\n    # via typer\n"
    folder = tree({"good": good, "bad": f"{good}{line}\n"})
    assert loose_lines(folder / "good") == []
    assert loose_lines(folder / "bad") == [line]


def test_a_lock_that_lags_behind_is_found(tree: Tree) -> None:
    project = '[build-system]\nrequires = ["hatchling>=1"]\n[project]\ndependencies = ["PyYAML>=6", "rich"]\n'
    locks = {
        "requirements.txt": "rich==15.0.0 \\\n",
        "requirements-test.txt": "rich==14.0.0 \\\n",
        "requirements-build.txt": "",
    }
    folder = tree({"pyproject.toml": project, **{f"docker/{name}": text for name, text in locks.items()}})
    assert unlocked(folder) == ["pyyaml", "hatchling", "rich"]


def shell_faults(*scripts: Path) -> str:
    """What shellcheck says of the scripts, "" when it is content."""
    checker = Path(sys.executable).with_name("shellcheck")
    run = subprocess.run([checker, *scripts], capture_output=True, text=True, check=False)
    return "" if run.returncode == 0 else run.stdout + run.stderr


def test_shell_scripts_are_linted(root: Path) -> None:
    assert shell_faults(root / "docker/apt-install", root / "docker/lock", root / ".ci/run") == ""


def test_a_fault_in_a_shell_script_is_found(tree: Tree) -> None:
    assert "SC2115" in shell_faults(tree({"clean": '#!/bin/sh\nrm -rf "$1/"\n'}) / "clean")


LIST = "# packages\n[image]\nunixodbc\ntzdata\n\n[run]\nphp-cli  # SOAP\n"


@pytest.fixture
def machine(root: Path, tree: Tree) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs docker/apt-install on a pretended machine: what is installed, who runs it, an apt-get that takes notes."""

    def run(*names: str, installed: str, uid: int, apt_fails: bool = False) -> subprocess.CompletedProcess[str]:
        dpkg = f'case " {installed} " in *" $3 "*) printf installed;; *) exit 1;; esac'
        apt = f'echo "apt-get $*" >>"$0.log"; echo no such host >&2; exit {int(apt_fails)}'
        commands = {"dpkg-query": dpkg, "id": f"echo {uid}", "apt-get": apt}
        scripts = {f"bin/{name}": f"#!/bin/sh\n{script}\n" for name, script in commands.items()}
        folder = tree({"docker/apt.txt": LIST, "bin/apt-get.log": "", **scripts})
        for name in commands:
            (folder / "bin" / name).chmod(0o755)
        for name in ("sh", "awk", "dirname", "rm", "chmod"):
            (folder / "bin" / name).symlink_to(shutil.which(name) or name)
        shutil.copy(root / "docker/apt-install", folder / "docker")
        command = ["sh", str(folder / "docker/apt-install"), *names]
        environment = {**os.environ, "PATH": str(folder / "bin")}
        return subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )

    return run


Machine = Callable[..., subprocess.CompletedProcess[str]]


def test_nothing_missing_asks_apt_nothing(machine: Machine, tmp_path: Path) -> None:
    run = machine("image", "run", installed="tzdata unixodbc php-cli", uid=0)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert (tmp_path / "bin/apt-get.log").read_text() == ""


def test_what_is_missing_is_installed_and_said(machine: Machine, tmp_path: Path) -> None:
    run = machine("image", "run", installed="unixodbc", uid=0)
    assert (run.returncode, run.stdout) == (0, "installing system packages: tzdata php-cli\n")
    update, install = (tmp_path / "bin/apt-get.log").read_text().splitlines()
    assert update.endswith(" update")
    assert install.endswith(" install -y --no-install-recommends tzdata php-cli")


def test_who_is_not_root_is_told_the_one_line(machine: Machine, tmp_path: Path) -> None:
    run = machine("image", installed="", uid=1000)
    line = "apt-get update && apt-get install -y --no-install-recommends unixodbc tzdata"
    assert (run.returncode, run.stderr) == (1, f"apt-install: packages are missing; as root, run: {line}\n")
    assert (tmp_path / "bin/apt-get.log").read_text() == ""


def test_a_failing_apt_is_shown(machine: Machine) -> None:
    run = machine("image", installed="", uid=0, apt_fails=True)
    assert (run.returncode, run.stderr) == (1, "no such host\n")


def test_an_unknown_section_is_refused(machine: Machine) -> None:
    run = machine("images", installed="", uid=0)
    assert (run.returncode, run.stderr) == (2, "apt-install: docker/apt.txt has no section [images]\n")
