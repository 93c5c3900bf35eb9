"""How the sources are kept: sizes, promises, nothing left behind, nothing of one machine."""

import ast
import re

from house.sources import PACKAGE, functions, place, python_files, repository_files, texts, tree

FUNCTION_LINES = 70
FILE_LINES = 420
TEST_FILE_LINES = 520  # lists of cases
# Admission is one text, because it is replaced as a whole by each migration.
LONG_FILES = {"src/holdfast/booking/admission.sql"}

# Written so that no pattern matches its own line.
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:root|home|work|opt|Users|mnt|media)/\w")
ADDRESSES = re.compile(
    r"pypi\.org|pythonhosted\.org|registry\.npmjs|npmjs\.org|deb\.debian|--(?:extra-)?index[-]url|--find[-]links|\"resolved\":"
)
LEFT_BEHIND = re.compile(r"\b(?:TO(?:)DO|FIX(?:)ME|XX(?:)X|HA(?:)CK)\b")
# Plans and briefs that are not part of the repository: a reader could not follow the reference.
ELSEWHERE = re.compile(r"\b(?:SP[E]C|DES[I]GN|STY[L]E|TOO[L]S)(?:\.md|[ ,]+(?:section )?\d)|\bacceptanc[e]/")


def test_functions_fit_on_a_screen() -> None:
    """No function is longer than 70 lines."""
    long = [
        f"{place(path, function)} {function.name}: {lines} lines"
        for path in python_files()
        for function in functions(path)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES
    ]
    assert long == []


def test_files_have_one_subject() -> None:
    """No file of Python or SQL is longer than about 400 lines: a longer one holds two nouns."""
    long = [
        f"{name}: {lines} lines"
        for name, text in texts()
        if name.endswith((".py", ".sql"))
        and name not in LONG_FILES
        and (lines := text.count("\n")) > (TEST_FILE_LINES if name.startswith("tests/") else FILE_LINES)
    ]
    assert long == []


def test_each_test_promises_one_thing() -> None:
    """Each test has a docstring, which says what it proves."""
    silent = [
        f"{place(path, function)} {function.name}"
        for path in python_files("tests")
        for function in functions(path)
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]
    assert silent == []


def test_nothing_is_left_behind() -> None:
    """No file holds a mark for later: what is to be done is an issue."""
    marks = [
        f"{name}:{number}"
        for name, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if LEFT_BEHIND.search(line)
    ]
    assert marks == []


def test_tests_wait_for_what_they_wait_for() -> None:
    """No test prints, and none sleeps in the hope that something will have happened by then."""
    calls = [
        place(path, node)
        for path in python_files("tests")
        if path.name.startswith("test_")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"print", "time.sleep", "sleep"}
    ]
    assert calls == []


def test_tests_stop_no_clock_of_others() -> None:
    """No test replaces what asyncio or the clock does by way of one module: it would for all that runs beside the test."""
    found = [
        place(path, node)
        for path in python_files("tests")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("patch.setattr")
        for name in [ast.unparse(node.args[0])]
        if re.fullmatch(r"'holdfast\..*\.(asyncio|time|threading)\.\w+'|asyncio|time|threading", name)
    ]
    assert found == []


def test_the_repository_is_at_home_on_any_machine() -> None:
    """No file names a folder of somebody's machine or the address of a registry."""
    found = [
        f"{name}:{number}: {match.group()}"
        for name, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if (match := MACHINE_PATHS.search(line) or ADDRESSES.search(line))
    ]
    assert found == []


def test_nothing_outside_the_repository_is_cited() -> None:
    """No file refers to a document that a reader of the repository does not have."""
    cited = [
        f"{name}:{number}: {match.group()}"
        for name, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if (match := ELSEWHERE.search(line))
    ]
    assert cited == []


def test_every_folder_of_code_is_a_package() -> None:
    """A folder with Python files in the package has an `__init__.py`, else the import contract would not see it."""
    folders = {path.parent for path in repository_files() if path.is_relative_to(PACKAGE) and path.suffix == ".py"}
    assert [place(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []
