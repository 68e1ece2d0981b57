"""The console: its adapter on pipes, files and a terminal."""
