"""The door to OpenAI's package: one model behind one of two APIs."""

from core.model.openai.model import OpenAIModel

__all__ = ["OpenAIModel"]
