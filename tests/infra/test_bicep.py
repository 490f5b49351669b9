"""The Bicep files hang together: what the compiler would say of names, and what it could not know."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from pycep import BicepParser

from tests.infra.bicep import FILES, INFRA, PROJECT, Bicep, every

FOUNDATION = Bicep(INFRA / "main.bicep")
SERVICE = Bicep(INFRA / "bot.bicep")
ALERTS = Bicep(INFRA / "modules" / "alerts.bicep")
# Given by azd itself: https://learn.microsoft.com/azure/developer/azure-developer-cli/manage-environment-variables
FROM_AZD = {"AZURE_ENV_NAME", "AZURE_LOCATION", "SERVICE_BOT_IMAGE_NAME"}
READ_BY_AZD = {"AZURE_RESOURCE_GROUP", "AZURE_CONTAINER_REGISTRY_ENDPOINT"}
REQUIRED = {
    "Microsoft.App/containerApps",
    "Microsoft.App/managedEnvironments",
    "Microsoft.BotService/botServices",
    "Microsoft.BotService/botServices/channels",
    "Microsoft.BotService/botServices/connections",
    "Microsoft.Consumption/budgets",
    "Microsoft.ContainerRegistry/registries",
    "Microsoft.DBforPostgreSQL/flexibleServers",
    "Microsoft.DBforPostgreSQL/flexibleServers/administrators",
    "Microsoft.Insights/components",
    "Microsoft.Insights/metricAlerts",
    "Microsoft.Insights/scheduledQueryRules",
    "Microsoft.KeyVault/vaults",
    "Microsoft.ManagedIdentity/userAssignedIdentities",
    "Microsoft.Network/privateDnsZones",
    "Microsoft.Network/virtualNetworks",
    "Microsoft.OperationalInsights/workspaces",
}


def ids(files: Iterable[Path]) -> list[str]:
    return [file.stem for file in files]


@pytest.mark.parametrize("path", FILES, ids=ids(FILES))
def test_it_parses(path: Path) -> None:
    bicep = Bicep(path)
    assert not bicep.root.has_error
    parsed = BicepParser().parse(text=bicep.text)
    for kind, plural in (("resource", "resources"), ("module", "modules"), ("output", "outputs")):
        assert set(bicep.of(kind)) == set(parsed.get(plural, {})), "the two parsers read the same"


@pytest.mark.parametrize("path", FILES, ids=ids(FILES))
def test_every_parameter_and_variable_is_used(path: Path) -> None:
    bicep = Bicep(path)
    declared = {**bicep.of("param"), **bicep.of("var")}
    assert set(declared) <= bicep.uses


@pytest.mark.parametrize("path", FILES, ids=ids(FILES))
def test_modules_get_what_they_ask_for_and_no_more(path: Path) -> None:
    for module in Bicep(path).of("module").values():
        asked = Bicep(path.parent / module.target).of("param")
        given = set(module.properties("params"))
        assert given <= set(asked), module.name
        assert {name for name, one in asked.items() if not one.has_default} <= given, module.name


@pytest.mark.parametrize("path", FILES, ids=ids(FILES))
def test_outputs_of_modules_exist_and_are_read(path: Path) -> None:
    bicep = Bicep(path)
    modules = bicep.of("module")
    offered = {
        (name, output)
        for name, module in modules.items()
        for output in Bicep(path.parent / module.target).of("output")
    }
    assert offered == {(name, output) for name, output in bicep.outputs_read if name in modules}


def test_api_versions_are_released_and_the_same_everywhere() -> None:
    versions: dict[str, set[str]] = {}
    for bicep in every():
        for resource in bicep.of("resource").values():
            versions.setdefault(resource.resource_type, set()).add(resource.api_version)
    assert {kind: found for kind, found in versions.items() if len(found) > 1} == {}
    unreleased = {kind for kind, found in versions.items() if "preview" in next(iter(found))}
    assert unreleased == {"Microsoft.Insights/diagnosticSettings"}, "which has nothing else"
    # A deployer's Bicep may be a year old.
    assert max(version for found in versions.values() for version in found) < "2025-12"


def test_everything_is_there() -> None:
    kinds = {
        resource.resource_type
        for bicep in every()
        for resource in bicep.of("resource").values()
        if not resource.existing
    }
    assert kinds >= REQUIRED


def test_every_module_is_used() -> None:
    used = {
        path.parent / module.target
        for path in FILES
        for module in Bicep(path).of("module").values()
    }
    assert used == set(INFRA.glob("modules/*.bicep"))


def test_what_exists_is_what_was_made() -> None:
    """Names are agreed between two deployments, so a name that is looked for has to be one that is given."""
    made = {
        (one.resource_type, one.value("name"))
        for bicep in every()
        for one in bicep.of("resource").values()
        if not one.existing
    }
    sought = {
        (one.resource_type, one.value("name"))
        for bicep in every()
        for one in bicep.of("resource").values()
        if one.existing
    }
    assert sought <= made


@pytest.mark.parametrize("bicep", [FOUNDATION, SERVICE], ids=["main", "bot"])
def test_the_parameter_file_fits(bicep: Bicep) -> None:
    given = parameters(bicep)
    asked = bicep.of("param")
    assert set(given) <= set(asked)
    missing = {name for name in asked if name not in given}
    assert all(asked[name].has_default for name in missing), missing


def test_what_the_service_is_deployed_with_comes_from_azd_or_the_foundation() -> None:
    """This file is not asked about: what is not in azd's environment would be an empty value."""
    names = {name for names in parameters(SERVICE).values() for name in names}
    assert names <= FROM_AZD | set(FOUNDATION.of("output"))


def test_every_output_of_the_foundation_is_read_by_somebody() -> None:
    readers = [INFRA / "bot.parameters.json", INFRA / "grant.sh", PROJECT / "azure.yaml"]
    text = "\n".join(path.read_text() for path in readers)
    unread = {name for name in FOUNDATION.of("output") if not re.search(rf"\b{name}\b", text)}
    assert unread == READ_BY_AZD


def test_secrets_are_marked_and_leave_by_no_output() -> None:
    for bicep in every():
        for name, parameter in bicep.of("param").items():
            if re.search("password|secret", name, re.IGNORECASE) and name != "withSecret":
                assert "secure" in parameter.decorators, f"{bicep.path.name}: {name}"
                outputs = bicep.of("output").values()
                assert not any(name.encode() in (output.node.text or b"") for output in outputs)


def test_the_database_has_neither_passwords_nor_a_public_address() -> None:
    server = Bicep(INFRA / "modules" / "database.bicep").of("resource")["server"]
    assert server.value("properties", "authConfig", "passwordAuth") == "Disabled"
    assert server.value("properties", "authConfig", "activeDirectoryAuth") == "Enabled"
    assert server.value("properties", "network", "publicNetworkAccess") == "Disabled"


def test_roles_are_the_least() -> None:
    """One role a resource, each on that resource alone."""
    assigned = {
        (path.stem, found)
        for path in FILES
        for found in re.findall(r"roleDefinitions', '([0-9a-f-]{36})'", path.read_text())
    }
    assert assigned == {
        ("registry", "7f951dda-4ed3-4680-a7ca-43fe172d538d"),  # AcrPull
        ("vault", "4633458b-17de-408a-b874-0445c86b69e6"),  # Key Vault Secrets User
    }
    for bicep in every():
        for one in bicep.of("resource").values():
            if one.resource_type == "Microsoft.Authorization/roleAssignments":
                assert one.value("scope") in ("registry", "secret")


def test_the_settings_are_settings_of_the_service() -> None:
    names = set(re.findall(r"name: '(OFFHOOK_\w+)'", SERVICE.text))
    assert len(names) > 10
    assert names <= settings()


def test_the_probes_are_answered() -> None:
    service = (PROJECT / "bot" / "app.py").read_text()
    paths = set(re.findall(r"path: '(/\w+)'", SERVICE.text))
    assert paths == {"/livez", "/readyz"}
    assert all(f'web.get("{path}"' in service for path in paths)


def test_the_bot_is_where_azure_looks_for_it() -> None:
    app = SERVICE.of("resource")["bot"].value("name")
    bot = Bicep(INFRA / "modules" / "azure-bot.bicep").of("resource")["bot"]
    assert bot.value("properties", "endpoint") == f"https://{app}.${{domain}}/api/messages"
    assert '"/api/messages"' in (PROJECT / "bot" / "teams" / "route.py").read_text()


def test_one_replica_always_runs() -> None:
    assert re.findall(r"minReplicas: (\d)", SERVICE.text) == ["1", "2"]


def test_alerts_ask_for_events_that_the_service_logs() -> None:
    asked = set(re.findall(r'"([a-z]+\.[a-z_]+)"', ALERTS.text))
    logged = {
        event
        for path in (PROJECT / "bot").rglob("*.py")
        for event in re.findall(r'log\.\w+\(\s*"([a-z]+\.[a-z_]+)"', path.read_text())
    }
    assert len(asked) > 10
    assert asked <= logged


def test_every_alert_has_a_runbook() -> None:
    kinds = {"Microsoft.Insights/metricAlerts", "Microsoft.Insights/scheduledQueryRules"}
    alerts = {
        one.value("name").removeprefix("${name}-")
        for one in ALERTS.of("resource").values()
        if one.resource_type in kinds
    }
    runbooks = re.findall(
        r"^### `(.+)`$", (PROJECT / "docs/operations.md").read_text(), re.MULTILINE
    )
    assert alerts == set(runbooks)


def parameters(bicep: Bicep) -> dict[str, list[str]]:
    """Names of azd's variables in each value of the parameter file."""
    file = json.loads(bicep.path.with_suffix(".parameters.json").read_text())
    return {
        name: re.findall(r"\$\{(\w+)", one["value"]) for name, one in file["parameters"].items()
    }


def settings() -> set[str]:
    """OFFHOOK_* names of the fields of `Settings`, from its text: the service is not installed here."""
    tree = ast.parse((PROJECT / "bot" / "settings.py").read_text())
    [model] = [
        node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Settings"
    ]
    return {
        f"OFFHOOK_{statement.target.id.upper()}"
        for statement in model.body
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
    }
