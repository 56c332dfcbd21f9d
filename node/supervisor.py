"""Keeps a service running: an exception that is our bug is logged and the service started again, a little later.

A bug in one call of the local API ends that call alone (attempt).

This is one of the two places that may catch Exception; the other is the guard around libp2p's handlers (guards.py).
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import structlog
import trio

from protocol.faults import Unavailable

RESTART_S_MIN = 1.0
RESTART_S_MAX = 60.0  # a service that fails at once must not spin

T = TypeVar("T")

log = structlog.get_logger("supervisor")


async def supervise(name: str, service: Callable[..., Awaitable[None]], *args: Any) -> None:
    """Runs the service until it returns or is cancelled; a crash is logged and followed by a restart.

    What is only Unavailable, a full disk for one, is no crash: the service is started again in the same way.
    """
    pause_s = RESTART_S_MIN
    while True:
        began = trio.current_time()
        try:
            await service(*args)
            return
        except* Unavailable as faults:
            log.warning("service waits", service=name, reason=str(first(faults)))
        except* Exception:
            log.exception("service crashed", service=name)
        if trio.current_time() - began > RESTART_S_MAX:
            pause_s = RESTART_S_MIN
        await trio.sleep(pause_s)
        pause_s = min(RESTART_S_MAX, pause_s * 2)


def first(faults: BaseException) -> BaseException:
    """The first fault of a group, however deep it lies."""
    while isinstance(faults, BaseExceptionGroup):
        faults = faults.exceptions[0]
    return faults


async def attempt(name: str, call: Callable[..., Awaitable[T]], *args: Any) -> T | None:
    """Returns what the call returns, or None when it crashed, which is logged with its traceback.

    Raises: trio's BrokenResourceError and ClosedResourceError, which mean that whoever asked is gone.
    """
    try:
        return await call(*args)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        raise
    except Exception:
        log.exception("call failed", method=name)
        return None
