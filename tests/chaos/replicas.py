"""Replicas as processes of their own, and the supervisor that starts each again when it ends."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.chaos.chronicle import Chronicle
from tests.process import ROOT
from tests.sealed import switch

_AFTER_AN_EXIT = 0.5
"""Seconds before a replica that ended by itself is started again, as a supervisor would."""

_DRAINED = 30.0
"""Seconds that a replica may take to end when it is told to."""


class Replica:
    """One replica from the start of a run to its end, over all its processes."""

    def __init__(self, number: int, chronicle: Chronicle, environment: Mapping[str, str]) -> None:
        self.number = number
        self.frozen = False
        self.exits: list[str] = []
        self._chronicle = chronicle
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None
        self._restart_after = 0.0
        self._wanted = True
        self._begun = 0
        self._keeping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._keeping = asyncio.create_task(self._keep())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends it: by a drain when all is well."""
        assert self._keeping is not None
        self._wanted = False
        self._signal(signal.SIGCONT)
        self._signal(signal.SIGTERM if error is None else signal.SIGKILL)
        done, _ = await asyncio.wait([self._keeping], timeout=_DRAINED)
        if not done:
            self.exits.append(f"did not end within {_DRAINED:.0f} s")
            self._signal(signal.SIGKILL)
        await self._keeping

    @property
    def pid(self) -> int | None:
        """The process, if there is one now."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    def kill(self, *, restart_after: float) -> None:
        """SIGKILL; the supervisor starts it again after so many seconds."""
        self._chronicle.note("KILL", replica=self.number, restart_after=round(restart_after, 1))
        self._restart_after = restart_after
        self._signal(signal.SIGKILL)

    def drain(self) -> None:
        """SIGTERM, as in a rolling restart."""
        self._chronicle.note("DRAIN", replica=self.number)
        self._signal(signal.SIGTERM)

    def freeze(self) -> None:
        """SIGSTOP: it is not dead, and does not know that time passes."""
        self._chronicle.note("FREEZE", replica=self.number)
        self.frozen = True
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT: it goes on where it was."""
        if self.frozen:
            self._chronicle.note("THAW", replica=self.number)
            self.frozen = False
            self._signal(signal.SIGCONT)

    def jump(self) -> bool:
        """Its clock goes 20 minutes ahead; False where it has only just been started, and has none of its own yet."""
        ready = self._is_ready()
        if ready:
            self._chronicle.note("CLOCK ahead", replica=self.number)
            self._signal(signal.SIGUSR1)
        return ready

    def jump_back(self) -> None:
        """Its clock is right again."""
        if self._is_ready():
            self._chronicle.note("clock is right", replica=self.number)
            self._signal(signal.SIGUSR2)

    def stop(self) -> None:
        """SIGSTOP for the moment before a SIGKILL, in which its leases are counted."""
        self._signal(signal.SIGSTOP)

    async def _keep(self) -> None:
        path = self._path
        while self._wanted:
            with path.open("ab") as log:
                self._begun = path.stat().st_size
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "tests.chaos.replica",
                    cwd=self._chronicle.folder,
                    env={
                        "PATH": os.environ["PATH"],
                        "PYTHONPATH": str(ROOT),
                        "HOME": str(self._chronicle.folder),
                        **switch(),
                        "CHAOS_VITALS": str(self.vitals),
                        **self._environment,
                    },
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            self._chronicle.note("START", replica=self.number, pid=self._process.pid)
            status = await self._process.wait()
            if status == -signal.SIGTERM and not self._is_ready():
                status = 0  # it was told to end before it could hear that, and had begun nothing
            self.frozen = False
            wait, self._restart_after = self._restart_after, 0.0
            if status not in (0, -signal.SIGKILL):
                self.exits.append(
                    f"replica {self.number} ended with {status}: {self._chronicle.last_words(self.number)}"
                )
                self._chronicle.note("EXIT", replica=self.number, status=status)
                wait = max(wait, _AFTER_AN_EXIT)
            if self._wanted and wait:
                await asyncio.sleep(wait)

    @property
    def vitals(self) -> Path:
        """Where it writes how it is."""
        return self._chronicle.folder / f"vitals-{self.number}"

    @property
    def _path(self) -> Path:
        return self._chronicle.folder / f"replica-{self.number}.log"

    def _is_ready(self) -> bool:
        """Whether its newest process has said so."""
        with self._path.open("rb") as log:
            log.seek(self._begun)
            return b'"started"' in log.read()

    def _signal(self, number: signal.Signals) -> None:
        if self.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)
