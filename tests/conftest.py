"""For every test: threads of a forward pass sleep while they wait, as in the app's workers."""

from __future__ import annotations

from backend.devices import let_threads_sleep

let_threads_sleep()  # before anything loads torch
