"""Sizes in pixels."""


def box(width: int, height: int, max_width: int, max_height: int, *, step: int = 1) -> tuple[int, int]:
    """The largest size of that shape inside the box, never larger than it is; sides are multiples of `step`, ≥ 1."""
    scale = min(1.0, max_width / width, max_height / height)
    return _stepped(width * scale, step), _stepped(height * scale, step)


def _stepped(side: float, step: int) -> int:
    return max(1, int(side / step + 0.5)) * step
