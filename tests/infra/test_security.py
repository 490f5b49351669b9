"""checkov on the Bicep files: every finding is suppressed with a reason, and every file is parsed."""

from __future__ import annotations

import json
from pathlib import Path

from tests.infra.bicep import FILES, INFRA, KEEP_EXISTING
from tests.infra.tools import run


def test_checkov_has_only_suppressed_findings(tmp_path: Path) -> None:
    for path in FILES:
        copy = tmp_path / path.relative_to(INFRA)
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(path.read_text().replace(KEEP_EXISTING, ""))
    process = run(
        "checkov",
        "--directory",
        tmp_path,
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
    assert summary["skipped"] == 5
