"""The commands do what they say, beside a running server too, and say in a sentence what they cannot do."""

import json
import os
import subprocess
from pathlib import Path

import psycopg
import pytest

from holdfast.business_files.demo import demo_text
from journeys.instance import HOLDFAST, Instance, clean_environment, holdfast

COMMANDS = ["serve", "worker", "migrate", "import", "export", "verify", "key", "doctor"]
OTHER = demo_text().replace('slug = "emotional-balance"', 'slug = "{slug}"')


def contents(dsn: str) -> list[tuple[str, str]]:
    """Return the tables of the catalog, each as one sum."""
    tables = ("businesses", "resources", "services", "programs", "program_schedules", "availability_rules")
    with psycopg.connect(dsn) as connection:
        sums = [f"select md5(string_agg(t::text, ',' order by t)) from {table} t" for table in tables]
        return [(table, str(connection.execute(s.encode()).fetchone())) for table, s in zip(tables, sums, strict=True)]


def test_verify_beside_a_running_server(running: Instance) -> None:
    """verify finds nothing in the demo business while it is served: exit code 0, and an empty list as JSON (B-25, K-1)."""
    told = holdfast("verify", "--data", running.data_dir)
    assert (told.returncode, told.stdout) == (0, "All invariants hold.\n")
    as_json = holdfast("verify", "--dsn", running.dsn, "--json")
    assert (as_json.returncode, as_json.stdout) == (0, "[]\n")


def test_verify_tells_a_violation(running: Instance) -> None:
    """verify ends with exit code 1 and names check and row of a counter that somebody falsified (B-25)."""
    falsify = "set session_replication_role = replica; update program_schedules set taken = taken + %s where id = '%s'"
    with psycopg.connect(running.dsn, autocommit=True) as admin:
        row = admin.execute("select id from program_schedules order by starts_at desc limit 1").fetchone()
        assert row is not None
        admin.execute((falsify % (1, row[0])).encode())
        try:
            told = holdfast("verify", "--data", running.data_dir)
            as_json = holdfast("verify", "--data", running.data_dir, "--json")
        finally:
            admin.execute((falsify % (-1, row[0])).encode())
    assert (told.returncode, as_json.returncode) == (1, 1)
    assert str(row[0]) in told.stdout
    assert told.stdout.splitlines()[-1] == "1 violations"
    [violation] = json.loads(as_json.stdout)
    assert violation["ids"] == [str(row[0])]
    assert violation["check"]
    assert violation["problem"]


def test_import_is_repeatable(running: Instance, tmp_path: Path) -> None:
    """import loads a business beside the running server, which serves it at once, and again it changes nothing; --data
    wins over the database that the environment names (K-2, K-3).
    """
    file = tmp_path / "other.toml"
    file.write_text(OTHER.replace("{slug}", "other-practice"), encoding="utf-8")
    elsewhere = "postgresql://nobody@127.0.0.1:1/none"
    first = holdfast("import", file, "--data", running.data_dir, HOLDFAST_DSN=elsewhere, HOLDFAST_APP_DSN=elsewhere)
    assert (first.returncode, first.stdout.splitlines()[0]) == (0, "business created")
    assert running.get("/api/public/businesses/other-practice").status_code == 200
    before = contents(running.dsn)
    again = holdfast("import", file, "--dsn", running.dsn, "--json")
    assert again.returncode == 0
    assert json.loads(again.stdout)["business"] == "unchanged"
    assert contents(running.dsn) == before


def test_import_of_a_bad_file_changes_nothing(running: Instance, tmp_path: Path) -> None:
    """import names line and reason of everything that is wrong in a file, ends with 2 and has changed nothing (K-2)."""
    bad = demo_text().replace('"09:00-21:00"', '"21:00-09:99"').replace("duration_minutes = 20", "duration_minutes = 0")
    file = tmp_path / "bad.toml"
    file.write_text(bad, encoding="utf-8")
    before = contents(running.dsn)
    refused = holdfast("import", file, "--data", running.data_dir)
    assert (refused.returncode, refused.stdout) == (2, "")
    for wrong in ("21:00-09:99", "duration_minutes = 0"):
        line = bad[: bad.index(wrong)].count("\n") + 1
        assert f"line {line}: " in refused.stderr
    assert "Traceback" not in refused.stderr
    assert contents(running.dsn) == before


def test_export_writes_what_import_reads(running: Instance, tmp_path: Path) -> None:
    """export writes a business to stdout or into a file, which import takes without a change; a place that cannot be
    written is told and nothing half is left (K-2).
    """
    shown = holdfast("export", "--data", running.data_dir, "--business", "emotional-balance")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith('[business]\nslug = "emotional-balance"\nname = "Эмоциональный баланс"\n')
    file = tmp_path / "business.toml"
    file.write_text("older")
    kept = holdfast("export", file, "--dsn", running.dsn, HOLDFAST_DEFAULT_BUSINESS="emotional-balance")
    assert (kept.returncode, kept.stdout, file.read_text(encoding="utf-8")) == (0, "", shown.stdout)
    again = holdfast("import", file, "--data", running.data_dir)
    assert again.stdout.splitlines()[0] == "business unchanged"
    refused = holdfast("export", tmp_path / "no" / "file.toml", "--data", running.data_dir, "--business", "nobody")
    assert (refused.returncode, refused.stderr) == (2, "holdfast: There is no such business\n")
    refused = holdfast(
        "export", tmp_path / "no" / "f.toml", "--data", running.data_dir, "--business", "emotional-balance"
    )
    assert (refused.returncode, "Cannot write" in refused.stderr, "Traceback" in refused.stderr) == (2, True, False)
    assert [path.name for path in tmp_path.iterdir()] == ["business.toml"]


def test_export_replaces_files_only(running: Instance, tmp_path: Path) -> None:
    """export writes through a link into the file behind it, and into a pipe or device without replacing it (K-2)."""
    words = ("--data", running.data_dir, "--business", "emotional-balance")
    text = holdfast("export", *words).stdout
    file, link = tmp_path / "kept.toml", tmp_path / "link.toml"
    link.symlink_to(file)
    for content in ("older", None):
        file.write_text(content) if content else file.unlink()
        assert holdfast("export", link, *words).returncode == 0
        assert (link.is_symlink(), file.read_text(encoding="utf-8")) == (True, text)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    # Open for both, so that nobody waits for the other end; the demo business fits into a pipe.
    end = os.open(pipe, os.O_RDWR)
    try:
        assert holdfast("export", pipe, *words).returncode == 0
        assert (pipe.is_fifo(), os.read(end, 65_536).decode()) == (True, text)
    finally:
        os.close(end)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept.toml", "link.toml", "pipe"]


def test_an_export_that_does_not_fit_is_told(running: Instance) -> None:
    """export to a full stdout ends with 2 and a sentence, so that nobody takes half a file for a backup (K-2)."""
    with Path("/dev/full").open("wb") as full:
        told = subprocess.run(
            [*HOLDFAST, "export", "--data", running.data_dir, "--business", "emotional-balance"],
            env=clean_environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
    assert (told.returncode, told.stderr) == (2, "holdfast: Cannot write to stdout: No space left on device.\n")


@pytest.mark.parametrize("name", ["business", "calendar"])
def test_import_from_a_pipe(running: Instance, name: str) -> None:
    """import reads a business and a calendar from a pipe as well, which can be read once only (K-2)."""
    calendar = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n"
    text, words = {
        "business": (demo_text(), ()),
        "calendar": (calendar, ("--as", "busy", "--resource", "room", "--business", "emotional-balance")),
    }[name]
    done = subprocess.run(
        [*HOLDFAST, "import", "/dev/stdin", "--data", running.data_dir, *words],
        env=clean_environment(),
        input=text,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text", ["[business", "", "\0", "\xff"])
def test_import_of_no_business_file_is_told(running: Instance, tmp_path: Path, text: str) -> None:
    """import of what is no business file ends with exit code 2 and names a line (K-2)."""
    file = tmp_path / "no.toml"
    file.write_text(text, encoding="latin-1")
    refused = holdfast("import", file, "--data", running.data_dir)
    assert refused.returncode == 2
    assert refused.stderr.startswith("holdfast: line ")
    assert "Traceback" not in refused.stderr


def test_migrate_plan_runs_nothing(running: Instance) -> None:
    """migrate --plan prints the SQL and runs none of it; migrate runs it, and again it does nothing (D-1, K-3)."""
    with psycopg.connect(running.dsn, autocommit=True) as admin:
        admin.execute("create database planned")
    dsn = running.dsn.replace("/holdfast?", "/planned?")
    plan = holdfast("migrate", "--dsn", dsn, "--plan")
    assert plan.returncode == 0
    assert "create table bookings" in plan.stdout
    with psycopg.connect(dsn) as connection:
        tables = connection.execute("select count(*) from pg_class where relnamespace = 'public'::regnamespace")
        assert tables.fetchone() == (0,)
    ran = holdfast("migrate", "--dsn", dsn, "--json")
    assert "booking/admission" in json.loads(ran.stdout)["ran"]
    again = holdfast("migrate", "--dsn", dsn)
    assert (again.returncode, again.stdout) == (0, "0 migrations ran\n")
    assert all(line.startswith("backfill ") for line in again.stderr.splitlines()), again.stderr
    assert holdfast("migrate", "--dsn", dsn, "--plan").stdout.strip() == ""


@pytest.mark.parametrize(
    ("words", "environment", "told"),
    [
        (["serve"], {"HOLDFAST_MASTER_KEY": "not hexadecimal"}, "HOLDFAST_MASTER_KEY must hold at least 32 bytes"),
        (["serve"], {"HOLDFAST_MASTER_KEY": "abcd"}, "HOLDFAST_MASTER_KEY must hold at least 32 bytes"),
        (["serve"], {"HOLDFAST_POOLER": "perhaps"}, "HOLDFAST_POOLER must be 1 or 0"),
        (["serve"], {"HOLDFAST_QUEUE_LIMIT": "many"}, "HOLDFAST_QUEUE_LIMIT must be a whole number"),
        (["serve"], {"HOLDFAST_PUBLIC_WRITES_PER_MINUTE": "-1"}, "must be a whole number from 0 to 999999999"),
        (["serve"], {"HOLDFAST_BUSINESS_WRITES_PER_MINUTE": "few"}, "must be a whole number from 0 to 999999999"),
        (["serve"], {"HOLDFAST_TRUSTED_PROXIES": "10.0.0.1/8"}, "HOLDFAST_TRUSTED_PROXIES must hold addresses or net"),
        (["serve"], {"HOLDFAST_PG_BIN": "bin-of-nobody"}, "no program postgres in "),
        (["serve"], {"HOLDFAST_DSN": "secret-word"}, "HOLDFAST_DSN must be a connection string"),
        (["serve", "--dsn", "secret-word"], {}, "--dsn must be a connection string"),
        (["serve", "--host", "no host"], {}, "Cannot listen on no host"),
        (["serve", "--data", "d", "--dsn", "postgresql://x"], {}, "Give --data or --dsn, not both"),
        (["worker"], {}, "Set HOLDFAST_DSN"),
        (["migrate"], {}, "Give --dsn or HOLDFAST_DSN"),
        (["verify"], {}, "no Holdfast is running on "),
        (["verify", "--dsn", "postgresql://nobody@127.0.0.1:1/none"], {}, "connection failed"),
    ],
)
def test_what_the_user_can_mend_is_said_in_a_sentence(
    tmp_path: Path, words: list[str], environment: dict[str, str], told: str
) -> None:
    """A wrong or missing setting ends a command with exit code 2 and a message that names it, without a traceback (K-3)."""
    failed = holdfast(*words, **({"HOLDFAST_DATA_DIR": str(tmp_path / "data")} | environment))
    assert (failed.returncode, failed.stdout) == (2, "")
    assert told in failed.stderr.partition("holdfast: ")[2]
    assert "Traceback" not in failed.stderr
    assert "secret-word" not in failed.stderr


def test_an_outside_database_needs_a_key(running: Instance) -> None:
    """serve on an outside database refuses to start without a master key, since all servers must have the same (K-3)."""
    refused = holdfast("serve", "--dsn", running.dsn, "--port", "0")
    assert refused.returncode == 2
    assert refused.stderr.startswith("holdfast: Set HOLDFAST_MASTER_KEY (64 hexadecimal characters")


def test_a_damaged_key_file_is_named(tmp_path: Path) -> None:
    """A master key file that is no key stops serve with the file's name; it is never made anew (K-3)."""
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    (data_dir / "master.key").write_text("garbage")
    refused = holdfast("serve", "--data", data_dir, "--port", "0")
    assert refused.returncode == 2
    assert f"holdfast: {data_dir}/master.key must hold at least 32 bytes" in refused.stderr
    assert (data_dir / "master.key").read_text() == "garbage"


@pytest.mark.parametrize("words", ["sell", "serve --twice", "serve --port=70000", "import no-file", "import"])
def test_wrong_words_are_refused(words: str) -> None:
    """An unknown command, an unknown option or a value out of range ends with exit code 2 and runs nothing (K-3)."""
    refused = holdfast(*words.split())
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "Usage: " in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_tells_its_options(command: str) -> None:
    """--help of every command ends with exit code 0 and tells what it is for (K-3)."""
    told = holdfast(*([command] if command else []), "--help", COLUMNS="120")
    assert (told.returncode, told.stderr) == (0, "")
    assert "Usage:" in told.stdout
    assert [name for name in ([] if command else COMMANDS) if name not in told.stdout] == []
