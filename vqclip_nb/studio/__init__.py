"""The widgets: type, watch, steer, go back, export. The only room that imports ipywidgets."""

from .studio import Studio

__all__ = ["Studio"]
