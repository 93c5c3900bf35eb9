"""Secrets in files, as containers and systemd hand them over (K-3)."""

from pathlib import Path

import pytest

from conftest import MASTER_KEY
from holdfast import config
from holdfast.kernel.embedded import EmbeddedPostgres
from journeys.instance import holdfast, serving


def test_a_server_is_given_its_secrets_in_files(postgres: EmbeddedPostgres, own_database: str, tmp_path: Path) -> None:
    """A server on an outside database finds its connection string and master key in files, serves, and hands them to its parts
    (K-1, K-3).
    """
    (tmp_path / "dsn").write_text(postgres.uri(database=own_database) + "\n")
    (tmp_path / "key").write_text(MASTER_KEY.hex() + "\n")
    secrets = {"HOLDFAST_DSN_FILE": str(tmp_path / "dsn"), "HOLDFAST_MASTER_KEY_FILE": str(tmp_path / "key")}
    with serving(None, "--demo", **secrets) as instance:
        assert instance.get("/health/ready").status_code == 200
        assert instance.part("worker").lives
    verified = holdfast("verify", **secrets)
    assert verified.returncode == 0, verified.stderr


@pytest.mark.parametrize("name", sorted(config.FILES_OF_SECRETS))
def test_a_file_stands_for_its_setting(name: str, tmp_path: Path) -> None:
    """Each setting that is a secret can be named by a file instead; together with it, unreadable or empty it is refused (K-3)."""
    file, secret = tmp_path / "secret", config.FILES_OF_SECRETS[name]
    file.write_text(" kept \n")
    assert config.with_secrets({name: str(file), "HOLDFAST_STAGE": "prod"}) == {
        secret: "kept",
        "HOLDFAST_STAGE": "prod",
    }
    with pytest.raises(config.ConfigurationError, match=f"Set {secret} or {name}, not both"):
        config.with_secrets({name: str(file), secret: "other"})
    with pytest.raises(config.ConfigurationError, match=f"{name}: cannot read .*: No such file"):
        config.read({name: str(tmp_path / "absent")})
    file.write_text("\n")
    with pytest.raises(config.ConfigurationError, match=f"{name}: .* is empty"):
        config.read({name: str(file)})
