"""Checks on the safeguards around a password reset: each that a setting weakens is a warning."""

from __future__ import annotations

from collections.abc import Sequence

from bot.directory import DirectoryUnavailableError
from bot.doctor import Finding, failed, ok, unknown, warning
from bot.doctor.clients import DirectoryProbe
from bot.preflight.facts import Unknown
from bot.settings.model import Settings
from bot.settings.values import EVERYONE, Exports, RunAs
from bot.signin.policy.model import Policy

_MAX_LOOKUPS = 50  # approvers looked up one by one; more than that are groups


def four_eyes(settings: Settings) -> Finding:
    """Check that nobody can approve what they requested."""
    check = "four-eyes"
    if settings.four_eyes:
        return ok(check, "found-four-eyes")
    return warning(check, "found-two-eyes", setting="OFFHOOK_FOUR_EYES")


def break_glass(settings: Settings, policy: Policy | None) -> Finding:
    """Check that nobody may approve their own request, also in an emergency.

    `policy`: of the file, if it is one; it names users or groups.
    """
    check, setting = "break-glass", "OFFHOOK_BREAK_GLASS"
    if settings.break_glass:
        return warning(
            check, "found-break-glass", people=len(settings.break_glass), setting=setting
        )
    if policy is None or not policy.break_glass:
        return ok(check, "found-break-glass-off")
    names = ", ".join(each.name for each in policy.break_glass)
    return warning(check, "found-break-glass-file", names=names, setting="OFFHOOK_POLICY")


def requesters(settings: Settings) -> Finding:
    """Check that not everyone may request a sign-in."""
    check, setting = "requesters", "OFFHOOK_REQUESTERS"
    if EVERYONE in settings.requesters:
        return warning(check, "found-requesters-everyone", setting=setting)
    return ok(check, "found-requesters", entries=len(settings.requesters), setting=setting)


async def approvers(settings: Settings, directory: DirectoryProbe) -> Finding:
    """Check that not everyone may approve, and that no approver named by object ID is a guest."""
    check, setting = "approvers", "OFFHOOK_APPROVERS"
    if EVERYONE in settings.approvers:
        return warning(check, "found-approvers-everyone", setting=setting)
    try:
        guests = await guests_among(settings.approvers, directory)
    except DirectoryUnavailableError as error:
        return unknown(check, "found-approvers-no-answer", message=str(error))
    if guests:
        return warning(
            check,
            "found-approvers-guests",
            count=len(guests),
            names=", ".join(guests),
            setting=setting,
        )
    return ok(check, "found-approvers", entries=len(settings.approvers), setting=setting)


async def guests_among(object_ids: Sequence[str], directory: DirectoryProbe) -> Sequence[str]:
    """Names of the guests among users named by object ID. Raises `DirectoryUnavailableError`."""
    profiles = [await directory.profile(each) for each in object_ids[:_MAX_LOOKUPS]]
    return [each.display_name for each in profiles if each is not None and each.guest]


def run_as(settings: Settings) -> Finding:
    """Check that sign-ins use an approver's permissions, not standing ones."""
    check = "run-as"
    if settings.run_as is RunAs.APP:
        return warning(check, "found-run-as-app", setting="OFFHOOK_RUN_AS")
    return ok(check, "found-run-as-approver")


async def step_up(settings: Settings, directory: DirectoryProbe) -> Finding:
    """Check that the authentication context of approvals has a policy that asks for a fresh sign-in.

    Without one, Entra ID says of any sign-in that it satisfies the context.
    """
    check, setting, context = "step-up", "OFFHOOK_STEP_UP", settings.step_up
    if not context:
        return ok(check, "found-step-up-off", setting=setting)
    found = await directory.authentication_context(context)
    if isinstance(found.policies, Unknown):
        known = {True: "published", False: "missing"}
        exists = "unknown" if isinstance(found.published, Unknown) else known[found.published]
        return unknown(check, "found-step-up-unknown", context=context, exists=exists)
    if found.published is False:
        return failed(check, "found-step-up-no-context", context=context)
    if not found.policies:
        return warning(check, "found-step-up-no-policy", context=context)
    if not found.every_time:
        return warning(check, "found-step-up-not-fresh", context=context)
    return ok(check, "found-step-up", context=context, policies=found.policies)


def digest_key(settings: Settings) -> Finding:
    """Check that what was approved is protected from whoever can write to the database."""
    check, setting = "digest-key", "OFFHOOK_DIGEST_KEY"
    if settings.digest_key.get_secret_value():
        return ok(check, "found-digest-key", setting=setting)
    if settings.local:
        return ok(check, "found-digest-key-local", setting=setting)
    return warning(check, "found-digest-key-missing", setting=setting)


def accounts(settings: Settings) -> Finding:
    """Check that accounts are checked before a sign-in, and that not any account may be signed in."""
    check = "accounts"
    if not settings.checks_accounts:
        return warning(check, "found-accounts-unchecked", setting="OFFHOOK_PREFLIGHT")
    entries, setting = len(settings.accounts), "OFFHOOK_ACCOUNTS"
    if entries:
        return ok(check, "found-accounts", entries=entries, setting=setting)
    if settings.local:
        return ok(check, "found-accounts-local", setting=setting)
    return warning(check, "found-accounts-any", setting=setting)


def exports(settings: Settings) -> Finding:
    """Check that exports reach only the person who asked for them."""
    check = "exports"
    if settings.exports is Exports.LINK:
        return warning(check, "found-exports-link", setting="OFFHOOK_EXPORTS")
    return ok(check, "found-exports")
