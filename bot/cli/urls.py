"""`python -m bot urls`: prints provisioning URLs.

With `--json`, a list of objects with `region`, `kind`, and `url`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich.console import Console

from bot.cli.common import UsageError, load_settings
from bot.cli.output import Column, print_table
from bot.phones import provisioning
from bot.phones.provisioning import ProvisioningUrl
from bot.phones.region import Region
from bot.phones.region import parse as parse_region
from bot.words import Words


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
    urls = [
        url
        for each in ([chosen] if chosen else list(Region))
        for url in provisioning.all_urls(tenant, each)
    ]
    if as_json:
        objects = [
            {"region": url.region.value, "kind": url.kind.value, "url": url.url} for url in urls
        ]
        console.file.write(json.dumps(objects, indent=2) + "\n")
    else:
        _print_urls(urls, Words(), console)


def _print_urls(urls: Sequence[ProvisioningUrl], words: Words, console: Console) -> None:
    rows: list[tuple[str, str, str]] = []
    for url in urls:
        make = words(f"device-{url.kind.value}")
        rows.append((url.region.value, make, url.url))
        if url.alternative:
            also = words("urls-alternative-make", make=make)
            rows.append((url.region.value, also, url.alternative))
    columns = (
        Column(words("fact-region")),
        Column(words("urls-column-make"), wraps=True),
        Column(words("urls-column-url")),
    )
    print_table(console, columns, rows)
