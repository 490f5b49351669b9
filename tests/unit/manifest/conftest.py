"""Fixtures: a deployment, the files of its package, and Microsoft's schemas."""

from __future__ import annotations

import pytest

from manifest import package, validation
from manifest.deployment import EXAMPLE, Deployment, Developer, normalize
from manifest.language import Command, Description, Language, Name
from tests.support.app_package import APP_ID, TENANT


@pytest.fixture
def developer() -> Developer:
    return Developer("Contoso", EXAMPLE, f"{EXAMPLE}/privacy", f"{EXAMPLE}/terms")


@pytest.fixture
def deployment(developer: Developer) -> Deployment:
    return normalize(APP_ID, TENANT, "offhook.contoso.com", developer)


@pytest.fixture
def files(deployment: Deployment) -> dict[str, bytes]:
    return package.contents(deployment, "1.2.3")


@pytest.fixture(scope="session")
def schema() -> None:
    """Fails the test when the schemas are not on disk, because nothing would be validated."""
    if not validation.FOLDER.is_dir():
        pytest.fail("Microsoft's manifest schemas are not installed. Run: make test")


@pytest.fixture
def german() -> Language:
    return Language(
        name=Name(short="Offhook", full="Offhook, Sammelanmeldung für SIP-Telefone"),
        description=Description(short="Meldet viele SIP-Telefone an.", full="Viele auf einmal."),
        commands={"status": Command(title="status", description="Was offen ist")},
    )
