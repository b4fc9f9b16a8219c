"""The widgets: type, watch, steer, go back, export. The only room that imports ipywidgets."""
