"""Files that are made once and kept: pyramids of the user's images, and the large needle sets."""

from __future__ import annotations

from backend.files import write_atomic
from backend.protocols import Progress
from backend.zoom import needles, pyramid
from backend.zoom.files import Header, Held
from backend.zoom.library import Library


def make_pyramid(library: Library, opened: tuple[Held, Header, str], progress: Progress) -> None:
    """A low resolution first, then the pyramid of an opened file; what is there is kept.

    Raises:
        Cancelled, StorageFull; BadRequest: the file is damaged, or changed meanwhile.
    """
    file, header, mark = opened
    small = library.preview_path(mark)
    if not small.is_file():
        progress(0, pyramid.STEPS)
        data = pyramid.preview(file, header)
        write_atomic(small, lambda out: out.write(data))
    progress(1, pyramid.STEPS)  # from now on the whole can be seen
    final = library.pyramid_path(mark)
    if not final.is_file():
        pyramid.build(file, header, final, progress, library.settings.pyramid_bytes)


def make_large(library: Library, side_px: int, progress: Progress) -> None:
    """A large needle image, block row by block row; one that is there is kept.

    Raises:
        Cancelled, StorageFull; NotFound: there is none of that side.
    """
    path = library.large_path(side_px)
    if not path.is_file():
        scene = needles.large_scene(side_px)
        image = pyramid.streamed(side_px, side_px, needles.LargeRows(scene))
        pyramid.write_pyramid(image, path, progress, library.settings.pyramid_bytes, quality=85)
