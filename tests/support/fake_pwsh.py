"""A fake `pwsh` with Microsoft's module, in front of a simulated SIP Gateway. It acts out the script.

Run by a launcher that `install` writes, because pwsh cannot be installed where the tests run. It rejects
what the real one would, and more: other arguments, unknown environment variables, and cmdlets or
parameters that the module does not have. It takes its steps and their order from the script it is given.
Models and errors are those of the MicrosoftTeams module 7.7.0 and the generator behind it.
"""

from __future__ import annotations

import csv
import ctypes
import json
import os
import select
import shlex
import signal
import socket
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn
from urllib.parse import quote, urlsplit

from tests.support.powershell_script import Step, read

ROOT = Path(__file__).parents[2]
SERVICE = "/Teams.SipDevicesGatewayManagement/v1"
ENVIRONMENT = {
    *(
        "PATH",
        "HOME",
        "LANG",
        "LC_ALL",
        "TZ",
        "PSModulePath",
        "TMPDIR",
        "PWD",
        "SHLVL",
        "_",
        "OLDPWD",
    ),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("SSL_CERT_DIR", "SSL_CERT_FILE", "DOTNET_ROOT", "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT"),
    *("DOTNET_EnableDiagnostics", "NO_COLOR", "POWERSHELL_TELEMETRY_OPTOUT", "TERM"),
    *("POWERSHELL_UPDATECHECK", "LC_CTYPE"),
    *("OFFHOOK_MARK", "OFFHOOK_GRAPH_TOKEN", "OFFHOOK_TEAMS_TOKEN", "OFFHOOK_BATCH_ID"),
}
# Cmdlets and the parameters that the script may use.
CMDLETS: Mapping[str, set[str]] = {
    "Set-StrictMode": {"Off"},
    "Remove-Item": {"Path"},
    "Get-Module": {"Name", "ListAvailable"},
    "Sort-Object": {"Property", "Descending"},
    "Select-Object": {"First"},
    "Import-Module": {"Name", "RequiredVersion"},
    "Connect-MicrosoftTeams": {
        "AccessTokens",
        "TenantId",
        "LogLevel",
        "LogFilePath",
        "ErrorAction",
    },
    "Disconnect-MicrosoftTeams": {"ErrorAction"},
    "New-CsSdgBulkSignInRequest": {"DeviceDetailsFilePath", "Region", "ErrorAction"},
    "Get-CsSdgBulkSignInRequestStatus": {"Batchid", "ErrorAction"},
    "Get-CsSdgBulkSignInRequestsSummary": {"ErrorAction"},
    "ConvertFrom-Json": {"InputObject"},
    "Get-Command": {"Name"},
    "Get-CsOnlineUser": {"Identity", "ErrorAction"},
    "Get-CsTeamsIPPhonePolicy": {"Identity", "ErrorAction"},
    "Get-CsTeamsCallingPolicy": {"Identity", "ErrorAction"},
    "Get-CsTeamsSipDevicesConfiguration": {"ErrorAction"},
    "Grant-CsTeamsIPPhonePolicy": {"Identity", "PolicyName", "ErrorAction"},
    "Grant-CsTeamsCallingPolicy": {"Identity", "PolicyName", "ErrorAction"},
    "New-CsTeamsIPPhonePolicy": {"Identity", "ErrorAction"},
    "New-CsTeamsCallingPolicy": {"Identity", "ErrorAction"},
    "Set-CsTeamsSipDevicesConfiguration": {"BulkSignIn", "ErrorAction"},
    "Out-Null": set(),
}
FUNCTIONS = {"Write-Event", "Get-Text", "Get-Name", "Get-Settings", "Get-Failure"}
ORDERS = "while $null -ne $line = [ Console ] ::In.ReadLine"  # the head of the loop over orders
# Of New-CsTeams…Policy, and in the simulated tenant's policies.
SETTINGS = {"SignInMode", "AllowPrivateCalling", "AllowSIPDevicesCalling", "AllowCallRedirect"}


class Behavior(NamedTuple):
    """How this `pwsh` and its module behave."""

    #: Installed versions of the MicrosoftTeams module.
    modules: tuple[str, ...] = ("4.9.1", "7.7.0")
    #: Write warnings, banners and escape codes around the events.
    noise: bool = False
    #: Errors have a code and a message, but no HTTP status.
    plain_errors: bool = False
    #: hang (with a child), kill, exit, crash, flood, garbage, forge or long-line; wait until the parent
    #: is gone, or outlive it, if the kernel would not kill this process; "" for none.
    fault: str = ""
    #: Where `fault` occurs: start, connecting, ready, asking, asked or answered; of an order: ordered
    #: (before its cmdlet) or done (after it, before the answer).
    at: str = ""
    #: In which order of a process, from 1.
    order: int = 1
    #: A property of accounts that this version of the module does not have.
    hidden: str = ""
    #: Error message of Connect-MicrosoftTeams; "" to connect.
    connect_error: str = ""
    #: .NET exception type of `connect_error`.
    connect_kind: str = "AuthenticationException"
    #: HTTP status of `connect_error`; None for none.
    connect_status: int | None = None


def install(folder: Path, url: str, behavior: Behavior | None = None) -> Path:
    """Write the launcher `pwsh` into `folder`. Runs are recorded in the `journal` next to it."""
    settings = {"url": url, "journal": str(journal(folder)), **(behavior or Behavior())._asdict()}
    config = folder / "pwsh.json"
    config.write_text(json.dumps(settings), "utf-8")
    launcher = folder / "pwsh"
    # Imported rather than run as a file, so that it is compiled once and starts quickly.
    start = f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
    start += "from tests.support.fake_pwsh import main; main()"
    command = shlex.join([sys.executable, "-IS", "-c", start, str(config)])
    launcher.write_text(f'#!/bin/sh\nexec {command} "$@"\n', "utf-8")
    launcher.chmod(0o755)
    return launcher


def journal(folder: Path) -> Path:
    return folder / "journal.jsonl"


def runs(folder: Path) -> list[dict[str, Any]]:
    """What happened, in order: `{"pid": …, "what": …, …}`."""
    try:
        return [json.loads(line) for line in journal(folder).read_text("utf-8").splitlines()]
    except FileNotFoundError:
        return []


class ThrownError(Exception):
    """An error record, with the properties that the script reads."""

    def __init__(
        self,
        message: str,
        *kinds: str,
        status: int | None = None,
        body: str = "",
        headers: Mapping[str, str] | None = None,
        error_id: str = "",
    ) -> None:
        super().__init__(message)
        self.error_id = error_id
        self.message = message
        self.kinds = kinds
        self.status = status
        self.body = body
        self.headers = headers or {}


def refuse(reason: str) -> NoReturn:
    """Exit because the real `pwsh` would fail, or because the script breaks a rule."""
    sys.stderr.write(f"fake pwsh: {reason}\n")
    sys.stderr.flush()
    os._exit(99)


class Session:
    """One run of `pwsh`."""

    def __init__(self, config: Mapping[str, Any], arguments: list[str]) -> None:
        self.config = config
        self.url = urlsplit(config["url"])
        self.action, self.region, self.script = self._arguments(arguments)
        self.environment = dict(os.environ)
        self.mark = self.environment["OFFHOOK_MARK"]
        self.stage = ""
        self.answer: Any = None
        self.version = ""
        self.imported = self.connected = False
        self.order = ""
        self.steps: list[Step] = []
        self.orders = 0
        self.ordered: Mapping[str, Any] = {}

    def note(self, what: str, **more: Any) -> None:
        line = json.dumps({"pid": os.getpid(), "what": what, **more}) + "\n"
        with Path(self.config["journal"]).open("a", encoding="utf-8") as stream:
            stream.write(line)

    # -- arguments and environment ----------------------------------------------------------------

    def _arguments(self, arguments: list[str]) -> tuple[str, str, Path]:
        match arguments:
            case ["-NoProfile", "-NonInteractive", "-File", script, "-Action", action, *rest]:
                pass
            case _:
                refuse(f"unexpected arguments: {arguments}")
        if (
            action not in ("submit", "status", "summaries", "administer")
            or not Path(script).is_file()
        ):
            refuse(f"unexpected arguments: {arguments}")
        match rest:
            case [] if action != "submit":
                return action, "", Path(script)
            case ["-Region", ("NOAM" | "EMEA" | "APAC") as region] if action == "submit":
                return action, region, Path(script)
            case _:
                refuse(f"unexpected arguments: {arguments}")

    def has_input(self) -> bool:
        """Whether there is something on standard input; its end does not count."""
        readable, _, _ = select.select([0], [], [], 0)
        return bool(readable) and bool(os.read(0, 1))

    def check_environment(self) -> None:
        unexpected = set(self.environment) - ENVIRONMENT
        if unexpected:
            refuse(f"unexpected environment: {sorted(unexpected)}")
        if os.getsid(0) != os.getpid() or os.getpgid(0) != os.getpid():
            refuse("not in its own process group")
        if self.has_input():
            refuse("something on standard input before the script asks for it")
        folder = Path.cwd()
        if stat.S_IMODE(folder.stat().st_mode) != 0o700 or self.environment["TMPDIR"] != str(
            folder
        ):
            refuse("the working directory is not private")
        secrets = [self.environment[f"OFFHOOK_{name}_TOKEN"] for name in ("GRAPH", "TEAMS")]
        exposed = [*sys.argv, *(each.read_text("utf-8") for each in folder.iterdir())]
        if any(secret in text for secret in secrets if len(secret) > 8 for text in exposed):
            refuse("a token in an argument or in a file")
        phones = folder / "devices.csv"
        if (self.action == "submit") != phones.exists():
            refuse("phones given for an action other than submit, or missing for a submit")
        if phones.exists() and stat.S_IMODE(phones.stat().st_mode) != 0o600:
            refuse("others can read the phones")

    # -- acting out the script ----------------------------------------------------------------------

    def run(self) -> int:
        self.check_environment()
        self.note("started", folder=str(Path.cwd()), arguments=sys.argv[2:])
        self.noise("PowerShell 7.6.9\r\n\ufeff")
        self.strike("start")
        self.steps = read(self.script.read_text("ascii"))
        self.check_script()
        self.stage = self.variable("$stage", ()).strip("'")
        failed = False
        try:
            self.act("try")
        except ThrownError as error:
            failed = True
            if not any(step.name == "Get-Failure" for step in self.block("catch")):
                refuse("the script does not report its failure")
            self.write(self.failure(error))
        self.act("finally")
        self.noise("Disconnected.\n")
        self.strike("answered")
        return int(failed)

    def block(self, name: str) -> Iterator[Step]:
        return (step for step in self.steps if step.path[:1] == (name,))

    def check_script(self) -> None:
        for step in self.steps:
            if step.kind != "command" or step.name in FUNCTIONS or step.path[:1] == ("function",):
                continue
            if step.name not in CMDLETS:
                refuse(f"no such cmdlet: {step.name}")
            unknown = set(step.parameters) - CMDLETS[step.name]
            if unknown:
                refuse(f"{step.name} has no parameter {unknown}")
        tokens = self.variable("$tokens", ())
        if tokens != "@( $env:OFFHOOK_GRAPH_TOKEN , $env:OFFHOOK_TEAMS_TOKEN )":
            refuse(f"the tokens are {tokens}: Graph's comes first")
        if self.variable("$ErrorActionPreference", ()) != "'Stop'":
            refuse("errors do not end the script")

    def variable(self, name: str, path: tuple[str, ...]) -> str:
        return next(
            (each.value for each in self.steps if each[:2] == ("set", name) and each.path == path),
            "",
        )

    def act(self, block: str) -> None:
        for step in self.block(block):
            if ORDERS in step.path:
                if self.action == "administer" and not self.orders:
                    self.carry_out_orders()
                continue
            if not all(self.is_entered(head) for head in step.path[1:]):
                continue
            if step.kind == "throw":
                message = step.value.strip("'\"").replace("$($module.Version)", self.version)
                raise ThrownError(message, "RuntimeException")
            if step[:3] == ("set", "$order", "[ Console ] ::In.ReadLine ( )"):
                self.order = sys.stdin.readline().removesuffix("\n")
            if step.kind == "set" and step.name == "$stage":
                self.stage = step.value.strip("'")
            if step.kind == "entry" and (step.name, step.path[-1]) == ("event", "@{Write-Event"):
                self.event(step.value.strip("'"))
            if step.kind == "command":
                self.command(step)

    def is_entered(self, head: str) -> bool:
        """Whether the block with this head is entered."""
        match head:
            case "if $null -eq $module":
                return not self.version
            case "if $module .Version -lt [ version ] '5.6.0'":
                return _number(self.version) < (5, 6, 0)
            case "if $order -ne 'go'":
                return self.order != "go"
            case "if $stage -ne 'checking'":
                return self.stage != "checking"
            case (
                "switch $Action"
                | "foreach $item in $batch .BatchItem"
                | "foreach $batch in $batches"
            ):
                return True
            case _ if head.startswith("'"):
                return head == f"'{self.action}'"
            case _ if head.startswith("@{"):
                return True
            case _:
                refuse(f"unknown block in the script: {head}")

    def event(self, name: str) -> None:
        if name == "answered":
            self.strike("asked")
            self.write({"event": name, "answer": self.answer})
        else:
            if name == "ready" and self.has_input():
                refuse("the go-ahead was given before the script is ready")
            self.write({"event": name})
            self.strike(name)

    def command(self, step: Step) -> None:
        given = step.parameters
        match step.name:
            case "Get-Module":
                self.find_module(step)
            case "Import-Module":
                if given != {"Name": "MicrosoftTeams", "RequiredVersion": "$module .Version"}:
                    refuse("the imported module is not the one that was checked")
                self.imported = True
            case "Connect-MicrosoftTeams":
                self.connect(given)
            case "Disconnect-MicrosoftTeams":
                self.note("disconnected")
                self.connected = False
            case "New-CsSdgBulkSignInRequest":
                self.ready(given)
                if (given["DeviceDetailsFilePath"], given["Region"]) != (
                    "./devices.csv",
                    "$Region",
                ):
                    refuse("not the given phones or region")
                self.answer = self.projected(step.path, self.submit())
            case "Get-CsSdgBulkSignInRequestStatus":
                self.ready(given)
                if given["Batchid"] != "$env:OFFHOOK_BATCH_ID":
                    refuse("not the given batch")
                self.answer = self.projected(step.path, self.status())
            case "Get-CsSdgBulkSignInRequestsSummary":
                self.ready(given)
                self.answer = [self.projected(step.path, each) for each in self.summaries()]
            case _:
                pass

    # -- orders -------------------------------------------------------------------------------------

    def carry_out_orders(self) -> None:
        inside = [
            (step, step.path[step.path.index(ORDERS) + 1 :])
            for step in self.block("try")
            if ORDERS in step.path
        ]
        if not any(path == ("catch",) and step.name == "Get-Failure" for step, path in inside):
            refuse("the script does not report the failure of an order")
        for line in sys.stdin:
            self.orders += 1
            self.ordered = json.loads(line)
            self.answer, call = None, self.ordered["call"]
            steps = [step for step, path in inside if path[-1:] == (f"'{call}'",)]
            if not line.isascii() or not any(step.name == call for step in steps):
                refuse(f"no such order: {line}")
            self.note("ordered", call=call)
            try:
                self.strike_order("ordered")
                for step in steps:
                    self.administer(step)
                self.strike_order("done")
                self.write({"event": "answered", "answer": self.answer})
            except ThrownError as error:
                self.write(self.failure(error))
        self.answer = None

    def strike_order(self, at: str) -> None:
        if self.orders == self.config["order"]:
            self.strike(at)

    def administer(self, step: Step) -> None:
        if step.kind != "command" or not step.name.partition("-")[2].startswith("Cs"):
            return
        given, order = dict(step.parameters), self.ordered
        if given.pop("ErrorAction", "") != "Stop":
            refuse("an error in the cmdlet would not stop the order")
        kind = step.name.partition("-Cs")[2]
        user = f"/Skype.Policy/users/{quote(str(order.get('account')), safe='')}/policies/{kind}"
        match step.name.partition("-")[0], given:
            case "Get", {"Identity": "$order .account"}:
                self.read_account(step, str(order["account"]))
            case "Get", {"Identity": "Global"}:
                pass  # of `Get-Settings`
            case "Get", {**rest} if not rest:
                self.list_instances(step, kind)
            case "Grant", {"Identity": "$order .account", "PolicyName": "$order .name"}:
                name = f"Tag:{order['name']}" if order["name"] else None
                self.call("PATCH", user, {"PolicyName": name})
            case "New", {"Identity": "$order .name @ settings"}:
                every = self.call("GET", f"/Skype.Policy/configurations/{kind}")
                default = next(each for each in every if each["Identity"] == "Global")
                settings = {name: default[name] for name in default if name in SETTINGS}
                body = {**settings, **order["content"], "Identity": order["name"]}
                self.call("POST", f"/Skype.Policy/configurations/{kind}", body)
            case "Set", {"BulkSignIn": "$order .value"}:
                path = f"/Skype.Policy/configurations/{kind}/configuration/Global"
                self.call("PUT", path, {"BulkSignIn": order["value"]})
            case _:
                refuse(f"{step.name} is called with {given}")

    def read_account(self, step: Step, account: str) -> None:
        found = self.call("GET", f"/Teams.User/users/{quote(account, safe='')}")
        self.answer = {
            each.name: _property(each, "$user", found)
            for each in self.steps
            if each.kind == "entry" and each.path[: len(step.path)] == step.path
        }
        for policy in {"TeamsIPPhonePolicy", "TeamsCallingPolicy"} - {self.config["hidden"]}:
            self.answer[policy] = (found[policy] or {}).get("Name")

    def list_instances(self, step: Step, kind: str) -> None:
        self.answer = [
            {
                each.name: _property(each, "$policy", row)
                for each in self.steps
                if each.kind == "entry" and each.path[: len(step.path)] == step.path
            }
            for row in self.call("GET", f"/Skype.Policy/configurations/{kind}")
        ]

    def find_module(self, step: Step) -> None:
        commands = [
            each for each in self.steps if each.path == step.path and each.kind == "command"
        ]
        index = commands.index(step)
        chosen = [(each.name, each.parameters) for each in commands[index + 1 : index + 3]]
        if step.parameters != {"Name": "MicrosoftTeams", "ListAvailable": ""} or chosen != [
            ("Sort-Object", {"Property": "Version", "Descending": ""}),
            ("Select-Object", {"First": "1"}),
        ]:
            refuse("not the newest version of the module")
        self.version = max(self.config["modules"], key=_number, default="")

    def connect(self, given: Mapping[str, str]) -> None:
        if not self.imported:
            refuse("connected before the module was imported")
        if given != {"AccessTokens": "$tokens", "LogLevel": "None", "ErrorAction": "Stop"}:
            refuse(f"connected with {given}")
        self.strike("connecting")
        if self.config["connect_error"]:
            kind, status = self.config["connect_kind"], self.config["connect_status"]
            raise ThrownError(self.config["connect_error"], kind, status=status)
        self.call("GET", "/Teams.Tenant/serviceDiscovery")
        self.connected = True
        self.noise("WARNING: this module will be updated soon\n")

    def ready(self, given: Mapping[str, str]) -> None:
        if not self.connected or self.stage != "asking" or self.order != "go":
            refuse("the cmdlet is called before the session is ready")
        if given.get("ErrorAction") != "Stop":
            refuse("an error in the cmdlet would not stop the script")

    def projected(self, path: tuple[str, ...], model: Mapping[str, Any]) -> dict[str, Any]:
        """The model's properties that the script outputs, under the script's names for them."""
        here = [each for each in self.steps if each.kind == "entry" and each.path[:3] == path]
        items = [
            each for each in here if any(head.startswith("foreach $item") for head in each.path)
        ]
        made: dict[str, Any] = {}
        for entry in here:
            if entry in items:
                continue
            if entry.value == "$items":
                inner: list[Mapping[str, Any]] = model.get("BatchItem") or []
                made[entry.name] = [
                    {e.name: _property(e, "$item", row) for e in items} for row in inner
                ]
            else:
                made[entry.name] = _property(entry, "$batch", model)
        return made

    # -- the module's cmdlets -----------------------------------------------------------------------

    def submit(self) -> dict[str, Any]:
        with Path("devices.csv").open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
        if not rows or list(rows[0]) != ["Username", "HardwareId"]:
            refuse("the phones have other columns")
        body = self.call("POST", f"{SERVICE}/createbatch?TargetRegion={self.region}", rows)
        if isinstance(body, str):
            return {"BatchId": body, "BatchItemsCount": len(rows)}
        return {"BatchId": _lower(body)["batchid"], "BatchItemsCount": len(rows)}

    def status(self) -> dict[str, Any]:
        identifier = self.environment["OFFHOOK_BATCH_ID"]
        fields = _lower(
            self.call("GET", f"{SERVICE}/batchstatus?batchid={quote(identifier, safe='')}")
        )
        items = [_lower(item) for item in fields.get("batchitem") or fields.get("batchitems") or []]
        return {
            "BatchId": fields["batchid"],
            "BatchStatus": fields["batchstatus"],
            "BatchItem": [
                {
                    "UserName": item["username"],
                    "HardwareId": item["hardwareid"],
                    "Status": item["status"],
                    "Error": item["error"],
                }
                for item in items
            ],
        }

    def summaries(self) -> list[dict[str, Any]]:
        body = self.call("GET", f"{SERVICE}/batchsummaries")
        rows = body if isinstance(body, list) else _lower(body)["batchsummaries"]
        return [
            {
                "BatchId": row["batchid"],
                "BatchStatus": row["batchstatus"],
                "BatchItemsCount": row.get("devicecount"),
                "Region": row.get("region"),
                # .NET writes seven fractional digits.
                "RequestTime": row["createdat"].replace("+", "0+") if "createdat" in row else None,
            }
            for row in map(_lower, rows)
        ]

    def call(self, method: str, path: str, body: object = None) -> Any:
        content = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {self.url.path}{path} HTTP/1.1\r\nHost: {self.url.netloc}\r\n"
            f"Authorization: Bearer {self.environment['OFFHOOK_TEAMS_TOKEN']}\r\n"
            f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
        )
        try:
            with socket.create_connection((self.url.hostname, self.url.port)) as connection:
                connection.sendall(head.encode() + content)
                response = b"".join(iter(lambda: connection.recv(65536), b""))
            status, reason, headers, text = _parse_response(response)
        except ConnectionRefusedError as error:
            message = f"Connection refused ({self.url.netloc})"
            raise ThrownError(message, "HttpRequestException", "SocketException") from error
        except (OSError, ValueError) as error:
            message = "An error occurred while sending the request."
            raise ThrownError(message, "HttpRequestException", "IOException") from error
        if status != 200:
            raise self.refusal(status, reason, text, headers)
        try:
            return json.loads(text) if text or method == "GET" else None
        except ValueError as error:
            raise ThrownError("Unexpected character '<'.", "ParserException") from error

    def refusal(
        self, status: int, reason: str, body: str, headers: Mapping[str, str]
    ) -> ThrownError:
        """The `RestException` of the generated cmdlets, which read only lowercase `message`."""
        try:
            content = json.loads(body)
            fields = content.get("error", content)
            message = fields.get("message", "")
        except (ValueError, AttributeError):
            fields, message = {}, body
        if self.config["plain_errors"]:  # a model of the error with code and message
            name = "System.Exception,Microsoft.Teams.ConfigApi.Cmdlets"
            return ThrownError(f"[{fields.get('code')}] : {message}", "Exception", error_id=name)
        family = "Request" if status < 500 else "Server"
        message = message or f"The server responded with a {family} Error, Status: {reason}"
        kind = "UndeclaredResponseException"
        return ThrownError(message, kind, status=status, body=body, headers=headers)

    # -- output and faults --------------------------------------------------------------------------

    def failure(self, error: ThrownError) -> dict[str, Any]:
        event = {
            "event": "failed",
            "stage": self.stage,
            "message": error.message,
            "kinds": list(error.kinds),
            "errorId": error.error_id,
        }
        if error.status is not None:
            event |= {"status": error.status, "body": error.body}
        names = {"retry-after": "retryAfter", "x-ms-correlation-id": "correlationId"}
        return event | {
            names[name.lower()]: value
            for name, value in error.headers.items()
            if name.lower() in names
        }

    def write(self, event: Mapping[str, Any]) -> None:
        self.note(str(event["event"]))
        self.noise("\x1b[33;1mWARNING: something about a deprecated thing\x1b[0m ")
        end = " \x1b[0mVERBOSE: and more\r\n" if self.config["noise"] else "\n"
        try:
            sys.stdout.write(f"{self.mark} {json.dumps(event)}{end}")
            sys.stdout.flush()
        except BrokenPipeError:  # .NET's console ignores it
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115

    def noise(self, text: str) -> None:
        if self.config["noise"]:
            sys.stdout.buffer.write(text.encode() + b"\xff\x00")
            sys.stdout.flush()
            sys.stderr.write("\x1b[31mWrite-Error: nothing to worry about\x1b[0m\n")
            sys.stderr.flush()

    def strike(self, at: str) -> None:
        if self.config["at"] != at:
            return
        match self.config["fault"]:
            case "hang" | "wait" | "outlive" as fault:
                self.hang(fault)
            case "exit" | "kill" | "crash" | "garbage" | "forge" as fault:
                self.end(fault)
            case "flood":
                while True:
                    sys.stdout.write("noise " * 10_000 + "\n")
            case "long-line":
                sys.stdout.write("noise " * 1_000_000 + "\n")
            case fault:
                refuse(f"no such fault: {fault}")

    def hang(self, fault: str) -> None:
        if fault == "hang":
            child = os.fork()
            if child:
                self.note("hanging", child=child)
            time.sleep(3600)
        if fault == "outlive":  # as on a system where the kernel does not kill it with its parent
            ctypes.CDLL(None).prctl(1, 0)  # PR_SET_PDEATHSIG: none
        parent = os.getppid()
        self.note("hanging")
        while os.getppid() == parent:
            time.sleep(0.01)

    def end(self, fault: str) -> NoReturn:
        code = 0
        match fault:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "crash":
                token = self.environment["OFFHOOK_TEAMS_TOKEN"]
                sys.stderr.write(f"\x1b[31;1mUnhandled exception.\x1b[0m {token}\r\n   at Main()\n")
                sys.stderr.flush()
                code = 134
            case "garbage":
                sys.stdout.buffer.write(b"\xff\xfe{\x00]" * 100 + b"\n" + self.mark.encode())
                sys.stdout.write(' {"event": "answered", "answer": {"Batch\n')
                sys.stdout.flush()
            case "forge":
                sys.stdout.write(
                    '0123456789abcdef {"event": "answered", "answer": {"BatchId": "1"}}\n'
                )
                sys.stdout.write('{"event": "answered", "answer": {"BatchId": "1"}}\n')
                sys.stdout.flush()
            case _:
                pass
        os._exit(code)


def _parse_response(response: bytes) -> tuple[int, str, dict[str, str], str]:
    """Status, reason, headers and body of a complete HTTP response. Raises ValueError otherwise."""
    head, _, body = response.decode("utf-8", "replace").partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    _, status, reason = first.split(" ", 2)
    pairs = (line.partition(": ") for line in lines)
    return int(status), reason, {name: value for name, _, value in pairs}, body


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")) if version else ()


def _lower(fields: Any) -> dict[str, Any]:
    return {str(name).lower(): value for name, value in fields.items()}


def _property(entry: Step, variable: str, model: Mapping[str, Any]) -> Any:
    owner, name = entry.value.removeprefix("Get-Text ").split(" .")
    if owner != variable:
        refuse(f"{entry.name} is taken from {owner}")
    return model.get(name)


def main() -> None:
    sys.exit(Session(json.loads(Path(sys.argv[1]).read_text("utf-8")), sys.argv[2:]).run())
