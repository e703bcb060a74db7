"""Places for labels that touch nothing: arrays of pixels in, arrays of pixels out; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["first_free_place", "place_above", "spread", "step_boxes"]

_GAP = 3.0


def step_boxes(x: Floats, y: Floats) -> Floats:
    """The boxes of the horizontal and vertical strokes of a line of steps: shape (m, 4), with the
    left, lower, right and upper edge of each.
    """
    if len(x) < 2:
        return np.column_stack([x, y, x, y])
    flat = np.column_stack([x[:-1], y[:-1], x[1:], y[:-1]])
    low, high = np.minimum(y[:-1], y[1:]), np.maximum(y[:-1], y[1:])
    return np.concatenate([flat, np.column_stack([x[1:], low, x[1:], high])])


def _is_free(box: Floats, obstacles: Floats) -> bool:
    if not len(obstacles):
        return True
    left, low, right, high = box + np.array([-_GAP, -_GAP, _GAP, _GAP]) / 2
    touches = (obstacles[:, 0] < right) & (obstacles[:, 2] > left)
    touches &= (obstacles[:, 1] < high) & (obstacles[:, 3] > low)
    return not touches.any()


def place_above(
    anchors: Floats,
    sizes: Floats,
    obstacles: Floats,
    frame: Floats,
    lift: float,
    step: float,
    most: float,
) -> Floats | None:
    """Puts every label above its anchor, where it touches neither a line nor another label.

    Args:
        anchors: Shape (n, 2).
        sizes: Shape (n, 2), width and height of each label.
        obstacles: Shape (m, 4), boxes that no label may touch.
        frame: The left, lower, right and upper edge of the area for labels.
        lift: How far above its anchor a label stands if there is room.
        step: By how much it is raised where there is none.
        most: How far it may stand above its anchor.

    Returns:
        The lower left corners of the labels, shape (n, 2); None where one of them has no place.
    """
    corners = np.empty_like(anchors)
    boxes = obstacles
    for position, (anchor, size) in enumerate(zip(anchors, sizes, strict=True)):
        left = min(max(anchor[0] - size[0] / 2, frame[0]), frame[2] - size[0])
        for height in np.arange(lift, most + 1e-9, step):
            corner = np.array([left, anchor[1] + height])
            box = np.concatenate([corner, corner + size])
            if box[3] > frame[3]:
                return None
            if _is_free(box, boxes):
                break
        else:
            return None
        corners[position] = corner
        boxes = np.concatenate([boxes, box[np.newaxis]]) if len(boxes) else box[np.newaxis]
    return corners


def first_free_place(
    size: Floats, level: float, obstacles: Floats, frame: Floats, lift: float
) -> tuple[float, float] | None:
    """The first place from the left, above or below a level, where a label touches nothing.

    Returns:
        The lower left corner of the label; None where there is no place.
    """
    width, height = size
    for left in np.arange(frame[0], frame[2] - width + 1e-9, 6.0):
        for low in (level + lift, level - lift - height):
            box = np.array([left, low, left + width, low + height])
            if frame[1] <= low and box[3] <= frame[3] and _is_free(box, obstacles):
                return float(left), float(low)
    return None


def spread(wanted: Floats, heights: Floats, low: float, high: float) -> Floats:
    """Places on a line, in the order of those wanted, moved as little as keeps them apart.

    Args:
        wanted: The middle that each would have.
        heights: How much room each needs.
        low: Where the room begins.
        high: Where it ends.
    """
    order = np.argsort(wanted, kind="stable")
    half, middles = heights[order] / 2, wanted[order].astype(float)
    # Blocks that touch become one, around the mean of what its members want.
    blocks: list[list[int]] = []
    places: list[float] = []
    for position in range(len(order)):
        block = [position]
        place = middles[position] - half[position]
        while True:
            size = 2 * half[block].sum()
            place = float(np.clip(place, low, max(low, high - size)))
            if not blocks or places[-1] + 2 * half[blocks[-1]].sum() <= place + 1e-9:
                break
            block = blocks.pop() + block
            places.pop()
            starts = np.cumsum(2 * half[block]) - 2 * half[block]
            place = float(np.mean(middles[block] - half[block] - starts))
        blocks.append(block)
        places.append(place)
    result = np.empty(len(order))
    for block, place in zip(blocks, places, strict=True):
        result[order[block]] = place + np.cumsum(2 * half[block]) - half[block]
    return result
