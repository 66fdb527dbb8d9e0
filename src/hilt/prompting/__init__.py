"""Messages to the tokens that a model reads."""

from hilt.prompting.manner import Manner
from hilt.prompting.probing import find_manner
from hilt.prompting.prompt import Prompt, render_prompt
from hilt.prompting.teaching import teach
from hilt.prompting.template import TemplateTokenizer, template_source

__all__ = ["Manner", "Prompt", "TemplateTokenizer", "find_manner", "render_prompt", "teach", "template_source"]
