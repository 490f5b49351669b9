"""The SIP Gateway and the tenant's switches for it, by reads only."""

from __future__ import annotations

from bot.doctor import Finding, failed, ok, unknown
from bot.doctor.clients import ConfigApi
from bot.gateway import AccessDeniedError, GatewayError, SipGateway

_NO_ID = "–"


async def discovery(configapi: ConfigApi) -> Finding:
    step = "configapi"
    try:
        host = await configapi.discovered()
    except AccessDeniedError as error:
        return failed(step, "found-configapi-denied", **_told(error))
    except GatewayError as error:
        return failed(step, "found-configapi-no-answer", **_told(error))
    return ok(step, "found-configapi", host=host)


async def summaries(gateway: SipGateway) -> Finding:
    """The one call that needs the same rights as a sign-in and changes nothing."""
    step = "bulk-sign-in"
    try:
        found = await gateway.summaries()
    except AccessDeniedError as error:
        return failed(step, "found-summaries-denied", **_told(error))
    except GatewayError as error:
        return failed(step, "found-summaries-no-answer", **_told(error))
    return ok(step, "found-summaries", batches=len(found))


async def switch(configapi: ConfigApi) -> Finding:
    step = "tenant-switch"
    try:
        instances = await configapi.configurations("TeamsSipDevicesConfiguration")
    except AccessDeniedError as error:
        return unknown(step, "found-policy-denied", **_told(error))
    except GatewayError as error:
        return failed(step, "found-policy-no-answer", **_told(error))
    of_tenant = [each for each in instances if str(each["identity"]).casefold() == "global"]
    values = [each["bulksignin"] for each in of_tenant if "bulksignin" in each]
    if not values:
        return unknown(step, "found-switch-missing")
    value = str(values[0])
    if value.casefold() == "enabled":
        return ok(step, "found-switch")
    return failed(step, "found-switch-off", value=value)


async def trusted_addresses(configapi: ConfigApi) -> Finding:
    step = "trusted-addresses"
    try:
        instances = await configapi.configurations("TenantTrustedIPAddress")
    except AccessDeniedError as error:
        return unknown(step, "found-policy-denied", **_told(error))
    except GatewayError as error:
        return failed(step, "found-policy-no-answer", **_told(error))
    if not instances:
        return failed(step, "found-addresses-none")
    return ok(step, "found-addresses", addresses=len(instances))


def _told(error: GatewayError) -> dict[str, str]:
    return {"message": error.message, "correlation": error.correlation_id or _NO_ID}
