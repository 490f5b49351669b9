"""Every problem of a package is found, and has a sentence and a fix."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from bot.words import Words
from manifest import package, rules, validation
from manifest.deployment import EXAMPLE, Deployment, Developer, normalize
from manifest.language import Language
from manifest.package import MANIFEST
from manifest.problem import PackageError, Problem
from tests.support.app_package import APP_ID, TENANT

Files = dict[str, bytes]
Document = dict[str, Any]

VALID = {
    "app_id": APP_ID, "tenant_id": TENANT, "host": "offhook.contoso.com", "name": "Contoso",
    "website": EXAMPLE, "privacy": f"{EXAMPLE}/privacy", "terms": f"{EXAMPLE}/terms",
}  # fmt: skip


def codes(options: dict[str, str]) -> list[str]:
    """Returns the codes of all problems of these options."""
    developer = Developer(options["name"], options["website"], options["privacy"], options["terms"])
    try:
        normalize(options["app_id"], options["tenant_id"], options["host"], developer)
    except PackageError as error:
        return [problem.code for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("app_id", APP_ID.upper(), []),
        ("app_id", f" {APP_ID}\n", []),
        ("app_id", "", ["app-id"]),
        ("app_id", "offhook", ["app-id"]),
        ("app_id", f"{{{APP_ID}}}", ["app-id"]),
        ("app_id", APP_ID.replace("-", ""), ["app-id"]),
        ("app_id", "00000000-0000-0000-0000-000000000000", ["app-id"]),
        ("app_id", TENANT, ["same-id"]),
        ("tenant_id", "contoso.onmicrosoft.com", ["tenant"]),
        ("tenant_id", "common", ["tenant"]),
        ("host", "", []),
        ("host", "Offhook.Contoso.COM", []),
        ("host", "ca-offhook.happy-1a2b.westeurope.azurecontainerapps.io", []),
        ("host", "xn--bcher-kva.example", []),
        ("host", "https://offhook.contoso.com", ["host"]),
        ("host", "offhook.contoso.com:443", ["host"]),
        ("host", "offhook.contoso.com/api/messages", ["host"]),
        ("host", "*.contoso.com", ["host"]),
        ("host", "contoso", ["host"]),
        ("host", "127.0.0.1", ["host"]),
        ("host", "[::1]", ["host"]),
        ("host", "bot.localhost", ["host"]),
        ("host", "offhook.local", ["host"]),
        ("host", "-offhook.contoso.com", ["host"]),
        ("host", "a." * 130 + "example", ["host"]),
        ("host", "login.microsoftonline.com", ["host-not-yours"]),
        ("host", "botframework.com", ["host-not-yours"]),
        ("host", "abcd.ngrok-free.app", ["host-not-yours"]),
        ("host", "x1-3978.euw.devtunnels.ms", ["host-not-yours"]),
        ("host", "notmicrosoft.com", []),
        ("name", "", ["developer"]),
        ("name", "x" * 32, []),
        ("name", "x" * 33, ["developer"]),
        ("name", "Con\x1b[31mtoso", ["developer"]),
        ("website", "http://contoso.com", ["link"]),
        ("website", "contoso.com", ["link"]),
        ("website", "https://", ["link"]),
        ("website", "https://[", ["link"]),
        ("website", "https://10.0.0.1/", ["link"]),
        ("website", "https://admin:secret@contoso.com/", ["link"]),
        ("privacy", "javascript:alert(1)", ["link"]),
        ("privacy", "https://contoso.com/a b", ["link"]),
        ("terms", "https://contoso.com/" + "x" * 2048, ["link"]),
    ],
)
def test_normalize_reports_invalid_option(name: str, value: str, expected: list[str]) -> None:
    assert codes({**VALID, name: value}) == expected


def test_normalize_reports_all_invalid_options_at_once() -> None:
    invalid = {**VALID, "app_id": "x", "tenant_id": "y", "host": "z", "website": "", "terms": ""}
    assert codes(invalid) == ["app-id", "tenant", "host", "link", "link"]


def edited(files: Files, edit: Callable[[Document], object], name: str = MANIFEST) -> Files:
    document = json.loads(files[name])
    edit(document)
    return {**files, name: json.dumps(document).encode()}


def png(width: int, height: int, color_type: int) -> bytes:
    """Returns the beginning of a PNG: signature and header."""
    header = width.to_bytes(4) + height.to_bytes(4) + bytes([8, color_type, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + len(header).to_bytes(4) + b"IHDR" + header + bytes(4)


def set_other_version(document: Document) -> None:
    document["manifestVersion"] = "1.29"


# Each change breaks one thing in the files of a valid package.
CHANGES: list[tuple[Callable[[Files], Files], list[str]]] = [
    (lambda files: {}, ["unreadable"]),
    (lambda files: {**files, MANIFEST: b"\xff"}, ["unreadable"]),
    (lambda files: {**files, MANIFEST: b"[]"}, ["unreadable"]),
    (lambda files: edited(files, lambda it: it.pop("icons")), ["unreadable"]),
    (lambda files: {**files, "de.json": b"{}"}, ["unreadable"]),
    (lambda files: edited(files, lambda it: it.update(version="x")), ["version"]),
    (lambda files: edited(files, lambda it: it.update(version="1.2")), ["version"]),
    (lambda files: edited(files, lambda it: it.update(version="1.02.3")), ["version"]),
    (lambda files: edited(files, set_other_version), ["schema-version", "schema-version"]),
    (lambda files: {**files, "notes.txt": b""}, ["file-unused"]),
    (lambda files: {name: files[name] for name in files if name != "color.png"}, ["file-missing"]),
    (lambda files: {name: files[name] for name in files if name != "de.json"}, ["file-missing"]),
    (lambda files: {**files, "color.png": b"GIF89a"}, ["icon-not-png"]),
    (lambda files: {**files, "color.png": b"\x89PNG\r\n\x1a\n"}, ["icon-not-png"]),
    (lambda files: {**files, "color.png": png(192, 191, 6)}, ["icon-size"]),
    (lambda files: {**files, "color.png": files["outline.png"]}, ["icon-size"]),
    (lambda files: {**files, "color.png": png(192, 192, 2)}, []),
    (lambda files: {**files, "outline.png": png(32, 32, 2)}, ["icon-solid"]),
]


@pytest.fixture
def valid_files(deployment: Deployment, german: Language) -> Files:
    from manifest import language

    return package.contents(deployment, "1.2.3", {**language.load(), "de": german})


@pytest.mark.parametrize(("change", "expected"), CHANGES)
def test_rules_report_broken_requirement(
    valid_files: Files, change: Callable[[Files], Files], expected: list[str]
) -> None:
    assert [problem.code for problem in rules.check(change(valid_files))] == expected


def set_unknown_scope(document: Document) -> None:
    document["bots"][0]["scopes"] = ["personal", "groupchat"]


def duplicate_commands(document: Document) -> None:
    document["bots"][0]["commandLists"][0]["commands"] *= 2


SCHEMA_CHANGES: list[tuple[Callable[[Document], object], str]] = [
    (set_unknown_scope, "bots[0].scopes[1]"),
    (duplicate_commands, "bots[0].commandLists[0].commands"),
    (lambda it: it["icons"].pop("outline"), "icons"),
    (lambda it: it.pop("developer"), "-"),
    (lambda it: it.update(tenant=TENANT), "-"),
    (lambda it: it.update(id="offhook"), "id"),
    (lambda it: it.update(accentColor="green"), "accentColor"),
    (lambda it: it["name"].update(short="x" * 31), "name.short"),
    (lambda it: it["description"].update(short="x" * 81), "description.short"),
    (lambda it: it["developer"].update(websiteUrl="ftp://x"), "developer.websiteUrl"),
    (lambda it: it.update(bots=it["bots"] * 2), "bots"),
]


@pytest.mark.usefixtures("schema")
@pytest.mark.parametrize(("edit", "where"), SCHEMA_CHANGES)
def test_violations_name_location_in_manifest(
    files: Files, edit: Callable[[Document], object], where: str
) -> None:
    problems = validation.violations(edited(files, edit))
    assert [problem.arguments["where"] for problem in problems] == [where]


@pytest.mark.usefixtures("schema")
def test_violations_cover_translations(valid_files: Files) -> None:
    broken = edited(
        valid_files, lambda it: it.update({"name.short": " ", "nonsense": ""}), "de.json"
    )
    problems = validation.violations(broken)
    assert {(problem.code, problem.arguments["file"]) for problem in problems} == {
        ("schema", "de.json")
    }
    assert len(problems) == 2


def test_violations_raises_when_schemas_are_missing(files: Files, tmp_path: Path) -> None:
    with pytest.raises(validation.SchemaNotInstalledError):
        validation.violations(files, tmp_path)


@pytest.mark.usefixtures("schema")
def test_every_problem_has_sentence_and_fix(valid_files: Files) -> None:
    problems = [problem for change, _ in CHANGES for problem in rules.check(change(valid_files))]
    problems += validation.violations(edited(valid_files, set_unknown_scope))
    problems.append(Problem("output", {"file": "x.zip", "reason": "Is a directory"}))
    for app, tenant, host in (("", "", ""), (APP_ID, APP_ID, "x"), (APP_ID, TENANT, "office.com")):
        with pytest.raises(PackageError) as error_info:
            normalize(app, tenant, host, Developer("", "", "", ""))
        problems += error_info.value.problems
    words = Words()
    for problem in problems:
        for sentence in (
            words(f"package-{problem.code}", **problem.arguments),
            words.part(f"package-{problem.code}", "fix", **problem.arguments),
        ):
            assert sentence[-1] in ".:"
            assert not {"—", "!"} & set(sentence)
    text = resources.files("bot.words").joinpath("en/manifest.ftl").read_text(encoding="utf-8")
    codes_with_fix = set(re.findall(r"^package-([\w-]+) = .*\n    \.fix", text, re.MULTILINE))
    assert {problem.code for problem in problems} == codes_with_fix
