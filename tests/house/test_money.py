"""Money is whole minor units everywhere: in Python, in SQL, in the database and in what is sent. It is never a float."""

import ast
import dataclasses
import importlib
import pkgutil
import re
import typing
from collections.abc import Iterator
from types import NoneType

import msgspec
import psycopg
import pytest

import holdfast
from holdfast.kernel.embedded import EmbeddedPostgres
from house.sources import PACKAGE, place, python_files, texts, tree
from house.statements import STATEMENTS, numbered

_WORDS = "price|amount|money|cost|fee|total|minor|captured|refunded|refunding"
# `price_minor`, `refunded`, `amountMinor`; not `captured_at` or `refunded_since`, which are about something else.
MONEY = re.compile(rf"(?:^|_)(?:{_WORDS})s?(?:_minor)?$|[a-z]Minor$")
_ELSE = re.compile(r"^is_|^has_")
_INEXACT = r"(?:numeric|decimal|real|money|float(?:4|8)?|double\s+precision)\b"
INEXACT_SQL = re.compile(
    rf"_minor\s+{_INEXACT}|_minor\s*(?:\)\s*)*::\s*{_INEXACT}|_minor\s*[*/+-]\s*[0-9]*\.[0-9]|[0-9]\.[0-9]+\s*[*/+-]\s*\w*_minor"
)
# What holds a bigint: int8, and an array of it.
_WHOLE = (20, 1016)
# Counts of things may be called totals; they are no money where the database counts them.
_COUNTED = re.compile(r"(?:^|_)totals?$")


@pytest.fixture(scope="module")
def schema(postgres: EmbeddedPostgres, shared_database: str) -> Iterator[psycopg.Connection]:
    """A connection of the administrator to a migrated database."""
    with psycopg.connect(postgres.uri(database=shared_database), autocommit=True) as connection:
        yield connection


def test_no_money_is_a_float_in_python() -> None:
    """No name that speaks of money is annotated as a float, made one, divided by `/`, or reckoned with one (P-8)."""
    found = [
        f"{place(path, node)}: {ast.unparse(node)[:80]}"
        for path in python_files("src", "bench", "proof")
        for node in floats_in(tree(path))
    ]
    assert found == []


@pytest.mark.parametrize(
    "bad",
    [
        "price_minor: float = 0",
        "self.amount: float | None = None",
        "def share(price_minor: float) -> int: ...",
        "async def share(amount_minor: 'float | None') -> int: ...",
        "def share(*, price_minor: int = 0.0) -> int: ...",
        "def price_minor() -> float: ...",
        "share = float(booking.price_minor)",
        "share = float(sum(refund.amount_minor for refund in refunds))",
        "share = payment.captured_minor / 2",
        "share = price_minor * percent / 100",
        "share = round((captured - refunded) / 100)",
        "price_minor /= 2",
        "left = payment.captured_minor * 0.5",
        "price_minor *= 1.2",
        "enough = captured_minor > 0.5",
        "price_minor = 49.5",
        "book(price_minor=49.5)",
        "body = {'amountMinor': 49.5}",
        "Payment(refunded=1e3)",
    ],
)
def test_a_float_is_found(bad: str) -> None:
    """Each way to make a float of money is found: this check can fail (P-8)."""
    assert floats_in(ast.parse(bad)) != []


@pytest.mark.parametrize(
    "good",
    [
        "price_minor: int = 0",
        "share = (captured_minor * percent + 50) // 100",
        "whole, rest = divmod(price_minor, 100)",
        "captured_at: float = 0.0",
        "wait_seconds = 0.5 * attempts",
        "half = seconds / 2 if price_minor else 0",
        "limits = Timeout(15.0, connect=5.0)",
        "is_refunded: bool = False",
    ],
)
def test_what_is_whole_is_left_alone(good: str) -> None:
    """Whole numbers of money, and floats of other things, are no findings."""
    assert floats_in(ast.parse(good)) == []


def test_what_is_kept_in_memory_and_sent_is_whole() -> None:
    """Each field of a record, of a request or of an answer that speaks of money is an int, or absent (P-8)."""
    fields = [
        (f"{record.__module__}.{record.__qualname__}.{name}: {kind}", name, kind)
        for record in _records()
        for name, kind in typing.get_type_hints(record, include_extras=True).items()
        if _is_money(name) and not _COUNTED.search(name)
    ]
    assert len(fields) > 20, "there are fields of money"
    assert [field for field, _, kind in fields if "float" in _plain(kind)] == []
    assert [field for field, name, kind in fields if name.endswith("_minor") and not _is_whole(kind)] == []


def test_a_record_that_is_not_whole_is_found() -> None:
    """A record with money in a float, a text or anything is told from one with whole money: this check can fail (P-8)."""
    assert all(map(_is_whole, (int, int | None, typing.Annotated[int, msgspec.Meta(ge=0)], int | msgspec.UnsetType)))
    assert all("float" in _plain(kind) for kind in (float, int | float, typing.Annotated[float | None, 1], list[float]))
    assert not any(map(_is_whole, (float, int | float, str, typing.Any, float | None, typing.Annotated[float, 1])))


def test_the_database_keeps_whole_money(schema: psycopg.Connection) -> None:
    """Each column and each argument of a function that ends in _minor is a bigint, and none of money is inexact (P-8)."""
    assert _columns(schema) == []
    assert _arguments(schema) == []


def test_a_column_that_is_not_whole_is_found(schema: psycopg.Connection) -> None:
    """A column or argument of another type is found: this check can fail (P-8)."""
    with schema.transaction(force_rollback=True):
        schema.execute(
            "create table public.till (price_minor numeric, amount float8, fee_minor integer, taken_minor bigint)"
        )
        assert _columns(schema) == ["till.amount: float8", "till.fee_minor: int4", "till.price_minor: numeric"]
        schema.execute("create function public.share(price_minor float8) returns int language sql return 1")
        assert _arguments(schema) == ["share.price_minor: float8"]


def test_statements_answer_with_whole_money(schema: psycopg.Connection) -> None:
    """No statement gives money as anything but a whole number: sums of bigint are numeric until they are cast (P-8)."""
    found = [
        f"{place(path)}: {name}: {column}"
        for path, name, statement in STATEMENTS
        for column in _inexact_results(schema, numbered(statement))
    ]
    assert found == []


def test_a_statement_that_sums_is_found(schema: psycopg.Connection) -> None:
    """A sum, a division and a part of money that are not whole are found: this check can fail (P-8)."""
    for bad in (
        "sum(price_minor)",
        "avg(price_minor)",
        "price_minor * 0.5",
        "price_minor::float8",
        "price_minor::text",
    ):
        assert _inexact_results(schema, f"select {bad} as amount_minor from bookings") == ["amount_minor"], bad
    assert _inexact_results(schema, "select sum(price_minor)::bigint as amount_minor from bookings") == []


def test_no_sql_makes_money_inexact() -> None:
    """Nowhere in a function or statement is money cast to, declared as or reckoned with what is not whole (P-8)."""
    found = [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()}"
        for name, text in texts()
        if name.endswith(".sql")
        for match in INEXACT_SQL.finditer(re.sub(r"--.*", "", text))
    ]
    assert found == []


@pytest.mark.parametrize(
    "bad",
    [
        "price_minor numeric not null",
        "as r(id uuid, price_minor double precision)",
        "b.price_minor::numeric",
        "sum(b.price_minor)::float8",
        "round(captured_minor * 0.5)",
        "1.5 * captured_minor",
        "b.due_minor / 100.0",
    ],
)
def test_inexact_sql_is_found(bad: str) -> None:
    """Each way to make money inexact in SQL is found: this check can fail (P-8)."""
    assert INEXACT_SQL.search(bad)


def floats_in(module: ast.AST) -> list[ast.AST]:
    """Return the places where money is, or becomes, a float."""
    return [node for node in ast.walk(module) if any(check(node) for check in _CHECKS)]


def _is_declared_float(node: ast.AST) -> bool:
    match node:
        case ast.AnnAssign(target=target, annotation=kind):
            return _names_money(target) and _says_float(kind)
        case ast.arg(arg=name, annotation=ast.expr() as kind):
            return _is_money(name) and _says_float(kind)
        case ast.FunctionDef(name=name, returns=ast.expr() as kind) | ast.AsyncFunctionDef(name=name, returns=kind):
            return _is_money(name) and kind is not None and _says_float(kind)
    return False


def _is_made_float(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Name(id="float"), args=args):
            return any(map(_holds_money, args))
        case ast.BinOp(op=ast.Div()):
            return _holds_money(node)
        case ast.AugAssign(target=target, op=ast.Div(), value=value):
            return _names_money(target) or _holds_money(value)
        case ast.BinOp() | ast.Compare():
            return _holds_money(node) and _holds_float(node)
        case ast.AugAssign(target=target, value=value):
            return _names_money(target) and _holds_float(value)
    return False


def _is_given_float(node: ast.AST) -> bool:
    match node:
        case ast.Assign(targets=targets, value=value):
            return any(map(_names_money, targets)) and _holds_float(value)
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            return _names_money(target) and _holds_float(value)
        case ast.keyword(arg=str(name), value=value):
            return _is_money(name) and _holds_float(value)
        case ast.Dict(keys=keys, values=values):
            pairs = zip(keys, values, strict=True)
            return any(isinstance(k, ast.Constant) and _is_money(str(k.value)) and _holds_float(v) for k, v in pairs)
        case ast.arguments():
            named = [*node.posonlyargs, *node.args]
            with_default = [*zip(named[len(named) - len(node.defaults) :], node.defaults, strict=True)]
            with_default += [(a, d) for a, d in zip(node.kwonlyargs, node.kw_defaults, strict=True) if d is not None]
            return any(_is_money(argument.arg) and _holds_float(default) for argument, default in with_default)
    return False


_CHECKS = (_is_declared_float, _is_made_float, _is_given_float)


def _is_money(name: str) -> bool:
    return bool(MONEY.search(name)) and not _ELSE.search(name)


def _names_money(node: ast.AST) -> bool:
    return _is_money(ast.unparse(node).rpartition(".")[2])


def _holds_money(node: ast.AST) -> bool:
    """Return whether a name of money takes part in an expression."""
    return any(isinstance(each, ast.Name | ast.Attribute) and _names_money(each) for each in ast.walk(node))


def _holds_float(node: ast.AST) -> bool:
    return any(isinstance(each, ast.Constant) and isinstance(each.value, float) for each in ast.walk(node))


def _says_float(annotation: ast.expr) -> bool:
    return bool(re.search(r"\bfloat\b", ast.unparse(annotation)))


def _records() -> set[type]:
    """Return every dataclass and struct of the package."""
    names = {found.name for found in pkgutil.walk_packages([str(PACKAGE)], "holdfast.")} - {"holdfast.__main__"}
    modules = map(importlib.import_module, sorted(names))
    classes = {each for module in modules for each in vars(module).values() if isinstance(each, type)}
    records = {each for each in classes if dataclasses.is_dataclass(each) or issubclass(each, msgspec.Struct)}
    return {each for each in records if each.__module__.startswith(holdfast.__name__)}


def _plain(kind: object) -> set[str]:
    """Return the names of the types that a hint is made of."""
    parts = typing.get_args(kind)
    if not parts:
        return {getattr(kind, "__name__", repr(kind))}
    return set().union(*(_plain(part) for part in parts if isinstance(part, type) or typing.get_args(part)))


def _is_whole(kind: object) -> bool:
    """Return whether a hint allows whole numbers and nothing else, but for absence."""
    if typing.get_origin(kind) is typing.Annotated:
        return _is_whole(typing.get_args(kind)[0])
    parts = typing.get_args(kind) or (kind,)
    if parts == (kind,):
        return kind in {int, NoneType, msgspec.UnsetType}
    return all(map(_is_whole, parts))


def _columns(schema: psycopg.Connection) -> list[str]:
    """Return columns of money that are not what they have to be."""
    rows = schema.execute(
        "select c.relname, a.attname, t.typname from pg_attribute a join pg_class c on c.oid = a.attrelid"
        " join pg_type t on t.oid = a.atttypid"
        " where c.relnamespace = 'public'::regnamespace and a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'v')"
        " order by 1, 2"
    ).fetchall()
    return [f"{table}.{name}: {kind}" for table, name, kind in rows if _is_wrong(name, kind)]


def _arguments(schema: psycopg.Connection) -> list[str]:
    """Return arguments and results of functions that are money and not what they have to be."""
    rows = schema.execute(
        "select p.proname, n.name, t.typname from pg_proc p"
        " cross join unnest(p.proargnames, coalesce(p.proallargtypes, p.proargtypes::oid[])) n (name, kind)"
        " join pg_type t on t.oid = n.kind where p.pronamespace = 'public'::regnamespace and n.name is not null order by 1, 2"
    ).fetchall()
    return [f"{function}.{name}: {kind}" for function, name, kind in rows if _is_wrong(name, kind)]


def _is_wrong(name: str, kind: str) -> bool:
    if name.endswith("_minor"):
        return kind not in {"int8", "_int8"}
    return _is_money(name) and kind in {"numeric", "float4", "float8", "money"}


def _inexact_results(schema: psycopg.Connection, statement: str) -> list[str]:
    """Return the columns of money that a statement does not give as whole numbers."""
    schema.pgconn.prepare(b"", statement.encode())
    described = schema.pgconn.describe_prepared(b"")
    names = [(described.fname(i) or b"").decode() for i in range(described.nfields)]
    kinds = [described.ftype(i) for i in range(described.nfields)]
    return [
        name
        for name, kind in zip(names, kinds, strict=True)
        if (name.endswith("_minor") and kind not in _WHOLE)
        or (_is_money(name) and not _COUNTED.search(name) and kind in {700, 701, 1700})
    ]
