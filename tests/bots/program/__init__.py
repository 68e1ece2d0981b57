"""The program: its command line, its doctor, its logs."""
