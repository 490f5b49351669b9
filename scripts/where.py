"""Where is what: behaviors that maintainers look for, each with the function or class that has it.

The table on the architecture page is generated from here; a test holds that every place exists.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Place(NamedTuple):
    behavior: str
    path: str  #: of the file, from the project's root
    symbol: str  #: a function, class or constant in it; `Class.method` for a method


PLACES = (
    Place(
        "Parse and normalize a hardware ID (MAC address, ATA port)",
        "bot/phones/hardware_id.py",
        "parse",
    ),
    Place(
        "Recognize the columns of a CSV or XLSX header", "bot/phones/header.py", "locate_columns"
    ),
    Place("Detect a file's encoding and delimiter", "bot/phones/reader.py", "read"),
    Place("Find duplicate phones and other issues of rows", "bot/phones/validation.py", "validate"),
    Place("Build a phone's provisioning URL", "bot/phones/provisioning.py", "url_for"),
    Place("Draft a request from a file", "bot/lifecycle/drafts.py", "draft"),
    Place("Decide who may approve, and why not", "bot/signin/policy/evaluator.py", "may_approve"),
    Place("Decide which requests somebody sees", "bot/signin/policy/sight.py", "sight"),
    Place("Read the policy file", "bot/signin/policy/file.py", "parse"),
    Place(
        "Complete the policy file from settings: break-glass, escalation",
        "bot/signin/policy/settings.py",
        "completed",
    ),
    Place("Count votes against the stages of a policy", "bot/signin/policy/quorum.py", "missing"),
    Place("Record a vote, or start with the last one", "bot/lifecycle/approvals.py", "approve"),
    Place("Know when a change window opens", "bot/signin/windows.py", "window_open"),
    Place(
        "Read the policy file again when it changes", "bot/runner/policy_watch.py", "PolicyWatch"
    ),
    Place(
        "List the allowed states and transitions of a batch", "bot/signin/batch.py", "TRANSITIONS"
    ),
    Place("Split a request into batches of one region", "bot/signin/batch.py", "plan"),
    Place("Explain an error message of the SIP Gateway", "bot/signin/outcome.py", "explain"),
    Place("Judge whether an account's password was reset", "bot/signin/passwords.py", "of_account"),
    Place("Choose the time of the next poll", "bot/signin/timing.py", "next_poll_seconds"),
    Place(
        "Approve a request: digest, batches, notifications",
        "bot/lifecycle/requests.py",
        "approve",
    ),
    Place("Ask for approval of a draft", "bot/lifecycle/asking.py", "request_approval"),
    Place(
        "Record what the answer to a submit proves", "bot/lifecycle/submission.py", "acknowledge"
    ),
    Place("Record what a poll finds", "bot/lifecycle/polling.py", "report"),
    Place(
        "Record what an approver says of a batch",
        "bot/lifecycle/reconciliation.py",
        "confirm_not_run",
    ),
    Place(
        "Count a region's slots and choose what to send",
        "bot/store/slots.py",
        "next_to_send",
    ),
    Place(
        "Claim batches, at most three per region over all replicas",
        "bot/lifecycle/batches.py",
        "claim",
    ),
    Place("End a request when its last batch has ended", "bot/lifecycle/ending.py", "end_if_over"),
    Place(
        "Choose who is notified of what, and where",
        "bot/lifecycle/notifications.py",
        "Notifications",
    ),
    Place("Refuse a change of state that no table allows", "bot/store/transitions.py", "apply"),
    Place(
        "Begin write transactions, one at a time on SQLite",
        "bot/store/database.py",
        "Database.write",
    ),
    Place("Build an SQL statement once", "bot/store/statement.py", "statement"),
    Place("Visit SQLite's thread once per statement", "bot/store/sqlite.py", "connect"),
    Place(
        "Lock requests and slots, in an order without deadlocks", "bot/store/locks.py", "requests"
    ),
    Place("Choose the next post of each conversation", "bot/store/posts.py", "next_due"),
    Place(
        "Keep a stale replica from writing (lease and fencing)", "bot/store/leases.py", "require"
    ),
    Place("Build the snapshot that cards show", "bot/store/snapshots.py", "load"),
    Place("Count a request's phones and batches for its cards", "bot/store/progress.py", "tallies"),
    Place("Read what cards show of a file: issues, checks", "bot/store/roster_summary.py", "load"),
    Place("Read the rows of exports", "bot/store/export_rows.py", "all_phones"),
    Place("Declare the tables", "bot/store/models/requests.py", "RequestRow"),
    Place("Delete old requests", "bot/store/purge.py", "purge"),
    Place(
        "Give an activity that is delivered twice one effect",
        "bot/store/received_activities.py",
        "claim",
    ),
    Place("Accept a file consent once", "bot/store/file_consents.py", "take"),
    Place("Record an audit event", "bot/store/audit.py", "record"),
    Place("Chain the audit, and verify the chain", "bot/store/chain.py", "Verifier"),
    Place("Leave anchors, and tell of a broken chain", "bot/runner/audit_watch.py", "AuditWatch"),
    Place("Deliver the audit to a webhook", "bot/runner/audit_stream.py", "AuditStream"),
    Place(
        "Say how far the audit is verified, delivered, and anchored",
        "bot/store/audit_progress.py",
        "Progress",
    ),
    Place("Read what `history` is asked for", "bot/signin/history.py", "parse"),
    Place("Find requests by phone, account, person, and period", "bot/store/history.py", "find"),
    Place("Write what is known of a request for an auditor", "bot/cli/evidence.py", "document"),
    Place("Record starts, stops, and changed settings", "bot/lifecycle/service.py", "started"),
    Place("Export the audit to other tools", "bot/store/audit_export.py", "ocsf"),
    Place("Find and erase what is stored about a person", "bot/store/people.py", "erase"),
    Place("Record a denied action, within limits", "bot/lifecycle/denials.py", "record"),
    Place("Find phones that other requests have, too", "bot/store/overlaps.py", "find"),
    Place("Decide whether such an overlap is explained", "bot/signin/overlap.py", "judge"),
    Place("Know what the service's login may not do", "bot/store/health.py", "examine"),
    Place(
        "Submit a batch once, and read what its answer proves",
        "bot/runner/submission.py",
        "Submission",
    ),
    Place(
        "Settle an unknown outcome from the summaries",
        "bot/runner/reconciliation.py",
        "Reconciliation",
    ),
    Place("Poll a batch; notice that it has stalled", "bot/runner/polling.py", "Polling"),
    Place("Look up phones without a result before a retry", "bot/runner/lookups.py", "Lookups"),
    Place("Decide when approvers are reminded", "bot/signin/reminders.py", "allowed_at"),
    Place("Read `until Friday` and `for 3 days`", "bot/signin/period.py", "end"),
    Place("Give a stand-in the role of an approver", "bot/signin/stand_in.py", "about"),
    Place("Approve one's own request with break-glass", "bot/lifecycle/break_glass.py", "use"),
    Place("Remind, nudge, and escalate", "bot/lifecycle/urgency.py", "remind"),
    Place("Escalate what nobody decides in time", "bot/runner/escalations.py", "Escalations"),
    Place("Answer `delegate @Name`", "bot/commands/stand_in.py", "command"),
    Place("Expire requests and remind approvers", "bot/runner/deadlines.py", "Deadlines"),
    Place("Read a start in somebody's time zone", "bot/signin/schedule.py", "resolve"),
    Place("Start a scheduled request once", "bot/lifecycle/starts.py", "start"),
    Place("Pause a request whose change window closes", "bot/lifecycle/pauses.py", "pause_closed"),
    Place("Ask an approver to sign in before a start", "bot/runner/starts.py", "Starts"),
    Place("Send messages and keep posted cards current", "bot/runner/publisher.py", "Publisher"),
    Place("Stay below Teams' rate limits", "bot/runner/rate_limit.py", "RateLimit"),
    Place("Log an outage once, and its end", "bot/runner/outages.py", "Outages"),
    Place(
        "Route a chat command or a click to its handler", "bot/commands/dispatcher.py", "Dispatcher"
    ),
    Place("Answer an approver's click on Approve", "bot/commands/approval.py", "approve"),
    Place("Gather what an approver is shown besides the rows", "bot/store/evidence.py", "gather"),
    Place("Decide what is unusual about a request", "bot/signin/unusual.py", "unusual"),
    Place("Decide between a tick and a typed number", "bot/signin/acknowledgment.py", "wanted"),
    Place("Tell what changed since the clicked card", "bot/signin/shown.py", "changed"),
    Place("Page through the phones of a request", "bot/store/phone_pages.py", "load"),
    Place(
        "Let an approver settle a batch of unknown outcome",
        "bot/commands/reconcile.py",
        "reconcile",
    ),
    Place("Read a time of provisioning", "bot/phones/provisioned.py", "parse"),
    Place("Count phones that are too early or too late", "bot/store/windows.py", "count"),
    Place("Write the cmdlets that fix accounts", "bot/preflight/script.py", "powershell"),
    Place("Write the results CSV, safe for spreadsheets", "bot/commands/export.py", "results_csv"),
    Place("Resolve who is a requester or an approver", "bot/commands/roles.py", "Roles"),
    Place("Authenticate an incoming activity", "bot/teams/auth.py", "RequestAuth"),
    Place("Fetch the connector's signing keys", "bot/teams/keys.py", "SigningKeys"),
    Place("Limit what requests may cost", "bot/teams/admission.py", "Admission"),
    Place("Turn an activity's JSON into plain values", "bot/teams/activities.py", "read"),
    Place("Download a file safely from SharePoint", "bot/teams/files.py", "ChatFiles.download"),
    Place(
        "Call the Bot Connector to send a message",
        "bot/teams/connector.py",
        "ConnectorMessenger",
    ),
    Place(
        "Hold an approver's on-behalf-of token",
        "bot/identity/delegations.py",
        "Delegations",
    ),
    Place("Check an approver's Entra roles", "bot/identity/entra_roles.py", "missing_roles"),
    Place(
        "Check that an approver has just signed in (step-up)", "bot/identity/step_up.py", "proved"
    ),
    Place("Decide what a fact means for the sign-in", "bot/preflight/checks.py", "account"),
    Place("Keep people's and administrators' accounts out", "bot/preflight/guard.py", "verdicts"),
    Place(
        "Tell new failures from those an approver saw", "bot/preflight/changes.py", "new_failures"
    ),
    Place("Check the accounts of drafts", "bot/runner/preflight.py", "Preflight"),
    Place("Keep what an approver saw for a second check", "bot/store/rechecks.py", "begin"),
    Place("Hold an approved request for new failures", "bot/lifecycle/holds.py", "complete"),
    Place("Let an approver continue without accounts", "bot/commands/hold.py", "continue_without"),
    Place(
        "Read settings with an approver's rights",
        "bot/runner/facts.py",
        "ApproverReaders.reader_of",
    ),
    Place(
        "Look for signed-in phones in Entra ID's sign-in log",
        "bot/runner/sightings.py",
        "Sightings",
    ),
    Place(
        "List the Graph permissions that the doctor tests, by tier",
        "bot/directory/permissions.py",
        "PERMISSIONS",
    ),
    Place("Read Entra ID's sign-in log", "bot/directory/sign_ins.py", "read"),
    Place("Leave out or include accounts", "bot/lifecycle/preflight.py", "include"),
    Place("Read accounts from Graph for pre-flight", "bot/directory/accounts.py", "AccountReader"),
    Place(
        "Put many Graph reads into few calls; wait when throttled",
        "bot/directory/batch.py",
        "Batches",
    ),
    Place("Decide what a Graph property says", "bot/directory/reading.py", "plans"),
    Place("Find who holds a directory role", "bot/directory/roles.py", "read"),
    Place("Read the content of Teams policies", "bot/gateway/policies.py", "read"),
    Place("Decide which changes mend accounts", "bot/mending/plan.py", "plan"),
    Place("Decide the next step of a change", "bot/mending/step.py", "forward"),
    Place("Approve and undo mends", "bot/lifecycle/mends.py", "approve_mend"),
    Place("Choose the mends to work on", "bot/store/due_mends.py", "due"),
    Place("Build the snapshot that a mend's cards show", "bot/store/mend_snapshots.py", "load"),
    Place("Write a mend's changes and read them back", "bot/runner/mend_pass.py", "MendPass"),
    Place(
        "Grant policies over the ConfigAPI",
        "bot/gateway/administration.py",
        "ConfigApiAdministration",
    ),
    Place(
        "Grant policies with cmdlets, many with one process",
        "bot/gateway/powershell_administration.py",
        "PowerShellAdministration",
    ),
    Place("Declare the simulated tenant's accounts", "bot/simulator/tenant.py", "Account"),
    Place(
        "Call the SIP Gateway over the Teams ConfigAPI",
        "bot/gateway/configapi.py",
        "ConfigApiGateway",
    ),
    Place(
        "Run the sign-in cmdlets through PowerShell",
        "bot/gateway/powershell.py",
        "PowerShellGateway",
    ),
    Place("Start PowerShell without secrets", "bot/gateway/pwsh.py", "Pwsh"),
    Place("Read the SIP Gateway's JSON tolerantly", "bot/gateway/wire.py", "report"),
    Place("Keep a card below 28 KB", "cards/render.py", "render"),
    Place("Show progress: counts, regions, failures", "cards/progress.py", "build"),
    Place("Find a user-visible sentence", "bot/words/en/cards.ftl", ""),
    Place(
        "Declare a setting, and read it from the environment", "bot/settings/model.py", "Settings"
    ),
    Place("Check settings against each other", "bot/settings/checks.py", "check"),
    Place("Serve health probes and metrics", "bot/web/probes.py", "probe_routes"),
    Place("Count for metrics", "bot/web/metrics.py", "Metrics"),
    Place("Start everything and wire it together", "bot/app.py", "running"),
    Place("Choose the clients that the settings name", "bot/remote.py", "Remote"),
    Place("Read remote services for a command, without a service", "bot/reading.py", "examining"),
)


def defined_in(path: Path) -> frozenset[str]:
    """The functions, classes, methods and constants that a Python file defines, as `PLACES` names them."""
    return frozenset(_defined(ast.parse(path.read_text("utf-8")).body, ""))


def _defined(body: list[ast.stmt], prefix: str) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield f"{prefix}{node.name}"
        if isinstance(node, ast.ClassDef):
            yield from _defined(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield f"{prefix}{node.target.id}"


def table() -> str:
    """A Markdown table with a row per behavior."""
    rows = [
        f"| {behavior} | [`{path}`](../{path}) | {f'`{symbol}`' if symbol else ''} |"
        for behavior, path, symbol in PLACES
    ]
    return "\n".join(["| behavior | file | look for |", "|---|---|---|", *rows]) + "\n"
