"""The program: the command line, and the one place that knows every part of the house and puts it together."""
