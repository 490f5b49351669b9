"""checkov on the Bicep files: every finding is suppressed with a reason, and every file is parsed."""

from __future__ import annotations

import json

from tests.infra.bicep import INFRA
from tests.infra.tools import run


def test_checkov_has_only_suppressed_findings() -> None:
    process = run(
        "checkov",
        "--directory",
        INFRA,
        "--framework",
        "bicep",
        "--skip-download",
        "--output",
        "json",
    )
    report = json.loads(process.stdout)
    summary = report["summary"]
    failed = [(each["check_id"], each["file_path"]) for each in report["results"]["failed_checks"]]
    assert failed == []
    assert summary["parsing_errors"] == 0
    assert summary["passed"] >= 15, "checkov has read the files"
    for skipped in report["results"]["skipped_checks"]:
        assert len(skipped["check_result"]["suppress_comment"]) > 40, skipped["check_id"]
    assert summary["skipped"] == 3
