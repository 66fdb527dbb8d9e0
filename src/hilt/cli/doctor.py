"""`hilt doctor`: what was found on this machine, how fast it is, and what would mend it."""

import platform
import sys
from typing import Annotated

import msgspec
import typer

SLOW_CPU_GFLOPS = 20.0


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what models run on here, measure how fast it multiplies, and tell what would make it faster."""
    from rich.console import Console
    from rich.table import Table

    from hilt.assembly import config_file, measure_machine, prepare_machine, version

    machine = prepare_machine()
    speeds = measure_machine(machine)
    if as_json:
        told = {
            "version": version(),
            "python": platform.python_version(),
            "platform": platform.platform(),
            "settings": str(config_file()),
            "device": machine.device,
            "blas": {"state": machine.blas.state, "detail": machine.blas.detail},
            "products": speeds,
            "tips": machine.tips,
        }
        sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
        return
    console = Console(highlight=False)
    console.print(f"[bold]Hilt {version()}[/]  Python {platform.python_version()}  {platform.platform()}")
    console.print(f"Settings {config_file()}", markup=False)
    console.print(f"Device  {machine.device.kind} ({machine.device.name})")
    console.print(f"BLAS    {machine.blas.state}: {machine.blas.detail}", markup=False)
    table = Table("product of", "size", "GFLOP/s", "", box=None, pad_edge=False, header_style="bold")
    for speed in speeds:
        slow = speed.gflops < SLOW_CPU_GFLOPS
        verdict = "slow: models are converted to float32 when they are loaded" if slow else ""
        if slow and speed.dtype == "float32":
            verdict = "slow: see below"
        table.add_row(speed.dtype, str(speed.size), f"{speed.gflops:,.1f}", verdict)
    console.print(table)
    for tip in machine.tips:
        console.print(f"- {tip}", markup=False)
