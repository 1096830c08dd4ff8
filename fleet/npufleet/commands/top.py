"""npufleet top: the fleet on the whole screen, renewed by itself, ordered and filtered by keys."""

from __future__ import annotations

import threading
import time
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from npufleet import keys, survey, top
from npufleet.commands.options import InventoryOption, LimitOption, verb
from npufleet.commands.status import look
from npufleet.fleet import Fleet, open_fleet
from npufleet.result import Outcome, Screen
from npufleet.views.top import AROUND, Page

KEY_WAIT_S = 0.25


def live(
    every: Annotated[float, typer.Option("-e", "--every", min=0.5, help="Seconds between two sweeps.")] = 2.0,
    limit: LimitOption = None,
    inventory: InventoryOption = None,
) -> Outcome:
    """Watch the fleet on the whole screen. Where there is no terminal it is `npufleet status`, once.

    Keys: q quits, s changes the order, / filters by name, state, group, workload or reason, space pauses.
    """
    fleet = open_fleet(inventory, limit=limit)
    return Screen("top", lambda: look(fleet), lambda console: _run(console, fleet, every))


class Sweeper:
    """Asks the fleet again and again in a thread of its own: keys answer at once, however slow a node is."""

    def __init__(self, fleet: Fleet, every_s: float) -> None:
        self._fleet = fleet
        self._every_s = every_s
        self._paused = threading.Event()
        self.seen: top.Seen | None = None
        self.problem: Exception | None = None

    def start(self) -> None:
        threading.Thread(target=self._sweep_on, name="top", daemon=True).start()

    def pause(self, *, paused: bool) -> None:
        if paused:
            self._paused.set()
        else:
            self._paused.clear()

    def _sweep_on(self) -> None:
        try:
            while True:
                if not self._paused.is_set():
                    self.seen = self.sweep()
                time.sleep(self._every_s)
        except Exception as problem:  # noqa: BLE001  # the screen raises it where it is seen
            self.problem = problem

    def sweep(self) -> top.Seen:
        begun = time.monotonic()
        statuses = survey.take(self._fleet)
        took_s, at = time.monotonic() - begun, f"{datetime.now().astimezone():%H:%M:%S}"
        return top.Seen(at, took_s, statuses, survey.summarize(statuses), self._fleet.inventory.notices)


def _run(console: Console, fleet: Fleet, every_s: float) -> None:
    sweeper, screen = Sweeper(fleet, every_s), top.Screenful()
    sweeper.start()
    with keys.unbuffered() as terminal, Live(console=console, screen=True, auto_refresh=False) as shown:
        drawn: object = None
        while not screen.ended:
            if sweeper.problem is not None:
                raise sweeper.problem
            seen = sweeper.seen
            now = (seen and seen.at, screen, console.size)
            if now != drawn:
                shown.update(Page(seen, screen), refresh=True)
                drawn = now
            for key in keys.read(terminal, KEY_WAIT_S):
                screen = screen.press(key, max(1, console.height - AROUND))
            sweeper.pause(paused=screen.paused)


app = verb(live)
