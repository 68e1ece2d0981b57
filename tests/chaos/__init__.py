"""The chaos kit: replicas as real processes under load, broken in every known way, judged by what people see."""
