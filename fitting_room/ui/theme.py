"""The page's styles, beyond what the theme in ``.streamlit/config.toml`` can say."""

from __future__ import annotations

import streamlit as st

from fitting_room.ui import navigation

#: Colours derive from the theme's text colour, so that one sheet serves light and dark. Pictures
#: stand on white in both: it is the ground of product photographs.
_CSS = """
<style>
.stMainBlockContainer { max-width: 86rem; padding-top: 2.2rem; padding-bottom: 3rem; }
.fr-masthead h1 { font-family: Georgia, "Times New Roman", "Liberation Serif", serif;
  font-weight: 500; font-size: clamp(2rem, 4vw, 2.9rem); letter-spacing: -0.015em; padding: 0;
  margin: 0; line-height: 1.1; }
.fr-masthead p { margin: .35rem 0 0; font-size: 1.05rem; opacity: .8; }

.stMainBlockContainer h2 { font-size: 1.75rem; padding: .4rem 0; }
.stMainBlockContainer h3 { font-size: 1.3rem; padding: .3rem 0 .6rem; }
/* Streamlit's captions fall short of a contrast of 4.5. */
[data-testid="stCaptionContainer"] { opacity: 1; }
[data-testid="stCaptionContainer"] p {
  color: color-mix(in srgb, var(--fr-text) 76%, var(--fr-ground)); }

/* One big place to drop a picture on, and a smaller one once a picture is there. */
[class*="st-key-fr-upload"] [data-testid="stFileUploaderDropzone"] { flex-direction: column;
  justify-content: center; align-items: center; text-align: center; gap: .7rem;
  border: 1.5px dashed color-mix(in srgb, currentColor 45%, transparent); }
.st-key-fr-upload-first [data-testid="stFileUploaderDropzone"] { min-height: 12rem; }
[class*="st-key-fr-upload"] [data-testid="stFileUploaderDropzone"]::before {
  content: "Drop or paste pictures here"; font-size: 1.05rem; font-weight: 600; }
.st-key-fr-upload-again [data-testid="stFileUploaderDropzone"]::before {
  content: "Drop or paste another picture"; font-size: .95rem; }
/* Streamlit's line lists thirty endings; the help text of the element says it in words. */
[class*="st-key-fr-upload"] [data-testid="stFileUploaderDropzoneInstructions"],
[class*="st-key-fr-upload"] [data-testid="stFileUploaderDropzone"] > span + div { display: none; }

.fr-query img { display: block; width: 100%; height: auto; max-height: 21rem; object-fit: contain;
  margin: 0 auto; }
.fr-query { background: #fff; border-radius: .6rem; overflow: hidden; margin: 0;
  border: 1px solid color-mix(in srgb, currentColor 16%, transparent); }

/* Both ends of a slider are named at once, and not only while it is touched. */
.stSlider { padding-bottom: .5rem; }
.stSlider [data-testid="stSliderTickBar"] { opacity: 1; }

.fr-query .fr-missing { display: block; color: #595049; padding: 2rem 1rem; text-align: center; }
.fr-section { display: flex; align-items: center; gap: .8rem; margin: .8rem 0 .2rem; }
.fr-section img { height: 3.4rem; width: 2.6rem; object-fit: contain; background: #fff;
  border-radius: .4rem; border: 1px solid color-mix(in srgb, currentColor 16%, transparent); }
.fr-section h3 { font-size: 1.15rem; padding: 0; overflow-wrap: anywhere; }
.st-key-fr-subjects .fr-query img { max-height: 8rem; }

/* The head: the name on one side, links on the other. */
.st-key-fr-head [data-testid="stPageLink"] a { padding: .3rem .8rem; border-radius: 2rem; }

/* Filters: a wide sheet, values as pills, colours as swatches. */
[data-testid="stPopoverBody"]:has([class*="st-key-filter-"]) { width: min(44rem, 94vw);
  max-height: 75vh; }
.st-key-source button { padding-inline: .55rem; }
.st-key-fr-chips button { min-height: 2rem; padding: .1rem .7rem; }
.st-key-fr-trail { margin-bottom: .2rem; }
.st-key-fr-trail > :nth-child(n+3) { display: flex; align-items: center; gap: .5rem; width: auto; }
.st-key-fr-trail > :nth-child(n+3)::before { content: "›" / ""; opacity: .7; }

/* The whole sample picture is the button; its label stays for screen readers. */
[class*="st-key-fr-sample-"] { position: relative; gap: 0; }
[class*="st-key-fr-sample-"] .fr-sample { background: #fff; border-radius: .6rem; overflow: hidden;
  border: 1px solid color-mix(in srgb, currentColor 16%, transparent);
  transition: border-color .15s; }
[class*="st-key-fr-sample-"] .fr-sample img { display: block; width: 100%; aspect-ratio: 3 / 4;
  object-fit: contain; }
[class*="st-key-fr-sample-"] .stElementContainer:has(.stButton) { position: absolute; inset: 0;
  width: 100%; }
[class*="st-key-fr-sample-"] .stButton, [class*="st-key-fr-sample-"] .stButton > *,
[class*="st-key-fr-sample-"] button { width: 100%; height: 100%; }
[class*="st-key-fr-sample-"] button { opacity: 0; min-height: 0; }
[class*="st-key-fr-sample-"]:hover .fr-sample,
[class*="st-key-fr-sample-"]:focus-within .fr-sample { border-color: var(--fr-accent);
  box-shadow: 0 0 0 2px var(--fr-accent); }

.stMainBlockContainer .fr-figures { display: grid; gap: 1rem; margin: 0 0 .5rem; padding: 0;
  grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); }
.stMainBlockContainer .fr-figures :is(dt, dd) { margin: 0; padding: 0; }
.fr-figures dt { font-size: .85rem; }
.fr-figures dd { font-size: 1.6rem; font-variant-numeric: tabular-nums; }

/* Why: two pictures side by side, one below the other on a phone. */
.fr-why { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; }
.fr-why figure { margin: 0; }
.fr-why img { display: block; width: 100%; height: 20rem; object-fit: contain; background: #fff;
  border-radius: .6rem; border: 1px solid color-mix(in srgb, currentColor 16%, transparent); }
.fr-why figcaption { font-size: .85rem; margin-top: .4rem; overflow-wrap: anywhere; }
.fr-why-sentence { font-size: 1.05rem; line-height: 1.5; margin: 0; }
.fr-why-scale { display: flex; align-items: center; gap: .6rem; font-size: .82rem; }
.fr-why-bar { flex: 0 1 9rem; height: .5rem; border-radius: .25rem;
  background: linear-gradient(90deg, #0d088733, #7e03a8, #cc4778, #f89540, #f0f921); }
.fr-share-label { font-size: .85rem; margin: 0; }
@media (max-width: 640px) { .fr-why img { height: 13rem; } }

.fr-nothing { padding: 2.5rem 1rem; text-align: center; }

@media (hover: none) {
  .st-key-fr-upload-first [data-testid="stFileUploaderDropzone"]::before {
    content: "Your pictures"; }
  .st-key-fr-upload-again [data-testid="stFileUploaderDropzone"]::before { content: "Another one"; }
}
@media (max-width: 640px) {
  /* Both sliders in one row, so that the matches follow soon. */
  .st-key-fr-controls .stHorizontalBlock > .stColumn { min-width: 0; flex: 1 1 40%; }
  .st-key-fr-controls .stHorizontalBlock > .stColumn:last-child { flex-basis: 100%; }
  .stMainBlockContainer .stHorizontalBlock { row-gap: 1rem; }
  .stMainBlockContainer .st-key-fr-heading { row-gap: .4rem; }
  .stMainBlockContainer { padding: 1.2rem 1rem 2rem; }
  .stMainBlockContainer .fr-query img { max-height: 11rem; }
  .st-key-fr-upload-first [data-testid="stFileUploaderDropzone"] { min-height: 8rem; }
}
</style>
"""


def apply() -> None:
    """Put the style sheet into the page."""
    theme = "dark" if st.context.theme.type == "dark" else "light"
    options = {"accent": "primaryColor", "text": "textColor", "ground": "backgroundColor"}
    colours = {name: st.get_option(f"theme.{theme}.{option}") for name, option in options.items()}
    variables = "".join(f"--fr-{name}: {value};" for name, value in colours.items() if value)
    st.html(_CSS + f"<style>:root {{ {variables} }}</style>")


def masthead() -> None:
    """The page's name, what it does in one sentence, and links to the other pages."""
    with st.container(
        horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute",
        key="fr-head",
    ):  # fmt: skip
        st.html(
            '<header class="fr-masthead"><h1>Fitting Room</h1>'
            "<p>Show a picture of a garment. See what looks most like it.</p></header>",
            width="content",
        )
        navigation.links()
