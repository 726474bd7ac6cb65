"""Rotations of space by axis and angle: three discs, one for each plane the axis may lie in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backend.errors import BadRequest
from backend.nero.orbits.base import F64, Domain, Layout, checked, checked_all, outside
from backend.protocols import F32, I64

PLANES = ("xy", "xz", "yz")
AXES = np.array([[0, 1], [0, 2], [1, 2]])  # the two coordinates that span each plane


@dataclass(frozen=True, slots=True)
class AxisAngleDisc:
    """Plane-major, then axis, then angle: ``(plane * n_axes + axis) * n_angles + angle``.

    The axis of plane xy at ``a`` is (cos a, sin a, 0), of xz (cos a, 0, sin a), of yz (0, cos a,
    sin a); the rotation is right-handed by 0° to 180°. The centre of a disc is the identity, its
    rim a half turn, and opposite points of a disc are inverse to each other.
    """

    n_axes: int
    n_angles: int

    @property
    def name(self) -> str:
        """What it does, for people."""
        return f"rotations about {self.n_axes} axes in each of three planes"

    @property
    def key(self) -> str:
        """Family and sampling."""
        return f"discs-{self.n_axes}x{self.n_angles}"

    @property
    def layout(self) -> Layout:
        """Three discs."""
        return "discs"

    @property
    def domain(self) -> Domain:
        """Clouds of points."""
        return "points"

    @property
    def size(self) -> int:
        """Cells of all three discs; some are the same rotation."""
        return 3 * self.n_axes * self.n_angles

    @property
    def identity_index(self) -> int:
        """The centre of the first disc."""
        return 0

    @property
    def positions(self) -> F64:
        """Plane 0..2, axis angle and rotation angle in degrees, ``(size, 3)``."""
        angles = np.arange(self.n_axes) * 360.0 / self.n_axes
        turns = np.linspace(0.0, 180.0, self.n_angles)
        grid = np.meshgrid(np.arange(3.0), angles, turns, indexing="ij")
        return np.stack([axis.ravel() for axis in grid], axis=1)

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the coordinates."""
        return ("plane", "axis (°)", "rotation (°)")

    @property
    def labels(self) -> tuple[str, ...]:
        """Such as ``"xy, axis 30°, turned by 45°"``."""
        return tuple(
            f"{PLANES[int(p)]}, axis {a:g}°, turned by {t:g}°" for p, a, t in self.positions
        )

    @property
    def matrices(self) -> F64:
        """Rotation matrices ``(size, 3, 3)``, by Rodrigues' formula."""
        plane, axis, turn = self.positions.T
        rows, spans, angle = np.arange(self.size), AXES[plane.astype(int)], np.deg2rad(axis)
        u = np.zeros((self.size, 3))
        u[rows, spans[:, 0]], u[rows, spans[:, 1]] = np.cos(angle), np.sin(angle)
        cross = np.zeros((self.size, 3, 3))
        for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
            cross[:, i, j], cross[:, j, i] = -u[:, k], u[:, k]
        theta = np.deg2rad(turn)[:, None, None]
        turned: F64 = np.eye(3) + np.sin(theta) * cross + (1 - np.cos(theta)) * (cross @ cross)
        return turned

    def inverse(self, i: int) -> int:
        """The opposite point of the disc.

        Raises:
            BadRequest: there is an odd number of axes, so that no axis lies opposite.
        """
        plane, rest = divmod(checked(i, self.size), self.n_axes * self.n_angles)
        axis, angle = divmod(rest, self.n_angles)
        if self.n_axes % 2 and angle:
            outside(self.name, "the opposite axis")
        opposite = (axis + self.n_axes // 2) % self.n_axes
        return (plane * self.n_axes + opposite) * self.n_angles + angle

    def compose(self, i: int, j: int) -> int:
        """The cell whose rotation is that product, where there is one: the discs are not closed."""
        i, j = checked(i, self.size), checked(j, self.size)
        matrices = self.matrices
        distance = np.abs(matrices - matrices[i] @ matrices[j]).max(axis=(1, 2))
        if distance.min() > 1e-6:
            outside(self.name, f"{self.labels[j]} followed by {self.labels[i]}")
        return int(distance.argmin())

    def act(self, inputs: F32, elements: I64, out: F32 | None = None) -> F32:
        """Clouds ``(b, n, 3)`` under some rotations, ``(b, m, n, 3)`` float32."""
        matrices = self.matrices[checked_all(elements, self.size)].astype(np.float32)
        return np.matmul(inputs[:, None], matrices.transpose(0, 2, 1)[None], out=out)


def axis_angle_disc(n_axes: int = 24, n_angles: int = 13) -> AxisAngleDisc:
    """Three discs of ``n_axes`` axes (0° up to but without 360°) and ``n_angles`` turns (0°..180°).

    Raises:
        BadRequest: a number is not whole or too small or large.
    """
    for what, number, low in (("axes", n_axes, 1), ("angles", n_angles, 2)):
        if type(number) is not int or not low <= number <= 360:
            raise BadRequest(
                f"{number!r} is not a number of {what}.",
                f"Allowed are whole numbers from {low} to 360.",
            )
    return AxisAngleDisc(int(n_axes), int(n_angles))
