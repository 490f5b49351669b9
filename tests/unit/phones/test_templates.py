"""Files as admins have them: each template and export is read as it comes, with its columns found."""

from __future__ import annotations

import pytest

from bot.phones.issue import Column
from bot.phones.region import Region
from bot.phones.roster import Roster, UnreadableFileError, looks_like_csv, read, template
from bot.words import Words

MAC = "80-5E-C0-00-00-01"


def roster(header: str, *lines: str) -> Roster:
    return read("\r\n".join([header, *lines, ""]).encode(), "phones.csv")


def ignored(found: Roster) -> list[object]:
    return [n.arguments["names"] for n in found.notices if n.code == "columns-ignored"]


# Microsoft, "Configure SIP Gateway": the example CSV, and "fill in the MAC id and Location fields" of
# Template_Provisioning.csv. What the admin center exports is not documented: the last three are guesses
# at it, and what matters is that any order, case and further columns are read.
@pytest.mark.parametrize(
    ("header", "line", "unused"),
    [
        ("Username,HardwareId", f"a@contoso.com,{MAC}", []),
        ("Username, HardwareId", f"a@contoso.com,{MAC}", []),
        ("MAC id,Location,Username", f"{MAC},Berlin,a@contoso.com", ["Location"]),
        ("MAC id,Location,UPN", f"{MAC},Berlin,a@contoso.com", ["Location"]),
        ("User,MAC address,Status", f"a@contoso.com,{MAC},Online", []),
        (
            "Device ID,User,UPN,MAC Address",
            f"5f0c9a3e,Lobby Berlin,a@contoso.com,{MAC}",
            ["Device ID, User"],
        ),
        ("Device ID,Signed-in user", f"{MAC},a@contoso.com", []),
    ],
)
def test_template_is_read_as_it_comes(header: str, line: str, unused: list[object]) -> None:
    found = roster(header, line)
    (row,) = found.rows
    assert (row.username, row.hardware_id, row.ready) == ("a@contoso.com", MAC, True)
    assert ignored(found) == unused


def test_admin_center_template_is_recognized_as_a_table_when_pasted() -> None:
    assert looks_like_csv(f"MAC id,Location\n{MAC},Berlin")


def test_admin_center_template_says_that_accounts_are_missing() -> None:
    with pytest.raises(UnreadableFileError) as caught:
        roster("MAC id,Location", f"{MAC},Berlin")
    assert (caught.value.code, caught.value.arguments["column"]) == (
        "column-missing",
        Column.USERNAME.value,
    )
    fix = Words().part("unreadable-column-missing", "fix", **caught.value.arguments)
    assert "The Teams admin center's template lists devices only" in fix


@pytest.mark.parametrize(
    "header", ["User,Account,MAC", "Username,UPN,MAC", "UPN,MAC,MAC id", "Device ID,Device ID,UPN"]
)
def test_columns_are_ambiguous_when_two_names_are_equally_good(header: str) -> None:
    with pytest.raises(UnreadableFileError) as caught:
        roster(header, "a,b,c")
    assert caught.value.code == "column-twice"


def test_offhooks_own_template_and_export_are_read_without_ignored_columns() -> None:
    assert ignored(read(template().encode(), "template.csv")) == []
    export = "Username,HardwareId,Region,Status,Error,Cause,Fix,BatchId,ProvisioningUrl"
    found = roster(export, f"a@contoso.com,{MAC},EMEA,Failed,,,,1f,http://x")
    assert (found.rows[0].region, ignored(found)) == (Region.EMEA, [])
