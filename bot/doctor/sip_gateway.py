"""Checks on the SIP Gateway and the tenant settings it depends on."""

from __future__ import annotations

from bot.doctor import Finding, failed, ok, unknown
from bot.doctor.clients import ConfigApi
from bot.gateway import AccessDeniedError, GatewayError, SipGateway

_NO_ID = "–"


async def discovery(configapi: ConfigApi) -> Finding:
    """Check that the ConfigAPI's service discovery responds."""
    check = "configapi"
    try:
        host = await configapi.discover_admin_host()
    except AccessDeniedError as error:
        return failed(check, "found-configapi-denied", **_arguments(error))
    except GatewayError as error:
        return failed(check, "found-configapi-no-answer", **_arguments(error))
    return ok(check, "found-configapi", host=host)


async def summaries(gateway: SipGateway) -> Finding:
    """Check bulk sign-in with the only read that needs the same permission as a submit."""
    check = "bulk-sign-in"
    try:
        batches = await gateway.summaries()
    except AccessDeniedError as error:
        return failed(check, "found-summaries-denied", **_arguments(error))
    except GatewayError as error:
        return failed(check, "found-summaries-no-answer", **_arguments(error))
    return ok(check, "found-summaries", batches=len(batches))


async def switch(configapi: ConfigApi) -> Finding:
    """Check that bulk sign-in is enabled for the tenant."""
    check = "tenant-switch"
    try:
        instances = await configapi.configurations("TeamsSipDevicesConfiguration")
    except AccessDeniedError as error:
        return unknown(check, "found-policy-denied", **_arguments(error))
    except GatewayError as error:
        return failed(check, "found-policy-no-answer", **_arguments(error))
    tenant_wide = [each for each in instances if str(each["identity"]).casefold() == "global"]
    values = [each["bulksignin"] for each in tenant_wide if "bulksignin" in each]
    if not values:
        return unknown(check, "found-switch-missing")
    value = str(values[0])
    if value.casefold() == "enabled":
        return ok(check, "found-switch")
    return failed(check, "found-switch-off", value=value)


async def trusted_addresses(configapi: ConfigApi) -> Finding:
    """Check that the tenant has trusted IP addresses."""
    check = "trusted-addresses"
    try:
        instances = await configapi.configurations("TenantTrustedIPAddress")
    except AccessDeniedError as error:
        return unknown(check, "found-policy-denied", **_arguments(error))
    except GatewayError as error:
        return failed(check, "found-policy-no-answer", **_arguments(error))
    if not instances:
        return failed(check, "found-addresses-none")
    return ok(check, "found-addresses", addresses=len(instances))


def _arguments(error: GatewayError) -> dict[str, str]:
    return {"message": error.message, "correlation": error.correlation_id or _NO_ID}
