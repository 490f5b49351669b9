"""Checks on the safeguards around a password reset: each that a setting weakens is a warning."""

from __future__ import annotations

from bot.directory import DirectoryUnavailableError
from bot.doctor import Finding, failed, ok, unknown, warning
from bot.doctor.clients import DirectoryProbe
from bot.preflight.facts import Unknown
from bot.settings.model import Settings
from bot.settings.values import EVERYONE, Exports, RunAs

_MAX_LOOKUPS = 50  # approvers looked up one by one; more than that are groups


def four_eyes(settings: Settings) -> Finding:
    """Check that nobody can approve what they requested."""
    check = "four-eyes"
    if settings.four_eyes:
        return ok(check, "found-four-eyes")
    return warning(check, "found-two-eyes", setting="OFFHOOK_FOUR_EYES")


def break_glass(settings: Settings) -> Finding:
    """Check that nobody may approve their own request, also in an emergency."""
    check, setting = "break-glass", "OFFHOOK_BREAK_GLASS"
    if not settings.break_glass:
        return ok(check, "found-break-glass-off")
    people = len(settings.break_glass)
    return warning(check, "found-break-glass", people=people, setting=setting)


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
    guests: list[str] = []
    try:
        for object_id in settings.approvers[:_MAX_LOOKUPS]:
            profile = await directory.profile(object_id)  # None for a group
            if profile is not None and profile.guest:
                guests.append(profile.display_name)
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
