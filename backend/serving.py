"""``serve(model=fn, items=…)``: opens Loupe on a function of a script or notebook.

The function stays in its own process and is asked over a local socket, so it may close over
anything. The app runs beside it and ends with it.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import Any, Final

import numpy as np

from backend import wire
from backend.nero.tasks.base import tensor_in
from backend.registry import adding, guess, served_items, store
from backend.registry.answers import CLASSIFICATION
from backend.registry.building import fingerprint
from backend.registry.outputs import arrays_in
from backend.registry.served_model import SUFFIX
from backend.registry.spec import from_json
from backend.settings import PROJECT

NAME: Final = "served"


def serve(
    model: Callable[[Any], Any],
    items: Any,
    *,
    classes: Sequence[str] | int = (),
    task: str = CLASSIFICATION,
    name: str = NAME,
    input: Sequence[int] | str | None = None,
    port: int = 8050,
    **spec: Any,
) -> None:
    """Opens Loupe on a function and its data; returns when the app is ended with Ctrl-C.

    Args:
        model: ``(b, c, h, w)`` float32 in [0, 1] to ``(b, k)`` logits or probabilities; a torch
            module in evaluation mode will do. For other tasks see docs/bring-your-own.md.
        items: a path as ``data add`` takes it, or ``(images (n, h, w[, 3]) uint8, labels (n,))``;
            for other tasks as :data:`backend.registry.served_items.WANTED` says.
        classes: their names in the order of the outputs, or their number; none of motion.
        task: classification, detection, piv (particle motion) or points.
        input: channels, height and width; those of the images unless given.
        spec: further fields of the model's spec, such as ``range``, ``mean`` and ``std``.

    Raises:
        BackendError: the function does not answer as its task wants it, or the data are unusable.
    """
    with served(model, items, classes=classes, task=task, name=name, input=input, **spec) as url:
        env = {**os.environ, "PORT": str(port)}
        sys.stdout.write(f"Open http://127.0.0.1:{port}{url}\n")
        with suppress(KeyboardInterrupt):
            subprocess.run([sys.executable, str(PROJECT / "app.py")], env=env, check=False)


@contextmanager
def served(
    model: Callable[[Any], Any],
    items: Any,
    *,
    classes: Sequence[str] | int = (),
    task: str = CLASSIFICATION,
    name: str = NAME,
    input: Sequence[int] | str | None = None,
    **spec: Any,
) -> Iterator[str]:
    """Registers a function and its data for as long as the block runs; gives the page's address.

    Args, Raises: as :func:`serve`.
    """
    names = [str(k) for k in range(classes)] if isinstance(classes, int) else list(classes)
    with _listening(tensor_in(model)) as address:
        told = {"name": name, "kind": "callable", "path": address, "task": task}
        size = input if isinstance(input, str) else list(input or ())
        # A spec that cannot be is refused before anything is indexed.
        asked = from_json({**told, "classes": names, "input": size, **spec})
        own = served_items.added(items, name, names, task)
        made, _ = guess.guessed(asked if input else asked.changed({"input": own}))
        report = adding.validated(made)
        store.required().put_model(report.spec, fingerprint(report.spec), report.to_json())
        is_plain = task == CLASSIFICATION
        key = f"{name}--{report.spec.size}" if is_plain else served_items.key_of(name, task)
        try:
            yield f"/nero?task={key}&models={name}&focus={name}"
        finally:
            adding.remove_model(name)


@contextmanager
def _listening(ask: Callable[[Any], Any]) -> Iterator[str]:
    """Answers connections on a socket in a private folder while the block runs."""
    with tempfile.TemporaryDirectory(prefix="loupe-") as folder:
        address = str(Path(folder) / "model")
        key = secrets.token_bytes(32)
        path = Path(address + SUFFIX)
        path.touch(mode=0o600)
        path.write_bytes(key)
        listener = Listener(address, family="AF_UNIX", authkey=key)
        threading.Thread(target=_accept, args=(listener, ask), daemon=True).start()
        try:
            yield address
        finally:
            listener.close()


def _accept(listener: Listener, ask: Callable[[Any], Any]) -> None:
    one_at_a_time = threading.Lock()
    while True:
        try:
            pipe = listener.accept()
        except AuthenticationError:
            continue
        except OSError:  # closed: the block has ended
            return
        threading.Thread(target=_answer, args=(pipe, ask, one_at_a_time), daemon=True).start()


def _answer(pipe: Connection, ask: Callable[[Any], Any], lock: threading.Lock) -> None:
    with pipe, suppress(OSError, EOFError):
        while True:
            arrays, _ = wire.unpack(pipe.recv_bytes())
            with lock:
                message = _asked(ask, [part.astype(np.float32) for part in arrays.values()])
            pipe.send_bytes(message)


def _asked(ask: Callable[..., Any], inputs: Sequence[Any]) -> bytes:
    """The function's answer as a message; what it raises as one that says so."""
    # A future carries any exception out, also those nobody thought of: the function is the user's.
    with ThreadPoolExecutor(1) as pool:
        end = pool.submit(lambda: wire.pack(arrays_in(ask(*inputs))))
        error = end.exception()
    if error is None:
        return end.result()
    traceback.print_exception(error)
    told = f"{type(error).__name__}: {error}"[:200].encode(errors="replace").decode()
    return wire.pack({}, {"error": told})
