"""What `deploy/` hands to whoever runs a server: commands that parse, settings that are read, and nothing that it need not have."""

import configparser
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from holdfast import cli, config, web
from house.sources import PACKAGE, ROOT
from house.test_documents import SETTING

DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
PROGRAM = "/usr/local/lib/holdfast/bin/holdfast"
# What systemd says of a service that may do anything is 9.6.
EXPOSURE_AT_MOST = 2.0


def compose() -> dict[str, Any]:
    """Return the composition as a composer reads it, with its anchors followed."""
    read: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return read


def unit(path: Path) -> dict[str, list[str]]:
    """Return the settings of the service in a unit."""
    found: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def stages() -> list[list[tuple[str, str]]]:
    """Return the instructions of the image, stage by stage."""
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.partition(" ") for line in text.splitlines() if line and not line.startswith("#")]
    found: list[list[tuple[str, str]]] = [[]]
    for name, _, rest in lines:
        if name == "FROM":
            found.append([])
        found[-1].append((name, rest.strip()))
    return found


def command_lines() -> Iterator[tuple[str, list[str]]]:
    """Yield each command line of ours, with where it stands."""
    for path in UNITS:
        for line in unit(path)["ExecStart"]:
            program, *words = shlex.split(line)
            assert program == PROGRAM, path.name
            yield path.name, words
    for name, service in compose()["services"].items():
        if service["image"] == "holdfast":
            yield f"compose: {name}", service["command"]
    [words] = [rest for name, rest in stages()[-1] if name == "CMD"]
    yield "Containerfile", yaml.safe_load(words)


def test_command_lines_are_understood() -> None:
    """Each command line of image, composition and units is one that `holdfast` parses, with all its options (K-1, K-3)."""
    root = typer.main.get_command(cli.app)
    commands = root.commands  # type: ignore[attr-defined]
    for place, (name, *words) in command_lines():
        assert name in commands, place
        commands[name].make_context(name, list(words))


def test_settings_are_read() -> None:
    """Each setting that image, composition and units name is one that Holdfast reads (K-3)."""
    read = set(SETTING.findall((PACKAGE / "config.py").read_text(encoding="utf-8")))
    files = [path for path in DEPLOY.rglob("*") if path.is_file() and "secrets" not in path.parts]
    named = {(path.name, name) for path in files for name in SETTING.findall(path.read_text(encoding="utf-8"))}
    assert len({name for _, name in named}) > 5
    assert {(file, name) for file, name in named if name not in read} == set()


def test_secrets_come_in_files() -> None:
    """No secret is a variable of an image, a composition or a unit, where others read it: each is in a file that is declared (K-3)."""
    secrets = set(config.FILES_OF_SECRETS.values())
    composed = compose()
    for name, service in composed["services"].items():
        environment = service["environment"]
        assert not secrets & set(environment), name
        mounted = {f"/run/secrets/{each}" for each in service["secrets"]}
        assert {value for key, value in environment.items() if key.endswith("_FILE")} == mounted, name
        assert set(service["secrets"]) <= set(composed["secrets"]), name
    for path in UNITS:
        assigned = {word.partition("=") for line in unit(path).get("Environment", []) for word in line.split()}
        assert not secrets & {name for name, *_ in assigned}, path.name
        credentials = {line.partition(":")[0] for line in unit(path).get("LoadCredential", [])}
        assert {value.removeprefix("%d/") for name, _, value in assigned if name.endswith("_FILE")} == credentials
    assert not [rest for stage in stages() for name, rest in stage if name in ("ARG", "ENV") and "SECRET" in rest]


def test_what_serves_asks_whether_it_does() -> None:
    """Image and composition look at a path that is served, and PostgreSQL is the version that Holdfast needs (H-3)."""
    routes = {path for handler in web.handlers(config.Settings()) for path in handler.paths}
    services = compose()["services"]
    looks = [rest for name, rest in stages()[-1] if name == "HEALTHCHECK"] + services["server"]["healthcheck"]["test"]
    asked = {path for look in looks for path in re.findall(r"127\.0\.0\.1:8000(/[\w/]+)", look)}
    assert asked == {"/health/ready"}
    assert asked <= routes
    assert services["postgres"]["image"].endswith("postgres:18")
    assert services["postgres"]["healthcheck"]["test"][1] == "pg_isready"
    for name, needed in (("server", "postgres"), ("worker", "server")):
        assert services[name]["depends_on"][needed]["condition"] == "service_healthy"


def test_nobody_has_what_he_need_not() -> None:
    """The image runs as a numbered user, the composition takes away what a server does without, and its port is this machine's (K-1)."""
    assert ("USER", "10001") in stages()[-1]
    for name in ("server", "worker"):
        service = compose()["services"][name]
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"]), name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert "volumes" not in service, name
    assert compose()["services"]["server"]["ports"] == ["127.0.0.1:8000:8000"]
    assert not [name for name in ("postgres", "worker") if "ports" in compose()["services"][name]]


def test_the_image_is_made_from_what_it_is_given() -> None:
    """What goes into the image's making is there, and nothing that whoever makes it has besides (D-5)."""
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert [pattern for pattern in kept if not list(ROOT.glob(pattern))] == []
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    [made] = [rest for _, rest in stages()[1] if rest.startswith("make ")]
    assert [word for word in made.split()[1:] if "=" not in word and f"\n{word}:" not in makefile] == []
    for name in ("pyproject.toml", "Makefile", "src", "frontend", "README.md", "LICENSE"):
        assert name in kept


def needs(program: str) -> None:
    """Skip on a machine without a program that is no part of Holdfast; CI has it."""
    if shutil.which(program) is None:
        assert os.environ.get("CI") != "true", f"CI needs {program}"
        pytest.skip(f"there is no {program} here")


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """systemd finds nothing wrong in any unit or timer, each timer has its service, and each service is well shut in (K-1)."""
    for timer in (DEPLOY / "systemd").glob("*.timer"):
        assert timer.with_suffix(".service") in UNITS
        read = configparser.ConfigParser(strict=False, interpolation=None)
        read.read(timer)
        assert read["Install"]["WantedBy"] == "timers.target"
    needs("systemd-analyze")
    # It wants the program to be where the unit says.
    for path in (DEPLOY / "systemd").iterdir():
        (tmp_path / path.name).write_text(path.read_text().replace(PROGRAM, "/bin/true"))
    told = subprocess.run(
        ["systemd-analyze", "verify", *tmp_path.iterdir()], capture_output=True, text=True, check=False
    )
    assert (told.returncode, "holdfast" in told.stdout + told.stderr) == (0, False), told.stderr
    for path in UNITS:
        judged = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_AT_MOST * 10:.0f}", path],
            capture_output=True,
            text=True,
            check=False,
        )
        assert judged.returncode == 0, judged.stdout.splitlines()[-1]
