"""Where a request becomes events, wherever the model runs."""

from hilt.backends.protocol import Backend, ModelCard
from hilt.backends.scripted import ScriptedBackend

__all__ = ["Backend", "ModelCard", "ScriptedBackend"]
