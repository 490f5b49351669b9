"""Builds infra/Dockerfile without a container engine, on a Debian from debootstrap, and runs the result.

Proves that every instruction works on a bare system with hashes checked, and that the image runs as its
own user on a read-only root file system without privileges, passes its own HEALTHCHECK, and ends on
SIGTERM. Does not prove the base image, which Debian's own Python of the same version replaces, or the
engine. Needs root, debootstrap, and a network; takes about two minutes.

    sudo python3 infra/prove_image.py
"""

# ruff: noqa: S101, S108, S603, S607, T201  # runs system programs, and prints
from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
PACKAGES = "ca-certificates,python3,python3-venv,python3-pip"
TIMEOUT_SECONDS = 60.0  # for the service to answer, and to end
# Settings as an operator would choose them; the IDs belong to nobody.
SETTINGS = {
    "OFFHOOK_ENVIRONMENT": "production",
    "OFFHOOK_HOST": "0.0.0.0",  # noqa: S104
    "OFFHOOK_GATEWAY": "configapi",
    "OFFHOOK_RUN_AS": "app",
    "OFFHOOK_APP_ID": "00000000-0000-0000-0000-00000000000a",
    "OFFHOOK_APP_PASSWORD": "nobody's",
    "OFFHOOK_TENANT_IDS": "00000000-0000-0000-0000-00000000000b",
    "OFFHOOK_REQUESTERS": "*",
    "OFFHOOK_APPROVERS": "00000000-0000-0000-0000-00000000000c",
    "OFFHOOK_DATA_DIR": "/tmp",
}


@dataclass
class Stage:
    """A stage of the build: a root file system, and the image's configuration so far."""

    #: The root file system.
    root: Path
    #: ENV.
    env: dict[str, str] = field(
        default_factory=lambda: {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        }
    )
    #: WORKDIR.
    folder: str = "/"
    #: USER: numeric user and group.
    user: str = "0:0"
    #: ENTRYPOINT; empty if the image has none.
    entrypoint: list[str] = field(default_factory=list[str])
    #: CMD; empty if the image has none.
    command: list[str] = field(default_factory=list[str])
    #: The command of HEALTHCHECK; empty if the image has none.
    health: list[str] = field(default_factory=list[str])

    def run(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Runs a command in this file system. Raises CalledProcessError."""
        subprocess.run(self.inside(command, environment or {}), check=True)

    def inside(self, command: Sequence[str], environment: Mapping[str, str]) -> list[str]:
        """Returns the command line that runs `command` in this file system.

        The command sees the image's ENV and `environment`, and no other variables.
        """
        variables = [f"{name}={value}" for name, value in {**self.env, **environment}.items()]
        shell = ["sh", "-c", f"cd {shlex.quote(self.folder)} && exec {shlex.join(command)}"]
        return [
            "chroot",
            f"--userspec={self.user}",
            str(self.root),
            "env",
            "-i",
            *variables,
            *shell,
        ]


def instructions(dockerfile: Path) -> Iterator[tuple[str, str]]:
    """Yields (INSTRUCTION, arguments) without comments, with continued lines joined."""
    lines = [line for line in dockerfile.read_text().splitlines() if not re.match(r"\s*#", line)]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            yield name.upper(), rest.strip()


def build(dockerfile: Path, context: Path, work: Path) -> Stage:
    """Executes the instructions and returns the last stage, which is the image."""
    stages: dict[str, Stage] = {}
    stage: Stage | None = None
    for name, rest in instructions(dockerfile):
        print(f"  {name} {rest[:100]}", flush=True)
        if name == "FROM":
            base, _, label = rest.partition(" AS ")
            stage = Stage(work / f"stage{len(stages)}")
            root = stages[base].root if base in stages else base_of(base, work)
            subprocess.run(["cp", "-a", str(root), str(stage.root)], check=True)
            stages[label or str(len(stages))] = stage
            continue
        if stage is None:
            raise SystemExit(f"{name} before FROM")
        execute(stage, name, rest, context, stages)
    if stage is None:
        raise SystemExit(f"{dockerfile} has no FROM")
    return stage


def execute(stage: Stage, name: str, rest: str, context: Path, stages: Mapping[str, Stage]) -> None:
    """Executes one instruction in `stage`. `rest`: its arguments, as text or as a JSON list."""
    exec_form: list[str] = json.loads(rest) if rest.startswith("[") else []
    if name == "RUN":
        stage.run(exec_form or ["sh", "-c", rest], network_settings(stage.root))
    elif name == "ENV":
        for assignment in shlex.split(rest):
            key, _, value = assignment.partition("=")
            stage.env[key] = re.sub(r"\$(\w+)", lambda match: stage.env[match[1]], value)
    elif name == "WORKDIR":
        stage.folder = rest
        (stage.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
    elif name == "USER":
        stage.user = rest
    elif name == "COPY":
        copy(stage, rest.split(), context, stages)
    elif name == "ENTRYPOINT":
        stage.entrypoint = exec_form
    elif name == "CMD":
        stage.command = exec_form
    elif name == "HEALTHCHECK":
        stage.health = json.loads(rest[rest.index("[") :])
    elif name not in {"LABEL", "EXPOSE", "STOPSIGNAL"}:
        raise SystemExit(f"unsupported instruction: {name}")


def copy(stage: Stage, arguments: list[str], context: Path, stages: Mapping[str, Stage]) -> None:
    source = context
    if arguments[0].startswith("--from="):
        source = stages[arguments.pop(0).removeprefix("--from=")].root
    *names, target = arguments
    destination = stage.root / (Path(stage.folder) / target).as_posix().lstrip("/")
    for name in names:
        origin = source / name.lstrip("/")
        if origin.is_dir():
            shutil.copytree(origin, destination, symlinks=True, dirs_exist_ok=True)
        else:
            is_folder = target.endswith("/")
            shutil.copy2(origin, destination / origin.name if is_folder else destination)


def base_of(image: str, work: Path) -> Path:
    """Returns a Debian with the release and the Python version that the image's tag names."""
    match = re.fullmatch(r"python:(\d+\.\d+)-slim-(\w+)@sha256:[0-9a-f]{64}", image)
    if match is None:
        raise SystemExit(f"unsupported base image: {image}")
    version, release = match[1], match[2]
    base = work / release
    if not base.exists():
        command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", release, str(base)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (base / "usr/local/bin/python").symlink_to("/usr/bin/python3")
        shutil.copy("/etc/resolv.conf", base / "etc/resolv.conf")
        command = Stage(base).inside(["python", "--version"], {})
        installed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        if not installed.startswith(f"Python {version}."):
            raise SystemExit(f"{release} has {installed.strip()}, the image Python {version}")
    return base


def network_settings(root: Path) -> dict[str, str]:
    """Returns the proxy and CA variables that this machine needs for the package index, if any."""
    names = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
    settings = {name: os.environ[name] for name in (*names, "PIP_INDEX_URL") if name in os.environ}
    if ca_bundle := os.environ.get("PIP_CERT"):
        shutil.copy(ca_bundle, root / "tmp/ca.pem")
        settings["PIP_CERT"] = "/tmp/ca.pem"
    return settings


@dataclass(frozen=True, slots=True)
class Start:
    """How long a start took, in seconds from exec."""

    #: To the line "listening on".
    listening: float
    #: To 200 on /readyz.
    ready: float


def serve(image: Stage, settings: Mapping[str, str]) -> Start:
    """Runs the image as an engine would with a read-only root. Raises SystemExit when a check fails."""
    port = free_port()
    environment = {**settings, "OFFHOOK_PORT": str(port)}
    root = shlex.quote(str(image.root))
    # In a mount namespace of its own, with a read-only root and /tmp in memory; then drops capabilities.
    prepare = (
        f"mount --bind {root} {root} && mount -o remount,ro,bind {root}"
        f" && mount -t tmpfs tmpfs {root}/tmp && mount -t proc proc {root}/proc"
        " && exec setpriv --no-new-privs --bounding-set -all,+sys_chroot,+setuid,+setgid "
    )
    inside = shlex.join(image.inside([*image.entrypoint, *image.command], environment))
    started = time.monotonic()
    process = subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", prepare + inside],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        listening = time.monotonic() - started
        if not line.startswith("listening on "):
            raise SystemExit(f"unexpected first line: {line!r}")
        wait_for(f"http://127.0.0.1:{port}/readyz")
        ready = time.monotonic() - started
        image.run(image.health, environment)
        check_confinement(process.pid, image)
        process.send_signal(signal.SIGTERM)
        if process.wait(timeout=TIMEOUT_SECONDS) != 0:
            raise SystemExit(f"exit code {process.returncode} after SIGTERM")
    finally:
        process.kill()
    return Start(listening, ready)


def check_confinement(pid: int, image: Stage) -> None:
    """Raises SystemExit unless the process runs as the image's user, without privileges, read-only."""
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    user = image.user.split(":")[0]
    if status["Uid"].split() != [user] * 4 or int(status["CapEff"], 16) != 0:
        raise SystemExit(f"user {status['Uid']}, capabilities {status['CapEff']}")
    mounts = Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
    roots = [line.split() for line in mounts if line.split()[4] == "/"]
    if not roots or "ro" not in roots[-1][5].split(","):
        raise SystemExit("the root file system is not read-only")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(url: str) -> None:
    """Waits for 200 from `url`. Raises SystemExit after `TIMEOUT_SECONDS`."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310
                if response.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.005)
    raise SystemExit(f"{url} does not answer")


def size_of(image: Stage, paths: Sequence[str]) -> tuple[float, float]:
    """Returns the size of `paths`, which the image adds to its base, on disk and compressed, in MB."""
    disk = sum(
        file.stat().st_size
        for path in paths
        for file in (image.root / path).rglob("*")
        if file.is_file() and not file.is_symlink()
    )
    archive = subprocess.Popen(["tar", "-C", str(image.root), "-c", *paths], stdout=subprocess.PIPE)
    packed = subprocess.run(["gzip", "-c"], stdin=archive.stdout, check=True, capture_output=True)
    return disk / 1e6, len(packed.stdout) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Prove infra/Dockerfile without a container engine."
    )
    parser.add_argument("--database-url", help="measure with this PostgreSQL instead of SQLite")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("debootstrap and chroot need root")
    settings = dict(SETTINGS)
    if arguments.database_url:
        settings["OFFHOOK_DATABASE_URL"] = arguments.database_url
    with tempfile.TemporaryDirectory(prefix="offhook-image-") as folder:
        work = Path(folder)
        context = work / "context"
        context.mkdir()
        archive = subprocess.run(
            ["git", "-C", str(PROJECT), "archive", "HEAD"], check=True, capture_output=True
        )
        subprocess.run(["tar", "-x", "-C", str(context)], input=archive.stdout, check=True)
        image = build(PROJECT / "infra/Dockerfile", context, work)
        image.run(["python", "prepare_database.py", "--help"])
        disk, packed = size_of(image, ["opt/offhook", "app"])
        starts = [serve(image, settings) for _ in range(3)]
        imports: list[float] = []
        for _ in range(3):
            started = time.monotonic()
            image.run(["python", "-c", "import botbuilder.integration.aiohttp"])
            imports.append(time.monotonic() - started)
    ready, sdk = min(start.ready for start in starts), min(imports)
    print(f"added to the base image: {disk:.0f} MB, {packed:.0f} MB compressed")
    print(f"to 'listening on': {min(start.listening for start in starts):.2f} s")
    print(
        f"to ready: {ready:.2f} s, {ready / sdk:.2f} times the import of botbuilder ({sdk:.2f} s)"
    )


if __name__ == "__main__":
    sys.exit(main())
