"""Carries out infra/Dockerfile without a container engine, in a Debian made by debootstrap, and runs it.

What is proven: that every step works on a bare system with hashes checked, and that the result serves as
its own user, on a read-only root file system without any privilege, is healthy by its own HEALTHCHECK and
ends when it is asked to. What is not: the base image itself, for which Debian's own Python of the same
version stands, and the engine. Needs root, debootstrap and a network; takes about two minutes.

    sudo python3 infra/prove_image.py
"""

# ruff: noqa: S101, S108, S603, S607, T201  # it drives programs of the system, and prints
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
PATIENCE = 60.0  # seconds until something that should answer is given up
# A setting of the service such as an operator would give; the ids belong to nobody.
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
    """A root file system, and what the instructions have said about it."""

    root: Path
    env: dict[str, str] = field(
        default_factory=lambda: {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        }
    )
    folder: str = "/"
    user: str = "0:0"
    entrypoint: list[str] = field(default_factory=list[str])
    command: list[str] = field(default_factory=list[str])
    health: list[str] = field(default_factory=list[str])

    def run(self, words: Sequence[str], extra: Mapping[str, str] | None = None) -> None:
        subprocess.run(self.inside(words, extra or {}), check=True)

    def inside(self, words: Sequence[str], extra: Mapping[str, str]) -> list[str]:
        """The command line that runs `words` in this file system, with its environment and no other."""
        settings = [f"{name}={value}" for name, value in {**self.env, **extra}.items()]
        within = ["sh", "-c", f"cd {shlex.quote(self.folder)} && exec {shlex.join(words)}"]
        return [
            "chroot",
            f"--userspec={self.user}",
            str(self.root),
            "env",
            "-i",
            *settings,
            *within,
        ]


def instructions(dockerfile: Path) -> Iterator[tuple[str, str]]:
    """(INSTRUCTION, its arguments), comments left out and continued lines joined."""
    lines = [line for line in dockerfile.read_text().splitlines() if not re.match(r"\s*#", line)]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            yield name.upper(), rest.strip()


def build(dockerfile: Path, context: Path, work: Path) -> Stage:
    """Carry out the instructions; the last stage is the image."""
    stages: dict[str, Stage] = {}
    arguments: dict[str, str] = {}
    stage: Stage | None = None
    for name, rest in instructions(dockerfile):
        print(f"  {name} {rest[:100]}", flush=True)
        if name == "ARG" and stage is None:
            key, _, value = rest.partition("=")
            arguments[key] = value
            continue
        if name == "FROM":
            image, _, label = rest.partition(" AS ")
            base = re.sub(r"\$\{(\w+)\}", lambda found: arguments[found[1]], image)
            stage = Stage(work / f"stage{len(stages)}")
            subprocess.run(["cp", "-a", str(base_of(base, work)), str(stage.root)], check=True)
            stages[label or str(len(stages))] = stage
            continue
        if stage is None:
            raise SystemExit(f"{name} before FROM")
        carry_out(stage, name, rest, context, stages)
    if stage is None:
        raise SystemExit(f"{dockerfile} has no FROM")
    return stage


def carry_out(
    stage: Stage, name: str, rest: str, context: Path, stages: Mapping[str, Stage]
) -> None:
    listed: list[str] = json.loads(rest) if rest.startswith("[") else []
    if name == "RUN":
        stage.run(listed or ["sh", "-c", rest], network_settings(stage.root))
    elif name == "ENV":
        for assignment in shlex.split(rest):
            key, _, value = assignment.partition("=")
            stage.env[key] = re.sub(r"\$(\w+)", lambda found: stage.env[found[1]], value)
    elif name == "WORKDIR":
        stage.folder = rest
        (stage.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
    elif name == "USER":
        stage.user = rest
    elif name == "COPY":
        copy(stage, rest.split(), context, stages)
    elif name == "ENTRYPOINT":
        stage.entrypoint = listed
    elif name == "CMD":
        stage.command = listed
    elif name == "HEALTHCHECK":
        stage.health = json.loads(rest[rest.index("[") :])
    elif name not in {"LABEL", "EXPOSE", "STOPSIGNAL"}:
        raise SystemExit(f"cannot carry out {name}")


def copy(stage: Stage, words: list[str], context: Path, stages: Mapping[str, Stage]) -> None:
    source = context
    if words[0].startswith("--from="):
        source = stages[words.pop(0).removeprefix("--from=")].root
    *names, target = words
    place = stage.root / (Path(stage.folder) / target).as_posix().lstrip("/")
    for name in names:
        origin = source / name.lstrip("/")
        if origin.is_dir():
            shutil.copytree(origin, place, symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copy2(origin, place / origin.name if target.endswith("/") else place)


def base_of(image: str, work: Path) -> Path:
    """A Debian of the release and with the version of Python that the image's tag names."""
    found = re.fullmatch(r"python:(\d+\.\d+)-slim-(\w+)", image)
    if found is None:
        raise SystemExit(f"what stands for {image}?")
    version, release = found[1], found[2]
    base = work / release
    if not base.exists():
        command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", release, str(base)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (base / "usr/local/bin/python").symlink_to("/usr/bin/python3")
        shutil.copy("/etc/resolv.conf", base / "etc/resolv.conf")
        asked = [*Stage(base).inside(["python", "--version"], {})]
        given = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
        if not given.startswith(f"Python {version}."):
            raise SystemExit(f"{release} has {given.strip()}, the image Python {version}")
    return base


def network_settings(root: Path) -> dict[str, str]:
    """The proxy and the authorities that this machine reaches the package index with, if it needs any."""
    names = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
    settings = {name: os.environ[name] for name in (*names, "PIP_INDEX_URL") if name in os.environ}
    if authorities := os.environ.get("PIP_CERT"):
        shutil.copy(authorities, root / "tmp/authorities.pem")
        settings["PIP_CERT"] = "/tmp/authorities.pem"
    return settings


@dataclass(frozen=True, slots=True)
class Start:
    listening: float  # seconds from exec to the line that says so
    ready: float  # seconds from exec to 200 on /readyz


def serve(image: Stage, settings: Mapping[str, str]) -> Start:
    """Run the image as an engine would with a read-only root, and check what it says of itself."""
    port = free_port()
    given = {**settings, "OFFHOOK_PORT": str(port)}
    root = shlex.quote(str(image.root))
    # A mount namespace of its own: the root read-only, /tmp in memory; then no capability is left.
    prepare = (
        f"mount --bind {root} {root} && mount -o remount,ro,bind {root}"
        f" && mount -t tmpfs tmpfs {root}/tmp && mount -t proc proc {root}/proc"
        " && exec setpriv --no-new-privs --bounding-set -all,+sys_chroot,+setuid,+setgid "
    )
    inside = shlex.join(image.inside([*image.entrypoint, *image.command], given))
    began = time.monotonic()
    process = subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", prepare + inside],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        listening = time.monotonic() - began
        if not line.startswith("listening on "):
            raise SystemExit(f"it says {line!r}")
        wait_for(f"http://127.0.0.1:{port}/readyz")
        ready = time.monotonic() - began
        image.run(image.health, given)
        check_confinement(process.pid, image)
        process.send_signal(signal.SIGTERM)
        if process.wait(timeout=PATIENCE) != 0:
            raise SystemExit(f"SIGTERM ends it with {process.returncode}")
    finally:
        process.kill()
    return Start(listening, ready)


def check_confinement(pid: int, image: Stage) -> None:
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    user = image.user.split(":")[0]
    if status["Uid"].split() != [user] * 4 or int(status["CapEff"], 16) != 0:
        raise SystemExit(f"it runs as {status['Uid']} with capabilities {status['CapEff']}")
    mounts = Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
    roots = [line.split() for line in mounts if line.split()[4] == "/"]
    if not roots or "ro" not in roots[-1][5].split(","):
        raise SystemExit("its root file system is not read-only")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def wait_for(url: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.005)
    raise SystemExit(f"{url} does not answer")


def size_of(image: Stage, paths: Sequence[str]) -> tuple[float, float]:
    """Megabytes on disk and compressed, of what the image adds to its base."""
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
    parser.add_argument("--database-url", help="measure with this PostgreSQL, not with SQLite")
    given = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("debootstrap and chroot need root")
    settings = dict(SETTINGS)
    if given.database_url:
        settings["OFFHOOK_DATABASE_URL"] = given.database_url
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
            began = time.monotonic()
            image.run(["python", "-c", "import botbuilder.integration.aiohttp"])
            imports.append(time.monotonic() - began)
    ready, sdk = min(start.ready for start in starts), min(imports)
    print(f"added to the base image: {disk:.0f} MB, {packed:.0f} MB compressed")
    print(f"to 'listening on': {min(start.listening for start in starts):.2f} s")
    print(
        f"to ready: {ready:.2f} s, {ready / sdk:.2f} times the import of botbuilder ({sdk:.2f} s)"
    )


if __name__ == "__main__":
    sys.exit(main())
