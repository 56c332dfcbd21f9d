"""A bell: many ring it, one task waits for it; rings while nobody waits are kept as one."""

import trio


class Bell:
    """One waiter's signal. `ring` never blocks; `wait` returns at once when it was rung since the last wait."""

    __slots__ = ("_rung",)

    def __init__(self) -> None:
        self._rung = trio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def wait(self) -> None:
        await self._rung.wait()
        self._rung = trio.Event()
