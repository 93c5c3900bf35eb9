"""Settings: read once from `HOLDFAST_*` variables by the composition roots, frozen, handed on as arguments (K-3)."""

import os
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from importlib.util import find_spec
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import conninfo

from holdfast.calendars.settings import CalendarSettings, GoogleSettings
from holdfast.kernel.addresses import Network
from holdfast.kernel.backups import has_database
from holdfast.notifications.settings import MailSettings, SmtpServer
from holdfast.payments.settings import PaymentSettings
from holdfast.webhooks.settings import WebhookSettings

# What a connection string leaves open, where it names a host: a server that is lost is noticed within seconds instead
# of a quarter of an hour. Milliseconds for tcp_user_timeout, seconds for the others.
_WATCHFUL = {"tcp_user_timeout": "5000", "keepalives_idle": "5", "keepalives_interval": "2", "keepalives_count": "3"}
# And where it names several: the one is meant that takes writes, and another is tried before a client has given up.
_ONE_OF_SEVERAL = {"target_session_attrs": "read-write", "connect_timeout": "2"}

# By default a business bears so many clients at once, each of whom writes as often as he may.
_CLIENTS_AT_ONCE = 100
_STAGES = ("internal", "stage", "prod")
# What stands in headers of mail as it is.
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")
# Settings that are secrets can be in a file, as containers and systemd hand them over.
FILES_OF_SECRETS = {
    "HOLDFAST_DSN_FILE": "HOLDFAST_DSN",
    "HOLDFAST_APP_DSN_FILE": "HOLDFAST_APP_DSN",
    "HOLDFAST_MASTER_KEY_FILE": "HOLDFAST_MASTER_KEY",
    "HOLDFAST_SMTP_URL_FILE": "HOLDFAST_SMTP_URL",
    "HOLDFAST_GOOGLE_CLIENT_SECRET_FILE": "HOLDFAST_GOOGLE_CLIENT_SECRET",
    "CRON_SECRET_FILE": "CRON_SECRET",
}
_LEVELS = ("debug", "info", "warning", "error")


class ConfigurationError(Exception):
    """A setting is missing or wrong; says which and what to do."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set."""

    # HOLDFAST_DSN: an administrative role of PostgreSQL 18 or later; without it the embedded one is used.
    dsn: str | None = None
    # HOLDFAST_APP_DSN: how servers and workers connect; by default HOLDFAST_DSN, stepping down to holdfast_app.
    app_dsn: str | None = None
    # HOLDFAST_DATA_DIR: where the embedded PostgreSQL and the generated master key live.
    data_dir: Path = Path()
    # HOLDFAST_BACKUP_DIR: where the embedded PostgreSQL keeps its log, and `holdfast backup` what it copies.
    backup_dir: Path | None = None
    # HOLDFAST_MASTER_KEY: at least 32 bytes in hex; by default made once in the data directory.
    master_key: bytes | None = None
    # HOLDFAST_KEY_REFRESH_SECONDS: how long a process uses the keys of a business before it looks for newer ones.
    key_refresh_seconds: int = 60
    # HOLDFAST_DEFAULT_BUSINESS: slug of the business that is meant when a call names none.
    default_business: str | None = None
    # HOLDFAST_POOLER: 1 when HOLDFAST_APP_DSN leads to a pooler in transaction mode; HOLDFAST_DSN never does.
    pooler: bool = False
    # HOLDFAST_QUEUE_LIMIT: how many requests may wait for admission before further ones hear 503.
    queue_limit: int = 10_000
    # HOLDFAST_GUARD_SECONDS: for how long the same contact at the same place, without a key, is the same reservation.
    guard_seconds: int = 60
    # HOLDFAST_PUBLIC_WRITES_PER_MINUTE: how often a client may write; 0 for no limit.
    public_writes_per_minute: int = 60
    # HOLDFAST_BUSINESS_WRITES_PER_MINUTE: how often all clients of a business may write together; 0 for no limit.
    business_writes_per_minute: int = 6_000
    # HOLDFAST_TRUSTED_PROXIES: addresses and networks of the proxies whose X-Forwarded-For is believed.
    trusted_proxies: tuple[Network, ...] = ()
    # HOLDFAST_HTTPS_ONLY: 1 when clients reach this server by https, whatever it can see of that itself.
    https_only: bool = False
    # HOLDFAST_LOGIN_IDLE_MINUTES: how long a login lasts without being used.
    login_idle_minutes: int = 720
    # HOLDFAST_LOGIN_DAYS: how long a login lasts at all.
    login_days: int = 14
    # CRON_SECRET: bearer secret of /api/cron/cleanup-reservations; without it the path does not exist.
    cron_secret: str | None = None
    # HOLDFAST_BENCH_ROUTES: 1 adds the two routes that `make bench` measures itself against.
    bench_routes: bool = False
    # HOLDFAST_BACKFILL_ROWS_PER_SECOND: how many rows of earlier releases all workers together bring over each second.
    backfill_rows_per_second: int = 1_000
    # HOLDFAST_LOG_LEVEL: the least that is logged: debug, info, warning or error.
    log_level: str = "info"
    # HOLDFAST_ACCESS_LOG: 1 logs a line for each request.
    access_log: bool = False
    # HOLDFAST_OTEL: 1 sends traces; by default, when OTEL_EXPORTER_OTLP_ENDPOINT is set and the packages are there.
    tracing: bool = False
    # HOLDFAST_STAGE: what kind of server this is, for flags that are on for some: internal, stage or prod.
    stage: str = "prod"
    # HOLDFAST_PUBLIC_URL, HOLDFAST_PRIVATE_CALENDARS and all of Google: how calendars are reached, and reach us.
    calendars: CalendarSettings = field(default_factory=CalendarSettings)
    # HOLDFAST_PUBLIC_URL again, and where providers of payments are and tell from: see payments/settings.py.
    payments: PaymentSettings = field(default_factory=PaymentSettings)
    # HOLDFAST_SMTP_URL, HOLDFAST_MAIL_FROM, HOLDFAST_MAILS_PER_SECOND, HOLDFAST_PUBLIC_URL: how mail is sent, if it is.
    mail: MailSettings = field(default_factory=MailSettings)
    # HOLDFAST_PRIVATE_WEBHOOKS: 1 lets owners have programs of this server's own network told, and by http.
    webhooks: WebhookSettings = field(default_factory=WebhookSettings)
    # HOLDFAST_PG_BIN: a folder with the binaries of PostgreSQL 18, instead of the embedded ones.
    pg_bin: Path | None = None


def read(environment: Mapping[str, str]) -> Settings:
    """Return the settings of an environment.

    Raises ConfigurationError, which names the variable.
    """
    environment = with_secrets(environment)
    per_client = _number(environment, "HOLDFAST_PUBLIC_WRITES_PER_MINUTE", 60, least=0)
    return Settings(
        dsn=checked_dsn(environment.get("HOLDFAST_DSN"), "HOLDFAST_DSN"),
        app_dsn=checked_dsn(environment.get("HOLDFAST_APP_DSN"), "HOLDFAST_APP_DSN"),
        data_dir=Path(environment.get("HOLDFAST_DATA_DIR") or _default_data_dir(environment)).expanduser().absolute(),
        backup_dir=_folder(environment, "HOLDFAST_BACKUP_DIR"),
        master_key=_key(environment.get("HOLDFAST_MASTER_KEY"), "HOLDFAST_MASTER_KEY"),
        key_refresh_seconds=_number(environment, "HOLDFAST_KEY_REFRESH_SECONDS", 60),
        default_business=environment.get("HOLDFAST_DEFAULT_BUSINESS") or None,
        pooler=_flag(environment, "HOLDFAST_POOLER"),
        queue_limit=_number(environment, "HOLDFAST_QUEUE_LIMIT", 10_000),
        guard_seconds=_number(environment, "HOLDFAST_GUARD_SECONDS", 60, least=0),
        public_writes_per_minute=per_client,
        # Whoever sets no limit, or another one, for a client means all of them by it.
        business_writes_per_minute=_number(
            environment, "HOLDFAST_BUSINESS_WRITES_PER_MINUTE", min(per_client * _CLIENTS_AT_ONCE, 999_999_999), least=0
        ),
        trusted_proxies=_networks(environment.get("HOLDFAST_TRUSTED_PROXIES", ""), "HOLDFAST_TRUSTED_PROXIES"),
        https_only=_flag(environment, "HOLDFAST_HTTPS_ONLY"),
        login_idle_minutes=_number(environment, "HOLDFAST_LOGIN_IDLE_MINUTES", 720),
        login_days=_number(environment, "HOLDFAST_LOGIN_DAYS", 14, most=3_650),
        cron_secret=environment.get("CRON_SECRET") or None,
        bench_routes=_flag(environment, "HOLDFAST_BENCH_ROUTES"),
        backfill_rows_per_second=_number(environment, "HOLDFAST_BACKFILL_ROWS_PER_SECOND", 1_000),
        log_level=_word(environment, "HOLDFAST_LOG_LEVEL", _LEVELS, "info"),
        access_log=_flag(environment, "HOLDFAST_ACCESS_LOG"),
        tracing=_tracing(environment),
        stage=_word(environment, "HOLDFAST_STAGE", _STAGES, "prod"),
        calendars=_calendars(environment),
        payments=_payments(environment),
        mail=_mail(environment),
        webhooks=WebhookSettings(_flag(environment, "HOLDFAST_PRIVATE_WEBHOOKS")),
        pg_bin=_folder(environment, "HOLDFAST_PG_BIN"),
    )


def with_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment with the secrets themselves in the place of the files that it names.

    Raises ConfigurationError for a file that cannot be read, is empty, or is named beside the secret itself.
    """
    found = {name: value for name, value in environment.items() if name not in FILES_OF_SECRETS}
    for name, secret in FILES_OF_SECRETS.items():
        file = environment.get(name)
        if not file:
            continue
        if environment.get(secret):
            raise ConfigurationError(f"Set {secret} or {name}, not both.")
        try:
            found[secret] = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise ConfigurationError(f"{name}: cannot read {file}: {reason}.") from None
        if not found[secret]:
            raise ConfigurationError(f"{name}: {file} is empty.")
    return found


def master_key(settings: Settings) -> bytes:
    """Return the master key; made in the data directory, readable by its owner only, when none is set.

    Raises ConfigurationError when an outside database is used without a key: losing a generated key with the
    machine would make every token void. And when the data directory has a database but no key: what is kept there is
    sealed under another one.
    """
    if settings.master_key is not None:
        return settings.master_key
    if settings.dsn is not None:
        raise ConfigurationError(
            "Set HOLDFAST_MASTER_KEY (64 hexadecimal characters, for instance from `openssl rand -hex 32`) "
            "when HOLDFAST_DSN names an outside database, the same for every server."
        )
    file = key_file(settings)
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not file.exists():
        if has_database(settings.data_dir):
            raise ConfigurationError(
                f"The database in {settings.data_dir} is kept under a master key that is not here:"
                f" put your copy of it into {file}, or set HOLDFAST_MASTER_KEY."
            )
        fresh = file.with_suffix(f".{os.getpid()}")
        fresh.unlink(missing_ok=True)  # of a killed run with our process id, which repeats soon in a container
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.write(secrets.token_hex(32))
            out.flush()
            os.fsync(out.fileno())
        try:
            os.link(fresh, file)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return key_of_file(file)


def known_master_key(settings: Settings) -> bytes | None:
    """Return the master key that is set, or that an embedded database has; None when there is none. Makes none."""
    if settings.master_key is not None or settings.dsn is not None:
        return settings.master_key
    file = key_file(settings)
    return key_of_file(file) if file.exists() else None


def key_file(settings: Settings) -> Path:
    """Return where the master key is when none is set."""
    return settings.data_dir / "master.key"


def key_of_file(file: Path) -> bytes:
    """Return the master key in a file. Raises ConfigurationError when there is none in it."""
    key = _key(file.read_text(errors="replace").strip(), str(file))
    if key is None:
        raise ConfigurationError(f"{file} is empty; restore it from a backup.")
    return key


def checked_dsn(text: str | None, name: str) -> str | None:
    """Return a connection string that libpq can read, None for none; raises ConfigurationError without quoting it.

    What it leaves open about servers that are lost is filled in. It may name several hosts with commas between; the one
    that takes writes is used (docs/high-availability.md).
    """
    try:
        told = conninfo.conninfo_to_dict(text or "")
    except psycopg.ProgrammingError:
        raise ConfigurationError(
            f"{name} must be a connection string of PostgreSQL, like postgresql://user:password@host:5432/database."
        ) from None
    hosts = str(told.get("host") or told.get("hostaddr") or "").split(",")
    # A socket is a path or an abstract name: what listens there ends with the machine.
    if not text or all(not host or host.startswith(("/", "@")) for host in hosts):
        return text or None
    filled = _WATCHFUL | (_ONE_OF_SEVERAL if len(hosts) > 1 else {})
    return conninfo.make_conninfo(text, **{word: value for word, value in filled.items() if word not in told})


def application_dsn(settings: Settings, dsn: str) -> str:
    """Return how the application connects: as holdfast_app, which owns nothing and bypasses nothing."""
    return settings.app_dsn if settings.app_dsn is not None else _stepped_down(dsn)


def jobs_dsn(settings: Settings, dsn: str) -> str:
    """Return how the job library connects: it listens, and a pooler in transaction mode passes no messages on."""
    return _stepped_down(dsn) if settings.pooler else application_dsn(settings, dsn)


def _stepped_down(dsn: str) -> str:
    # The limits are those that roles.sql gives to the role when it logs in by itself.
    settings_of_role = {
        "role": "holdfast_app",
        "timezone": "UTC",
        "lock_timeout": "10s",
        "idle_in_transaction_session_timeout": "60s",
    }
    options = " ".join(f"-c {name}={value}" for name, value in settings_of_role.items())
    return conninfo.make_conninfo(dsn, options=options)


def _default_data_dir(environment: Mapping[str, str]) -> str:
    base = environment.get("XDG_DATA_HOME") or "~/.local/share"
    return f"{base}/holdfast"


def _folder(environment: Mapping[str, str], name: str) -> Path | None:
    text = environment.get(name)
    return Path(text).expanduser().absolute() if text else None


def _key(text: str | None, name: str) -> bytes | None:
    if not text:
        return None
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) < 32:
        raise ConfigurationError(f"{name} must hold at least 32 bytes as hexadecimal characters.")
    return key


def _flag(environment: Mapping[str, str], name: str) -> bool:
    text = environment.get(name, "").lower()
    if text not in ("", "0", "1", "true", "false"):
        raise ConfigurationError(f"{name} must be 1 or 0.")
    return text in ("1", "true")


def _word(environment: Mapping[str, str], name: str, words: Sequence[str], default: str) -> str:
    text = environment.get(name, "").lower() or default
    if text not in words:
        raise ConfigurationError(f"{name} must be one of {', '.join(words)}.")
    return text


def _tracing(environment: Mapping[str, str]) -> bool:
    told = bool(environment.get("HOLDFAST_OTEL"))
    wanted = _flag(environment, "HOLDFAST_OTEL") if told else bool(environment.get("OTEL_EXPORTER_OTLP_ENDPOINT"))
    if not wanted or (find_spec("opentelemetry") and find_spec("opentelemetry.sdk")):
        return wanted
    if told:
        raise ConfigurationError("HOLDFAST_OTEL needs packages that are not there: install holdfast[otel].")
    return False


def _number(environment: Mapping[str, str], name: str, default: int, *, least: int = 1, most: int = 999_999_999) -> int:
    text = environment.get(name)
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and least <= int(text) <= most):
        raise ConfigurationError(f"{name} must be a whole number from {least} to {most}.")
    return int(text)


def _calendars(environment: Mapping[str, str]) -> CalendarSettings:
    usual = GoogleSettings()
    google = GoogleSettings(
        environment.get("HOLDFAST_GOOGLE_CLIENT_ID") or None,
        environment.get("HOLDFAST_GOOGLE_CLIENT_SECRET") or None,
        _url(environment, "HOLDFAST_GOOGLE_API_URL") or usual.api_url,
        _url(environment, "HOLDFAST_GOOGLE_AUTHORIZE_URL") or usual.authorize_url,
        _url(environment, "HOLDFAST_GOOGLE_TOKEN_URL") or usual.token_url,
        _url(environment, "HOLDFAST_GOOGLE_REVOKE_URL") or usual.revoke_url,
    )
    if (google.client_id is None) != (google.client_secret is None):
        raise ConfigurationError("Set both of HOLDFAST_GOOGLE_CLIENT_ID and HOLDFAST_GOOGLE_CLIENT_SECRET, or neither.")
    private = _flag(environment, "HOLDFAST_PRIVATE_CALENDARS")
    return CalendarSettings(google, _url(environment, "HOLDFAST_PUBLIC_URL"), private)


def _payments(environment: Mapping[str, str]) -> PaymentSettings:
    usual = PaymentSettings()
    addresses, allowed = "HOLDFAST_YOOKASSA_ADDRESSES", "HOLDFAST_PAYMENT_API_URLS"
    return PaymentSettings(
        _url(environment, "HOLDFAST_YOOKASSA_API_URL") or usual.yookassa_api_url,
        _networks(environment.get(addresses, ""), addresses) or usual.yookassa_networks,
        _url(environment, "HOLDFAST_STRIPE_API_URL") or usual.stripe_api_url,
        tuple(_checked_url(each, allowed) for each in environment.get(allowed, "").replace(",", " ").split()),
        _url(environment, "HOLDFAST_PUBLIC_URL"),
    )


def _mail(environment: Mapping[str, str]) -> MailSettings:
    text, sender = environment.get("HOLDFAST_SMTP_URL"), environment.get("HOLDFAST_MAIL_FROM", "")
    public_url = _url(environment, "HOLDFAST_PUBLIC_URL") or ""
    per_second = _number(environment, "HOLDFAST_MAILS_PER_SECOND", 10, most=1_000)
    if not text:
        return MailSettings(public_url=public_url, per_second=per_second)
    try:
        server = SmtpServer.of_url(text)
    except ValueError as wrong:
        # What is wrong is told without the password that may stand in it.
        raise ConfigurationError(f"HOLDFAST_SMTP_URL: {wrong}.") from None
    if not _is_address(sender):
        raise ConfigurationError(
            "Set HOLDFAST_MAIL_FROM to the address from which mail is sent, like bookings@example.org."
        )
    if not public_url:
        raise ConfigurationError(
            "Set HOLDFAST_PUBLIC_URL to the address of this server as the world knows it: mail has links to it."
        )
    return MailSettings(server, sender, public_url, per_second)


def _is_address(text: str) -> bool:
    try:
        return bool(_ADDRESS.fullmatch(text)) and Address(addr_spec=text).addr_spec == text
    except (ValueError, MessageError):
        return False


def _url(environment: Mapping[str, str], name: str) -> str | None:
    text = environment.get(name)
    return _checked_url(text, name) if text else None


def _checked_url(text: str, name: str) -> str:
    try:
        parts = urlsplit(text)
        sound = parts.scheme in ("http", "https") and parts.hostname and not (parts.query or parts.fragment)
    except ValueError:
        sound = False
    if not sound:
        raise ConfigurationError(f"{name} must be an address like https://booking.example.org.")
    return text.rstrip("/")


def _networks(text: str, name: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(each) for each in text.replace(",", " ").split())
    except ValueError:
        raise ConfigurationError(
            f"{name} must hold addresses or networks with commas between, like 10.0.0.7, 192.168.1.0/24."
        ) from None
