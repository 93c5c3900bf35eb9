"""What is installed elsewhere is whole."""

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

from house.sources import PACKAGE, ROOT, repository_files


def test_the_wheel_holds_everything_that_runs(tmp_path: Path) -> None:
    """The wheel has every file of the package, the demo business beside its reader, and the licence."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    with ZipFile(wheel) as archive:
        held = set(archive.namelist())
        demo = archive.read("holdfast/business_files/emotional-balance.toml")
    package = {str(path.relative_to(ROOT / "src")) for path in repository_files() if path.is_relative_to(PACKAGE)}
    assert package - held == set()
    assert demo == (ROOT / "examples" / "emotional-balance.toml").read_bytes()
    assert any(name.endswith("licenses/LICENSE") for name in held)
