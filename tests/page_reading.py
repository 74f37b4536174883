"""What stands on a figure, for tests."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle


def words(figure: Figure) -> list[str]:
    """Everything written outside of plots, in the order of writing: the title first."""
    return [text.get_text() for text in figure.axes[0].texts]


def pictures(figure: Figure) -> list[np.ndarray]:
    """Pictures (H, W, 3) or (H, W), row by row as they were drawn."""
    return [np.asarray(image.get_array()) for image in figure.axes[0].images]


def sounds(figure: Figure) -> list[Axes]:
    """The plots that show a spectrogram."""
    return [axes for axes in figure.axes[1:] if axes.images]


def plots(figure: Figure) -> list[Axes]:
    """The plots that show curves."""
    return [axes for axes in figure.axes[1:] if axes.get_lines()]


def every_image(figure: Figure) -> list[AxesImage]:
    """Pictures and spectrograms."""
    return [image for axes in figure.axes for image in axes.images]


def frames(figure: Figure) -> list[tuple[tuple[float, ...], str]]:
    """Colour and line of each frame."""
    patches = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    return [(to_rgb(patch.get_edgecolor()), str(patch.get_linestyle())) for patch in patches]


def legend(axes: Axes) -> list[str]:
    """What a legend says; nothing where there is none."""
    found = axes.get_legend()
    return [] if found is None else [text.get_text() for text in found.get_texts()]
