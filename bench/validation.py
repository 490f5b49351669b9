"""How long it takes to validate 20,000 rows, against one bare pass of `csv.reader` over the same file.

    python bench/validation.py

The goal: at most 12 times the bare pass, and less than pandera and frictionless with the same rules
(both patterns, the known regions, one row for one hardware id). Those two get less to do: no
spellings to normalise beyond upper case and separators, no sentence for a person. All four read the
file anew each time; the figures are medians of interleaved rounds, and the exit code is 1 if the
goal is missed.
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
    """A file as companies have them: spellings of several tools, some 4 % of the rows flawed."""
    chance = random.Random(20_000)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["Username", "HardwareId", "Region"])
        before = ["", "", ""]
        for number in range(ROWS):
            row = [
                f"{chance.choice(['lobby', 'kitchen', 'meeting.room'])}.{number}@contoso.com",
                _spelled(f"{chance.choice(['0004F2', '805EC0', '00908F'])}{number:06X}", chance),
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
                row = before
            writer.writerow(row)
            before = row


def _spelled(digits: str, chance: random.Random) -> str:
    pairs = [digits[at : at + 2] for at in range(0, 12, 2)]
    spellings = ["-".join(pairs), ":".join(pairs).lower(), digits, ".".join(_fours(digits)).lower()]
    return chance.choices(spellings, [70, 15, 10, 5])[0]


def _fours(digits: str) -> list[str]:
    return [digits[at : at + 4] for at in range(0, 12, 4)]


def bare(path: Path) -> None:
    with path.open(newline="", encoding="utf-8") as file:
        for _ in csv.reader(file):
            pass


def ours(path: Path) -> None:
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


def milliseconds(work: Callable[[Path], None], path: Path) -> float:
    gc.collect()
    start = time.perf_counter()
    work(path)
    return (time.perf_counter() - start) * 1000


CONTENDERS = {
    "csv.reader, bare pass": bare,
    "Offhook": ours,
    "pandera": with_pandera,
    "frictionless": with_frictionless,
}


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "phones.csv"
        write_file(path)
        times: dict[str, list[float]] = {name: [] for name in CONTENDERS}
        for _ in range(ROUNDS):
            for name, work in CONTENDERS.items():
                times[name].append(milliseconds(work, path))
    figures = {name: statistics.median(each) for name, each in times.items()}
    base, own, *others = figures.values()
    table = Table("20,000 rows", "ms", "bare passes")
    for name, figure in figures.items():
        table.add_row(name, f"{figure:.1f}", f"{figure / base:.1f}")
    console = Console()
    console.print(table)
    met = own <= GOAL * base and all(own < other for other in others)
    console.print(
        f"Goal: at most {GOAL:.0f} bare passes, and less than both libraries: "
        f"{'met' if met else 'missed'}."
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
