"""Receipts on the desk: what runs on nodes have left, read without trust and put together to one picture."""
