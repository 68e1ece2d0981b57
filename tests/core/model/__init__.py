"""The model behind one method, and what every call of it needs."""
