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
from backend.errors import BadRequest
from backend.nero.tasks.base import tensor_in
from backend.registry import adding, store
from backend.registry.building import fingerprint
from backend.registry.plain import rows
from backend.registry.served_model import SUFFIX
from backend.registry.spec import from_json
from backend.registry.validate import validated
from backend.settings import PROJECT

NAME: Final = "served"


def serve(
    model: Callable[[Any], Any],
    items: Any,
    *,
    classes: Sequence[str] | int,
    name: str = NAME,
    input: Sequence[int] | str | None = None,
    port: int = 8050,
    **spec: Any,
) -> None:
    """Opens Loupe on a function and its data; returns when the app is ended with Ctrl-C.

    Args:
        model: ``(b, c, h, w)`` float32 in [0, 1] to ``(b, k)`` logits or probabilities; a torch
            module in evaluation mode will do.
        items: a path as ``data add`` takes it, or ``(images (n, h, w[, 3]) uint8, labels (n,))``.
        classes: their names in the order of the outputs, or their number.
        input: channels, height and width; those of the images unless given.
        spec: further fields of the model's spec, such as ``range``, ``mean`` and ``std``.

    Raises:
        BackendError: the function does not answer as a classifier does, or the data are unusable.
    """
    with served(model, items, classes=classes, name=name, input=input, **spec) as url:
        env = {**os.environ, "PORT": str(port)}
        sys.stdout.write(f"Open http://127.0.0.1:{port}{url}\n")
        with suppress(KeyboardInterrupt):
            subprocess.run([sys.executable, str(PROJECT / "app.py")], env=env, check=False)


@contextmanager
def served(
    model: Callable[[Any], Any],
    items: Any,
    *,
    classes: Sequence[str] | int,
    name: str = NAME,
    input: Sequence[int] | str | None = None,
    **spec: Any,
) -> Iterator[str]:
    """Registers a function and its data for as long as the block runs; gives the page's address.

    Args, Raises: as :func:`serve`.
    """
    names = [str(k) for k in range(classes)] if isinstance(classes, int) else list(classes)
    with _listening(tensor_in(model)) as address:
        size = input or _add_items(items, name, names)
        given = {"name": name, "kind": "callable", "path": address, "classes": names, **spec}
        made = from_json({**given, "input": size if isinstance(size, str) else list(size)})
        if input:
            _add_items(items, name, names)
        report = validated(made)
        store.required().put_model(report.spec, fingerprint(report.spec), report.to_json())
        key = f"{name}--{report.spec.size}"
        try:
            yield f"/nero?task={key}&models={name}&focus={name}"
        finally:
            adding.remove_model(name)


def _add_items(items: Any, name: str, classes: Sequence[str]) -> tuple[int, int, int]:
    """Registers the data under the same name; channels, height and width of its images."""
    if isinstance(items, str | Path):
        summary = adding.add_set(str(items), name, {"classes": list(classes)})
        width, height = summary["largest"]
        return 3, height, width
    if not (isinstance(items, tuple) and len(items) == 2):
        raise BadRequest(
            f"items={type(items).__name__} is not usable.", "Give a path, or (images, labels)."
        )
    images, labels = (np.asarray(part) for part in items)
    folder = store.home() / "served"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.npz"
    np.savez(path, allow_pickle=False, images=images, labels=labels)
    adding.add_set(str(path), name, {"classes": list(classes)})
    height, width = images.shape[1:3]
    return (3 if images.ndim == 4 and images.shape[3] == 3 else 1), height, width


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
                message = _asked(ask, arrays["images"].astype(np.float32))
            pipe.send_bytes(message)


def _asked(ask: Callable[[Any], Any], images: Any) -> bytes:
    """The function's answer as a message; what it raises as one that says so."""
    # A future carries any exception out, also those nobody thought of: the function is the user's.
    with ThreadPoolExecutor(1) as pool:
        end = pool.submit(lambda: rows(ask(images)))
        error = end.exception()
    if error is None:
        return wire.pack({"answers": end.result()})
    traceback.print_exception(error)
    return wire.pack({}, {"error": f"{type(error).__name__}: {error}"[:200]})
