"""How long the validation of 20,000 rows takes, relative to a bare pass of `csv.reader` over the file.

    python bench/validation.py

The goal: at most 12 times the bare pass, and faster than pandera and frictionless with the same rules
(both patterns, the known regions, unique hardware IDs). Those two do less: they normalize only upper case
and separators, and write no sentences. All four read the file every time. Figures are medians of
interleaved rounds. Exit code 1 if the goal is missed.
"""

from __future__ import annotations

import csv
import gc
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import frictionless
import pandas as pd
import pandera.pandas as pa
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from bot.phones.region import Region
from bot.phones.roster import read

ROWS = 20_000
ROUNDS = 15
GOAL = 12.0  # bare passes

USERNAME = r"^[A-Za-z0-9'._!#^~+-]{1,64}(?<!\.)@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}$"
HARDWARE_ID = r"^[0-9A-Fa-f][02468ACEace](?:[-:. ]?[0-9A-Fa-f]){10}(?::0(?:0[1-9]|1[0-9]|2[0-4]))?$"
REGIONS = ["", *(region.value for region in Region)]


def write_file(path: Path) -> None:
    """Writes a realistic file: notations of several tools, about 4% of the rows invalid."""
    chance = random.Random(20_000)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["Username", "HardwareId", "Region"])
        previous = ["", "", ""]
        for number in range(ROWS):
            row = [
                f"{chance.choice(['lobby', 'kitchen', 'meeting.room'])}.{number}@contoso.com",
                _notation(f"{chance.choice(['0004F2', '805EC0', '00908F'])}{number:06X}", chance),
                chance.choice(["EMEA", "NOAM", "APAC"]),
            ]
            flaw = chance.random()
            if flaw < 0.01:
                row[0] = row[0].replace("@", " @")
            elif flaw < 0.02:
                row[1] = row[1][:-1]
            elif flaw < 0.03:
                row[2] = "EUROPE"
            elif flaw < 0.04:
                row = previous
            writer.writerow(row)
            previous = row


def _notation(digits: str, chance: random.Random) -> str:
    pairs = _groups(digits, 2)
    quads = _groups(digits, 4)
    notations = ["-".join(pairs), ":".join(pairs).lower(), digits, ".".join(quads).lower()]
    return chance.choices(notations, [70, 15, 10, 5])[0]


def _groups(digits: str, size: int) -> list[str]:
    return [digits[start : start + size] for start in range(0, 12, size)]


def bare(path: Path) -> None:
    with path.open(newline="", encoding="utf-8") as file:
        for _ in csv.reader(file):
            pass


def offhook(path: Path) -> None:
    roster = read(path.read_bytes(), path.name)
    assert len(roster.rows) == ROWS
    assert 0 < roster.not_ready < 0.06 * ROWS


def with_pandera(path: Path) -> None:
    schema = pa.DataFrameSchema(
        {
            "Username": pa.Column(str, pa.Check.str_matches(USERNAME)),
            "HardwareId": pa.Column(str, pa.Check.str_matches(HARDWARE_ID)),
            "Region": pa.Column(str, pa.Check.isin(REGIONS)),
            "Device": pa.Column(str, unique=True),
        }
    )
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    frame["Device"] = frame["HardwareId"].str.upper().str.replace(r"[-:. ]", "", regex=True)
    failures = 0
    try:
        schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as errors:
        failures = len(errors.failure_cases)
    assert failures > 0.03 * ROWS


def with_frictionless(path: Path) -> None:
    schema = frictionless.Schema.from_descriptor(
        {
            "fields": [
                {"name": "Username", "type": "string", "constraints": {"pattern": USERNAME}},
                {
                    "name": "HardwareId",
                    "type": "string",
                    "constraints": {"pattern": HARDWARE_ID, "unique": True},
                },
                {"name": "Region", "type": "string", "constraints": {"enum": REGIONS}},
            ]
        }
    )
    resource = frictionless.Resource(
        path=path.name, basepath=str(path.parent), schema=schema, encoding="utf-8"
    )
    report = resource.validate(limit_errors=ROWS)
    assert report.stats["errors"] > 0.03 * ROWS


def milliseconds(validate: Callable[[Path], None], path: Path) -> float:
    gc.collect()
    start = time.perf_counter()
    validate(path)
    return (time.perf_counter() - start) * 1000


CONTENDERS = {
    "csv.reader, bare pass": bare,
    "Offhook": offhook,
    "pandera": with_pandera,
    "frictionless": with_frictionless,
}


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "phones.csv"
        write_file(path)
        times: dict[str, list[float]] = {name: [] for name in CONTENDERS}
        for _ in range(ROUNDS):
            for name, validate in CONTENDERS.items():
                times[name].append(milliseconds(validate, path))
    figures = {name: statistics.median(each) for name, each in times.items()}
    base, own, *others = figures.values()
    table = Table("20,000 rows", "ms", "bare passes")
    for name, figure in figures.items():
        table.add_row(name, f"{figure:.1f}", f"{figure / base:.1f}")
    console = Console()
    console.print(table)
    met = own <= GOAL * base and all(own < other for other in others)
    console.print(
        f"Goal: at most {GOAL:.0f} bare passes, and faster than both libraries: "
        f"{'met' if met else 'missed'}."
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
