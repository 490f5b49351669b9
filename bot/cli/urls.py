"""`python -m bot urls`: prints provisioning URLs.

With `--json`, a list of objects with `region`, `kind`, and `url`.
"""

from __future__ import annotations

import json

from rich.console import Console

from bot.cli.common import UsageError, load_settings
from bot.cli.output import Column, print_table
from bot.phones import provisioning
from bot.phones.region import Region
from bot.phones.region import parse as parse_region


def run(region: str, *, tenant: str, as_json: bool, console: Console) -> None:
    """Prints the URLs of one region, or of all if `region` is empty.

    Raises UsageError when there is no such region or no tenant.
    """
    chosen = parse_region(region) if region else None
    if region and chosen is None:
        raise UsageError(f"There is no region {region!r}. The regions are NOAM, EMEA, and APAC.")
    tenant = tenant or next(iter(load_settings().tenant_ids), "")
    if not tenant:
        raise UsageError("Which tenant? Pass --tenant, or set OFFHOOK_TENANT_IDS.")
    rows = [
        (each.value, url.kind.value, url.url)
        for each in ([chosen] if chosen else list(Region))
        for url in provisioning.all_urls(tenant, each)
    ]
    if as_json:
        objects = [dict(zip(("region", "kind", "url"), row, strict=True)) for row in rows]
        console.file.write(json.dumps(objects, indent=2) + "\n")
    else:
        print_table(console, (Column("Region"), Column("Phone"), Column("URL")), rows)
