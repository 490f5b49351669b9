"""The Bicep files fit together: the compiler's checks of names, and checks that it cannot make."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from pycep import BicepParser

from tests.infra.bicep import FILES, INFRA, KEEP_EXISTING, PROJECT, Bicep, every

FOUNDATION = Bicep(INFRA / "main.bicep")
SERVICE = Bicep(INFRA / "bot.bicep")
VAULT = Bicep(INFRA / "modules" / "vault.bicep")
ALERTS = Bicep(INFRA / "modules" / "alerts.bicep")
LOG_ALERTS = Bicep(INFRA / "modules" / "log-alerts.bicep")
# Set by azd itself: https://learn.microsoft.com/azure/developer/azure-developer-cli/manage-environment-variables
FROM_AZD = {"AZURE_ENV_NAME", "AZURE_LOCATION", "SERVICE_BOT_IMAGE_NAME"}
READ_BY_AZD = {"AZURE_RESOURCE_GROUP", "AZURE_CONTAINER_REGISTRY_ENDPOINT"}
# Parameters that are about a secret without being one.
PUBLIC = {"withSecret", "secretName", "digestKeyName", "digestKeyNumber", "withAuditWebhook"}
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
def test_bicep_file_parses(path: Path) -> None:
    bicep = Bicep(path)
    assert not bicep.root.has_error
    # The second parser is older than this decorator.
    parsed = BicepParser().parse(text=bicep.text.replace(KEEP_EXISTING, ""))
    for kind, plural in (("resource", "resources"), ("module", "modules"), ("output", "outputs")):
        assert set(bicep.of(kind)) == set(parsed.get(plural, {})), "both parsers must agree"


@pytest.mark.parametrize("path", FILES, ids=ids(FILES))
def test_parameters_and_variables_are_all_used(path: Path) -> None:
    bicep = Bicep(path)
    declared = {**bicep.of("param"), **bicep.of("var")}
    assert set(declared) <= bicep.uses


@pytest.mark.parametrize("path", FILES, ids=ids(FILES))
def test_modules_get_exactly_their_parameters(path: Path) -> None:
    for module in Bicep(path).of("module").values():
        parameters = Bicep(path.parent / module.target).of("param")
        arguments = set(module.properties("params"))
        required = {name for name, each in parameters.items() if not each.has_default}
        assert arguments <= set(parameters), module.name
        assert required <= arguments, module.name


@pytest.mark.parametrize("path", FILES, ids=ids(FILES))
def test_module_outputs_exist_and_are_all_read(path: Path) -> None:
    bicep = Bicep(path)
    modules = bicep.of("module")
    declared = {
        (name, output)
        for name, module in modules.items()
        for output in Bicep(path.parent / module.target).of("output")
    }
    assert declared == {(name, output) for name, output in bicep.outputs_read if name in modules}


def test_api_versions_are_released_and_consistent() -> None:
    versions: dict[str, set[str]] = {}
    for bicep in every():
        for resource in bicep.of("resource").values():
            versions.setdefault(resource.resource_type, set()).add(resource.api_version)
    assert {kind: used for kind, used in versions.items() if len(used) > 1} == {}
    previews = {kind for kind, used in versions.items() if "preview" in next(iter(used))}
    assert previews == {"Microsoft.Insights/diagnosticSettings"}, "has only preview versions"
    # An operator's Bicep may be a year old.
    assert max(version for used in versions.values() for version in used) < "2025-12"


def test_required_resources_are_declared() -> None:
    kinds = {
        resource.resource_type
        for bicep in every()
        for resource in bicep.of("resource").values()
        if not resource.existing
    }
    assert kinds >= REQUIRED


def test_modules_are_all_used() -> None:
    used = {
        path.parent / module.target
        for path in FILES
        for module in Bicep(path).of("module").values()
    }
    assert used == set(INFRA.glob("modules/*.bicep"))


def test_existing_resources_are_created_by_another_deployment() -> None:
    """One deployment finds the other's resources by name, so both must use the same names."""
    resources = [each for bicep in every() for each in bicep.of("resource").values()]
    created = {(each.resource_type, each.value("name")) for each in resources if not each.existing}
    existing = {(each.resource_type, each.value("name")) for each in resources if each.existing}
    assert existing <= created


@pytest.mark.parametrize("bicep", [FOUNDATION, SERVICE], ids=["main", "bot"])
def test_parameter_file_matches_parameters(bicep: Bicep) -> None:
    arguments = parameters(bicep)
    declared = bicep.of("param")
    assert set(arguments) <= set(declared)
    missing = {name for name in declared if name not in arguments}
    assert all(declared[name].has_default for name in missing), missing


def test_service_parameters_come_from_azd_or_foundation_or_have_a_default() -> None:
    """azd leaves out a parameter whose variable is missing from its environment."""
    present = FROM_AZD | set(FOUNDATION.of("output"))
    missing = {name for name, used in parameters(SERVICE).items() if not set(used) <= present}
    declared = SERVICE.of("param")
    assert {name for name in missing if not declared[name].has_default} == set()
    assert missing == {"settings", "purgeOlderThan"}
    assert "env: concat([" in SERVICE.text
    assert "], optional, " in SERVICE.text, "values inside an object are not left out, but empty"


def test_foundation_outputs_are_all_read() -> None:
    readers = [INFRA / "bot.parameters.json", INFRA / "grant.sh", PROJECT / "azure.yaml"]
    text = "\n".join(path.read_text() for path in readers)
    unread = {name for name in FOUNDATION.of("output") if not re.search(rf"\b{name}\b", text)}
    assert unread == READ_BY_AZD


def test_secrets_are_secure_and_never_output() -> None:
    for bicep in every():
        for name, parameter in bicep.of("param").items():
            secret = re.search("password|secret|key|webhook|^value$", name, re.IGNORECASE)
            if secret and name not in PUBLIC:
                assert "secure" in parameter.decorators, f"{bicep.path.name}: {name}"
                outputs = bicep.of("output").values()
                assert not any(name.encode() in (output.node.text or b"") for output in outputs)


def test_digest_key_is_generated_once_and_kept() -> None:
    """A deployment that changed it would void approvals; a new name gets a new key."""
    key = VAULT.of("resource")["digestKey"]
    assert "onlyIfNotExists" in key.decorators
    assert key.value("name") == "digestKeyName"
    assert key.value("properties", "value") == "newDigestKey"
    value = VAULT.of("param")["newDigestKey"]
    assert value.node.text is not None
    assert b"= '${newGuid()}${newGuid()}'" in value.node.text
    # Only the vault knows the value: nobody can pass one in.
    module = FOUNDATION.of("module")["vault"]
    assert "newDigestKey" not in module.properties("params")


def test_vault_secrets_are_referenced_with_the_identity_that_may_read_them() -> None:
    modules = FOUNDATION.of("module")
    names = {modules["vault"].value("params", "digestKeyName")}
    names |= {
        each.value("params", "secretName")
        for each in modules.values()
        if each.target == "modules/secret.bicep"
    }
    for module in modules.values():
        if module.target not in ("modules/vault.bicep", "modules/secret.bicep"):
            continue
        reader = module.value("params", "readerPrincipalId")
        assert reader == "identities.outputs.botPrincipalId"
        resources = Bicep(INFRA / module.target).of("resource")
        [secret] = [
            name
            for name, each in resources.items()
            if each.resource_type == "Microsoft.KeyVault/vaults/secrets"
        ]
        assert resources["read"].value("scope") == secret
    assert names == {"digestKeyName", "app-password", "audit-webhook", "audit-webhook-key"}
    referenced = re.findall(
        r"name: '([\w-]+)'\s+keyVaultUrl: '\$\{vaultSecrets\}/(\S+)'\s+identity: (\S+)",
        SERVICE.text,
    )
    assert referenced == [
        ("digest-key", "${digestKeyName}", "botIdentity.id"),
        ("app-password", "app-password", "botIdentity.id"),
        ("audit-webhook", "audit-webhook", "botIdentity.id"),
        ("audit-webhook-key", "audit-webhook-key", "botIdentity.id"),
    ]
    mounted = re.findall(r"name: '(OFFHOOK_\w+)'\s+secretRef: '([\w-]+)'", SERVICE.text)
    assert mounted == [
        ("OFFHOOK_DIGEST_KEY", "digest-key"),
        ("OFFHOOK_APP_PASSWORD", "app-password"),
        ("OFFHOOK_AUDIT_WEBHOOK", "audit-webhook"),
        ("OFFHOOK_AUDIT_WEBHOOK_KEY", "audit-webhook-key"),
    ]


def test_policy_is_mounted_as_the_file_that_the_setting_names() -> None:
    template = SERVICE.of("resource")["bot"].properties("properties", "template")
    volume = (template["volumes"].text or b"").decode()
    assert re.search(r"storageType: 'Secret'\s+secrets: \[\s+\{\s+secretRef: 'policy'\s+", volume)
    assert "path: policyName" in volume
    assert re.search(r"volumeName: 'policy'\s+mountPath: policyFolder", SERVICE.text)
    assert "value: '${policyFolder}/${policyName}'" in SERVICE.text
    assert SERVICE.text.count("withPolicy ? [") == 4, (
        "an empty file is none: secret, setting, mount"
    )


def test_database_has_no_passwords_and_no_public_address() -> None:
    server = Bicep(INFRA / "modules" / "database.bicep").of("resource")["server"]
    assert server.value("properties", "authConfig", "passwordAuth") == "Disabled"
    assert server.value("properties", "authConfig", "activeDirectoryAuth") == "Enabled"
    assert server.value("properties", "network", "publicNetworkAccess") == "Disabled"


def test_role_assignments_are_least_privilege() -> None:
    """One role per resource, each scoped to that resource."""
    assigned = {
        (path.stem, role_id)
        for path in FILES
        for role_id in re.findall(r"roleDefinitions', '([0-9a-f-]{36})'", path.read_text())
    }
    assert assigned == {
        ("registry", "7f951dda-4ed3-4680-a7ca-43fe172d538d"),  # AcrPull
        ("vault", "4633458b-17de-408a-b874-0445c86b69e6"),  # Key Vault Secrets User
        ("secret", "4633458b-17de-408a-b874-0445c86b69e6"),
    }
    for bicep in every():
        for resource in bicep.of("resource").values():
            if resource.resource_type == "Microsoft.Authorization/roleAssignments":
                assert resource.value("scope") in ("registry", "secret", "digestKey")


def test_probe_paths_are_served() -> None:
    probes = (PROJECT / "bot" / "web" / "probes.py").read_text()
    paths = set(re.findall(r"path: '(/\w+)'", SERVICE.text))
    assert paths == {"/livez", "/readyz"}
    assert all(f'web.get("{path}"' in probes for path in paths)


def test_bot_endpoint_is_served() -> None:
    app = SERVICE.of("resource")["bot"].value("name")
    bot = Bicep(INFRA / "modules" / "azure-bot.bicep").of("resource")["bot"]
    assert bot.value("properties", "endpoint") == f"https://{app}.${{domain}}/api/messages"
    assert '"/api/messages"' in (PROJECT / "bot" / "teams" / "endpoint.py").read_text()


def test_at_least_one_replica_runs() -> None:
    assert re.findall(r"minReplicas: (\d)", SERVICE.text) == ["1", "2"]


def test_alerts_query_events_that_the_service_logs() -> None:
    queried = set(re.findall(r'"([a-z_]+\.[a-z_-]+)"', LOG_ALERTS.text))
    source = service_source()
    logged = {
        *re.findall(r'\blog\.\w+\)?\(\s*"([a-z_]+\.[a-z_]+)"', source),
        *(f"{loop}.round_failed" for loop in re.findall(r'\bLoop\("([^"]+)"', source)),
    }
    actions = json.loads((PROJECT / "tests/unit/contract.json").read_text())["audit_actions"]
    logged |= {f"audit.{action.replace(' ', '_')}" for action in actions}
    for service in re.findall(r'\bOutages\("([^"]+)"', source):
        logged |= {f"{service}.unavailable", f"{service}.recovered"}
    assert len(queried) > 20
    assert queried <= logged


def test_faults_are_all_unexpected_failures() -> None:
    """Whatever is logged with a stack trace, except where somebody is told at once."""
    [query] = re.findall(r"name: 'faults'.+?query: '(.+?)'", LOG_ALERTS.text, re.DOTALL)
    named = set(re.findall(r'"([a-z]+\.[a-z_]+)"', query))
    suffixes = tuple(re.findall(r'endswith "(\.[a-z_]+)"', query))
    source = service_source()
    failures = set(re.findall(r'\blog\.exception\(\s*"([a-z_]+\.[a-z_]+)"', source))
    failures |= set(re.findall(r'"([a-z_]+\.digest_mismatched)"', source))
    unnamed = {each for each in failures if not each.endswith(suffixes)} - named
    assert unnamed == {"doctor.check_crashed"}


def test_alerts_all_have_a_runbook() -> None:
    kinds = {"Microsoft.Insights/metricAlerts"}
    alerts = {
        each.value("name").removeprefix("${name}-")
        for each in ALERTS.of("resource").values()
        if each.resource_type in kinds
    }
    alerts |= set(re.findall(r"^    name: '([a-z-]+)'$", LOG_ALERTS.text, re.MULTILINE))
    assert len(alerts) > 10
    runbooks = re.findall(
        r"^### `(.+)`$", (PROJECT / "docs/operations.md").read_text(), re.MULTILINE
    )
    assert alerts == set(runbooks)


def service_source() -> str:
    return "\n".join(path.read_text() for path in (PROJECT / "bot").rglob("*.py"))


def parameters(bicep: Bicep) -> dict[str, list[str]]:
    """Returns the names of azd's variables in each value of the parameter file."""
    file = json.loads(bicep.path.with_suffix(".parameters.json").read_text())
    return {
        name: re.findall(r"\$\{(\w+)", json.dumps(parameter["value"]))
        for name, parameter in file["parameters"].items()
    }
