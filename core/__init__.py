"""The rooms of Backscroll: sessions, order, memory and delivery, without a platform in sight."""
