"""What is installed elsewhere is whole."""

import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

from house.sources import PACKAGE, ROOT, repository_files


def test_the_wheel_holds_everything_that_runs(tmp_path: Path) -> None:
    """The wheel has every file of the package, the demo business beside its reader, and the licence."""
    with ZipFile(_wheel(ROOT, tmp_path)) as archive:
        held = set(archive.namelist())
        demo = archive.read("holdfast/business_files/emotional-balance.toml")
    package = {str(path.relative_to(ROOT / "src")) for path in repository_files() if path.is_relative_to(PACKAGE)}
    assert package - held == set()
    assert demo == (ROOT / "examples" / "emotional-balance.toml").read_bytes()
    assert any(name.endswith("licenses/LICENSE") for name in held)


def test_the_wheel_holds_the_assets_that_were_built(tmp_path: Path) -> None:
    """What `make assets` has put beside the pages is in the wheel with its licence, though git does not track it."""
    source = tmp_path / "source"
    for path in repository_files():
        copy = source / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    vendor = source / "src" / "holdfast" / "static" / "vendor"
    vendor.mkdir()
    built = ["htmx.js", "htmx.LICENSE.txt"]
    for name in built:
        (vendor / name).write_text(name)
    with ZipFile(_wheel(source, tmp_path)) as archive:
        assert [archive.read(f"holdfast/static/vendor/{name}").decode() for name in built] == built


def _wheel(source: Path, place: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(place)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    [wheel] = place.glob("*.whl")
    return wheel
