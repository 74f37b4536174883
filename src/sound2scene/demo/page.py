"""The page: what a visitor sees, and which operation each control asks for."""

from __future__ import annotations

import html
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
from safetensors.torch import save

from sound2scene import files
from sound2scene.demo.studio import EFFORT, MOST_DRAWS, Asked, Edit, Shown, Studio
from sound2scene.figures.panels import save_picture
from sound2scene.types import InputError

TITLE = "Sound to scene"
ABOUT = (
    f"# {TITLE}\nGive a sound and see pictures of the scene it may come from. The first 10 seconds count; "
    "a shorter sound is repeated. Every change draws anew."
)
CSS = "#message p {font-weight: 600} footer {display: none !important} .gradio-container {max-width: 1100px}"
# By the machine's own fonts, so that the page asks no other host for any.
FONTS = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}
ONE_AT_A_TIME: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "networks"}
# Of the same visitor only the latest wish counts: a slider that is dragged does not fill the queue.
QUIETLY: dict[str, Any] = {"trigger_mode": "always_last", "show_progress": "minimal"}
LATENT = "latent.safetensors"
REFUSED = "#b91c1c"


class Results(NamedTuple):
    """Where an answer is shown: the pictures, a line of words, and two files to take home."""

    gallery: gr.Gallery
    message: gr.HTML
    pictures: gr.DownloadButton
    latent: gr.DownloadButton


def page(studio: Studio, folder: Path, sounds: Sequence[Path]) -> gr.Blocks:
    """The whole page.

    Args:
        studio: Draws.
        folder: Folder for files that visitors download.
        sounds: Sounds to choose from.
    """
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(600, 3600)) as blocks:
        gr.Markdown(ABOUT)
        with gr.Tab("Draw a sound"), gr.Row():
            _drawing(studio, folder, sounds)
        with gr.Tab("Edit a picture by volume"), gr.Row():
            _editing(studio, folder, sounds)
    return blocks


def _drawing(studio: Studio, folder: Path, sounds: Sequence[Path]) -> None:
    with gr.Column():
        sound = _sound("Sound", "sound", sounds)
        gain_db = gr.Slider(-40, 40, 0, step=1, label="Volume (dB)", elem_id="volume")
        with gr.Row():
            truncation = gr.Slider(0, 1, 1, step=0.05, label="Truncation (1: none)", elem_id="truncation")
            draws = gr.Slider(1, MOST_DRAWS, 4, step=1, label="Pictures", elem_id="draws")
            seed = gr.Slider(0, 999, 0, step=1, label="Seed", elem_id="seed")
        with gr.Accordion("Mix with a second sound", open=False):
            other = _sound("Second sound", "other", sounds)
            share = gr.Slider(0, 1, 0.5, step=0.05, label="Share of the first sound", elem_id="share")
        with gr.Accordion("Blend with a picture", open=False):
            picture = _picture("Picture", "picture")
            blend = gr.Slider(0, 1, 0.5, step=0.05, label="Share of the picture", elem_id="blend")
        button = gr.Button("Draw", variant="primary", elem_id="draw")
    results = _results()
    controls = [sound, gain_db, other, share, picture, blend, truncation, seed, draws]

    def draw(*values: Any) -> list[Any]:
        asked = Asked(*values)
        if asked.sound is None and not any((asked.other, asked.picture)):
            return _nothing()  # the page was opened, or everything was taken away
        whole = asked._replace(seed=_whole(asked.seed), draws=_whole(asked.draws))
        return _answer(lambda: studio.draw(whole), folder)

    triggers = [button.click, *(control.change for control in controls)]
    gr.on(triggers, draw, controls, list(results), **ONE_AT_A_TIME, **QUIETLY)


def _editing(studio: Studio, folder: Path, sounds: Sequence[Path]) -> None:
    with gr.Column():
        picture = _picture("Picture to edit", "edit-picture")
        sound = _sound("Sound whose volume changes", "edit-sound", sounds)
        with gr.Row():
            from_db = gr.Slider(-40, 40, 0, step=1, label="From volume (dB)")
            to_db = gr.Slider(-40, 40, 12, step=1, label="To volume (dB)")
        strength = gr.Slider(-4, 4, 1, step=0.25, label="Strength (1: as far as the two volumes lie apart)")
        button = gr.Button("Edit", variant="primary", elem_id="edit")
        gr.Markdown(
            "The generator first has to find the picture, which takes a while; later edits are quick."
        )
    results = _results()
    controls = [picture, sound, from_db, to_db, strength]

    def edit(*values: Any, progress: gr.Progress = gr.Progress()) -> list[Any]:  # noqa: B008  gradio's way
        done = 0

        def told(steps: int) -> None:
            nonlocal done
            done += steps
            progress((done, EFFORT.steps), desc="Looking for the picture", unit="steps")

        return _answer(lambda: studio.edit(Edit(*values), told), folder, ("as drawn", "edited"))

    gr.on([button.click], edit, controls, list(results), **ONE_AT_A_TIME, trigger_mode="always_last")


def _sound(label: str, name: str, sounds: Sequence[Path]) -> gr.Audio:
    sound = gr.Audio(
        label=label,
        elem_id=name,
        type="filepath",
        sources=["upload", "microphone"],
        editable=False,
        buttons=["download"],
    )
    gr.Examples([[str(path)] for path in sounds], [sound], label="Examples", cache_examples=False)
    return sound


def _picture(label: str, name: str) -> gr.Image:
    picture = gr.Image(
        label=label, elem_id=name, type="filepath", sources=["upload", "clipboard"], height=220, buttons=[]
    )
    # Gradio would decode it first, without our limits and without our words for what is wrong with it.
    picture.preprocess = lambda payload: None if payload is None else payload.path
    return picture


def _results() -> Results:
    with gr.Column():
        message = gr.HTML(elem_id="message")
        gallery = gr.Gallery(
            label="Pictures",
            columns=2,
            height="auto",
            format="png",
            object_fit="contain",
            interactive=False,
            buttons=[],
        )
        gr.Markdown("Download")
        with gr.Row():
            pictures = gr.DownloadButton("Pictures (PNG)", interactive=False, size="md")
            latent = gr.DownloadButton("Latent and noise (safetensors)", interactive=False, size="md")
    return Results(gallery, message, pictures, latent)


def _answer(work: Callable[[], Shown], folder: Path, captions: Sequence[str] = ()) -> list[Any]:
    """Pictures and files, or the line that says what is wrong, where no older picture may stand beside it."""
    try:
        shown = work()
        strip, latent = _kept(shown, folder)
    except InputError as error:
        return [None, _line(str(error), REFUSED), *_none_to_take()]
    names = captions or [f"draw {number}" for number in range(len(shown.pictures))]
    named = list(zip(shown.pictures, names, strict=True))
    buttons = [gr.DownloadButton(value=str(path), interactive=True) for path in (strip, latent)]
    return [named, _line(shown.remark), *buttons]


def _nothing() -> list[Any]:
    return [None, "", *_none_to_take()]


def _none_to_take() -> list[Any]:
    return [gr.DownloadButton(value=None, interactive=False) for _ in range(2)]


def _line(words: str, colour: str = "inherit") -> str:
    """Words of a message; the name of a file is a visitor's, and no part of the page."""
    return f'<p role="alert" style="color: {colour}">{html.escape(words)}</p>' if words else ""


def _kept(shown: Shown, folder: Path) -> tuple[Path, Path]:
    """The pictures side by side, and latent and noise, as files of this answer alone."""
    from PIL import Image

    own = Path(tempfile.mkdtemp(dir=folder))
    width, height = shown.pictures[0].size
    strip = Image.new("RGB", (width * len(shown.pictures), height))
    for number, picture in enumerate(shown.pictures):
        strip.paste(picture, (number * width, 0))
    save_picture(strip, own / "pictures.png")
    tensors = {"z_D": shown.z_D.contiguous(), "noise_JZ": shown.noise_JZ.contiguous()}
    files.write(own / LATENT, save(tensors))
    return own / "pictures.png", own / LATENT


def _whole(number: float) -> int:
    """A slider's value, which may come as 3.0."""
    if number is None or number != int(number):
        raise gr.Error(f"{number} is no whole number")
    return int(number)
