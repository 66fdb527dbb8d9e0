"""Messages to the tokens that a model reads."""

from hilt.prompting.template import Prompt, TemplateTokenizer, detect_dialect, render_prompt

__all__ = ["Prompt", "TemplateTokenizer", "detect_dialect", "render_prompt"]
