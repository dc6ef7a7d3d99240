"""Parameters that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Stack = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Use this CloudFormation stack's outputs."),
]
Env = Annotated[
    str | None,
    typer.Option("--env", metavar="NAME", help="Use the stack of this environment in samconfig.toml."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done without doing it.")]
Since = Annotated[
    str,
    typer.Option(metavar="WHEN", help="Since a time: 10:00, 2h, 7d, 2026-01-31."),
]
Until = Annotated[
    str | None,
    typer.Option(metavar="WHEN", help="Until then; now unless given.", show_default=False),
]
Region = Annotated[
    str | None, typer.Option(metavar="NAME", help="The region; others than us-east-1 need prices.")
]
PriceFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="JSON or TOML with prices in place of the list's."),
]
