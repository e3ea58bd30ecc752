"""The files around the code: requirements, ignore lists, documents, and what no committed file may hold."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parent.parent

MACHINE_PLACES: Final = re.compile(r"/(?:home|Users|root)/\w|\b[A-Z]:\\+Users\b|\bfile:/{2,}\w")
INDEX_HOSTS: Final = re.compile(
    r"(?:pypi|pythonhosted)\.(?:org|io)|https?://[^/\s\"']+/(?:simple|packages)/|(?:index-url|find-links)[\s=]+(?:\w+:)?/"
)


def committed_files() -> list[Path]:
    """Every file that is committed or about to be; all files but hidden and made ones where there is no git."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        names = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0")
        found = [ROOT / name for name in names if name]
    except (FileNotFoundError, subprocess.CalledProcessError):
        found = [path for path in ROOT.rglob("*") if not re.search(r"/(\.[^/]*|dist|build|__pycache__)/", f"{path}/")]
    return [path for path in found if path.is_file()]


def place_breaches(path: str, text: str) -> Iterator[str]:
    here = str(ROOT)
    for number, line in enumerate(text.splitlines(), 1):
        if found := MACHINE_PLACES.search(line):
            yield f"{path}:{number} names a place of one machine: {found[0]}"
        elif here in line:
            yield f"{path}:{number} names this checkout's own place"
        if found := INDEX_HOSTS.search(line):
            yield f"{path}:{number} names a package index: {found[0]}"


def test_no_committed_file_names_a_machine_or_a_package_index() -> None:
    breaches: list[str] = []
    for path in committed_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        breaches += place_breaches(path.relative_to(ROOT).as_posix(), text)
    assert not breaches, "\n".join(["", *breaches])


@pytest.mark.parametrize(
    "line",
    [
        "cd " + "/home" + "/someone/checkout",
        "find = 'file:" + "///wheels'",
        f"see {ROOT}/src",
        "https://files.python" + "hosted.org/x",
        "--extra-index" + "-url https://example.com",
        "https://example.com/" + "simple/httpx",
    ],
)
def test_a_place_of_one_machine_or_an_index_is_found(line: str) -> None:
    assert next(place_breaches("README.md", f"first\n{line}\n"), "").startswith("README.md:2 ")


REQUIREMENT: Final = re.compile(r"(?P<name>[a-z0-9-]+)==\S+( ; [^\\]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+\n")


def pinned(name: str) -> set[str]:
    """The names that a requirement file pins; a failure where a line is anything but a pin with its hashes."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    names = {match["name"] for match in REQUIREMENT.finditer(text)}
    rest = REQUIREMENT.sub("", text)
    assert not rest.strip(), f"requirements/{name}.txt has more than pins and hashes: {rest[:200]!r}"
    return names


def named(requirements: list[str]) -> set[str]:
    return {re.split(r"[\s;<>=!~\[]", line, maxsplit=1)[0].lower() for line in requirements}


def read_in(name: str) -> list[str]:
    lines = (ROOT / "requirements" / f"{name}.in").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_every_requirement_is_pinned_with_its_hashes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    base = named(project["project"]["dependencies"])
    server = named(project["project"]["optional-dependencies"]["server"])
    assert base <= pinned("base")
    assert base | server <= pinned("server")
    assert named(project["build-system"]["requires"]) | named(read_in("build")) <= pinned("build")
    assert named(read_in("dev")) <= pinned("dev")


def test_the_base_install_stays_light() -> None:
    assert len(pinned("base")) <= 25
    assert not pinned("base") & {"sqlalchemy", "litestar", "alembic", "uvicorn", "tzdata"}


def test_one_pin_serves_all_requirement_files() -> None:
    versions: dict[str, set[str]] = {}
    for path in (ROOT / "requirements").glob("*.txt"):
        for name, version in re.findall(r"^([a-z0-9-]+)==(\S+)", path.read_text(), re.MULTILINE):
            versions.setdefault(name, set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def lists_without_reasons(text: str) -> Iterator[str]:
    """Entries of the ignore lists of pyproject.toml that lack a comment."""
    inside = ""
    for number, line in enumerate(text.splitlines(), 1):
        if opened := re.fullmatch(r'(ignore|"[^"]*\*\*[^"]*"|filterwarnings|exclude_also) = \[(.*)', line):
            inside = opened[1]
            if opened[2].strip(" ]"):
                yield f"pyproject.toml:{number} {inside}: write one entry a line, each with its reason"
        elif line.startswith("]"):
            inside = ""
        elif inside and line.strip() and not re.search(r"""["'],\s+# \S""", line):
            yield f"pyproject.toml:{number} {inside}: {line.strip()} lacks its reason"


def test_each_ignored_check_gives_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    assert text.count("\nignore = [\n") == 1
    assert not list(lists_without_reasons(text))


def test_an_ignored_check_without_a_reason_is_found() -> None:
    assert list(lists_without_reasons('ignore = [\n    "D100",\n]\n')) == [
        'pyproject.toml:2 ignore: "D100", lacks its reason'
    ]
    assert list(lists_without_reasons('"tests/**" = ["D"]\n'))


def test_ci_runs_make_test_and_nothing_else() -> None:
    script = ROOT / ".ci" / "run"
    commands = [line for line in script.read_text().splitlines() if line and not line.startswith("#")]
    assert commands == ["exec make test"]
    assert script.stat().st_mode & 0o111, "must be executable"


def test_the_changelog_has_a_section_for_what_is_unreleased() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(r"^## \[Unreleased\]\n\n### (Added|Changed|Fixed)\n\n- \S", text, re.MULTILINE)


def test_no_test_is_skipped() -> None:
    breaches = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and re.fullmatch(r"(import\w*)?skip(if)?|xfail", node.attr):
                breaches.append(f"{path.relative_to(ROOT)}:{node.lineno} {ast.unparse(node)}")
    assert not breaches, "\n".join(["", *breaches])


@pytest.mark.parametrize("document", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_every_file_that_a_document_names_exists(document: str) -> None:
    text = (ROOT / document).read_text()
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link]
    paths = re.findall(r"`((?:src|tests|scripts|requirements|benchmarks|docs|\.ci)/[\w./-]*)`", text)
    missing = [name for name in links + paths if not (ROOT / name).exists()]
    assert not missing, f"{document} names files that do not exist: {missing}"


def test_the_version_is_stated_once() -> None:
    shown = subprocess.run(
        [sys.executable, "-c", "import tallystick; print(tallystick.__version__)"],
        capture_output=True,
        text=True,
        check=True,
    )
    stated = re.search(
        r'^__version__ = "(.+)"$', (ROOT / "src" / "tallystick" / "version.py").read_text(), re.MULTILINE
    )
    assert stated
    assert shown.stdout.strip() == stated[1]
