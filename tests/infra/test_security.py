"""checkov over the Bicep files: nothing found, or argued in the file; and nothing that it could not read."""

from __future__ import annotations

import json

from tests.infra.bicep import INFRA
from tests.infra.tools import run


def test_checkov_finds_nothing_that_is_not_argued() -> None:
    ended = run(
        "checkov",
        "--directory",
        INFRA,
        "--framework",
        "bicep",
        "--skip-download",
        "--output",
        "json",
    )
    report = json.loads(ended.stdout)
    summary = report["summary"]
    found = [(one["check_id"], one["file_path"]) for one in report["results"]["failed_checks"]]
    assert found == []
    assert summary["parsing_errors"] == 0
    assert summary["passed"] >= 15, "it has read the files"
    for skipped in report["results"]["skipped_checks"]:
        assert len(skipped["check_result"]["suppress_comment"]) > 40, skipped["check_id"]
    assert summary["skipped"] == 3
